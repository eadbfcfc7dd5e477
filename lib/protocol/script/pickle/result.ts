/** The value of a pickle, made of what the machine built. */
import { type NumpyArray, toArray } from "./numpy.ts";
import { bytesOf, describe, isAscii, type Item, latin1Of, refuse, textOf } from "./values.ts";

/** Value of a pickle. */
export type PickledValue =
  | { kind: "none" }
  | { kind: "bool"; value: boolean }
  /** An int, a float or a scalar of numpy; an integer beyond ±2^53 is a bigint. */
  | { kind: "number"; value: number | bigint }
  /** A text; also a `str` of Python 2, if it is ASCII. */
  | { kind: "text"; text: string }
  /** Bytes or a bytearray; also a `str` of Python 2, if it is not ASCII. */
  | { kind: "bytes"; bytes: Uint8Array }
  | { kind: "array"; array: NumpyArray }
  /** A list or a tuple. */
  | { kind: "list"; items: PickledValue[] }
  /** Keys are neither arrays, lists nor dicts; the last entry of a key counts. */
  | { kind: "dict"; entries: [key: PickledValue, value: PickledValue][] };

/** Limit of the values in a value, itself included; recalled ones count each time. */
const MAX_VALUES = 100_000;

/** Levels of lists, tuples and dicts. */
const MAX_DEPTH = 64;

/** Bytes of texts, bytes and arrays that a pickle may recall beyond its own length. */
const MAX_RECALLED = 2 ** 20;

/**
 * Turns an item of the machine into a value.
 *
 * @param length bytes of the pickle
 * @throws {FormatError} for globals and dtypes, for a list or dict that holds itself, and if the value
 * is far larger than the pickle, since it recalls things again and again
 */
export function valueOf(item: Item, length: number): PickledValue {
  return new ValueBuilder(length).build(item);
}

/** Turns what the machine built into a value, within limits. */
class ValueBuilder {
  #values = 0;
  /** Bytes of texts, bytes and arrays that are left. */
  #bytes: number;
  /** Lists, tuples and dicts around the item, from the outermost on. */
  #around: Item[] = [];
  /** Whether the item is a key of a dict, or a part of one. */
  #isKey = false;
  /** Values with content, which is decoded once. */
  #contents = new Map<Item, PickledValue>();

  /** @param length bytes of the pickle */
  constructor(length: number) {
    this.#bytes = 2 * length + MAX_RECALLED;
  }

  build(item: Item): PickledValue {
    if (++this.#values > MAX_VALUES) {
      return refuse(`more than ${MAX_VALUES} values`, "fewer");
    }
    if (this.#isKey && (item.type === "list" || item.type === "dict" || item.type === "array")) {
      return refuse(`key ${describe(item)}`, "one that does not change");
    }
    switch (item.type) {
      case "none":
        return { kind: "none" };
      case "bool":
        return { kind: "bool", value: item.value };
      case "int":
      case "float":
        return { kind: "number", value: item.value };
      case "tuple":
      case "list":
        return {
          kind: "list",
          items: this.#inside(item, () => item.items.map((part) => this.build(part))),
        };
      case "dict":
        return {
          kind: "dict",
          entries: this.#inside(
            item,
            () => item.entries.map(([key, value]) => [this.#buildKey(key), this.build(value)]),
          ),
        };
      default:
        return this.#content(item);
    }
  }

  /** Python's keys are hashable, and so are all parts of a tuple that is one. */
  #buildKey(key: Item): PickledValue {
    this.#isKey = true;
    const built = this.build(key);
    this.#isKey = false;
    return built;
  }

  #inside<T>(item: Item, build: () => T): T {
    if (this.#around.includes(item)) return refuse(`${item.type} that holds itself`, "a plain one");
    if (this.#around.length === MAX_DEPTH) {
      return refuse(`more than ${MAX_DEPTH} levels of nesting`, "fewer");
    }
    this.#around.push(item);
    const built = build();
    this.#around.pop();
    return built;
  }

  #content(item: Item): PickledValue {
    this.#bytes -= lengthOf(item);
    if (this.#bytes < 0) {
      return refuse("texts, bytes and arrays that it recalls", "ones that it holds itself");
    }
    const known = this.#contents.get(item);
    if (known !== undefined) return known;
    const value = contentOf(item);
    this.#contents.set(item, value);
    return value;
  }
}

/** Bytes that the content of an item has in the pickle. */
function lengthOf(item: Item): number {
  if (item.type === "array") return item.layout?.data.stored.byteLength ?? 0;
  return "stored" in item ? item.stored.byteLength : 0;
}

function contentOf(item: Item): PickledValue {
  switch (item.type) {
    case "text":
      return { kind: "text", text: textOf(item) };
    case "string":
      return isAscii(item.stored)
        ? { kind: "text", text: latin1Of(item.stored) }
        : { kind: "bytes", bytes: item.stored };
    case "bytes":
      return { kind: "bytes", bytes: bytesOf(item) };
    case "array":
      return { kind: "array", array: toArray(item) };
    default:
      return refuse(describe(item), "a plain value or an array");
  }
}
