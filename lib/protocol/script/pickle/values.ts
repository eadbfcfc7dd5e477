/** The values that a pickle builds on its stack. */
import { FormatError } from "../../../base/errors.ts";

/** Characters of a peer's text that an error message quotes. */
const QUOTED_LENGTH = 60;

/** Bytes that {@linkcode latin1Of} decodes at a time, which become arguments of one call. */
const DECODED_LENGTH = 8192;

const UTF8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** Text in a pickle. */
export interface TextItem {
  type: "text";
  /** A view on the pickle if that stores the text as it is. */
  stored: Uint8Array;
  /** Whether `stored` is Latin-1, as in protocol 0; it is UTF-8 otherwise. */
  latin1: boolean;
}

/** Bytes in a pickle: plain, or in protocols 1 and 2 as UTF-8 of their Latin-1 text. */
export interface BytesItem {
  type: "bytes";
  /** A view on the pickle. */
  stored: Uint8Array;
  /** Whether `stored` is UTF-8 of Latin-1 text, see {@linkcode bytesOf}. */
  latin1: boolean;
}

/** A `str` of Python 2, which is text or bytes. */
export interface StringItem {
  type: "string";
  stored: Uint8Array;
}

/** A list, which may still grow. */
export interface ListItem {
  type: "list";
  items: Item[];
}

/** A dict, which may still grow. */
export interface DictItem {
  type: "dict";
  /** In the order of the pickle; a key may occur again. */
  entries: [key: Item, value: Item][];
}

/** A numpy dtype: type letter and item size; after its state, also the byte order. */
export interface DtypeItem {
  type: "dtype";
  code: string;
  byteOrder?: "|" | "<" | ">";
}

/** A plain dtype of numpy: of fixed size, without objects. */
export interface PlainDtype {
  /** Numpy's name of it. */
  name: string;
  /** Bytes of an item. */
  itemSize: number;
  /** Reads an item; absent for complex numbers. */
  read?: (view: DataView, at: number, littleEndian: boolean) => number | bigint | boolean;
}

/** The plain dtypes by type letter and item size. */
export const DTYPES: Readonly<Record<string, PlainDtype>> = {
  b1: { name: "bool", itemSize: 1, read: (view, at) => view.getUint8(at) !== 0 },
  i1: { name: "int8", itemSize: 1, read: (view, at) => view.getInt8(at) },
  i2: { name: "int16", itemSize: 2, read: (view, at, little) => view.getInt16(at, little) },
  i4: { name: "int32", itemSize: 4, read: (view, at, little) => view.getInt32(at, little) },
  i8: { name: "int64", itemSize: 8, read: (view, at, little) => view.getBigInt64(at, little) },
  u1: { name: "uint8", itemSize: 1, read: (view, at) => view.getUint8(at) },
  u2: { name: "uint16", itemSize: 2, read: (view, at, little) => view.getUint16(at, little) },
  u4: { name: "uint32", itemSize: 4, read: (view, at, little) => view.getUint32(at, little) },
  u8: { name: "uint64", itemSize: 8, read: (view, at, little) => view.getBigUint64(at, little) },
  f2: { name: "float16", itemSize: 2, read: (view, at, little) => view.getFloat16(at, little) },
  f4: { name: "float32", itemSize: 4, read: (view, at, little) => view.getFloat32(at, little) },
  f8: { name: "float64", itemSize: 8, read: (view, at, little) => view.getFloat64(at, little) },
  c8: { name: "complex64", itemSize: 8 },
  c16: { name: "complex128", itemSize: 16 },
};

/** The plain dtype of a name as in arrays, `uint8` or `>uint16`. */
export function dtypeNamed(name: string): PlainDtype | undefined {
  return Object.values(DTYPES).find((dtype) => dtype.name === name.replace(">", ""));
}

/** State of an array. */
export interface ArrayLayout {
  /** Extents of the memory, slowest axis first. */
  shape: number[];
  dtype: DtypeItem;
  data: BytesItem;
  /** Order of the axes in memory: C, Fortran, or the memory's axis of each of the array's axes. */
  order: "C" | "F" | number[];
}

/** An array; without a layout before its state is set. */
export interface ArrayItem {
  type: "array";
  layout?: ArrayLayout;
}

/** A value on the machine's stack: plain data only. */
export type Item =
  | { type: "none" }
  | { type: "bool"; value: boolean }
  | { type: "int"; value: number | bigint }
  | { type: "float"; value: number }
  | { type: "tuple"; items: Item[] }
  | ListItem
  | DictItem
  | TextItem
  | StringItem
  | { type: "global"; name: string }
  | BytesItem
  | DtypeItem
  | ArrayItem;

/** @throws {FormatError} always */
export function refuse(found: string, expected: string): never {
  throw new FormatError(`Cannot read pickle: ${found}, expected ${expected}`);
}

/** A peer's text for error messages: shortened, with `?` for all but printable ASCII. */
export function quotable(stored: Uint8Array): string {
  const text = asciiOf(stored.subarray(0, QUOTED_LENGTH)).replaceAll(/[^ -~]/g, "?");
  return stored.byteLength > QUOTED_LENGTH ? `${text}...` : text;
}

/** Decodes bytes as Latin-1, so that bytes other than ASCII never equal ASCII text. */
export function asciiOf(stored: Uint8Array): string {
  return String.fromCharCode(...stored);
}

/** Decodes Latin-1 of any length. */
export function latin1Of(stored: Uint8Array): string {
  const parts: string[] = [];
  for (let at = 0; at < stored.byteLength; at += DECODED_LENGTH) {
    parts.push(asciiOf(stored.subarray(at, at + DECODED_LENGTH)));
  }
  return parts.join("");
}

/** Decodes a text; bytes that are not UTF-8, such as Python's lone surrogates, become U+FFFD. */
export function textOf({ stored, latin1 }: TextItem): string {
  return latin1 ? latin1Of(stored) : UTF8.decode(stored);
}

/** Whether bytes are ASCII, control characters included. */
export function isAscii(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte < 0x80);
}

/** Describes an item in an error message. */
export function describe(item: Item): string {
  switch (item.type) {
    case "none":
      return "None";
    case "bool":
    case "float":
      return `${item.type} ${item.value}`;
    case "int":
      return `int ${String(item.value).slice(0, QUOTED_LENGTH)}`;
    case "text":
    case "bytes":
    case "string":
      return `${item.type} "${quotable(item.stored)}"`;
    case "tuple":
    case "list":
      return `${item.type} of ${item.items.length}`;
    case "dict":
      return `dict of ${item.entries.length}`;
    case "global":
      return `global "${item.name.replace(" ", ".")}"`;
    case "dtype":
      return `dtype "${item.code}"`;
    case "array":
      return item.layout ? "array" : "array without content";
  }
}

/**
 * The bytes of an item: a view on the pickle, or decoded from the text of protocols 1 and 2.
 *
 * @throws {FormatError} if the text has characters beyond Latin-1, or is not UTF-8
 */
export function bytesOf({ stored, latin1 }: BytesItem): Uint8Array {
  if (!latin1) return stored;
  const bytes = new Uint8Array(stored.byteLength);
  let length = 0;
  for (let at = 0; at < stored.byteLength; at++) {
    const byte = stored[at];
    if (byte < 0x80) {
      bytes[length++] = byte;
      continue;
    }
    // Latin-1's upper half is two bytes in UTF-8: 110000hh 10llllll, with hh = 10 or 11.
    const next = stored[++at];
    if ((byte !== 0xc2 && byte !== 0xc3) || next === undefined || (next & 0xc0) !== 0x80) {
      refuse(`byte ${byte} in a text`, "Latin-1 characters in UTF-8");
    }
    bytes[length++] = (byte & 0x03) << 6 | next & 0x3f;
  }
  return bytes.subarray(0, length);
}
