/** A server in the tests' own process whose log can be waited for. */
import { assertEquals } from "@std/assert";
import { deadline } from "../../../lib/base/async.ts";
import { createLogger } from "../../../lib/base/log.ts";
import { DEFAULT_TIMEOUTS, type ServerOptions } from "../../../lib/server/options.ts";
import { type Server, startServer } from "../../../lib/server/server.ts";
import type { LiveOptions } from "../../../lib/sources/live/registry.ts";
import { parseLiveSource } from "../../../lib/sources/live/source_spec.ts";
import { mediaFolder, pictures } from "../media/media_folder.ts";
import { installedFfmpeg, mediaChildren } from "../programs/machine.ts";
import { PATIENCE } from "../time/patience.ts";
import { NativeClient } from "./native_client.ts";

/** Frames of the short video. */
export const SHORT_FRAMES = 5;

/**
 * Makes the media that conversations are about: `image.png`, `short.mkv` of half a second, and
 * `long.mkv` of 20 seconds, 115,200 bytes and 40 ms a frame.
 *
 * @returns path of the folder
 */
export async function conversationMedia(): Promise<string> {
  const folder = mediaFolder();
  await Promise.all([
    folder.make("image.png", [...pictures(), "-frames:v", "1"]),
    folder.make("short.mkv", [...pictures({ rate: "10", seconds: 0.5 }), "-c:v", "ffv1"]),
    folder.make("long.mkv", [...pictures({ size: "320x240", seconds: 20 }), "-c:v", "mpeg4"]),
  ]);
  return folder.path;
}

/** A server on a free port of this machine, and what it logs. */
export class TestServer implements AsyncDisposable {
  /** The log as it would stand on standard error, from level "debug" on. */
  readonly lines: readonly string[];
  readonly server: Server;
  #watchers: Set<() => void>;
  #connections = 0;

  constructor(server: Server, lines: readonly string[], watchers: Set<() => void>) {
    this.server = server;
    this.lines = lines;
    this.#watchers = watchers;
  }

  /** Where it listens. */
  get address(): Deno.NetAddr {
    return this.server.address;
  }

  /** Waits until lines of the log match, as many as `count`. */
  async logged(pattern: RegExp, count = 1): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    using _limit = deadline(PATIENCE, () => {
      const log = this.lines.join("");
      reject(new Error(`Cannot find ${pattern} ${count} times in the log:\n${log}`));
    });
    const check = () => {
      if (this.lines.filter((line) => pattern.test(line)).length >= count) resolve();
    };
    this.#watchers.add(check);
    check();
    await promise.finally(() => this.#watchers.delete(check));
  }

  /** Connects a client. */
  async connect(): Promise<NativeClient<Deno.TcpConn>> {
    const { hostname, port } = this.address;
    this.#connections++;
    return new NativeClient(await Deno.connect({ hostname, port }));
  }

  /** Has all files probed, so that what is asked of them comes at once. */
  async probeAll(): Promise<void> {
    using client = await this.connect();
    await client.request({ command: "list_media" });
  }

  /** Waits until all sessions have ended, and checks that no child process is left. */
  async quiet(): Promise<void> {
    await this.logged(/ disconnected\n$/, this.#connections);
    assertEquals(await mediaChildren(), []);
  }

  /** Checks that the server still does its work and that nothing is left of what was before. */
  async assertWell(): Promise<void> {
    {
      using client = await this.connect();
      const { frames, end } = await client.request({ command: "get_image" });
      assertEquals([frames.length, end?.reason], [1, "end"]);
    }
    await this.quiet();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
  }
}

/** Timeouts of a server for peers that ask for nothing while others start FFmpeg, and answer no pings. */
export const LONG_TIMEOUTS = { ...DEFAULT_TIMEOUTS, request: PATIENCE, life: PATIENCE };

/**
 * Starts a server that runs until it is disposed. It waits for requests, for signs of life, and for
 * frames of live sources, as long as tests do.
 */
export async function testServer(
  options: Partial<ServerOptions> & { media: string },
): Promise<TestServer> {
  const lines: string[] = [];
  const watchers = new Set<() => void>();
  const logger = createLogger({
    level: "debug",
    write: (line) => {
      lines.push(line);
      for (const check of watchers) check();
    },
  });
  const timeouts = { ...LONG_TIMEOUTS, ...options.timeouts };
  const patient = { firstFrameTimeout: PATIENCE, readTimeout: PATIENCE };
  const live = { sources: [], ...patient, ...options.live };
  const server = await startServer(
    { host: "127.0.0.1", port: 0, defaults: {}, maxClients: 16, ...options, timeouts, live },
    logger,
    installedFfmpeg(),
  );
  server.run();
  return new TestServer(server, lines, watchers);
}

/** Starts a server of live sources alone, as `--live` names them; by default without lingering. */
export function liveServer(
  sources: string | readonly string[],
  options: Partial<LiveOptions> = {},
): Promise<TestServer> {
  const live = {
    sources: [sources].flat().map((text) => parseLiveSource(text)),
    linger: 0,
    ...options,
  };
  return testServer({ media: mediaFolder().path, live });
}
