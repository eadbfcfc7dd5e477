/** Reads a file in chunks. */
import { TruncatedError } from "../../base/errors.ts";
import type { FileBytes } from "../packet_file.ts";

/** Chunks that are kept. */
const MAX_KEPT = 8;

/** A part of a file in memory. */
export class Window {
  /** The bytes at hand; replaced, never overwritten, by {@linkcode Window.load}. */
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  /** Their offset in the file. */
  start = 0;
  #file: FileBytes;
  #chunk: number;
  #kept: { start: number; bytes: Uint8Array<ArrayBuffer> }[] | undefined;

  /**
   * @param chunk bytes of a read, unless more are needed at once
   * @param keeps whether the last chunks stay at hand, for a few reads here and there
   */
  constructor(file: FileBytes, chunk: number, { keeps = false }: { keeps?: boolean } = {}) {
    this.#file = file;
    this.#chunk = chunk;
    this.#kept = keeps ? [] : undefined;
  }

  /** Bytes of the file. */
  get size(): number {
    return this.#file.size;
  }

  /** Offset of the end of the bytes at hand in the file. */
  get end(): number {
    return this.start + this.bytes.byteLength;
  }

  /** Whether a part of the file is at hand. */
  has(offset: number, length: number): boolean {
    return offset >= this.start && offset + length <= this.end;
  }

  /**
   * Makes at least `length` bytes available.
   *
   * @throws {TruncatedError} beyond the end of the file
   */
  async load(offset: number, length: number): Promise<void> {
    if (this.has(offset, length)) return;
    const kept = this.#kept?.find(({ start, bytes }) =>
      offset >= start && offset + length <= start + bytes.byteLength
    );
    if (kept !== undefined) {
      Object.assign(this, kept);
      return;
    }
    const rest = Math.max(0, this.size - offset);
    if (length > rest) throw new TruncatedError(length, rest);
    const count = Math.min(rest, Math.max(length, this.#chunk));
    this.bytes = await this.#file.read(offset, count);
    this.start = offset;
    if (this.#kept === undefined) return;
    this.#kept.push({ start: offset, bytes: this.bytes });
    if (this.#kept.length > MAX_KEPT) this.#kept.shift();
  }

  /** Gives a view on bytes at hand. */
  view(offset: number, length: number): Uint8Array<ArrayBuffer> {
    const at = offset - this.start;
    return this.bytes.subarray(at, at + length);
  }
}
