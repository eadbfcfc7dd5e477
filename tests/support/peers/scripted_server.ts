/** A server that sends what a test wants. */
import { isConnectionClosed, isConnectionLost } from "../../../lib/base/errors.ts";
import { encodeDescription, encodeEnd } from "../../../lib/protocol/native/response.ts";
import type { VideoStream } from "../../../lib/media/frame.ts";
import {
  encodeFrame,
  encodeMessage,
  HEADER_LENGTH,
  parseHeader,
} from "../../../lib/protocol/native/framing.ts";

/** What a server does with a connection when a request has come. The connection is closed afterwards. */
export type Script = (peer: Deno.TcpConn, asked: Asked) => void | Promise<void>;

/** A request. */
export interface Asked {
  /** Number of earlier connections. */
  index: number;
  /** The first bytes. */
  bytes: Uint8Array;
}

/** A listener that runs a script for each connection. */
export class ScriptedServer implements AsyncDisposable {
  #listener: Deno.TcpListener;
  #peers = new Set<Deno.TcpConn>();
  #running: Promise<void>;

  constructor(script: Script) {
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.#running = this.#accept(script);
  }

  /** Where it listens. */
  get address(): Deno.NetAddr {
    return this.#listener.addr as Deno.NetAddr;
  }

  /** Closes all connections. */
  cut(): void {
    for (const peer of this.#peers) peer.close();
    this.#peers.clear();
  }

  /** Closes the listener and all connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.cut();
    await this.#running;
  }

  async #accept(script: Script): Promise<void> {
    const following: Promise<void>[] = [];
    let index = 0;
    try {
      for await (const peer of this.#listener) {
        this.#peers.add(peer);
        following.push(this.#follow(peer, script, index++));
      }
    } finally {
      await Promise.all(following);
    }
  }

  async #follow(peer: Deno.TcpConn, script: Script, index: number): Promise<void> {
    try {
      const bytes = await firstMessage(peer);
      if (bytes !== undefined) await script(peer, { index, bytes });
    } catch (error) {
      if (!isConnectionLost(error) && !isConnectionClosed(error)) throw error;
    } finally {
      if (this.#peers.delete(peer)) peer.close();
    }
  }
}

/** Reads a request, behind which pings may follow, or what a peer of another protocol sends first. */
async function firstMessage(peer: Deno.TcpConn): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const memory = new Uint8Array(65536);
  let count = await peer.read(memory.subarray(0, HEADER_LENGTH));
  if (count === null) return undefined;
  if (count < HEADER_LENGTH) return memory.subarray(0, count);
  const end = endOfMessage(memory.subarray(0, HEADER_LENGTH));
  do {
    const more = await peer.read(memory.subarray(count, end));
    if (more === null) break;
    count += more;
  } while (count < (end ?? 0));
  return memory.subarray(0, count);
}

/** Where a message of the native protocol ends; `undefined` for other protocols. */
function endOfMessage(header: Uint8Array): number | undefined {
  try {
    return HEADER_LENGTH + parseHeader(header).payloadLength;
  } catch {
    return undefined;
  }
}

/** Writes all bytes of several arrays. */
export async function say(peer: Deno.TcpConn, ...parts: Uint8Array[]): Promise<void> {
  for (const part of parts) {
    let rest = part;
    while (rest.byteLength > 0) rest = rest.subarray(await peer.write(rest));
  }
}

/** Reads one message of a peer: its kind, its timestamp and its payload. */
export async function heard(peer: Deno.TcpConn) {
  const exactly = async (count: number) => {
    const bytes = new Uint8Array(count);
    for (let at = 0; at < count;) {
      const read = await peer.read(bytes.subarray(at));
      if (read === null) throw new Deno.errors.UnexpectedEof();
      at += read;
    }
    return bytes;
  };
  const { kind, timestamp, payloadLength } = parseHeader(await exactly(HEADER_LENGTH));
  return { kind, timestamp, payload: await exactly(payloadLength) };
}

/** Waits until the peer has ended the connection. */
export async function untilGone(peer: Deno.TcpConn): Promise<void> {
  try {
    while (await peer.read(new Uint8Array(65536)) !== null);
  } catch (error) {
    if (!isConnectionLost(error) && !isConnectionClosed(error)) throw error;
  }
}

/** Pings a client of the native protocol, as a server does: it gives up one that is silent. */
export function signsOfLife(peer: Deno.TcpConn): Disposable {
  const ping = () => void say(peer, encodeMessage("ping", new Uint8Array(0))).catch(() => {});
  const pings = setInterval(ping, 3000);
  return { [Symbol.dispose]: () => clearInterval(pings) };
}

/** Waits until a client of the native protocol has ended the connection. */
export async function stay(peer: Deno.TcpConn): Promise<void> {
  using _signs = signsOfLife(peer);
  await untilGone(peer);
}

/** A stream of small grey video frames. */
export const GREY: VideoStream = {
  type: "video",
  id: 0,
  codec: "rawvideo",
  fourcc: "Y800",
  timeBase: [1, 25],
  extradata: new Uint8Array(),
  width: 16,
  height: 16,
  pixelFormat: "gray",
  frameRate: [25, 1],
};

/** The message that describes streams. */
export function describe(...streams: object[]): Uint8Array {
  const description = { name: "grey", live: false, streams: [GREY] };
  const said = JSON.parse(new TextDecoder().decode(encodeDescription(description)));
  if (streams.length > 0) {
    said.streams = streams.map((stream) => ({ ...said.streams[0], ...stream }));
  }
  return encodeMessage("describe", new TextEncoder().encode(JSON.stringify(said)));
}

/** The message of a frame of {@linkcode GREY}. */
export function frame(
  timestamp: number,
  { streamId = 0, size = 256, value = 128 }: {
    streamId?: number;
    /** Bytes. */
    size?: number;
    /** Of each byte. */
    value?: number;
  } = {},
): Uint8Array {
  const memory = new Uint8Array(HEADER_LENGTH + size).fill(value);
  const data = memory.subarray(HEADER_LENGTH);
  return encodeFrame({ streamId, timestamp, keyframe: true, data });
}

/** The message that ends a response. */
export function end({ warning }: { warning?: string } = {}): Uint8Array {
  return encodeMessage(
    "end",
    encodeEnd({ frames: 0, audioFrames: 0, bytes: 0, dropped: 0, reason: "end", warning }),
  );
}

/** A message of any kind, by number, with any payload and any length field. */
export function message(
  kind: number,
  payload: string,
  { length }: { length?: number } = {},
): Uint8Array {
  const body = new TextEncoder().encode(payload);
  const bytes = new Uint8Array(HEADER_LENGTH + body.byteLength);
  new DataView(bytes.buffer).setUint32(0, length ?? bytes.byteLength - 4, true);
  bytes[4] = kind;
  bytes.set(body, HEADER_LENGTH);
  return bytes;
}
