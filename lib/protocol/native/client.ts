/** Requests over the native protocol. */
import { FormatError, isConnectionLost, RequestError } from "../../base/errors.ts";
import { allStreams } from "../../media/frame.ts";
import type { ServerConnection } from "../../net/connection.ts";
import { CutError, ShutdownError } from "../../net/errors.ts";
import type { MediaResponse, ResponsePart } from "../media_response.ts";
import { ClockSync } from "./clock_sync.ts";
import { Connection, type Message } from "./connection.ts";
import { encodeControl, encodeRequest, type MediaRequest, parseControl } from "./request.ts";
import { type ListPiece, parseList } from "./list.ts";
import { parseDescription, parseEnd, parseError, parseNotice } from "./response.ts";

/** Options of {@linkcode requestMedia}. */
export interface RequestOptions {
  /** Microseconds since 1970; never goes back. */
  clock?: () => number;
  /** Milliseconds between keep-alives. @default 5_000 */
  keepAlive?: number;
  /** Frames stay valid until they are given to `recycle()` of the response. @default false */
  keepsFrames?: boolean;
}

/**
 * Requests an image or a video over the native protocol. Iterating the response throws
 *
 * - {@linkcode RequestError}: the server refuses the request, or fails
 * - {@linkcode FormatError}: the server breaks the protocol
 * - {@linkcode CutError}: the connection ends before the response does
 */
export function requestMedia(
  connection: ServerConnection,
  request: MediaRequest,
  { clock = sinceEpoch, keepAlive = 5_000, keepsFrames = false }: RequestOptions = {},
): MediaResponse {
  const messages = openConnection(connection);
  const authorized = { ...request, token: connection.token?.reveal() };
  return {
    [Symbol.asyncIterator]: () => parts(messages, authorized, { clock, keepAlive, keepsFrames }),
    control: (control) => messages.send("control", encodeControl(control)),
    abandon: () => connection[Symbol.dispose](),
    recycle: (frame) => messages.recycle(frame),
  };
}

/** Messages of the native protocol over a connection to a server. */
export function openConnection({ reader, writer, observer }: ServerConnection): Connection {
  return new Connection(reader, writer, observer);
}

async function* parts(
  messages: Connection,
  request: MediaRequest,
  { clock, keepAlive, keepsFrames }: Required<RequestOptions>,
): AsyncGenerator<ResponsePart> {
  await unlessLost(() => messages.send("request", encodeRequest(request)));
  using _keepAlives = sendKeepAlives(messages, keepAlive);
  let streamIds: Set<number> | undefined;
  let videoIds: number[] = [];
  /** Only for live sources, whose frames say when they were captured. */
  let clockSync: ClockSync | undefined;
  let taken: TakenFrames | undefined;
  if (request.credit) {
    // From the request on: the first pong should not wait behind frames.
    clockSync = new ClockSync(messages, clock);
    taken = new TakenFrames(messages, clockSync);
  }
  while (true) {
    const message = await nextMessage(messages, clockSync);
    if (message.kind === "frame") {
      if (!streamIds?.has(message.streamId)) {
        throw unexpected(`a frame of stream ${message.streamId}`);
      }
      if (videoIds.includes(message.streamId)) taken?.add();
      const latency = clockSync?.latencyOf(message.captured);
      const captured = clockSync?.ownTimeOf(message.captured);
      yield { kind: "frame", frame: message, dropped: message.dropped, latency, captured };
      if (!keepsFrames) messages.recycle(message);
    } else if (message.kind === "describe") {
      if (streamIds !== undefined && !request.redescribe) throw unexpected("a second description");
      const description = parseDescription(message.payload);
      const streams = allStreams(description);
      streamIds = new Set(streams.map(({ id }) => id));
      if (streamIds.size < streams.length) throw unexpected("two streams of one id");
      // Files are sent without credit.
      const video = description.streams.filter(({ type }) => description.live && type === "video");
      videoIds = video.map(({ id }) => id);
      if (description.live) clockSync ??= new ClockSync(messages, clock);
      yield { kind: "describe", description };
    } else if (message.kind === "notice") {
      yield { kind: "notice", notice: parseNotice(message.payload) };
    } else if (message.kind === "control") {
      yield { kind: "control", control: parseControl(message.payload) };
    } else if (message.kind === "end" && streamIds !== undefined) {
      yield { kind: "end", end: parseEnd(message.payload) };
      return;
    } else {
      throw unexpected(`a message of kind ${message.kind}`);
    }
  }
}

/** Limits a list to some entries. Older servers send the whole list nevertheless. */
export interface ListFilter {
  /** Only the media that this name finds. */
  name?: string;
  /** Only what requests without a name get. */
  defaults?: boolean;
}

/** Options of {@linkcode requestList}. */
export interface ListRequestOptions extends ListFilter {
  /** Changes follow the list, until the server shuts down. @default false */
  follow?: boolean;
  /** Milliseconds between keep-alives. @default 5_000 */
  keepAlive?: number;
}

/**
 * Requests the list of media, in pieces. Throws as iterating the response of {@linkcode requestMedia}
 * does, and `unsupported` behind the list if it is not followed by a server of an earlier version.
 */
export async function* requestList(
  connection: ServerConnection,
  { follow = false, keepAlive = 5_000, ...filter }: ListRequestOptions = {},
): AsyncGenerator<ListPiece> {
  const messages = openConnection(connection);
  const token = connection.token?.reveal();
  const following = follow ? { follow } : {};
  const fields = { data: true, more: true, ...following, ...filter } as const;
  const request = { command: "list_media", ...fields, token } as const;
  await unlessLost(() => messages.send("request", encodeRequest(request)));
  using _keepAlives = sendKeepAlives(messages, keepAlive);
  while (true) {
    const message = await nextMessage(messages);
    if (follow && message.kind === "end") {
      if (parseEnd(message.payload).reason !== "shutdown") return;
      throw new ShutdownError("the server has shut down");
    }
    if (message.kind !== "list") throw unexpected(`a message of kind ${message.kind}`);
    const piece = parseList(message.payload);
    yield piece;
    if (!follow && !piece.more) return;
    if (follow && !piece.follow) {
      const reason = "the server is of an earlier version, ask for the list again instead";
      throw new RequestError("unsupported", `Cannot follow the list: ${reason}`);
    }
  }
}

/** Waits for the next message that is part of a response. Handles pings, pongs and errors. */
async function nextMessage(messages: Connection, clockSync?: ClockSync): Promise<Message> {
  while (true) {
    await unlessLost(async () => await clockSync?.ping());
    const message = await orCut(() => messages.receive());
    if (message === undefined) throw new CutError("the connection was cut");
    if (message.kind === "error") throw parseError(message.payload);
    if (message.kind === "ping") await unlessLost(() => messages.send("pong", message.payload));
    else if (message.kind === "pong") clockSync?.onPong(message);
    else return message;
  }
}

/** Microseconds since 1970. Does not follow the system's clock when that is set. */
function sinceEpoch(): number {
  return Math.round((performance.timeOrigin + performance.now()) * 1000);
}

/** @throws {CutError} if the connection is lost */
export async function orCut<Result>(action: () => Promise<Result>): Promise<Result> {
  try {
    return await action();
  } catch (cause) {
    if (!isConnectionLost(cause)) throw cause;
    throw new CutError("the connection was cut", { cause });
  }
}

/**
 * Sends a message, and ignores that the connection is lost. The next read reports that, after what
 * the server sent before, such as an error or the end.
 */
export async function unlessLost(send: () => Promise<void>): Promise<void> {
  try {
    await send();
  } catch (error) {
    if (!isConnectionLost(error)) throw error;
  }
}

function unexpected(what: string): FormatError {
  return new FormatError(`Cannot understand the server: ${what} came unannounced`);
}

/**
 * Sends empty pongs until disposed, so that the server does not time out while a slow sink keeps the
 * client from reading, and so from replying to, its pings.
 */
export function sendKeepAlives(messages: Connection, interval: number): Disposable {
  let isSending = false;
  const stop = () => clearInterval(timer);
  const timer = setInterval(() => {
    if (isSending) return;
    isSending = true;
    // A failed write is not reported here: reading fails as well, with the reason.
    messages.send("pong", new Uint8Array(0)).then(() => isSending = false, stop);
  }, interval);
  return { [Symbol.dispose]: stop };
}

/** Tells the server how many frames of video were read, without keeping them waiting. */
class TakenFrames {
  #messages: Connection;
  #clockSync: ClockSync;
  #count = 0;
  #isSending = false;

  constructor(messages: Connection, clockSync: ClockSync) {
    this.#messages = messages;
    this.#clockSync = clockSync;
  }

  /** Counts one more. While the server takes nothing, later numbers replace earlier ones. */
  add(): void {
    this.#count++;
    // A failed write is not reported here: reading fails as well, with the reason.
    if (!this.#isSending) this.#send().catch(() => {});
  }

  async #send(): Promise<void> {
    this.#isSending = true;
    for (let told = 0; told < this.#count;) {
      told = this.#count;
      const { roundTrip } = this.#clockSync;
      const control = { action: "taken", frames: told, roundTrip };
      await this.#messages.send("control", encodeControl(control));
    }
    this.#isSending = false;
  }
}
