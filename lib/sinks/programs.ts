/** The programs that viewers are made of. */
import { MissingProgramError, ProcessError } from "../base/errors.ts";
import { type FfmpegProgram, InstalledFfmpeg } from "../ffmpeg/version.ts";

export { type FfmpegProgram, InstalledFfmpeg };

/**
 * Whether there is an ffplay to open windows with.
 *
 * @throws {Error} if it is too old
 */
export async function hasPlayer(ffmpeg: InstalledFfmpeg): Promise<boolean> {
  try {
    await ffmpeg.version("ffplay");
    return true;
  } catch (error) {
    if (error instanceof MissingProgramError || error instanceof ProcessError) return false;
    throw error;
  }
}
