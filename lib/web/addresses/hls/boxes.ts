/** From bytes of an MP4 to its boxes. */
import { FormatError } from "../../../base/errors.ts";
import { readBoxHeader } from "../../../sinks/browser/mp4_codecs.ts";

/** A complete box with its header. */
export interface WholeBox {
  type: string;
  bytes: Uint8Array<ArrayBuffer>;
}

/** Bytes of the longest header of a box. */
const MAX_HEADER = 16;

/** Splits MP4 into its outer boxes, as its bytes arrive. */
export class BoxSplitter {
  #limit: number;
  #chunks: Uint8Array<ArrayBuffer>[] = [];
  #length = 0;
  /** Bytes that have to be there before the next look. */
  #needed = MAX_HEADER;

  /** @param limit bytes of the largest box */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * Takes bytes, and gives the boxes that they complete. The bytes may be reused once all are taken.
   *
   * @throws {FormatError} if a box is larger than the limit
   */
  *push(bytes: Uint8Array): Generator<WholeBox> {
    // A copy, since the rest of it is kept.
    this.#chunks.push(bytes.slice());
    this.#length += bytes.byteLength;
    while (this.#length >= this.#needed) {
      const all = joined(this.#chunks, this.#length);
      const box = readBoxHeader(all);
      const size = box?.size ?? MAX_HEADER;
      if (size > this.#limit) {
        throw new FormatError(
          `Cannot use MP4 with a box of ${size} bytes, expected ${this.#limit} at most`,
        );
      }
      const isWhole = box !== undefined && all.byteLength >= size;
      const rest = isWhole ? all.subarray(size) : all;
      this.#chunks = [rest];
      this.#length = rest.byteLength;
      this.#needed = isWhole ? MAX_HEADER : size;
      if (isWhole) yield { type: box.type, bytes: all.subarray(0, size) };
    }
  }
}

/** Joins chunks; one alone is not copied. */
export function joined(
  chunks: readonly Uint8Array<ArrayBuffer>[],
  length: number,
): Uint8Array<ArrayBuffer> {
  if (chunks.length === 1) return chunks[0];
  const all = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.byteLength;
  }
  return all;
}
