/** A server in the tests' own process whose events can be waited for, and peers that talk to it. */
import { assertEquals } from "@std/assert";
import { deadline } from "../../lib/base/async.ts";
import { ByteReader, fromSocket } from "../../lib/base/byte_reader.ts";
import { ByteWriter } from "../../lib/base/byte_writer.ts";
import type { RequestError } from "../../lib/base/errors.ts";
import { createLogger } from "../../lib/base/log.ts";
import { Connection, type Message } from "../../lib/protocol/native/connection.ts";
import { encodeMessage } from "../../lib/protocol/native/framing.ts";
import {
  encodeControl,
  encodeRequest,
  type MediaRequest,
} from "../../lib/protocol/native/request.ts";
import { type EndReport, parseEnd, parseError } from "../../lib/protocol/native/response.ts";
import type { ServerOptions } from "../../lib/server/options.ts";
import { type Server, startServer } from "../../lib/server/server.ts";
import { mediaFolder, pictures } from "./media.ts";
import { PATIENCE } from "./patience.ts";

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

/** A server, and what it logs. */
export class WatchedServer implements AsyncDisposable {
  /** Lines as they would stand on standard error. */
  readonly lines: readonly string[];
  readonly server: Server;
  #watchers: Set<() => void>;
  #connections = 0;

  constructor(server: Server, lines: readonly string[], watchers: Set<() => void>) {
    this.server = server;
    this.lines = lines;
    this.#watchers = watchers;
  }

  /** Waits until so many lines of the log match. */
  async logged(pattern: RegExp, count = 1): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    using _limit = deadline(PATIENCE, () => {
      reject(
        new Error(`Cannot find ${pattern} ${count} times in the log:\n${this.lines.join("")}`),
      );
    });
    const look = () => {
      if (this.lines.filter((line) => pattern.test(line)).length >= count) resolve();
    };
    this.#watchers.add(look);
    look();
    await promise.finally(() => this.#watchers.delete(look));
  }

  /** Opens a connection. */
  async connect(): Promise<Peer> {
    const { hostname, port } = this.server.address;
    this.#connections++;
    return new Peer(await Deno.connect({ hostname, port }));
  }

  /** Waits until all sessions that were ever begun are over, and checks that nothing is left. */
  async quiet(): Promise<void> {
    await this.logged(/ disconnected\n$/, this.#connections);
    assertEquals(await mediaChildren(), []);
  }

  /** Checks that the server still does its work and that nothing is left of what was before. */
  async assertWell(): Promise<void> {
    {
      using peer = await this.connect();
      await peer.ask({ command: "get_image" });
      const { frames, end } = await peer.response();
      assertEquals([frames, end?.reason], [1, "end"]);
    }
    await this.quiet();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
  }
}

/** Starts a server on a free port, with short waits of its own where nothing else is said. */
export async function watchedServer(
  options: Partial<ServerOptions> & { media: string },
): Promise<WatchedServer> {
  const lines: string[] = [];
  const watchers = new Set<() => void>();
  const logger = createLogger({
    level: "debug",
    write: (line) => {
      lines.push(line);
      for (const look of watchers) look();
    },
  });
  const timeouts = { request: 10_000, stall: 10_000, ping: 5_000 };
  const server = await startServer(
    { host: "127.0.0.1", port: 0, defaults: {}, maxClients: 16, timeouts, ...options },
    logger,
  );
  server.run();
  return new WatchedServer(server, lines, watchers);
}

/** All that a server said to one request. */
export interface PeerResponse {
  /** Kinds of the messages in the order of arrival; runs of frames once, pings left out. */
  kinds: string[];
  frames: number;
  end?: EndReport;
  error?: RequestError;
}

/** One end of a connection to a server, with no manners of its own. */
export class Peer implements Disposable {
  readonly socket: Deno.TcpConn;
  readonly connection: Connection;
  #closed = false;

  constructor(socket: Deno.TcpConn) {
    this.socket = socket;
    socket.setNoDelay();
    const writer = new ByteWriter(socket, { stallTimeout: PATIENCE, onStall: () => this.close() });
    this.connection = new Connection(new ByteReader(fromSocket(socket)), writer);
  }

  /** Sends bytes as they are. */
  async write(...parts: Uint8Array[]): Promise<void> {
    for (let bytes of [concat(...parts)]) {
      while (bytes.length > 0) bytes = bytes.subarray(await this.socket.write(bytes));
    }
  }

  /** Sends a request; as fast as possible unless it says otherwise. */
  async ask(request: MediaRequest): Promise<void> {
    await this.write(requestMessage(request));
  }

  async control(action: string): Promise<void> {
    await this.connection.send("control", encodeControl({ action }));
  }

  /** Waits for the next message of a kind and gives the kinds that came before it. */
  async until(kind: Message["kind"], count = 1): Promise<string[]> {
    const before: string[] = [];
    for (let left = count; left > 0;) {
      const message = await this.#receive();
      if (message === undefined) throw new Error(`Cannot find ${kind}: only ${before.join(" ")}`);
      if (message.kind === kind) left--;
      else before.push(message.kind);
    }
    return before;
  }

  /** Collects the answer to one request. */
  async response(): Promise<PeerResponse> {
    const response: PeerResponse = { kinds: [], frames: 0 };
    while (true) {
      const message = await this.#receive();
      if (message === undefined) throw new Error("Cannot finish the answer: the server hung up");
      if (message.kind === "ping") continue;
      if (response.kinds.at(-1) !== message.kind) response.kinds.push(message.kind);
      if (message.kind === "frame") response.frames++;
      else if (message.kind === "end") response.end = parseEnd(message.payload);
      else if (message.kind === "error") response.error = parseError(message.payload);
      if (["end", "error", "list"].includes(message.kind)) return response;
    }
  }

  /** Waits for the end of the connection and gives the error that came before it, if any. */
  async farewell(): Promise<RequestError | undefined> {
    let error: RequestError | undefined;
    while (true) {
      const message = await this.#receive();
      if (message === undefined) return error;
      if (message.kind === "error") error = parseError(message.payload);
    }
  }

  /** Reads all that comes until the server hangs up. */
  async readAll(): Promise<Uint8Array<ArrayBuffer>> {
    using _limit = deadline(PATIENCE, () => this.close());
    const parts: Uint8Array[] = [];
    while (true) {
      const part = new Uint8Array(64 * 1024);
      const count = await this.socket.read(part);
      if (count === null) return concat(...parts);
      parts.push(part.subarray(0, count));
    }
  }

  /** Closes the connection; with bytes unread, that resets it. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.socket.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #receive(): Promise<Message | undefined> {
    using _limit = deadline(PATIENCE, () => this.close());
    const message = await this.connection.receive();
    if (message?.kind === "frame") this.connection.recycle(message);
    return message;
  }
}

/** A request as it goes over the wire. */
export function requestMessage(request: MediaRequest): Uint8Array<ArrayBuffer> {
  return encodeMessage("request", encodeRequest({ speed: 0, ...request }));
}

/** A control as it goes over the wire. */
export function controlMessage(action: string): Uint8Array<ArrayBuffer> {
  return encodeMessage("control", encodeControl({ action }));
}

/** Bytes one after another. */
export function concat(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Whether this machine has IPv6's loopback, which containers may lack. */
export function hasIPv6(): boolean {
  try {
    using _listener = Deno.listen({ hostname: "::1", port: 0 });
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AddrNotAvailable) return false;
    throw error;
  }
}

/** Process ids of the children of a process that run FFmpeg's programs (Linux). */
export async function mediaChildren(parent: number = Deno.pid): Promise<number[]> {
  const found: number[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await readStat(name);
    // proc(5): id, name in parentheses, state, parent's id.
    const [, program, , parentId] = stat.match(/\((.*)\) (\S) (\d+) /s) ?? [];
    if (Number(parentId) === parent && /^ff(mpeg|probe|play)$/.test(program)) {
      found.push(Number(name));
    }
  }
  return found;
}

async function readStat(name: string): Promise<string> {
  try {
    return await Deno.readTextFile(`/proc/${name}/stat`);
  } catch (error) {
    // Processes come and go while they are being looked at.
    const gone = error instanceof Deno.errors.NotFound ||
      (error instanceof Error && "code" in error && error.code === "ESRCH");
    if (gone) return "";
    throw error;
  }
}
