/** Media to be served, made by FFmpeg. */
import { startProcess } from "../../lib/ffmpeg/process.ts";
import { LONG, SHORT } from "./visits.ts";

/** What was made. */
export interface Made {
  /** Folder in which nothing else is. */
  path: string;
  /** MD5 of each picture of the short video, as FFmpeg decodes it. */
  pictures: string[];
}

/**
 * Makes an image, a video of a second with sound, and one of 20 seconds.
 *
 * @throws {Error} where FFmpeg fails
 */
export async function makeMedia(folder: string): Promise<Made> {
  const path = `${folder}/media`;
  await Deno.mkdir(path);
  const pictures = (seconds: number) => [
    ...["-f", "lavfi", "-i", `testsrc=size=160x120:rate=25:d=${seconds}`],
  ];
  const sound = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=8000:d=1"];
  await ffmpeg([...pictures(1), "-frames:v", "1", `${path}/image.png`]);
  await ffmpeg([...pictures(1), ...sound, "-c:v", "ffv1", "-c:a", "pcm_s16le", `${path}/${SHORT}`]);
  await ffmpeg([...pictures(20), "-c:v", "mpeg4", "-g", "25", `${path}/${LONG}`]);
  const sums = `${folder}/sums`;
  await ffmpeg(["-i", `${path}/${SHORT}`, "-map", "0:v", "-f", "framemd5", sums]);
  const lines = (await Deno.readTextFile(sums)).split("\n");
  const found = lines.filter((line) => /^\d/.test(line)).map((line) => line.split(",")[5].trim());
  return { path, pictures: found };
}

async function ffmpeg(args: readonly string[]): Promise<void> {
  await using child = startProcess("ffmpeg", ["-nostdin", "-v", "error", ...args], {
    stdout: "null",
  });
  await child.finished();
}
