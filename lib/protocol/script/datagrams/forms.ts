/** How scripts put a JPEG into datagrams: one form each, told apart by the first datagrams. */
import { FormatError } from "../../../base/errors.ts";
import { isJpeg, JpegScanner } from "../jpeg.ts";
import { decodePayload } from "../payloads.ts";
import {
  copiedFrame,
  FrameCollector,
  MAX_FRAME_BYTES,
  type Piece,
  type WholeFrame,
} from "./frames.ts";
import { type Layout, layoutsOf, MAX_PIECES } from "./layouts.ts";

/** A way to put a JPEG into datagrams. */
export interface DatagramForm {
  /** Frames that began and were given up. */
  readonly dropped: number;
  /** No datagram has this form after all: another one has to be found. */
  readonly isRefuted: boolean;
  /**
   * Takes a datagram.
   *
   * @returns the JPEG that it completes, with room for a header around it
   */
  push(datagram: Uint8Array): Uint8Array<ArrayBuffer> | undefined;
}

/** Bytes of a buffer that grows. */
const FIRST_CAPACITY = 2 ** 16;

/** A JPEG a datagram, or its pieces in order without any number, told apart by its own markers. */
export class PlainForm implements DatagramForm {
  readonly isRefuted = false;
  #dropped = 0;
  #memory = new Uint8Array(FIRST_CAPACITY);
  /** Bytes and pieces of the frame in progress. */
  #size = 0;
  #pieces = 0;
  #scanner = new JpegScanner();

  get dropped(): number {
    return this.#dropped;
  }

  push(datagram: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
    if (isJpeg(datagram)) {
      if (this.#size > 0) this.#drop();
    } else if (this.#size === 0) {
      // A piece whose beginning was lost, or a number of pieces in front of the first one.
      return undefined;
    }
    const size = this.#size + datagram.byteLength;
    if (size > MAX_FRAME_BYTES || this.#pieces === MAX_PIECES) return this.#drop();
    const jpeg = this.#size === 0 ? datagram : this.#append(datagram);
    let end: number | undefined;
    try {
      end = this.#scanner.scan(jpeg);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      return this.#drop();
    }
    if (end !== undefined) {
      this.#restart();
      return copiedFrame(jpeg.subarray(0, end));
    }
    if (this.#size === 0) this.#append(datagram);
    this.#size = size;
    this.#pieces++;
    return undefined;
  }

  /** Puts a datagram behind the bytes so far, and gives all of them. */
  #append(datagram: Uint8Array): Uint8Array {
    const size = this.#size + datagram.byteLength;
    if (size > this.#memory.byteLength) {
      const larger = new Uint8Array(Math.max(size, 2 * this.#memory.byteLength));
      larger.set(this.#memory.subarray(0, this.#size));
      this.#memory = larger;
    }
    this.#memory.set(datagram, this.#size);
    return this.#memory.subarray(0, size);
  }

  #drop(): undefined {
    this.#dropped++;
    this.#restart();
  }

  #restart(): void {
    this.#size = 0;
    this.#pieces = 0;
    this.#scanner = new JpegScanner();
  }
}

/** A JPEG a datagram, in base64 or pickled. Other values of a pickle are ignored. */
export class WrappedForm implements DatagramForm {
  readonly isRefuted = false;
  #dropped = 0;
  #payload: WrappedPayload;

  constructor(payload: WrappedPayload) {
    this.#payload = payload;
  }

  get dropped(): number {
    return this.#dropped;
  }

  push(datagram: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
    try {
      const jpeg = unwrapJpeg(datagram, this.#payload);
      return jpeg && copiedFrame(jpeg);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      this.#dropped++;
      return undefined;
    }
  }
}

/** Wrapping of a JPEG. */
export type WrappedPayload = "base64" | "pickled-jpeg";

/**
 * Unwraps a JPEG.
 *
 * @returns `undefined` for other values, such as those that some scripts send in front of it
 * @throws {FormatError} if the datagram is not so wrapped, or holds pixels
 */
export function unwrapJpeg(datagram: Uint8Array, kind: WrappedPayload): Uint8Array | undefined {
  const content = decodePayload(datagram, { kind });
  return content.kind === "image" ? content.image.data : undefined;
}

/** One reading of the numbers, with the frames that it gives. */
interface Reading {
  layout: Layout;
  frames: FrameCollector;
}

/**
 * Pieces behind numbers. The first datagrams allow several readings of them: each is followed until
 * it contradicts itself, or one gives a whole JPEG of several pieces.
 */
export class NumberedForm implements DatagramForm {
  /** Those that are possible, the commonest first. */
  #readings: Reading[];
  /** Bytes that the readings have been given since they last forgot their pieces. */
  #tried = 0;
  #isSettled = false;

  /** @param size bytes of the numbers in front of each piece */
  constructor(size: number) {
    this.#readings = layoutsOf(size).map((layout) => ({ layout, frames: new FrameCollector() }));
  }

  get dropped(): number {
    return this.#readings[0]?.frames.dropped ?? 0;
  }

  get isRefuted(): boolean {
    return this.#readings.length === 0;
  }

  push(datagram: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
    const bytes = datagram.slice();
    if (this.#isSettled) return this.#take(bytes);
    this.#tried += bytes.byteLength;
    if (this.#tried > MAX_FRAME_BYTES) {
      for (const { frames } of this.#readings) frames.forget();
      this.#tried = bytes.byteLength;
    }
    return this.#try(bytes);
  }

  /** Reads a datagram in the only reading that is left. */
  #take(datagram: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
    const [{ layout, frames }] = this.#readings;
    const piece = readPiece(layout, datagram);
    return piece && frames.add(piece)?.jpeg;
  }

  /** Follows all readings by one datagram. */
  #try(datagram: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
    let found: Uint8Array<ArrayBuffer> | undefined;
    const possible: Reading[] = [];
    for (const reading of this.#readings) {
      const result = tryPiece(reading, datagram);
      if (result === "impossible") continue;
      possible.push(reading);
      if (result === "none") continue;
      found ??= result.jpeg;
      // Of a single piece, other readings give the same.
      if (result.pieces === 1) continue;
      this.#readings = [reading];
      this.#isSettled = true;
      return result.jpeg;
    }
    this.#readings = possible;
    return found;
  }
}

/** Gives a datagram to a reading that still has to show that it is right. */
function tryPiece(
  { layout, frames }: Reading,
  datagram: Uint8Array,
): WholeFrame | "none" | "impossible" {
  const piece = readPiece(layout, datagram);
  if (piece === undefined) return "impossible";
  const whole = frames.add(piece);
  if (whole === undefined) return "none";
  return isWholeJpeg(whole.jpeg) ? whole : "impossible";
}

/** The piece in a datagram; `undefined` if it has no such numbers. */
function readPiece(layout: Layout, datagram: Uint8Array): Piece | undefined {
  const { buffer, byteOffset, byteLength } = datagram;
  if (byteLength < layout.size) return undefined;
  const place = layout.read(new DataView(buffer, byteOffset, byteLength));
  if (place === undefined) return undefined;
  const bytes = datagram.subarray(layout.size);
  const isFirst = isJpeg(bytes);
  const isConsistent = place.first === undefined || isFirst === (place.at === place.first);
  return isConsistent ? { ...place, bytes, isFirst } : undefined;
}

function isWholeJpeg(bytes: Uint8Array): boolean {
  try {
    return new JpegScanner().scan(bytes) !== undefined;
  } catch (error) {
    if (error instanceof FormatError) return false;
    throw error;
  }
}
