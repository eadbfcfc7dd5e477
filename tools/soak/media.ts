/** Media for the soak test, made by FFmpeg. */
import { startProcess } from "../../lib/ffmpeg/process.ts";
import { LONG, SHORT } from "./visits.ts";

/** The media. */
export interface MediaResult {
  /** Folder with only the media. */
  path: string;
  /** MD5 of each frame of the short video, as FFmpeg decodes it. */
  frames: string[];
}

/**
 * Makes an image, a video of one second with audio, and a silent one of 20 seconds.
 *
 * @throws {Error} if FFmpeg fails
 */
export async function makeMedia(folder: string): Promise<MediaResult> {
  const path = `${folder}/media`;
  await Deno.mkdir(path);
  const video = (seconds: number) => [
    ...["-f", "lavfi", "-i", `testsrc=size=160x120:rate=25:d=${seconds}`],
  ];
  const audio = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=8000:d=1"];
  await ffmpeg([...video(1), "-frames:v", "1", `${path}/image.png`]);
  await ffmpeg([...video(1), ...audio, "-c:v", "ffv1", "-c:a", "pcm_s16le", `${path}/${SHORT}`]);
  await ffmpeg([...video(20), "-c:v", "mpeg4", "-g", "25", `${path}/${LONG}`]);
  const sums = `${folder}/sums`;
  await ffmpeg(["-i", `${path}/${SHORT}`, "-map", "0:v", "-f", "framemd5", sums]);
  const lines = (await Deno.readTextFile(sums)).split("\n");
  const found = lines.filter((line) => /^\d/.test(line)).map((line) => line.split(",")[5].trim());
  return { path, frames: found };
}

async function ffmpeg(args: readonly string[]): Promise<void> {
  await using child = startProcess("ffmpeg", ["-nostdin", "-v", "error", ...args], {
    stdout: "null",
  });
  await child.finished();
}
