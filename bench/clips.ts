import type { Rational } from "../lib/media/frame.ts";
import { startProcess } from "../lib/ffmpeg/process.ts";

/** A video for a benchmark. */
export interface Clip {
  /** File name, as a client requests it. */
  name: string;
  path: string;
  /** Pixels. */
  width: number;
  height: number;
  /** Number of frames. */
  frames: number;
  /** Duration, seconds. */
  seconds: number;
  /** Bytes of one raw frame. */
  frameSize: number;
}

interface Recipe {
  size: readonly [width: number, height: number];
  rate: Rational;
  frames: number;
  /** With sound, and a keyframe every two seconds, as phones and web sites have it. */
  isWatched?: boolean;
}

const THIRTY: Rational = [30, 1];
const SIXTY: Rational = [60000, 1001];

/** Videos that are sent as fast as possible. A raw frame of 4K is four times as large. */
const CLIPS = {
  hd: { size: [1280, 720], rate: THIRTY, frames: 300 },
  thirty: { size: [1920, 1080], rate: THIRTY, frames: 300 },
  uhd: { size: [3840, 2160], rate: THIRTY, frames: 100 },
  // A second of work for a decoder, with one keyframe.
  ultra: { size: [7680, 4320], rate: THIRTY, frames: 20 },
} satisfies Record<string, Recipe>;

/** Videos with sound for many viewers: a minute and a half, and half a minute. */
const WATCHED = {
  lesson: { size: [1280, 720], rate: THIRTY, frames: 2700, isWatched: true },
  small: { size: [640, 360], rate: THIRTY, frames: 900, isWatched: true },
} satisfies Record<string, Recipe>;

/** Videos that are played in real time, made as long as they are played. */
const PLAYED = { steady: THIRTY, sixty: SIXTY } satisfies Record<string, Rational>;

/** Name of a video. */
export type ClipName = keyof typeof CLIPS | keyof typeof WATCHED | keyof typeof PLAYED;

/** Bytes per pixel of a raw frame: 1.5 with 4:2:0 subsampling. */
const BYTES_PER_PIXEL = 1.5;

/**
 * All videos: H.264 4:2:0 in MP4, each made by FFmpeg on first use. Only those for many viewers have
 * sound.
 */
export class Clips {
  /** Folder that contains only the videos. */
  readonly folder: string;
  #seconds: number;
  #log: (line: string) => void;
  #made = new Map<ClipName, Promise<Clip>>();

  /**
   * @param folder path of an empty folder
   * @param seconds played of a video in real time
   */
  constructor(
    folder: string,
    { seconds, log }: { seconds: number; log: (line: string) => void },
  ) {
    this.folder = folder;
    this.#seconds = seconds;
    this.#log = log;
  }

  /**
   * Returns a video: 1080p unless named otherwise, at 30 or 59.94 frames per second.
   *
   * @throws {Error} if FFmpeg fails
   */
  get(name: ClipName, signal: AbortSignal): Promise<Clip> {
    const made = this.#made.get(name) ?? this.#make(name, signal);
    this.#made.set(name, made);
    return made;
  }

  async #make(name: ClipName, signal: AbortSignal): Promise<Clip> {
    const { size: [width, height], rate, frames, isWatched } = this.#recipe(name);
    this.#log(`making ${frames} frames of ${width}×${height}`);
    const path = `${this.folder}/${name}.mp4`;
    const seconds = frames * rate[1] / rate[0];
    // The duration is a safeguard in case FFmpeg does not stop.
    const source = `testsrc2=size=${width}x${height}:rate=${rate.join("/")}:d=${seconds + 1}`;
    const sound = ["-f", "lavfi", "-i", `sine=sample_rate=44100:duration=${seconds}`];
    const watched = ["-g", String(2 * rate[0] / rate[1]), "-c:a", "aac", "-ac", "2"];
    await using ffmpeg = startProcess("ffmpeg", [
      ...["-nostdin", "-v", "error", "-f", "lavfi", "-i", source],
      ...(isWatched ? sound : []),
      ...["-frames:v", `${frames}`, "-c:v", "libx264", "-preset", "veryfast"],
      ...(isWatched ? watched : []),
      // The index comes first, because GStreamer reads from a pipe and cannot seek.
      ...["-pix_fmt", "yuv420p", "-movflags", "+faststart", path],
    ], { stdout: "null", signal });
    await ffmpeg.finished();
    const frameSize = width * height * BYTES_PER_PIXEL;
    return { name: `${name}.mp4`, path, width, height, frames, seconds, frameSize };
  }

  #recipe(name: ClipName): Recipe {
    if (name === "lesson" || name === "small") return WATCHED[name];
    if (name !== "steady" && name !== "sixty") return CLIPS[name];
    const rate = PLAYED[name];
    return { size: CLIPS.thirty.size, rate, frames: Math.round(this.#seconds * rate[0] / rate[1]) };
  }
}
