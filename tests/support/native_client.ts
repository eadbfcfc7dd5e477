import { createHash } from "node:crypto";
import { ByteReader, fromSocket } from "../../lib/base/byte_reader.ts";
import { ByteWriter } from "../../lib/base/byte_writer.ts";
import type { RequestError } from "../../lib/base/errors.ts";
import type { Socket } from "../../lib/net/socket.ts";
import {
  type Description,
  type Rational,
  type StreamDescription,
  toSeconds,
} from "../../lib/media/frame.ts";
import {
  type EndReport,
  type ListEntry,
  parseDescription,
  parseEnd,
  parseError,
  parseList,
} from "../../lib/protocol/native/response.ts";
import { Connection, type FrameMessage } from "../../lib/protocol/native/connection.ts";
import { encodeRequest, type MediaRequest } from "../../lib/protocol/native/request.ts";
import { exactSeconds, type FrameSum } from "./reference.ts";
import type { TestServer } from "./server.ts";

/** A frame as it came, without its bytes. */
export interface ReceivedFrame extends FrameSum {
  streamId: number;
  /** Ticks of the stream's time base. */
  timestamp: number;
  keyframe: boolean;
  /** Seconds, for comparing with other streams. */
  seconds: number;
}

/** All that a server said to one request. */
export interface Answer {
  description?: Description;
  /** In the order of arrival. */
  frames: ReceivedFrame[];
  list?: ListEntry[];
  end?: EndReport;
  error?: RequestError;
}

/** What a test looks at while an answer comes in. */
export interface Watch {
  /** Called with each frame, whose bytes are good until it returns. */
  onFrame?: (frame: FrameMessage) => void;
}

/** A client for tests: asks, and keeps what comes. */
export class NativeClient implements Disposable {
  readonly connection: Connection;
  #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
    const sink = new ByteWriter(socket, { stallTimeout: 20_000, onStall: () => socket.close() });
    this.connection = new Connection(new ByteReader(fromSocket(socket)), sink);
  }

  /**
   * Sends a request and collects the answer to its end.
   *
   * @throws {Error} where the connection ends before the answer does
   */
  async ask(request: MediaRequest, { onFrame }: Watch = {}): Promise<Answer> {
    await this.connection.send("request", encodeRequest(request));
    const response: Answer = { frames: [] };
    const timeBases = new Map<number, Rational>();
    while (true) {
      const message = await this.connection.receive();
      if (message === undefined) throw new Error("Cannot finish the answer: the server hung up");
      if (message.kind === "frame") {
        response.frames.push(toReceived(message, timeBases));
        onFrame?.(message);
        this.connection.recycle(message);
      } else if (message.kind === "describe") {
        response.description = parseDescription(message.payload);
        for (const { id, timeBase } of response.description.streams) timeBases.set(id, timeBase);
      } else if (message.kind === "list") {
        response.list = parseList(message.payload);
        return response;
      } else if (message.kind === "end") {
        response.end = parseEnd(message.payload);
        return response;
      } else if (message.kind === "error") {
        response.error = parseError(message.payload);
        return response;
      }
    }
  }

  /** Closes the connection. */
  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

/** Connects a client. */
export async function connectClient(server: TestServer): Promise<NativeClient> {
  return new NativeClient(await server.connect());
}

/** Asks one thing over a connection of its own, as fast as the server can unless told otherwise. */
export async function ask(
  server: TestServer,
  request: MediaRequest,
  watch?: Watch,
): Promise<Answer> {
  using client = await connectClient(server);
  return await client.ask({ speed: 0, ...request }, watch);
}

/** The frames of one stream, as they compare with ffmpeg's own. */
export function framesOf(response: Answer, type: "video" | "audio"): FrameSum[] {
  const id = streamOf(response, type)?.id;
  const frames = response.frames.filter((frame) => frame.streamId === id);
  return frames.map(({ time, size, md5 }) => ({ time, size, md5 }));
}

/** The description of one stream. */
export function streamOf<Type extends "video" | "audio">(response: Answer, type: Type) {
  type Wanted = Extract<StreamDescription, { type: Type }>;
  return response.description?.streams.find((stream): stream is Wanted => stream.type === type);
}

function toReceived(message: FrameMessage, timeBases: Map<number, Rational>): ReceivedFrame {
  const { streamId, timestamp, keyframe, data } = message;
  const timeBase = timeBases.get(streamId);
  if (timeBase === undefined) throw new Error(`Cannot take a frame: stream ${streamId} is unknown`);
  return {
    ...{ streamId, timestamp, keyframe },
    time: exactSeconds(timestamp, timeBase),
    seconds: toSeconds(timestamp, timeBase),
    size: data.byteLength,
    md5: createHash("md5").update(data).digest("hex"),
  };
}
