import type { Rational } from "../lib/media/frame.ts";
import { startProcess } from "../lib/ffmpeg/process.ts";

/** A video made for measuring. */
export interface Clip {
  /** Name in the folder, as a client asks for it. */
  name: string;
  path: string;
  /** Pixels. */
  width: number;
  height: number;
  /** Frames in it. */
  frames: number;
  /** Length. */
  seconds: number;
  /** Bytes of one raw frame. */
  frameSize: number;
}

interface Recipe {
  size: readonly [width: number, height: number];
  rate: Rational;
  frames: number;
}

const THIRTY: Rational = [30, 1];
const SIXTY: Rational = [60000, 1001];

/** The videos that are sent as fast as possible. A raw frame of 4K is four times as large. */
const CLIPS = {
  hd: { size: [1280, 720], rate: THIRTY, frames: 300 },
  thirty: { size: [1920, 1080], rate: THIRTY, frames: 300 },
  uhd: { size: [3840, 2160], rate: THIRTY, frames: 100 },
} satisfies Record<string, Recipe>;

/** The videos that are played in real time, as long as is played of them. */
const PLAYED = { steady: THIRTY, sixty: SIXTY } satisfies Record<string, Rational>;

/** A name of a video. */
export type ClipName = keyof typeof CLIPS | keyof typeof PLAYED;

/** Bytes of a raw frame a pixel: 4:2:0 subsampling takes one and a half. */
const BYTES_PER_PIXEL = 1.5;

/** All videos: H.264 4:2:0 in MP4, without sound, each made by FFmpeg when it is first asked for. */
export class Clips {
  /** The folder they are in, the only things there. */
  readonly folder: string;
  #seconds: number;
  #tell: (line: string) => void;
  #made = new Map<ClipName, Promise<Clip>>();

  /**
   * @param folder path of an empty folder
   * @param seconds that are played of a video where that takes real time
   */
  constructor(
    folder: string,
    { seconds, tell }: { seconds: number; tell: (line: string) => void },
  ) {
    this.folder = folder;
    this.#seconds = seconds;
    this.#tell = tell;
  }

  /**
   * Gives a video, of 1080p unless its name says otherwise, at 30 frames a second, or at 59.94.
   *
   * @throws {Error} where FFmpeg fails
   */
  get(name: ClipName, signal: AbortSignal): Promise<Clip> {
    const made = this.#made.get(name) ?? this.#make(name, signal);
    this.#made.set(name, made);
    return made;
  }

  async #make(name: ClipName, signal: AbortSignal): Promise<Clip> {
    const { size: [width, height], rate, frames } = this.#recipe(name);
    this.#tell(`making ${frames} frames of ${width}×${height}`);
    const path = `${this.folder}/${name}.mp4`;
    const seconds = frames * rate[1] / rate[0];
    // The source stops by itself even where FFmpeg does not.
    const source = `testsrc2=size=${width}x${height}:rate=${rate.join("/")}:d=${seconds + 1}`;
    const input = [
      "-nostdin",
      "-v",
      "error",
      "-f",
      "lavfi",
      "-i",
      source,
      "-frames:v",
      `${frames}`,
    ];
    // The index goes to the front: GStreamer is fed through a pipe, in which it cannot go back.
    const output = ["-pix_fmt", "yuv420p", "-movflags", "+faststart", path];
    await using ffmpeg = startProcess(
      "ffmpeg",
      [...input, "-c:v", "libx264", "-preset", "veryfast", ...output],
      { stdout: "null", signal },
    );
    await ffmpeg.finished();
    const frameSize = width * height * BYTES_PER_PIXEL;
    return { name: `${name}.mp4`, path, width, height, frames, seconds, frameSize };
  }

  #recipe(name: ClipName): Recipe {
    if (name !== "steady" && name !== "sixty") return CLIPS[name];
    const rate = PLAYED[name];
    return { size: CLIPS.thirty.size, rate, frames: Math.round(this.#seconds * rate[0] / rate[1]) };
  }
}
