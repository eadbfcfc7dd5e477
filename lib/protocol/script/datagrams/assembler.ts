/** JPEGs out of datagrams, in whatever form a script sends them. */
import { FormatError } from "../../../base/errors.ts";
import { isJpeg } from "../jpeg.ts";
import { type DatagramForm, NumberedForm, PlainForm, unwrapJpeg, WrappedForm } from "./forms.ts";
import { layoutsOf, LONGEST_NUMBERS, MAX_PIECES } from "./layouts.ts";
import { describeDatagram, mayBePiece } from "./sight.ts";

/** The beginning of a JPEG in base64. */
const BASE64_JPEG = /^(data:image\/jpeg;base64,)?\/9j\//;

/** First byte of pickles of protocols 2 to 5; the protocol follows. */
const PROTO = 0x80;

/** Last byte of every pickle. */
const STOP = 0x2e;

const EXPECTED = "expected a JPEG in each, or pieces of one as they are, behind a countdown, or " +
  "behind numbers of frame, piece and pieces";

/**
 * Recognises how one sender puts JPEGs into datagrams, and gives them. The sender may be in the
 * middle of one. Forms:
 *
 * - a JPEG a datagram: as it is, in base64, or pickled as an array or bytes
 * - pieces of a JPEG in order, without any number
 * - pieces behind the number of those that are left, as `struct.pack("B", left)`
 * - pieces behind numbers, as `struct.pack("!IHH", frame, piece, pieces)`: of any size and byte order,
 *   with or without that of the frame, counted from 0 or 1, in any order of arrival
 *
 * A frame whose pieces are not all there when the next frame comes is dropped.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { DatagramAssembler } from "./assembler.ts";
 *
 * const jpeg = Uint8Array.of(0xff, 0xd8, 0xff, 0xda, 0, 2, 1, 2, 3, 4, 0xff, 0xd9);
 * const assembler = new DatagramAssembler();
 * assertEquals(assembler.push(Uint8Array.of(2, ...jpeg.subarray(0, 7))), undefined);
 * assertEquals(assembler.push(Uint8Array.of(1, ...jpeg.subarray(7))), jpeg);
 * ```
 */
export class DatagramAssembler {
  #form: DatagramForm | undefined;
  /** Frames that forms before the present one have dropped. */
  #droppedBefore = 0;
  /** Datagrams without a known form since the last frame. */
  #unknown = 0;

  /** Frames that began and were given up, since pieces were lost or were no JPEG. */
  get dropped(): number {
    return this.#droppedBefore + (this.#form?.dropped ?? 0);
  }

  /**
   * Takes a datagram, of which nothing is kept but copies.
   *
   * @returns the JPEG that it completes; `FRAME_HEADROOM` and `FRAME_TAILROOM` are free around it
   * @throws {FormatError} if the sender sends anything but JPEGs; the sentence names what
   */
  push(datagram: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
    this.#form ??= this.#recognise(datagram);
    let jpeg = this.#form?.push(datagram);
    if (this.#form?.isRefuted) {
      this.#droppedBefore = this.dropped;
      this.#form = this.#recognise(datagram);
      jpeg = this.#form?.push(datagram);
    }
    if (jpeg !== undefined) this.#unknown = 0;
    return jpeg;
  }

  #recognise(datagram: Uint8Array): DatagramForm | undefined {
    const form = formOf(datagram);
    if (form === undefined && !mayBePiece(datagram)) throw refusal(describeDatagram(datagram));
    // Within so many datagrams, a frame begins.
    if (++this.#unknown > MAX_PIECES) {
      throw refusal(
        `no JPEG in ${MAX_PIECES} datagrams, of which the last has ${describeDatagram(datagram)}`,
      );
    }
    return form;
  }
}

/**
 * The form of a datagram with which a JPEG begins; `undefined` for all others.
 *
 * @throws {FormatError} for a pickle of pixels, or a JPEG behind what is not known
 */
function formOf(datagram: Uint8Array): DatagramForm | undefined {
  const numbers = findJpeg(datagram);
  if (numbers === 0) return new PlainForm();
  if (isPickledJpeg(datagram, { throws: numbers === undefined })) {
    return new WrappedForm("pickled-jpeg");
  }
  if (numbers === undefined) return isBase64(datagram) ? new WrappedForm("base64") : undefined;
  if (layoutsOf(numbers).length > 0) return new NumberedForm(numbers);
  throw refusal(`a JPEG behind ${numbers} bytes`);
}

/** Offset of a JPEG behind numbers, bytes; `undefined` if there is none. */
function findJpeg(datagram: Uint8Array): number | undefined {
  for (let at = 0; at <= LONGEST_NUMBERS; at++) {
    if (isJpeg(datagram.subarray(at))) return at;
  }
  return undefined;
}

/** @param options whether to throw for a pickle of something else */
function isPickledJpeg(datagram: Uint8Array, { throws }: { throws: boolean }): boolean {
  if (datagram.at(-1) !== STOP) return false;
  try {
    return unwrapJpeg(datagram, "pickled-jpeg") !== undefined;
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    const [first, protocol] = datagram;
    if (throws && first === PROTO && protocol >= 2 && protocol <= 5) throw error;
    return false;
  }
}

function isBase64(datagram: Uint8Array): boolean {
  return BASE64_JPEG.test(new TextDecoder("latin1").decode(datagram.subarray(0, 32)));
}

function refusal(found: string): FormatError {
  return new FormatError(`Cannot read datagrams: ${found}, ${EXPECTED}`);
}
