/** Reads the messages of a script one by one, once it is known how they are framed. */
import type { BufferPool } from "../../base/buffer_pool.ts";
import type { ByteReader } from "../../base/byte_reader.ts";
import { FormatError, TruncatedError } from "../../base/errors.ts";
import { FRAME_HEADROOM, FRAME_TAILROOM } from "../../media/frame.ts";
import { rawSize, type ScriptFormat } from "./format.ts";
import { JpegScanner } from "./jpeg.ts";
import { checkLength, LENGTH_PREFIXES, type PrefixName } from "./lengths.ts";
import { npyLength } from "./npy.ts";
import { recognise } from "./recognise.ts";

/** Room around a message. The data of a frame may be a view of it. */
const ROOM = { offset: FRAME_HEADROOM, tail: FRAME_TAILROOM };

const LINE_FEED = 0x0a;

/** Bytes of the largest message whose end is looked for, since no length stands in front of it. */
const MAX_SCANNED = 2 ** 26;

/** Bytes that are read ahead, at least, to recognise a format. */
const LOOK_AHEAD = 16 * 1024;

/** Options of {@linkcode MessageReader}. */
export interface MessageReaderOptions {
  /** Gives memory for messages. */
  pool: BufferPool;
  /** @default by the first bytes */
  format?: ScriptFormat;
  /** Called once the format is known. */
  onFormat?: (format: ScriptFormat) => void;
  /**
   * Reserves memory for a large message while it arrives.
   *
   * @throws {RequestError} `busy` if there is too little left
   */
  reserve?: (bytes: number) => Disposable;
}

/** Reads whole messages. Calls must not overlap. */
export class MessageReader {
  #reader: ByteReader;
  #options: MessageReaderOptions;
  #format: ScriptFormat | undefined;
  #size = 0;

  constructor(reader: ByteReader, options: MessageReaderOptions) {
    this.#reader = reader;
    this.#options = options;
    this.#format = options.format;
  }

  /** Known once a message was read. */
  get format(): ScriptFormat {
    if (this.#format === undefined) throw new Error("Cannot name the format: no message was read");
    return this.#format;
  }

  /** Bytes of the last message with its length or the end of its line. */
  get size(): number {
    return this.#size;
  }

  /** Waits for the first byte of the next message; false if the connection ends instead. */
  async hasInput(): Promise<boolean> {
    return await this.#reader.peek(1) !== undefined;
  }

  /**
   * Reads the next message, without its length. Its memory has room for the header of a message of
   * the native protocol around it; the pool may get it back.
   *
   * @throws {FormatError} for a length out of range, or an unknown format
   * @throws {TruncatedError} if the connection ends first
   */
  async next(): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#format === undefined) {
      this.#format = await this.#recognise();
      this.#options.onFormat?.(this.#format);
    }
    const { length, payload } = this.#format;
    if (length === "line") return await this.#readLine();
    if (length !== "none") return await this.#readPrefixed(length);
    if (payload.kind === "raw") return await this.#read(rawSize(payload));
    if (payload.kind === "npy") return await this.#read(await this.#scan(npyLength));
    const scanner = new JpegScanner();
    return await this.#read(await this.#scan((bytes) => scanner.scan(bytes)));
  }

  async #recognise(): Promise<ScriptFormat> {
    let needed = 1;
    while (true) {
      const { bytes, isEnd } = await this.#peek(needed);
      const found = recognise(bytes, { isEnd });
      if (found.kind === "format") return found.format;
      // Memory grows as the bytes arrive.
      needed = Math.min(found.bytes, bytes.byteLength * 2 + LOOK_AHEAD);
    }
  }

  /** Waits for so many bytes, or for the end of the connection. */
  async #peek(count: number): Promise<{ bytes: Uint8Array; isEnd: boolean }> {
    try {
      const bytes = await this.#reader.peek(count);
      return { bytes: bytes ?? new Uint8Array(0), isEnd: bytes === undefined };
    } catch (error) {
      if (!(error instanceof TruncatedError)) throw error;
      const bytes = await this.#reader.peek(error.received);
      return { bytes: bytes ?? new Uint8Array(0), isEnd: true };
    }
  }

  async #readPrefixed(name: PrefixName): Promise<Uint8Array<ArrayBuffer>> {
    const { size, parse } = LENGTH_PREFIXES[name];
    const header = await this.#reader.peek(size);
    if (header === undefined) throw new TruncatedError(size, 0);
    const length = checkLength(parse(header.subarray(0, size)));
    this.#reader.consume(size);
    const message = await this.#read(length);
    this.#size = size + length;
    return message;
  }

  async #readLine(): Promise<Uint8Array<ArrayBuffer>> {
    let searched = 0;
    const length = await this.#scan((bytes) => {
      const at = bytes.indexOf(LINE_FEED, searched);
      searched = bytes.byteLength;
      return at < 0 ? undefined : at + 1;
    });
    const line = await this.#read(length);
    return line.subarray(0, -1);
  }

  /**
   * Looks for the end of a message that has no length in front of it.
   *
   * @param find gives its bytes, from those that have come; `undefined` if they are too few
   */
  async #scan(find: (bytes: Uint8Array) => number | undefined): Promise<number> {
    let needed = 1;
    while (true) {
      const bytes = await this.#reader.peek(needed);
      if (bytes === undefined) throw new TruncatedError(1, 0);
      const length = find(bytes);
      if (length !== undefined) return length;
      if (bytes.byteLength >= MAX_SCANNED) {
        throw new FormatError(
          `Cannot read a script message: no end in ${bytes.byteLength} bytes, expected at most ` +
            `${MAX_SCANNED}`,
        );
      }
      needed = bytes.byteLength + 1;
    }
  }

  async #read(length: number): Promise<Uint8Array<ArrayBuffer>> {
    this.#size = length;
    const { pool, reserve } = this.#options;
    const memory = pool.take(ROOM.offset + length + ROOM.tail);
    let reserved: Disposable | undefined;
    const onGrow = reserve && ((bytes: number) => {
      reserved?.[Symbol.dispose]();
      reserved = undefined;
      reserved = reserve(bytes);
    });
    try {
      return await this.#reader.readGrowing(memory, length, { ...ROOM, onGrow });
    } finally {
      reserved?.[Symbol.dispose]();
    }
  }
}
