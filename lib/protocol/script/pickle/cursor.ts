/** Reads the arguments of opcodes. */
import { asciiOf, describe, type Item, quotable, refuse, type TextItem } from "./values.ts";

/** Bytes of the longest integer. */
const MAX_LONG = 255;

const BACKSLASH = 0x5c;

const LOWER_U = 0x75;
const UPPER_U = 0x55;
const LOWER_X = 0x78;

/** Escapes of one letter in a string of Python 2: `\\`, `\'`, `\"`, `\n`, `\r` and `\t`. */
const ESCAPES: ReadonlyMap<number, number> = new Map([
  [BACKSLASH, BACKSLASH],
  [0x27, 0x27],
  [0x22, 0x22],
  [0x6e, 0x0a],
  [0x72, 0x0d],
  [0x74, 0x09],
]);

/** First bytes of UTF-8 by the number of bytes that follow. */
const UTF8_LEADS = [0x00, 0xc0, 0xe0, 0xf0];

/** Values of hexadecimal digits by their character. */
const HEX: readonly number[] = Array.from(
  { length: 256 },
  (_, byte) => "0123456789abcdef".indexOf(String.fromCharCode(byte).toLowerCase()),
).map((value) => value < 0 ? NaN : value);

/** Floats that `repr()` writes as words. */
const FLOAT_WORDS: ReadonlyMap<string, number> = new Map([
  ["inf", Infinity],
  ["-inf", -Infinity],
  ["nan", NaN],
]);

/** Digits of the longest integer in decimal; with a sign, those of 255 bytes. */
const MAX_DIGITS = 615;

/** Integers with fewer characters are exact as numbers. */
const EXACT_DIGITS = 16;

/** Reads a pickle's bytes in order, with bounds checks. */
export class PickleCursor {
  #bytes: Uint8Array;
  #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Bytes read so far. */
  get position(): number {
    return this.#at;
  }

  /** Bytes not read yet. */
  get left(): number {
    return this.#bytes.byteLength - this.#at;
  }

  /** The next byte, without consuming it; `undefined` at the end. */
  peek(): number | undefined {
    return this.#bytes[this.#at];
  }

  /** @throws {FormatError} at the end, as the methods below */
  uint8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  uint16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  int32(): number {
    return this.#view.getInt32(this.#take(4), true);
  }

  uint32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  /** Rounded above 2^53, which is more than any pickle has. */
  uint64(): number {
    return Number(this.#view.getBigUint64(this.#take(8), true));
  }

  /** Big-endian, as the only number in pickles. */
  float64(): number {
    return this.#view.getFloat64(this.#take(8));
  }

  /** The next `length` bytes, as a view. */
  bytes(length: number): Uint8Array {
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }

  /** The bytes up to the next end of line, as a view; at most `longest` of them. */
  line(longest = this.left): Uint8Array {
    const rest = this.#bytes.subarray(this.#at, this.#at + longest + 1);
    const length = rest.indexOf(0x0a);
    if (length < 0) refuse("line without an end", `an end of line in ${longest} bytes`);
    this.#at += length + 1;
    return rest.subarray(0, length);
  }

  /** An integer in a line, in decimal; Python 2 puts `L` behind long ones. */
  decimal(): number | bigint {
    const line = this.line(MAX_DIGITS);
    const text = asciiOf(line);
    if (!/^-?\d+L?$/.test(text)) refuse(`integer "${quotable(line)}"`, "decimal digits");
    const digits = text.replace("L", "");
    return digits.length < EXACT_DIGITS ? Number(digits) : toNumber(BigInt(digits));
  }

  /** A bool or an integer in a line: protocols 0 and 1 write bools as `00` and `01`. */
  intLine(): Item {
    const isBool = this.#bytes[this.#at] === 0x30 && this.#bytes[this.#at + 1] !== 0x0a;
    const item: Item = { type: "int", value: this.decimal() };
    if (!isBool) return item;
    if (item.value !== 0 && item.value !== 1) refuse(`bool as ${describe(item)}`, "00 or 01");
    return { type: "bool", value: item.value === 1 };
  }

  /** A float in a line, as Python's `repr()` writes it. */
  floatLine(): number {
    const line = this.line(MAX_DIGITS);
    const text = asciiOf(line);
    const word = FLOAT_WORDS.get(text);
    if (word !== undefined) return word;
    if (!/^-?\d+(\.\d*)?(e[+-]?\d+)?$/.test(text)) refuse(`float "${quotable(line)}"`, "a number");
    return Number(text);
  }

  /** A memo slot in a line. */
  slotLine(): number {
    const value = this.decimal();
    if (typeof value === "number" && value >= 0) return value;
    return refuse(`memo slot ${describe({ type: "int", value })}`, "one from 0 on");
  }

  /** An integer of `length` bytes in two's complement, little-endian. */
  long(length: number): number | bigint {
    if (length > MAX_LONG) refuse(`integer of ${length} bytes`, `at most ${MAX_LONG}`);
    if (length === 0) return 0;
    const hex = this.bytes(length).toReversed().toHex();
    return toNumber(BigInt.asIntN(8 * length, BigInt(`0x${hex}`)));
  }

  /** A text in a line: Latin-1, with `\uXXXX` and `\UXXXXXXXX` for all other characters. */
  textLine(): TextItem {
    const line = this.line();
    return { type: "text", ...fromRawUnicode(line) };
  }

  /** A string in a line, in quotes as Python 2's `repr()` writes it. */
  quotedLine(): Uint8Array {
    return fromQuoted(this.line());
  }

  /** @throws {FormatError} unless `length` bytes are left */
  require(length: number): void {
    if (length > this.left) {
      refuse(`${this.left} bytes left after byte ${this.#at}`, `${length} more`);
    }
  }

  #take(length: number): number {
    this.require(length);
    const start = this.#at;
    this.#at += length;
    return start;
  }
}

/** An integer as a number if that is exact, up to 2^53. */
export function toNumber(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** Decodes Python's codec `raw_unicode_escape`. Copies the text only if it has escapes. */
function fromRawUnicode(line: Uint8Array): Omit<TextItem, "type"> {
  if (!line.includes(BACKSLASH)) return { stored: line, latin1: true };
  const bytes = new Uint8Array(line.byteLength);
  let length = 0;
  for (let at = 0; at < line.byteLength; at += characterSize(line, at)) {
    const code = characterAt(line, at);
    if (code > 0xff) return { stored: utf8OfRaw(line), latin1: false };
    bytes[length++] = code;
  }
  return { stored: bytes.subarray(0, length), latin1: true };
}

/** The same for a text with characters beyond Latin-1, as UTF-8. */
function utf8OfRaw(line: Uint8Array): Uint8Array {
  // Only characters of Latin-1 become longer: two bytes for one.
  const bytes = new Uint8Array(2 * line.byteLength);
  let length = 0;
  for (let at = 0; at < line.byteLength; at += characterSize(line, at)) {
    const code = characterAt(line, at);
    const extra = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    bytes[length++] = UTF8_LEADS[extra] | code >> 6 * extra;
    for (let left = extra - 1; left >= 0; left--) {
      bytes[length++] = 0x80 | code >> 6 * left & 0x3f;
    }
  }
  return bytes.subarray(0, length);
}

/** Bytes of the character or escape at an index. */
function characterSize(line: Uint8Array, at: number): number {
  if (line[at] !== BACKSLASH) return 1;
  return line[at + 1] === UPPER_U ? 10 : 6;
}

/** The character at an index, which an escape such as `\u20ac` may stand for. */
function characterAt(line: Uint8Array, at: number): number {
  if (line[at] !== BACKSLASH) return line[at];
  const isEscape = line[at + 1] === LOWER_U || line[at + 1] === UPPER_U;
  const code = isEscape ? hexAt(line, at + 2, characterSize(line, at) - 2) : NaN;
  if (code <= 0x10ffff) return code;
  return refuse("backslash in a text", "\\u or \\U and the digits of a character");
}

/** Decodes the escapes that `repr()` of Python 2 writes. */
function fromQuoted(line: Uint8Array): Uint8Array {
  const [quote] = line;
  const isQuoted = (quote === 0x27 || quote === 0x22) && line.byteLength > 1 &&
    line.at(-1) === quote;
  if (!isQuoted) refuse(`string "${quotable(line)}"`, "one in quotes");
  const inner = line.subarray(1, -1);
  if (!inner.includes(BACKSLASH)) return inner;
  const bytes = new Uint8Array(inner.byteLength);
  let length = 0;
  for (let at = 0; at < inner.byteLength; at++) {
    if (inner[at] !== BACKSLASH) {
      bytes[length++] = inner[at];
      continue;
    }
    const letter = inner[++at];
    const code = letter === LOWER_X ? hexAt(inner, at + 1, 2) : ESCAPES.get(letter) ?? NaN;
    if (Number.isNaN(code)) refuse("backslash in a string", "an escape of Python 2's repr()");
    bytes[length++] = code;
    if (letter === LOWER_X) at += 2;
  }
  return bytes.subarray(0, length);
}

/** A number in hexadecimal digits; `NaN` if they are none. */
function hexAt(bytes: Uint8Array, start: number, digits: number): number {
  let value = 0;
  for (let at = start; at < start + digits; at++) value = 16 * value + (HEX[bytes[at]] ?? NaN);
  return value;
}
