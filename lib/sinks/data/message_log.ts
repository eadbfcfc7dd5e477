/** Messages of data streams as lines of JSON. */
import { escapeJson } from "../../base/log.ts";
import { type Frame, type StreamDescription, toSeconds } from "../../media/frame.ts";
import type { DataMessage } from "../sink.ts";

/** Seconds of frames after which streams without any no longer decide about the beginning. */
const PATIENCE = 1;

/** Messages that wait until the beginning is known, and their bytes. */
const MAX_WAITING = { count: 10_000, bytes: 16 << 20 };

/**
 * Renders a message as a line: `{"time":1.5,"stream":2,"value":…}`. A JSON value is kept as it is
 * written; text that is no JSON becomes a string, and bytes become base64.
 *
 * @param start seconds on the timeline of the message that are time 0 of the line
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { messageLine } from "./message_log.ts";
 *
 * const stream = { id: 2, type: "data", codec: "json", timeBase: [1, 1000] } as const;
 * const data = new TextEncoder().encode('{"x": 1}');
 * assertEquals(
 *   messageLine({ stream, time: 7.5, data }, 5),
 *   '{"time":2.5,"stream":2,"value":{"x": 1}}\n',
 * );
 * ```
 */
export function messageLine({ stream, time, data }: DataMessage, start: number): string {
  const { id, codec } = stream;
  const value = codec === "bytes" ? JSON.stringify(data.toBase64()) : jsonOf(data);
  const seconds = Number((time - start).toFixed(6));
  return `{"time":${seconds},"stream":${id},"value":${escapeJson(value)}}\n`;
}

/** JSON of a message on one line. */
function jsonOf(data: Uint8Array): string {
  const text = new TextDecoder().decode(data);
  try {
    JSON.parse(text);
    // Line breaks stand only between values.
    return text.trim().replaceAll(/[\t\r\n]+/g, " ");
  } catch {
    return JSON.stringify(text);
  }
}

/**
 * Writes messages as lines whose time 0 is the beginning of the frames: the first timestamp of all
 * streams of video and audio, or that of the first message if there are none.
 */
export class MessageLog {
  #write: (line: string) => Promise<boolean>;
  /** Seconds; `undefined` until it is known. */
  #start: number | undefined;
  #streams: readonly StreamDescription[] = [];
  /** Timestamp of the first frame of each stream, seconds. */
  #first = new Map<number, number>();
  #waiting: DataMessage[] = [];
  #waitingBytes = 0;

  /** @param write writes a line; resolves with false if no more are taken */
  constructor(write: (line: string) => Promise<boolean>) {
    this.#write = write;
  }

  /** Sets the streams of the frames that follow. */
  begin(streams: readonly StreamDescription[]): void {
    this.#streams = streams;
  }

  /** @returns false if no more lines are taken */
  async see({ streamId, timestamp }: Frame): Promise<boolean> {
    if (this.#start !== undefined) return true;
    const stream = this.#streams.find(({ id }) => id === streamId);
    if (stream === undefined) return true;
    const seconds = toSeconds(timestamp, stream.timeBase);
    if (!this.#first.has(streamId)) this.#first.set(streamId, seconds);
    const start = Math.min(...this.#first.values());
    const isKnown = this.#first.size === this.#streams.length || seconds - start >= PATIENCE;
    return !isKnown || await this.#startAt(start);
  }

  /** @returns false if no more lines are taken */
  async take(message: DataMessage): Promise<boolean> {
    if (this.#start !== undefined) return await this.#write(messageLine(message, this.#start));
    if (this.#streams.length === 0) this.#start = message.time;
    this.#waiting.push({ ...message, data: message.data.slice() });
    this.#waitingBytes += message.data.byteLength;
    const isFull = this.#waiting.length >= MAX_WAITING.count ||
      this.#waitingBytes >= MAX_WAITING.bytes;
    return this.#start === undefined && !isFull || await this.end();
  }

  /** Writes what waits. */
  async end(): Promise<boolean> {
    const [first] = this.#waiting;
    if (first === undefined) return true;
    return await this.#startAt(this.#start ?? Math.min(first.time, ...this.#first.values()));
  }

  async #startAt(start: number): Promise<boolean> {
    this.#start = start;
    for (const message of this.#waiting.splice(0)) {
      if (!await this.#write(messageLine(message, start))) return false;
    }
    return true;
  }
}
