/** One end of a connection that speaks the native protocol: sends what a test wants, keeps what comes. */
import { createHash } from "node:crypto";
import { deadline } from "../../../lib/base/async.ts";
import { ByteReader, fromSocket } from "../../../lib/base/byte_reader.ts";
import { ByteWriter } from "../../../lib/base/byte_writer.ts";
import type { RequestError } from "../../../lib/base/errors.ts";
import {
  type AnyStream,
  type Description,
  type StreamDescription,
  toSeconds,
} from "../../../lib/media/frame.ts";
import { closeSocket, type Socket } from "../../../lib/net/socket.ts";
import {
  Connection,
  type FrameMessage,
  type Message,
} from "../../../lib/protocol/native/connection.ts";
import { encodeMessage } from "../../../lib/protocol/native/framing.ts";
import {
  type Control,
  encodeControl,
  encodeRequest,
  type MediaRequest,
  parseControl,
} from "../../../lib/protocol/native/request.ts";
import { parseList } from "../../../lib/protocol/native/list.ts";
import {
  type EndReport,
  type ListEntry,
  type Notice,
  parseAcceptance,
  parseDescription,
  parseEnd,
  parseError,
  parseNotice,
} from "../../../lib/protocol/native/response.ts";
import { concat } from "../media/bytes.ts";
import { exactSeconds, type FrameSum } from "../media/reference.ts";
import type { HandClock } from "../time/hand_clock.ts";
import { PATIENCE } from "../time/patience.ts";
import type { Received, ReceivedFrame, ReceivedOf, WholeFrame } from "./received.ts";

/** All that comes in response to one request. */
export interface NativeResponse {
  /** Kinds of the messages in the order of arrival: runs of frames once, no pings. */
  kinds: string[];
  description?: Description;
  /** In the order of arrival. */
  frames: ReceivedFrame[];
  list?: readonly ListEntry[];
  end?: EndReport;
  error?: RequestError;
}

/** Options of {@linkcode NativeClient.response}. */
export interface ResponseOptions {
  onFrame?: (frame: WholeFrame) => void;
}

/** A client with no manners of its own. Everything it waits for comes within {@linkcode PATIENCE}. */
export class NativeClient<S extends Socket = Socket> implements Disposable {
  readonly socket: S;
  readonly connection: Connection;
  /** Timestamps of the pings so far, microseconds. */
  readonly pings: number[] = [];
  #description: Description | undefined;

  constructor(socket: S) {
    this.socket = socket;
    socket.setNoDelay();
    const writer = new ByteWriter(socket, { stallTimeout: PATIENCE, onStall: () => this.close() });
    this.connection = new Connection(new ByteReader(fromSocket(socket)), writer);
  }

  /** The newest description. */
  get description(): Description {
    if (this.#description === undefined) throw new Error("Cannot describe: no description came");
    return this.#description;
  }

  /** Sends bytes as they are. */
  async write(...parts: Uint8Array[]): Promise<void> {
    for (let bytes = concat(...parts); bytes.length > 0;) {
      bytes = bytes.subarray(await this.socket.write(bytes));
    }
  }

  /** Sends a request; as fast as possible unless it says otherwise. */
  async ask(request: MediaRequest): Promise<void> {
    await this.write(requestMessage(request));
  }

  /** Sends a request and collects the whole response. */
  async request(request: MediaRequest, options?: ResponseOptions): Promise<NativeResponse> {
    await this.ask(request);
    return await this.response(options);
  }

  /** Sends a control: an action, or one with parameters. */
  async control(control: string | Control): Promise<void> {
    const whole = typeof control === "string" ? { action: control } : control;
    await this.connection.send("control", encodeControl(whole));
  }

  /**
   * Waits for the next message.
   *
   * @returns `undefined` if the server has ended the connection
   */
  async receive(): Promise<Received | undefined> {
    using _limit = deadline(PATIENCE, () => this.close());
    const message = await this.connection.receive();
    return message && this.#parse(message);
  }

  /**
   * Waits for the next message that is no ping.
   *
   * @throws {Error} if the server ends the connection
   */
  async next(): Promise<Received> {
    while (true) {
      const received = await this.receive();
      if (received === undefined) throw new Error("Cannot go on: the server hung up");
      if (received.kind !== "ping") return received;
    }
  }

  /**
   * Waits for the next message of a kind, pings included.
   *
   * @param count which one of those to come
   * @returns the message, and the kinds of those before it
   * @throws {RequestError} for an error that comes instead
   */
  async until<Kind extends Received["kind"]>(
    kind: Kind,
    count = 1,
  ): Promise<ReceivedOf<Kind> & { before: string[] }> {
    const before: string[] = [];
    while (true) {
      const received = await this.receive();
      if (received?.kind === kind) {
        if (--count === 0) return { ...(received as ReceivedOf<Kind>), before };
      } else if (received?.kind === "error") throw received.error;
      else if (received === undefined || received.kind === "end") {
        throw new Error(`Cannot find ${kind}: only ${before.join(" ")} came before the end`);
      } else before.push(received.kind);
    }
  }

  /**
   * Waits for a frame, of one type if that is given. Nothing may come before it but pings, and the
   * notice that the server is slow.
   */
  async frame(type?: AnyStream["type"]): Promise<WholeFrame> {
    while (true) {
      const received = await this.next();
      if (received.kind === "error") throw received.error;
      if (received.kind === "notice") {
        // The machine is busy.
        if (received.notice.code === "slow_source") continue;
        throw new Error(`Cannot find a frame: ${received.notice.message}`);
      }
      if (received.kind !== "frame") throw new Error(`Cannot find a frame: ${received.kind} came`);
      if (type === undefined || received.frame.type === type) return received.frame;
    }
  }

  /** Waits for frames, of one stream if that is given, whatever comes between them. */
  async frames(count: number, streamId?: number): Promise<WholeFrame[]> {
    const found: WholeFrame[] = [];
    while (found.length < count) {
      const { frame } = await this.until("frame");
      if (streamId === undefined || frame.streamId === streamId) found.push(frame);
    }
    return found;
  }

  /** Waits for the next notice with a code, whatever comes before it. */
  async notice(code: string): Promise<Notice> {
    while (true) {
      const { notice } = await this.until("notice");
      if (notice.code === code) return notice;
    }
  }

  /** Collects the frames that the server sends before it waits for the clock. */
  async due(clock: HandClock): Promise<ReceivedFrame[]> {
    await clock.asleep();
    await this.connection.send("ping", new Uint8Array());
    const frames: ReceivedFrame[] = [];
    for (let received = await this.next(); received.kind !== "pong"; received = await this.next()) {
      if (received.kind !== "frame") throw new Error(`Cannot find a frame: ${received.kind} came`);
      frames.push(withoutData(received.frame));
    }
    return frames;
  }

  /** Seeks, and waits for the response to it. */
  async seek(to: number, id: number): Promise<void> {
    await this.control({ action: "seek", to, id });
    await this.answered(id);
  }

  /** Waits for the response to a seek, whatever frames come before it. */
  async answered(id: number): Promise<void> {
    while ((await this.until("control")).control.id !== id);
  }

  /** Waits for more pings; nothing else may come. */
  async onlyPings(count: number): Promise<void> {
    for (; count > 0; count--) {
      const received = await this.receive();
      if (received?.kind !== "ping") throw new Error(`Cannot stay quiet: ${received?.kind} came`);
    }
  }

  /** Collects what comes up to the end. */
  async rest(): Promise<{ frames: ReceivedFrame[]; notices: Notice[]; end: EndReport }> {
    const frames: ReceivedFrame[] = [];
    const notices: Notice[] = [];
    while (true) {
      const received = await this.next();
      if (received.kind === "frame") frames.push(withoutData(received.frame));
      if (received.kind === "notice") notices.push(received.notice);
      if (received.kind === "end") return { frames, notices, end: received.end };
      if (received.kind === "error") throw received.error;
    }
  }

  /** Collects the response to one request. */
  async response({ onFrame }: ResponseOptions = {}): Promise<NativeResponse> {
    const response: NativeResponse = { kinds: [], frames: [] };
    while (true) {
      const received = await this.next();
      if (response.kinds.at(-1) !== received.kind) response.kinds.push(received.kind);
      if (received.kind === "frame") {
        response.frames.push(withoutData(received.frame));
        onFrame?.(received.frame);
      } else if (received.kind === "describe") response.description = received.description;
      else if (received.kind === "list") return { ...response, list: received.list };
      else if (received.kind === "end") return { ...response, end: received.end };
      else if (received.kind === "error") return { ...response, error: received.error };
    }
  }

  /** Waits for the end of the connection and gives the error that came before it, if any. */
  async farewell(): Promise<RequestError | undefined> {
    let error: RequestError | undefined;
    for (let received; (received = await this.receive()) !== undefined;) {
      if (received.kind === "error") error = received.error;
    }
    return error;
  }

  /** Reads all bytes up to the end of the connection. */
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
    closeSocket(this.socket);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #parse(message: Message): Received {
    if (message.kind === "frame") return { kind: "frame", frame: this.#frameOf(message) };
    const { kind, payload, timestamp } = message;
    if (kind === "describe") {
      this.#description = parseDescription(payload);
      return { kind, description: this.#description };
    }
    if (kind === "ping") this.pings.push(timestamp);
    if (kind === "control") return { kind, control: parseControl(payload) };
    if (kind === "notice") return { kind, notice: parseNotice(payload) };
    if (kind === "list") {
      return { kind, list: parseList(payload).entries, piece: parseList(payload) };
    }
    if (kind === "end") return { kind, end: parseEnd(payload) };
    if (kind === "error") return { kind, error: parseError(payload) };
    if (kind === "accept") return { kind, acceptance: parseAcceptance(payload) };
    return { kind };
  }

  #frameOf(message: FrameMessage): WholeFrame {
    const { streamId, timestamp, keyframe, dropped, discontinuity = false, captured } = message;
    const { streams, data: messages = [] } = this.description;
    const stream = [...streams, ...messages].find(({ id }) => id === streamId);
    if (stream === undefined) throw new Error(`Cannot take a frame: stream ${streamId} is unknown`);
    const data = message.data.slice();
    this.connection.recycle(message);
    return {
      ...{ streamId, timestamp, keyframe, dropped, discontinuity, captured, data },
      type: stream.type,
      time: exactSeconds(timestamp, stream.timeBase),
      seconds: toSeconds(timestamp, stream.timeBase),
      size: data.byteLength,
      // Only if it is asked for: checksums of large live frames would slow the server down.
      get md5() {
        return createHash("md5").update(data).digest("hex");
      },
    };
  }
}

/** What a client connects to. */
interface ConnectableServer {
  connect(): Promise<NativeClient>;
}

/** Asks one thing over a connection of its own, as fast as the server can unless told otherwise. */
export async function ask(
  server: ConnectableServer,
  request: MediaRequest,
  options?: ResponseOptions,
): Promise<NativeResponse> {
  using client = await server.connect();
  return await client.request(request, options);
}

/** Connects a client and asks for a video, or what the request says instead. */
export async function watchLive(
  server: ConnectableServer,
  request: Partial<MediaRequest> = {},
): Promise<NativeClient> {
  const client = await server.connect();
  const whole: MediaRequest = { command: "get_video", ...request };
  await client.connection.send("request", encodeRequest(whole));
  return client;
}

/** Asks for a video and waits for its description. */
export async function watch(
  server: ConnectableServer,
  request: Omit<MediaRequest, "command">,
): Promise<NativeClient> {
  const client = await watchLive(server, request);
  try {
    await client.until("describe");
    return client;
  } catch (error) {
    client.close();
    throw error;
  }
}

/** The frames of one stream, as they compare with ffmpeg's own. */
export function framesOf(response: NativeResponse, type: "video" | "audio"): FrameSum[] {
  const frames = response.frames.filter((frame) => frame.type === type);
  return frames.map(({ time, size, md5 }) => ({ time, size, md5 }));
}

/** The description of one stream. */
export function streamOf<Type extends "video" | "audio">(response: NativeResponse, type: Type) {
  type Wanted = Extract<StreamDescription, { type: Type }>;
  return response.description?.streams.find((stream): stream is Wanted => stream.type === type);
}

/** A request as it goes over the wire. */
export function requestMessage(request: MediaRequest): Uint8Array<ArrayBuffer> {
  return encodeMessage("request", encodeRequest({ speed: 0, ...request }));
}

/** A control as it goes over the wire. */
export function controlMessage(action: string): Uint8Array<ArrayBuffer> {
  return encodeMessage("control", encodeControl({ action }));
}

function withoutData({ data: _, ...frame }: WholeFrame): ReceivedFrame {
  return frame;
}
