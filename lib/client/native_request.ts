import { FormatError, RequestError, TruncatedError } from "../core/errors.ts";
import {
  type ListEntry,
  parseDescription,
  parseEnd,
  parseError,
  parseList,
} from "../wire/answer.ts";
import { Connection, type Message } from "../wire/connection.ts";
import { encodeRequest, type MediaRequest } from "../wire/request.ts";
import { type AnswerPart, CutError } from "./answer.ts";
import type { Link } from "./link.ts";

/**
 * Asks for an image or a video and gives the answer as it comes.
 *
 * @throws {RequestError} what the server says against it
 * @throws {CutError} where the connection ends before the answer does
 */
export async function* requestMedia(link: Link, request: MediaRequest): AsyncGenerator<AnswerPart> {
  const connection = new Connection(link.reader, link.writer);
  await connection.send("request", encodeRequest(request));
  let known: Set<number> | undefined;
  while (true) {
    const message = await nextMessage(connection);
    if (message.kind === "frame") {
      if (!known?.has(message.streamId)) throw unexpected(`a frame of stream ${message.streamId}`);
      yield { kind: "frame", frame: message, dropped: message.dropped };
      connection.recycle(message);
    } else if (message.kind === "describe") {
      if (known !== undefined) throw unexpected("a second description");
      const description = parseDescription(message.payload);
      known = new Set(description.streams.map((stream) => stream.id));
      if (known.size < description.streams.length) throw unexpected("two streams of one id");
      yield { kind: "describe", description };
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
export async function requestList(link: Link): Promise<ListEntry[]> {
  const connection = new Connection(link.reader, link.writer);
  await connection.send("request", encodeRequest({ command: "list_media" }));
  const message = await nextMessage(connection);
  if (message.kind !== "list") throw unexpected(`a message of kind ${message.kind}`);
  return parseList(message.payload);
}

/** Waits for the next message that is part of an answer; signs of life are answered here. */
async function nextMessage(connection: Connection): Promise<Message> {
  while (true) {
    const message = await orCut(() => connection.receive());
    if (message.kind === "error") throw parseError(message.payload);
    if (message.kind === "ping") await connection.send("pong", message.payload);
    else if (message.kind !== "pong") return message;
  }
}

async function orCut(receive: () => Promise<Message | undefined>): Promise<Message> {
  try {
    const message = await receive();
    if (message !== undefined) return message;
  } catch (cause) {
    if (cause instanceof RequestError || cause instanceof FormatError) throw cause;
    const reset = cause instanceof TruncatedError || cause instanceof Deno.errors.ConnectionReset;
    if (!reset) throw cause;
    throw new CutError("the connection was cut", { cause });
  }
  throw new CutError("the connection was cut");
}

function unexpected(what: string): FormatError {
  return new FormatError(`Cannot understand the server: ${what} came unannounced`);
}
