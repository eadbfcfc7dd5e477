import type { Logger } from "../base/log.ts";
import { findLacks } from "../ffmpeg/sandbox.ts";
import { InstalledFfmpeg } from "../ffmpeg/version.ts";
import { Library } from "../sources/file/library.ts";
import { refuseSameNames, refuseUnknownFormats } from "../sources/live/source_spec.ts";
import { Credentials } from "./auth/credentials.ts";
import { DEFAULT_MAX_PIXELS, type ServerOptions } from "./options.ts";
import { Server } from "./server.ts";

/**
 * Checks FFmpeg, the folder, the live sources and the credentials, then opens the ports.
 *
 * @throws {Error} with what to do about it, if the server cannot do its work
 */
export async function startServer(options: ServerOptions, logger: Logger): Promise<Server> {
  const live = options.live?.sources ?? [];
  refuseSameNames(live);
  const names = live.map(({ name }) => name);
  const library = new Library(options.media, {
    otherNames: names,
    maxPixels: options.maxPixels ?? DEFAULT_MAX_PIXELS,
    probeTimeout: options.timeouts?.probe,
  });
  await using installed = new InstalledFfmpeg();
  const versions = await installed.describe("ffmpeg", "ffprobe");
  const dialect = await installed.dialect();
  for (const line of await findLacks()) logger.log("warn", line);
  await refuseUnknownFormats(live);
  for (const name of [options.defaults.image, options.defaults.video]) {
    if (name !== undefined && !names.includes(name)) await library.find(name);
  }
  for (const name of names) {
    if (!await library.has(name)) continue;
    logger.log("warn", `"${name}" is the name of a file, too: the live source is what is shown`);
  }
  const credentials = await Credentials.open(options.credentials ?? {}, logger);
  const server = new Server(options, { library, credentials, dialect, logger });
  try {
    await server.listen();
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
  // Last, since a server that cannot start prints its reason alone.
  logger.log("info", versions);
  return server;
}
