/** The structure of a JPEG: its size in pixels, and its end. */
import { FormatError } from "../../base/errors.ts";

/** Second bytes of markers (ITU-T T.81, table B.1). */
const SOI = 0xd8;
const EOI = 0xd9;
const SOS = 0xda;
const TEM = 0x01;

/** Size of a JPEG. */
export interface JpegSize {
  /** Pixels. */
  width: number;
  /** Pixels. */
  height: number;
  /** Components: 1 for grey, 3 for colour. */
  components: number;
}

/** Whether bytes begin like a JPEG: the marker SOI, then another marker. */
export function isJpeg(bytes: Uint8Array): boolean {
  return bytes[0] === 0xff && bytes[1] === SOI && bytes[2] === 0xff;
}

/**
 * Reads the size of a JPEG from its frame header (ITU-T T.81, B.2.2).
 *
 * @throws {FormatError} if there is none, or the bytes are no JPEG
 */
export function jpegSize(bytes: Uint8Array): JpegSize {
  if (!isJpeg(bytes)) throw broken("no marker at its start");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 2;
  while (at + 4 <= bytes.byteLength) {
    if (bytes[at] !== 0xff) throw broken(`no marker at byte ${at}`);
    const marker = bytes[at + 1];
    // Any number of fill bytes may precede a marker.
    if (marker === 0xff) at++;
    else if (isAlone(marker)) at += 2;
    else if (marker === SOS || marker === EOI) throw broken("no frame header in front of its data");
    else if (!isFrameHeader(marker)) at += 2 + view.getUint16(at + 2);
    else if (at + 10 > bytes.byteLength) break;
    else {
      const [height, width] = [view.getUint16(at + 5), view.getUint16(at + 7)];
      if (width > 0 && height > 0) return { width, height, components: bytes[at + 9] };
      throw broken(`a size of ${width}x${height}`);
    }
  }
  throw broken("no frame header");
}

/**
 * Finds the end of a JPEG in bytes that arrive piece by piece.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { JpegScanner } from "./jpeg.ts";
 *
 * const jpeg = Uint8Array.of(0xff, 0xd8, 0xff, 0xda, 0, 2, 7, 0xff, 0, 7, 0xff, 0xd9);
 * assertEquals(new JpegScanner().scan(jpeg), jpeg.byteLength);
 * ```
 */
export class JpegScanner {
  /** Bytes that have been looked at. */
  #at = 0;
  /** Inside the entropy-coded data of a scan. */
  #isInScan = false;

  /**
   * Goes on from the end of the last call.
   *
   * @param bytes of the JPEG so far, from its first one
   * @returns bytes of the whole JPEG; `undefined` if its end has not come
   * @throws {FormatError} if the bytes are no JPEG
   */
  scan(bytes: Uint8Array): number | undefined {
    while (this.#at + 2 <= bytes.byteLength) {
      if (this.#isInScan) {
        const next = bytes.indexOf(0xff, this.#at);
        this.#at = next < 0 ? bytes.byteLength : next;
        if (this.#at + 2 > bytes.byteLength) break;
      }
      const end = this.#step(bytes);
      if (end === "more") break;
      if (end !== undefined) return end;
    }
    return undefined;
  }

  /** Passes one marker and its segment. */
  #step(bytes: Uint8Array): number | "more" | undefined {
    const at = this.#at;
    if (bytes[at] !== 0xff) throw broken(`no marker at byte ${at}`);
    const marker = bytes[at + 1];
    if (at === 0 && marker !== SOI) throw broken("no marker at its start");
    if (marker === 0xff) {
      this.#at++;
    } else if (marker === 0 && this.#isInScan || isAlone(marker)) {
      // A byte of the data, or a marker without a segment.
      this.#at += 2;
    } else if (marker === EOI) {
      return at + 2;
    } else {
      if (at + 4 > bytes.byteLength) return "more";
      const length = bytes[at + 2] << 8 | bytes[at + 3];
      if (length < 2) throw broken(`a segment of length ${length} at byte ${at}`);
      this.#at += 2 + length;
      this.#isInScan = marker === SOS;
    }
    return undefined;
  }
}

/** Markers without a segment: TEM, RST0 … RST7 and SOI. */
function isAlone(marker: number): boolean {
  return marker === TEM || (marker >= 0xd0 && marker <= SOI);
}

/** SOF0 … SOF15, without DHT, JPG and DAC. */
function isFrameHeader(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
}

function broken(found: string): FormatError {
  return new FormatError(`Cannot read a JPEG: ${found}, expected one as cv2.imencode writes it`);
}
