/** Recognises from the first bytes of a script how it frames its messages, and what they hold. */
import { FormatError } from "../../base/errors.ts";
import type { LengthName, PayloadFormat, RawFormatName, ScriptFormat } from "./format.ts";
import { isJpeg } from "./jpeg.ts";
import { LENGTH_PREFIXES, type PrefixName, SCRIPT_MAX_LENGTH } from "./lengths.ts";
import { npyLength } from "./npy.ts";

/** Result of {@linkcode recognise}. */
export type Recognition =
  | { kind: "format"; format: ScriptFormat }
  /** At least so many bytes are needed. */
  | { kind: "more"; bytes: number };

/** Bytes that tell one payload from another. */
const MAGIC_SIZE = 6;

/** Bytes of a length in binary, and of what tells its payload. */
const LONGEST_BEGINNING = LENGTH_PREFIXES.u64le.size + MAGIC_SIZE;

/** Digits and spaces that are no length in binary. */
const MIN_DIGITS = 8;

/** Bytes of a pickle in which a JPEG inside begins. */
const PICKLE_HEAD = 512;

/** Bytes that are read, at most, to tell two readings of a length apart. */
const MAX_LOOK_AHEAD = 8 * 2 ** 20;

/** Widths and heights of cameras and screens, pixels. */
const COMMON_SIZES: readonly (readonly [width: number, height: number])[] = [
  ...[[160, 120], [176, 144], [320, 180], [320, 240], [352, 288], [480, 270]] as const,
  ...[[640, 360], [640, 480], [720, 480], [720, 576], [800, 600], [848, 480]] as const,
  ...[[960, 540], [1024, 768], [1280, 720], [1280, 800], [1280, 960], [1280, 1024]] as const,
  ...[[1600, 1200], [1920, 1080], [2560, 1440], [3840, 2160]] as const,
];

/** Pixel formats of OpenCV by bytes per pixel, the most frequent first. */
const COMMON_FORMATS: readonly (readonly [bytes: number, name: RawFormatName])[] = [
  [3, "bgr24"],
  [1, "gray"],
  [4, "bgra"],
  [2, "gray16le"],
];

/** Beginnings of other protocols, and their names. */
const OTHERS: readonly (readonly [RegExp, string])[] = [
  [/^HTTP\/|^(GET|POST|PUT|HEAD|OPTIONS) \//, "HTTP"],
  [/^SSH-/, "SSH"],
  [/^RTSP\/|^[A-Z]+ rtsp:/, "RTSP"],
];

/** First bytes of an alert and of a handshake of TLS (RFC 8446, 5.1), before the minor version. */
const TLS_STARTS = [[21, 3], [22, 3]];

/** Bytes 4 to 7 of a request of the native protocol, whose JSON begins at byte 16. */
const NATIVE_REQUEST = [1, 0, 0, 0];

/** First bytes of pickles of protocols 0 and 1, which are text. */
const PICKLED_TEXT = /^(c[n_]|\(([dlt]p|c[n_]|[IFSVXKGNJM(])|[}\]][q.(])/;

/** First byte of pickles of protocols 2 to 5; the protocol follows. */
const PROTO = 0x80;

/** Last byte of every pickle. */
const STOP = 0x2e;

/** Second byte of the marker at the end of a JPEG. */
const EOI = 0xd9;

/** A payload that begins somewhere in the first bytes. */
type Beginning = "jpeg" | "pickle" | "base64" | "npy";

/** A length in front of a payload. */
interface Candidate {
  name: PrefixName;
  /** Bytes of the message behind it. */
  length: number;
}

/**
 * Recognises the format of a script from what it sends first. Raw frames are recognised if their
 * length is that of a common size.
 *
 * @param first bytes from the beginning of the connection
 * @param options whether the connection has ended behind them
 * @throws {FormatError} naming what was seen, if it cannot be the beginning of a known format
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { recognise } from "./recognise.ts";
 *
 * const first = Uint8Array.of(0, 0, 92, 16, 0xff, 0xd8, 0xff, 0xe0, 0, 16);
 * assertEquals(recognise(first), {
 *   kind: "format",
 *   format: { length: "u32be", payload: { kind: "jpeg" } },
 * });
 * ```
 */
export function recognise(
  first: Uint8Array,
  { isEnd = false }: { isEnd?: boolean } = {},
): Recognition {
  const text = latin1(first.subarray(0, 32));
  const bare = beginningAt(first, 0);
  const other = otherProtocol(first, text) ??
    (bare === "pickle" ? "a pickle without a length" : undefined);
  if (other !== undefined) return unlessLength(first, other, isEnd);
  if (first.byteLength < MAGIC_SIZE && !isEnd) return { kind: "more", bytes: MAGIC_SIZE };
  if (bare !== undefined) return found(bare === "base64" ? "line" : "none", { kind: bare });
  const [digits] = text.slice(0, 16).match(/^ *\d+ */) ?? [""];
  if (digits.length === text.slice(0, 16).length || digits.length >= MIN_DIGITS) {
    return behindDigits(first, isEnd);
  }
  return behindNumber(first, isEnd);
}

/** Names another protocol. */
function otherProtocol(first: Uint8Array, text: string): string | undefined {
  const isTls = TLS_STARTS.some((start) => start.every((byte, at) => first[at] === byte));
  if (isTls && first[2] <= 4) return "TLS";
  const isNative = NATIVE_REQUEST.every((byte, at) => first[4 + at] === byte) && text[16] === "{";
  if (isNative) return "the native protocol of stream-client";
  return OTHERS.find(([pattern]) => pattern.test(text))?.[1];
}

/**
 * Refuses something else, unless its first bytes are a length, as the 640 of a small JPEG begins like
 * a pickle: the payload behind it tells.
 */
function unlessLength(first: Uint8Array, other: string, isEnd: boolean): Recognition {
  const candidates = numbersOf(first);
  if (candidates.some((candidate) => behind(first, candidate) !== undefined)) {
    return behindNumber(first, isEnd);
  }
  const isWhole = isEnd || first.byteLength >= LONGEST_BEGINNING;
  if (candidates.length === 0 || isWhole) throw unknown(other);
  return { kind: "more", bytes: LONGEST_BEGINNING };
}

function behindDigits(first: Uint8Array, isEnd: boolean): Recognition {
  const { size } = LENGTH_PREFIXES.ascii16;
  if (first.byteLength < size + MAGIC_SIZE && !isEnd) {
    return { kind: "more", bytes: size + MAGIC_SIZE };
  }
  const digits = latin1(first.subarray(0, 32)).match(/^ *(\d+) */) ?? [""];
  const [{ length: width }] = digits;
  const length = Number(digits[1]);
  if (isPlausible(length) && width >= size) {
    const candidate: Candidate = { name: "ascii16", length };
    const beginning = beginningAt(first, size);
    if (beginning !== undefined) return behindLength(first, candidate, { beginning, isEnd });
    const raw = rawOf(length);
    if (raw !== undefined && width === size) return found("ascii16", raw);
  }
  const range = isPlausible(length) ? "" : ` out of range 1 to ${SCRIPT_MAX_LENGTH} (${length})`;
  throw unknown(`${width} digits (ASCII)${range}, then ${wordsAt(first, width)}`);
}

function behindNumber(first: Uint8Array, isEnd: boolean): Recognition {
  const candidates = numbersOf(first);
  const withPayload = candidates.flatMap((candidate) => {
    const beginning = behind(first, candidate);
    return beginning === undefined ? [] : [{ candidate, beginning }];
  });
  if (candidates.length === 0 && first.byteLength >= LENGTH_PREFIXES.u64le.size) {
    throw unknown(seenIn(first, candidates));
  }
  if (withPayload.length === 0 && first.byteLength < LONGEST_BEGINNING && !isEnd) {
    return { kind: "more", bytes: LONGEST_BEGINNING };
  }
  if (withPayload.length > 0) {
    // A length that is plausible in both byte orders: mostly the smaller one is meant.
    const [{ candidate, beginning }, other] = withPayload
      .toSorted((a, b) => a.candidate.length - b.candidate.length);
    if (other === undefined || other.candidate.length === candidate.length) {
      return behindLength(first, candidate, { beginning, isEnd });
    }
    const end = LENGTH_PREFIXES[candidate.name].size + candidate.length;
    if (end <= MAX_LOOK_AHEAD && first.byteLength < end && !isEnd) {
      return { kind: "more", bytes: end };
    }
    const isMeant = end > MAX_LOOK_AHEAD || endsAt(first, end, { candidate, beginning });
    return behindLength(first, isMeant ? candidate : other.candidate, { beginning, isEnd });
  }
  return rawBehindNumber(first, candidates, isEnd);
}

/** Recognises raw frames by their length. */
function rawBehindNumber(
  first: Uint8Array,
  candidates: readonly Candidate[],
  isEnd: boolean,
): Recognition {
  const raw = candidates.flatMap(({ name, length }) => {
    const payload = rawOf(length);
    return payload === undefined ? [] : [{ name, length, payload }];
  });
  const [shorter] = raw;
  if (shorter === undefined) throw unknown(seenIn(first, candidates));
  const longer = raw.find(({ name }) => name === "u64le");
  // Behind a length of 4 bytes, four black pixels look like the end of one of 8 bytes: the length of
  // the next frame tells them apart.
  const next = LENGTH_PREFIXES.i32le.size + shorter.length;
  const needed = next + LENGTH_PREFIXES.i32le.size;
  if (longer === undefined || next > MAX_LOOK_AHEAD) return found(shorter.name, shorter.payload);
  if (first.byteLength < needed && !isEnd) return { kind: "more", bytes: needed };
  const isShorter = first.byteLength <= next ||
    LENGTH_PREFIXES.i32le.parse(first.subarray(next, needed)) === shorter.length;
  return found(isShorter ? shorter.name : longer.name, longer.payload);
}

/** Recognises what stands behind a length: a pickle may hold a JPEG. */
function behindLength(
  first: Uint8Array,
  { name, length }: Candidate,
  { beginning, isEnd }: { beginning: Beginning; isEnd: boolean },
): Recognition {
  if (beginning !== "pickle") return found(name, { kind: beginning });
  const { size } = LENGTH_PREFIXES[name];
  const needed = size + Math.min(length, PICKLE_HEAD);
  if (first.byteLength < needed && !isEnd) return { kind: "more", bytes: needed };
  const head = latin1(first.subarray(size, needed));
  // Protocols 0 to 2 may store bytes as the UTF-8 of their Latin-1 text.
  const hasJpeg = /\xff\xd8\xff|\xc3\xbf\xc3\x98\xc3\xbf/.test(head);
  return found(name, { kind: hasJpeg ? "pickled-jpeg" : "pickle" });
}

/** The plausible lengths in binary. */
function numbersOf(first: Uint8Array): Candidate[] {
  return (["i32le", "u32be", "u64le"] as const)
    .map((name): Candidate => ({ name, length: lengthOf(first, name) }))
    .filter(({ length }) => isPlausible(length));
}

/** The payload that begins behind a length, if one does. */
function behind(first: Uint8Array, { name }: Candidate): Beginning | undefined {
  return beginningAt(first, LENGTH_PREFIXES[name].size);
}

/** The payload that begins at an offset, if one does. */
function beginningAt(first: Uint8Array, offset: number): Beginning | undefined {
  const bytes = first.subarray(offset, offset + MAGIC_SIZE);
  const text = latin1(bytes);
  if (isJpeg(bytes)) return "jpeg";
  if (text === "\x93NUMPY") return "npy";
  if (text.startsWith("/9j/")) return "base64";
  const isBinary = bytes[0] === PROTO && bytes[1] >= 2 && bytes[1] <= 5;
  return isBinary || PICKLED_TEXT.test(text) ? "pickle" : undefined;
}

/** Whether a payload ends where a length says. */
function endsAt(
  first: Uint8Array,
  end: number,
  { candidate, beginning }: { candidate: Candidate; beginning: Beginning },
): boolean {
  if (first.byteLength < end) return false;
  const message = first.subarray(end - candidate.length, end);
  if (beginning === "pickle") return message.at(-1) === STOP;
  if (beginning === "npy") return npyLength(message) === message.byteLength;
  if (beginning === "base64") return true;
  // Encoders in hardware pad with zeros.
  const last = message.findLastIndex((byte) => byte !== 0);
  return message[last - 1] === 0xff && message[last] === EOI;
}

function lengthOf(first: Uint8Array, name: PrefixName): number {
  const { size, parse } = LENGTH_PREFIXES[name];
  return first.byteLength < size ? NaN : parse(first) ?? NaN;
}

function isPlausible(length: number): boolean {
  return length >= 1 && length <= SCRIPT_MAX_LENGTH;
}

/** Raw frames of a common size that have so many bytes. */
function rawOf(length: number): PayloadFormat | undefined {
  for (const [bytes, pixelFormat] of COMMON_FORMATS) {
    for (const [width, height] of COMMON_SIZES) {
      if (width * height * bytes === length) return { kind: "raw", width, height, pixelFormat };
    }
  }
  return undefined;
}

/** Names what cannot be a known format. */
function seenIn(first: Uint8Array, candidates: readonly Candidate[]): string {
  // Bytes 4 to 7 of a longer length are zeros.
  const candidate = candidates.find(({ name }) => name === "u64le") ?? candidates[0];
  const bigEndian = first.byteLength < 8
    ? NaN
    : Number(new DataView(first.buffer, first.byteOffset).getBigUint64(0, false));
  if (isPlausible(bigEndian) && beginningAt(first, 8) !== undefined) {
    return `8-byte length (big-endian), then ${wordsAt(first, 8)}`;
  }
  if (candidate === undefined) return outOfRange(first) ?? wordsAt(first, 0);
  const { size, words } = LENGTH_PREFIXES[candidate.name];
  return `${words} of ${candidate.length}, then ${wordsAt(first, size)}`;
}

/** Names a length that no message has, if a payload stands behind it. */
function outOfRange(first: Uint8Array): string | undefined {
  const size = [4, 8].find((size) => beginningAt(first, size) !== undefined);
  if (size === undefined) return undefined;
  return `${size}-byte length out of range 1 to ${SCRIPT_MAX_LENGTH} ` +
    `(${hexOf(first.subarray(0, size))}), then ${wordsAt(first, size)}`;
}

function hexOf(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

function wordsAt(first: Uint8Array, offset: number): string {
  const beginning = beginningAt(first, offset);
  if (beginning !== undefined) {
    const words = { jpeg: "a JPEG", pickle: "a pickle", base64: "base64", npy: "a .npy array" };
    return words[beginning];
  }
  const bytes = first.subarray(offset, offset + 8);
  if (bytes.byteLength === 0) return "nothing";
  if (/^[ -~\r\n]+$/.test(latin1(bytes))) return `the text ${JSON.stringify(latin1(bytes))}`;
  return `the bytes ${hexOf(bytes)}`;
}

function found(length: LengthName, payload: PayloadFormat): Recognition {
  return { kind: "format", format: { length, payload } };
}

function unknown(seen: string): FormatError {
  return new FormatError(
    `Cannot tell what the script sends: ${seen}, expected a JPEG, a pickle, base64 or .npy behind ` +
      "a 4- or 8-byte length or 16 digits",
  );
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
