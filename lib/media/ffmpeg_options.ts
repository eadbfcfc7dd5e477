import { startProcess } from "./process.ts";

/**
 * How this FFmpeg is told which way up packets that are stored as they are have to be shown: by an
 * option of the input, from version 6 on, or by a tag of the output, up to version 5.
 */
export type RotationBy = "option" | "tag";

/**
 * Asks the installed FFmpeg which way of telling a rotation it has.
 *
 * @throws {MissingProgramError} where FFmpeg is not installed
 */
export async function rotationBy(signal?: AbortSignal): Promise<RotationBy> {
  await using child = startProcess("ffmpeg", ["-v", "error", "-h", "long"], { signal });
  const help = await new Response(child.stdout).text();
  await child.finished();
  return /^-display_rotation\b/m.test(help) ? "option" : "tag";
}
