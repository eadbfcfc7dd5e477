/** The values that a pickle builds on its stack. */
import { FormatError } from "../../base/errors.ts";

/** Characters of a peer's text that an error message quotes. */
const QUOTED_LENGTH = 60;

/** Bytes in a pickle: plain, or in protocol 2 as UTF-8 of their Latin-1 text. */
export interface BytesItem {
  type: "bytes";
  /** A view on the pickle. */
  stored: Uint8Array;
  /** Whether `stored` is UTF-8 of Latin-1 text, see {@linkcode bytesOf}. */
  latin1: boolean;
}

/** A numpy dtype: type letter and item size; after its state, also the byte order. */
export interface DtypeItem {
  type: "dtype";
  code: string;
  byteOrder?: "|" | "<" | ">";
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
  | { type: "int"; value: number }
  | { type: "text"; stored: Uint8Array }
  | { type: "tuple"; items: Item[] }
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

/** Describes an item in an error message. */
export function describe(item: Item): string {
  switch (item.type) {
    case "none":
      return "None";
    case "bool":
    case "int":
      return `${item.type} ${item.value}`;
    case "text":
      return `text "${quotable(item.stored)}"`;
    case "bytes":
      return `bytes "${quotable(item.stored)}"`;
    case "tuple":
      return `tuple of ${item.items.length}`;
    case "global":
      return `global "${item.name.replace(" ", ".")}"`;
    case "dtype":
      return `dtype "${item.code}"`;
    case "array":
      return item.layout ? "array" : "array without content";
  }
}

/**
 * The bytes of an item: a view on the pickle, or decoded from the text of protocol 2.
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
