/** Frames of WebSockets as pure functions (RFC 6455, section 5): those of a client are masked. */
import { FormatError } from "../../base/errors.ts";

/** Opcodes of frames. */
export const OPCODES = {
  continuation: 0,
  text: 1,
  binary: 2,
  close: 8,
  ping: 9,
  pong: 10,
} as const;

/** A frame of a client, without its mask. */
export interface ClientFrame {
  opcode: number;
  /** It is the last one of its message. */
  isLast: boolean;
  payload: Uint8Array<ArrayBuffer>;
}

/** Bytes of the largest frame that a client may send: more than the page ever does. */
export const MAX_PAYLOAD = 1024;

/** Bytes of the largest control frame. */
const MAX_CONTROL = 125;

/** Bytes of a mask. */
const MASK_LENGTH = 4;

/** In the first byte: the last frame of a message, and the bits of extensions, of which there are none. */
const LAST = 0x80;
const EXTENSIONS = 0x70;

/** In the second byte. */
const MASKED = 0x80;

/** Lengths in the second byte that stand for 2 and 8 bytes of length behind it. */
const TWO_BYTES = 126;
const EIGHT_BYTES = 127;

/** The header of an unmasked frame that is a whole message. */
export function frameHeader(opcode: number, length: number): Uint8Array<ArrayBuffer> {
  const first = LAST | opcode;
  if (length < TWO_BYTES) return Uint8Array.of(first, length);
  const header = new Uint8Array(length < 2 ** 16 ? 4 : 10);
  header[0] = first;
  const view = new DataView(header.buffer);
  if (header.byteLength === 4) {
    header[1] = TWO_BYTES;
    view.setUint16(2, length);
  } else {
    header[1] = EIGHT_BYTES;
    view.setBigUint64(2, BigInt(length));
  }
  return header;
}

/** Splits the bytes of a client into frames, however they arrive. */
export class FrameParser {
  #rest: Uint8Array = new Uint8Array(0);

  /**
   * Takes bytes, and gives the frames that are complete with them.
   *
   * @throws {FormatError} for a frame that a client must not send
   */
  take(bytes: Uint8Array): ClientFrame[] {
    const all = new Uint8Array(this.#rest.byteLength + bytes.byteLength);
    all.set(this.#rest);
    all.set(bytes, this.#rest.byteLength);
    const frames: ClientFrame[] = [];
    let at = 0;
    while (true) {
      const found = parseFrame(all.subarray(at));
      if (found === undefined) break;
      frames.push(found.frame);
      at += found.length;
    }
    this.#rest = all.slice(at);
    return frames;
  }
}

/** @returns the first frame and its bytes; `undefined` until it is complete */
function parseFrame(bytes: Uint8Array): { frame: ClientFrame; length: number } | undefined {
  if (bytes.byteLength < 2) return undefined;
  const [first, second] = bytes;
  const opcode = first & 0x0f;
  const isLast = (first & LAST) !== 0;
  const short = second & 0x7f;
  if ((first & EXTENSIONS) !== 0) throw new FormatError("Cannot read a frame of an extension");
  if ((second & MASKED) === 0) throw new FormatError("Cannot read a frame without a mask");
  const isControl = opcode >= OPCODES.close;
  if (isControl && (short > MAX_CONTROL || !isLast)) {
    throw new FormatError(
      `Cannot read a control frame in parts, or of more than ${MAX_CONTROL} bytes`,
    );
  }
  if (short === EIGHT_BYTES) throw tooLong();
  const start = short === TWO_BYTES ? 4 : 2;
  if (bytes.byteLength < start) return undefined;
  const size = short === TWO_BYTES ? bytes[2] << 8 | bytes[3] : short;
  if (size > MAX_PAYLOAD) throw tooLong();
  const length = start + MASK_LENGTH + size;
  if (bytes.byteLength < length) return undefined;
  const mask = bytes.subarray(start, start + MASK_LENGTH);
  const payload = bytes.slice(start + MASK_LENGTH, length) as Uint8Array<ArrayBuffer>;
  payload.forEach((byte, index) => payload[index] = byte ^ mask[index % MASK_LENGTH]);
  return { frame: { opcode, isLast, payload }, length };
}

function tooLong(): FormatError {
  return new FormatError(`Cannot read a frame of more than ${MAX_PAYLOAD} bytes`);
}
