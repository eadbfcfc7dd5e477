/**
 * Clients that harm others, in one process: `abusers.ts OPTIONS`, with options as JSON. Prints
 * `began` when each of them has tried to connect. They connect again a second after the server has
 * closed them, and continue until stdin closes.
 */
import { TextLineStream } from "@std/streams/text-line-stream";
import { print } from "../lib/base/log.ts";
import { ByteReader, fromSocket } from "../lib/base/byte_reader.ts";
import { ByteWriter } from "../lib/base/byte_writer.ts";
import { MONOTONIC_CLOCK } from "../lib/base/clock.ts";
import { closeSocket } from "../lib/net/socket.ts";
import { encodeMessage } from "../lib/protocol/native/framing.ts";
import { Connection } from "../lib/protocol/native/connection.ts";
import { encodeControl, encodeRequest, type MediaRequest } from "../lib/protocol/native/request.ts";
import { largePing, longName, repeated, seekTo, unknownControl } from "./abuse_messages.ts";

/** Name of a way to harm others. */
export type AbuseName = keyof typeof ABUSES;

/** Options of the clients. */
export interface AbuseOptions {
  /** Address of the server. */
  host: string;
  port: number;
  abuse: AbuseName;
  /** Number of clients. */
  clients: number;
}

/** File names of the media. */
export const MEDIA = { small: "small.mp4", uhd: "uhd.mp4", ultra: "ultra.mp4" };

/** Milliseconds until a client connects again that the server has closed. */
const REST = 1000;

/** Milliseconds after which a client leaves in the middle of a decode. */
const LEAVES_AFTER = 150;

/** Milliseconds between the writes of a flood. */
const FLOOD_INTERVAL = 10;

/** Milliseconds after which a write without progress counts as failed. */
const STALL = 60_000;

/** Seconds into the video of 8K: all frames before are decoded first. */
const LATE_START = 0.6;

const SIGNAL = new AbortController().signal;

/** What one client does from connecting until it is closed, or leaves to connect again at once. */
type Abuse = (client: Client) => Promise<void | { isLeaving: true }>;

const ABUSES = {
  /** Start a raw video, pause, and answer pings. */
  async paused(client) {
    await client.request({ command: "get_video", name: MEDIA.small, width: client.width });
    for (let isPaused = false;;) {
      const message = await client.messages.receive();
      if (message === undefined) return;
      if (message.kind === "ping") await client.messages.send("pong", message.payload);
      if (message.kind !== "frame") continue;
      client.messages.recycle(message);
      if (!isPaused) await client.messages.send("control", encodeControl({ action: "pause" }));
      isPaused = true;
    }
  },
  /** Watch, each in a size of its own. */
  async sizes(client) {
    await client.request({ command: "get_video", name: MEDIA.small, width: client.width });
    await client.discard();
  },
  /** Request images of a video every hundredth of a second. */
  async every(client) {
    const { width } = client;
    await client.request({ command: "get_image", name: MEDIA.small, every: 0.01, width });
    await client.discard();
  },
  /** Scripts that read nothing. */
  async scripts(client) {
    await client.write(new TextEncoder().encode("get_video"));
    await forever();
  },
  /** Viewers of 4K that read nothing. */
  async unread(client) {
    await client.request({ command: "get_video", name: MEDIA.uhd });
    await forever();
  },
  /** Large pings without a request. */
  async pings(client) {
    await client.flood(largePing(), 950);
  },
  async seeks(client) {
    await client.request({ command: "get_video", name: MEDIA.small, width: client.width });
    await client.flood(seekTo(1), 28_000);
  },
  async controls(client) {
    await client.request({ command: "get_video", name: MEDIA.small, width: client.width });
    await client.flood(unknownControl(), 99_000);
  },
  async idle(client) {
    await client.discard();
  },
  /** Requests for a long name that there is not, one after the other. */
  async names(client) {
    const request = { command: "get_image", name: longName() } as const;
    do await client.request(request); while (await client.messages.receive() !== undefined);
  },
  /** Leave while frames of 8K are decoded. */
  async leaving(client) {
    const { width } = client;
    const request = { command: "get_image", name: MEDIA.ultra, start: LATE_START, width } as const;
    await client.request(request);
    await MONOTONIC_CLOCK.sleep(LEAVES_AFTER, SIGNAL);
    return { isLeaving: true };
  },
} satisfies Record<string, Abuse>;

function forever(): Promise<never> {
  return new Promise(() => {});
}

/** A connection that behaves badly. */
class Client implements Disposable {
  /** Pixels, different from those of all other clients. */
  readonly width: number;
  readonly messages: Connection;
  #socket: Deno.TcpConn;

  constructor(socket: Deno.TcpConn, width: number) {
    this.#socket = socket;
    this.width = width;
    const writer = new ByteWriter(socket, {
      stallTimeout: STALL,
      onStall: () => closeSocket(socket),
    });
    this.messages = new Connection(new ByteReader(fromSocket(socket)), writer);
  }

  async request(request: MediaRequest): Promise<void> {
    await this.write(encodeMessage("request", encodeRequest(request)));
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let sent = 0; sent < bytes.byteLength;) {
      sent += await this.#socket.write(bytes.subarray(sent));
    }
  }

  /** Reads and discards everything. */
  async discard(): Promise<void> {
    const buffer = new Uint8Array(256 * 1024);
    while (await this.#socket.read(buffer) !== null);
  }

  /** Sends a message again and again, so many a second at most, and discards the replies. */
  async flood(message: Uint8Array, perSecond: number): Promise<void> {
    let isClosed = false;
    const reading = this.discard().finally(() => isClosed = true);
    // Ends the writes, too.
    reading.catch(() => {});
    const count = Math.ceil(perSecond * FLOOD_INTERVAL / 1000);
    const batch = repeated(message, count);
    const began = performance.now();
    for (let sent = 0; !isClosed; sent += count) {
      const wait = began + 1000 * sent / perSecond - performance.now();
      if (wait > 0) await MONOTONIC_CLOCK.sleep(wait, SIGNAL);
      await this.write(batch);
    }
    await reading;
  }

  [Symbol.dispose](): void {
    closeSocket(this.#socket);
  }
}

/** Widths of the clients begin here, above those of anybody else. */
const FIRST_WIDTH = 642;

async function main({ host, port, abuse, clients }: AbuseOptions): Promise<void> {
  let width = FIRST_WIDTH;
  const act: Abuse = ABUSES[abuse];
  const connect = () => Deno.connect({ hostname: host, port });
  const harm = async (socket: Deno.TcpConn) => {
    using client = new Client(socket, width += 2);
    return await act(client);
  };
  const harmAgain = async (socket: Promise<Deno.TcpConn>) => {
    while (true) {
      // That the server closes a connection is what it may do about abuse.
      const left = await socket.then(harm).catch(() => {});
      if (left === undefined) await MONOTONIC_CLOCK.sleep(REST, SIGNAL);
      socket = connect();
    }
  };
  const first = Array.from({ length: clients }, connect);
  for (const socket of first) harmAgain(socket);
  await Promise.allSettled(first);
  print(Deno.stdout, "began\n");
  const lines = Deno.stdin.readable
    .pipeThrough(new TextDecoderStream())
    .pipeThrough(new TextLineStream())
    .getReader();
  await lines.read();
}

if (import.meta.main) {
  await main(JSON.parse(Deno.args[0]));
  // The clients are still connected.
  Deno.exit();
}
