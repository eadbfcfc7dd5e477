/** Frames that are put together from numbered pieces, in any order. */
import { FRAME_HEADROOM, FRAME_TAILROOM } from "../../../media/frame.ts";
import { MAX_PIECES, type PiecePlace } from "./layouts.ts";

/** Bytes of the largest frame. */
export const MAX_FRAME_BYTES = 2 ** 26;

/** Frames in progress: the pieces of two may arrive mixed. */
const MAX_FRAMES = 2;

/** Numbers of frames that are over, of which late pieces may still come. */
const REMEMBERED = 8;

/** A piece of a frame, and its place. */
export interface Piece extends PiecePlace {
  /** Kept as it is. */
  bytes: Uint8Array;
  /** A JPEG begins with it. */
  isFirst: boolean;
}

/** A frame whose pieces are all there. */
export interface WholeFrame {
  /** {@linkcode FRAME_HEADROOM} and {@linkcode FRAME_TAILROOM} are free around it. */
  jpeg: Uint8Array<ArrayBuffer>;
  /** Number of pieces. */
  pieces: number;
}

/** Puts the pieces of frames together, at most two frames at once. */
export class FrameCollector {
  #dropped = 0;
  /** Frames in progress, the oldest first. */
  #frames: PartialFrame[] = [];
  /** The piece before, which may come twice. */
  #before: Piece | undefined;
  /** Numbers of the last frames that are over. */
  #over: (number | bigint)[] = [];

  /** Frames that began and were given up, since pieces were missing. */
  get dropped(): number {
    return this.#dropped;
  }

  /**
   * Takes a piece.
   *
   * @returns the frame that it completes
   */
  add(piece: Piece): WholeFrame | undefined {
    const isDoubled = this.#isDoubled(piece);
    this.#before = piece;
    if (isDoubled) return undefined;
    const known = this.#frameOf(piece);
    if (known === undefined && this.#isLate(piece)) return undefined;
    const frame = known ?? this.#begin(piece);
    frame.add(piece);
    if (frame.byteLength > MAX_FRAME_BYTES || frame.size > MAX_PIECES) {
      this.#giveUp([frame]);
      return undefined;
    }
    if (frame.missing !== 0) return undefined;
    // A frame that began before this one would be shown behind it.
    this.#giveUp(this.#frames.slice(0, this.#frames.indexOf(frame)));
    this.#end(frame);
    return { jpeg: frame.join(), pieces: frame.size };
  }

  /** Forgets all pieces. */
  forget(): void {
    this.#giveUp(this.#frames);
    this.#before = undefined;
  }

  /**
   * Whether the piece has arrived before. Without the number of the frame, only the same piece twice
   * in a row is known to be one: frames of a picture that stands still have the same pieces.
   */
  #isDoubled(piece: Piece): boolean {
    const isInProgress = this.#frames.some((frame) => frame.has(piece));
    if (piece.frame !== undefined || this.#before === undefined) return isInProgress;
    const { at, bytes } = this.#before;
    const isRepeated = at === piece.at && isSame(bytes, piece.bytes);
    return isRepeated && (isInProgress || !piece.isFirst);
  }

  /** The frame in progress that lacks the piece. */
  #frameOf(piece: Piece): PartialFrame | undefined {
    if (piece.frame !== undefined) return this.#frames.find((frame) => frame.lacks(piece));
    const [current, previous] = this.#frames.toReversed();
    if (current === undefined) return undefined;
    // Without the number of the frame, only the last piece is known to be late: one that completes
    // the frame before, right behind the first piece of the next one.
    const isLate = current.size === 1 && current.next !== piece.at && previous?.missing === 1;
    if (isLate && previous.lacks(piece)) return previous;
    return current.lacks(piece) ? current : undefined;
  }

  /** Whether the piece belongs to a frame that is over. A first piece may use its number again. */
  #isLate({ frame, isFirst }: Piece): boolean {
    return frame !== undefined && !isFirst && this.#over.includes(frame);
  }

  #begin(piece: Piece): PartialFrame {
    // A number that occurs again with other content belongs to the next frame.
    const isAnew = (other: PartialFrame) =>
      piece.frame !== undefined && other.frame === piece.frame;
    this.#giveUp(this.#frames.filter(isAnew));
    this.#giveUp(this.#frames.slice(0, -(MAX_FRAMES - 1)));
    const frame = new PartialFrame(piece);
    this.#frames.push(frame);
    return frame;
  }

  #giveUp(frames: readonly PartialFrame[]): void {
    for (const frame of frames) this.#end(frame);
    this.#dropped += frames.length;
  }

  #end(ended: PartialFrame): void {
    this.#frames = this.#frames.filter((frame) => frame !== ended);
    if (ended.frame !== undefined) this.#over = [...this.#over.slice(1 - REMEMBERED), ended.frame];
  }
}

/** A frame of which pieces may be missing. */
class PartialFrame {
  readonly frame: number | bigint | undefined;
  #first: number | undefined;
  #last: number;
  #pieces = new Map<number, Uint8Array>();
  #byteLength = 0;
  #lowest = Infinity;
  #highest = -Infinity;

  constructor({ frame, first, last }: PiecePlace) {
    this.frame = frame;
    this.#first = first;
    this.#last = last;
  }

  /** Number of pieces that are there. */
  get size(): number {
    return this.#pieces.size;
  }

  /** Bytes of them. */
  get byteLength(): number {
    return this.#byteLength;
  }

  /** Ordinal of the piece that follows if none is lost or late. */
  get next(): number {
    return this.#highest + 1;
  }

  /** Number of pieces that are not there; `undefined` if it is not known yet. */
  get missing(): number | undefined {
    return this.#first === undefined ? undefined : this.#last - this.#first + 1 - this.size;
  }

  /** Whether the piece is there already. */
  has({ frame, at, last, bytes }: Piece): boolean {
    if (frame !== this.frame || last !== this.#last) return false;
    const own = this.#pieces.get(at);
    return own !== undefined && isSame(own, bytes);
  }

  /** Whether the piece may be one that is missing. */
  lacks({ frame, at, last, isFirst }: Piece): boolean {
    if (frame !== this.frame || last !== this.#last || this.#pieces.has(at)) return false;
    if (!isFirst) return this.#first === undefined || at > this.#first;
    if (this.#first !== undefined && this.#pieces.has(this.#first)) return false;
    // A first piece behind the last one begins the next frame, unless a number says otherwise.
    return at < this.#lowest && (frame !== undefined || !this.#pieces.has(last));
  }

  add({ at, bytes, isFirst }: Piece): void {
    this.#pieces.set(at, bytes);
    this.#byteLength += bytes.byteLength;
    this.#lowest = Math.min(this.#lowest, at);
    this.#highest = Math.max(this.#highest, at);
    if (isFirst) this.#first = at;
  }

  /** The content of all pieces in order. */
  join(): Uint8Array<ArrayBuffer> {
    const jpeg = newFrame(this.#byteLength);
    let end = 0;
    for (let at = this.#lowest; at <= this.#highest; at++) {
      const bytes = this.#pieces.get(at);
      if (bytes === undefined) continue;
      jpeg.set(bytes, end);
      end += bytes.byteLength;
    }
    return jpeg;
  }
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.byteLength === other.byteLength && one.every((byte, at) => byte === other[at]);
}

/** Memory for a frame, with room for the header of a message around it. */
export function newFrame(byteLength: number): Uint8Array<ArrayBuffer> {
  const memory = new ArrayBuffer(FRAME_HEADROOM + byteLength + FRAME_TAILROOM);
  return new Uint8Array(memory, FRAME_HEADROOM, byteLength);
}

/** Copies a frame into memory of its own, as {@linkcode newFrame} gives. */
export function copiedFrame(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const frame = newFrame(bytes.byteLength);
  frame.set(bytes);
  return frame;
}
