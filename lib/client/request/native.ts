import { FormatError, isConnectionLost } from "../../base/errors.ts";
import { Connection, type Message } from "../../protocol/native/connection.ts";
import {
  encodeControl,
  encodeRequest,
  type MediaRequest,
  parseControl,
} from "../../protocol/native/request.ts";
import {
  type ListEntry,
  parseDescription,
  parseEnd,
  parseError,
  parseList,
  parseNotice,
} from "../../protocol/native/response.ts";
import type { ServerConnection } from "../connection/connection.ts";
import { CutError } from "../connection/errors.ts";
import { ClockWatch } from "./clock_sync.ts";
import type { MediaResponse, ResponsePart } from "./response.ts";

/** What differs from one use to another. */
export interface RequestOptions {
  /** Microseconds since 1970; never goes back. */
  clock?: () => number;
  /** Milliseconds between signs of life; 5 s unless told. */
  signs?: number;
}

/**
 * Asks for an image or a video and gives the answer as it comes. Iterating throws
 *
 * - {@linkcode RequestError}: what the server says against it
 * - {@linkcode CutError}: the connection ended before the answer did
 */
export function requestMedia(
  link: ServerConnection,
  request: MediaRequest,
  { clock = sinceEpoch, signs }: RequestOptions = {},
): MediaResponse {
  const connection = new Connection(link.reader, link.writer);
  const own = { ...request, token: link.token?.reveal() };
  const response = { connection, request: own, clock, signs };
  return {
    [Symbol.asyncIterator]: () => parts(response),
    control: (control) => connection.send("control", encodeControl(control)),
    abandon: () => link[Symbol.dispose](),
  };
}

async function* parts(
  { connection, request, clock, signs }: {
    connection: Connection;
    request: MediaRequest;
    clock: () => number;
    signs?: number;
  },
): AsyncGenerator<ResponsePart> {
  await orCut(() => connection.send("request", encodeRequest(request)));
  using _signs = sendKeepAlives(connection, signs);
  let known: Set<number> | undefined;
  /** Only of live sources is it of interest what time the server has. */
  let watch: ClockWatch | undefined;
  while (true) {
    const message = await nextMessage(connection, watch);
    if (message.kind === "frame") {
      if (!known?.has(message.streamId)) throw unexpected(`a frame of stream ${message.streamId}`);
      const latency = watch?.since(message.captured);
      yield { kind: "frame", frame: message, dropped: message.dropped, latency };
      connection.recycle(message);
    } else if (message.kind === "describe") {
      if (known !== undefined) throw unexpected("a second description");
      const description = parseDescription(message.payload);
      known = new Set(description.streams.map((stream) => stream.id));
      if (known.size < description.streams.length) throw unexpected("two streams of one id");
      if (description.live) watch = new ClockWatch(connection, clock);
      yield { kind: "describe", description };
    } else if (message.kind === "notice") {
      yield { kind: "notice", notice: parseNotice(message.payload) };
    } else if (message.kind === "control") {
      yield { kind: "control", control: parseControl(message.payload) };
    } else if (message.kind === "end" && known !== undefined) {
      yield { kind: "end", end: parseEnd(message.payload) };
      return;
    } else {
      throw unexpected(`a message of kind ${message.kind}`);
    }
  }
}

/**
 * Asks for the list of media.
 *
 * @throws {RequestError} what the server says against it
 * @throws {CutError} where the connection ends before the list came
 */
export async function requestList(link: ServerConnection): Promise<ListEntry[]> {
  const connection = new Connection(link.reader, link.writer);
  const request = { command: "list_media", token: link.token?.reveal() } as const;
  await orCut(() => connection.send("request", encodeRequest(request)));
  const message = await nextMessage(connection);
  if (message.kind !== "list") throw unexpected(`a message of kind ${message.kind}`);
  return parseList(message.payload);
}

/** Waits for the next message that is part of an answer; signs of life are answered here. */
async function nextMessage(connection: Connection, watch?: ClockWatch): Promise<Message> {
  while (true) {
    const message = await orCut(async () => {
      await watch?.ask();
      return await connection.receive();
    });
    if (message === undefined) throw new CutError("the connection was cut");
    if (message.kind === "error") throw parseError(message.payload);
    if (message.kind === "ping") await orCut(() => connection.send("pong", message.payload));
    else if (message.kind === "pong") watch?.hear(message);
    else return message;
  }
}

/** Microseconds since 1970, going on evenly whatever becomes of the system's clock. */
function sinceEpoch(): number {
  return Math.round((performance.timeOrigin + performance.now()) * 1000);
}

/** @throws {CutError} where the connection breaks off */
async function orCut<Result>(action: () => Promise<Result>): Promise<Result> {
  try {
    return await action();
  } catch (cause) {
    if (!isConnectionLost(cause)) throw cause;
    throw new CutError("the connection was cut", { cause });
  }
}

function unexpected(what: string): FormatError {
  return new FormatError(`Cannot understand the server: ${what} came unannounced`);
}

/** Milliseconds between two. */
const INTERVAL = 5000;

/**
 * Tells the server, until disposed, that the client is there, also while a viewer that takes nothing
 * for a while keeps it from reading the server's pings.
 */
export function sendKeepAlives(connection: Connection, interval = INTERVAL): Disposable {
  let sending = false;
  const stop = () => clearInterval(timer);
  const timer = setInterval(() => {
    if (sending) return;
    sending = true;
    // Where it fails, so does reading, which tells why.
    connection.send("pong", new Uint8Array(0)).then(() => sending = false, stop);
  }, interval);
  return { [Symbol.dispose]: stop };
}
