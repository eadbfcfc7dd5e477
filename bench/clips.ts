import type { Rational } from "../lib/core/frame.ts";
import { startProcess } from "../lib/media/process.ts";

/** A video made for measuring. */
export interface Clip {
  /** Name in the folder, as a client asks for it. */
  name: string;
  path: string;
  /** Frames in it. */
  frames: number;
  /** Length. */
  seconds: number;
  /** Bytes of one raw frame. */
  frameSize: number;
}

/** The videos that all measurements use. */
export interface Clips {
  /** The folder they are in, the only things there. */
  folder: string;
  /** 1080p H.264, 300 frames, 30 a second. */
  thirty: Clip;
  /** The same at 59.94 frames a second, as long as is played of it. */
  sixty: Clip;
}

/** Seconds; the source stops by itself even where FFmpeg does not. */
const LONGEST = 11;

/** Pixels. */
const [WIDTH, HEIGHT] = [1920, 1080];

/** Bytes of a raw frame: 4:2:0 subsampling takes one and a half bytes a pixel. */
const FRAME_SIZE = WIDTH * HEIGHT * 3 / 2;

/**
 * Makes the videos.
 *
 * @param folder path of an empty folder
 * @param seconds of a video that are played where that takes real time, at most 10
 * @throws {Error} where FFmpeg fails
 */
export async function makeClips(
  { folder, seconds }: { folder: string; seconds: number },
  signal: AbortSignal,
): Promise<Clips> {
  const frames = Math.round(seconds * 60_000 / 1001);
  const thirty = await make({ folder, name: "thirty.mp4", rate: [30, 1], frames: 300 }, signal);
  const sixty = await make({ folder, name: "sixty.mp4", rate: [60000, 1001], frames }, signal);
  return { folder, thirty, sixty };
}

async function make(
  { folder, name, rate, frames }: { folder: string; name: string; rate: Rational; frames: number },
  signal: AbortSignal,
): Promise<Clip> {
  const path = `${folder}/${name}`;
  const source = `testsrc2=size=${WIDTH}x${HEIGHT}:rate=${rate.join("/")}:d=${LONGEST}`;
  const codec = ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p"];
  const args = ["-nostdin", "-v", "error", "-f", "lavfi", "-i", source, "-frames:v", `${frames}`];
  await using ffmpeg = startProcess("ffmpeg", [...args, ...codec, path], {
    stdout: "null",
    signal,
  });
  await ffmpeg.finished();
  return { name, path, frames, seconds: frames * rate[1] / rate[0], frameSize: FRAME_SIZE };
}
