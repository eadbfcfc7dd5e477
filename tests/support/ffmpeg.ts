import { type FfmpegDialect, InstalledFfmpeg } from "../../lib/ffmpeg/version.ts";

/** The spelling of arguments that the FFmpeg of this machine needs. */
export async function installedDialect(): Promise<FfmpegDialect> {
  await using installed = new InstalledFfmpeg();
  return await installed.dialect();
}
