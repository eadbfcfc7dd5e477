/** Rebuilds numpy arrays, their scalars and bytes from the calls in pickles. */
import { toNumber } from "./cursor.ts";
import {
  type ArrayItem,
  type ArrayLayout,
  asciiOf,
  type BytesItem,
  bytesOf,
  describe,
  DTYPES,
  type Item,
  quotable,
  refuse,
} from "./values.ts";

/** A numpy array from a pickle. */
export interface NumpyArray {
  /** Extents, slowest axis first: height, width, channels for an image. Empty for a scalar. */
  shape: number[];
  /** Numpy's name of the item type, such as `uint8`; with `>` in front if it is big-endian. */
  dtype: string;
  /** The items in C order (last axis fastest); a view on the pickle if it stores them this way. */
  data: Uint8Array;
}

/** Most axes of an array. Numpy 1 allows 32, numpy 2 allows 64. */
export const MAX_AXES = 32;

/** Largest extent of an axis. The product of all is then finite. */
export const MAX_EXTENT = 2 ** 31 - 1;

/** Arguments of a refused call that the message describes; more than any of the calls has. */
const DESCRIBED_ARGUMENTS = 5;

/** Characters of each of their descriptions. */
const DESCRIBED_LENGTH = 40;

/** Protocols 0 to 2 use the module name of Python 2, which can load them too. */
const BYTES_GLOBALS = ["__builtin__ bytes", "builtins bytes"];
const BYTEARRAY_GLOBALS = ["__builtin__ bytearray", "builtins bytearray"];

/** Numpy 2 moved `numpy.core` to `numpy._core`. */
const RECONSTRUCT_GLOBALS = [
  "numpy.core.multiarray _reconstruct",
  "numpy._core.multiarray _reconstruct",
];

const FROM_BUFFER_GLOBALS = [
  "numpy.core.numeric _frombuffer",
  "numpy._core.numeric _frombuffer",
];

const SCALAR_GLOBALS = ["numpy.core.multiarray scalar", "numpy._core.multiarray scalar"];

/** All globals in pickles of plain values and numpy arrays, as `module name`. */
const GLOBALS: ReadonlySet<string> = new Set([
  ...BYTES_GLOBALS,
  ...BYTEARRAY_GLOBALS,
  ...SCALAR_GLOBALS,
  ...RECONSTRUCT_GLOBALS,
  ...FROM_BUFFER_GLOBALS,
  "numpy ndarray",
  "numpy dtype",
  "_codecs encode",
]);

/**
 * Accepts one of the few globals that pickles of plain values and numpy arrays name. The result is
 * only its name; nothing is looked up.
 *
 * @throws {FormatError} for any other global, with its name
 */
export function resolveGlobal(module: Uint8Array, name: Uint8Array): Item {
  const longest = 64;
  if (module.byteLength <= longest && name.byteLength <= longest) {
    const full = `${asciiOf(module)} ${asciiOf(name)}`;
    if (GLOBALS.has(full)) return { type: "global", name: full };
  }
  return refuse(
    `global "${quotable(module)}.${quotable(name)}"`,
    "one that plain values and arrays use",
  );
}

/**
 * Calls one of the constructors: the inverse of `ndarray.__reduce__`, `ndarray.__reduce_ex__` and
 * `gentype_reduce` (numpy/core/src/multiarray), and of `bytes` and `bytearray` of old protocols.
 *
 * @throws {FormatError} for arguments that Python and numpy do not write
 */
export function reduce(callable: Item, argument: Item): Item {
  if (callable.type !== "global") {
    return refuse(
      `call of ${describe(callable)}`,
      "a constructor that plain values and arrays use",
    );
  }
  const { name } = callable;
  const values = tupleItems(argument, `arguments of ${name.replace(" ", ".")}`);
  if (BYTES_GLOBALS.includes(name) && values.length === 0) {
    return { type: "bytes", stored: new Uint8Array(0), latin1: false };
  }
  if (BYTEARRAY_GLOBALS.includes(name)) return bytearray(values);
  if (SCALAR_GLOBALS.includes(name)) return scalar(values);
  if (name === "_codecs encode") return encode(values);
  if (name === "numpy dtype") return dtype(values);
  if (RECONSTRUCT_GLOBALS.includes(name)) return reconstruct(values);
  if (FROM_BUFFER_GLOBALS.includes(name)) return fromBuffer(values);
  return refuse(`call of ${describe(callable)}`, "a constructor that plain values and arrays use");
}

/**
 * Sets the state of a new array or dtype, like numpy's `__setstate__`.
 *
 * @throws {FormatError} for any other object, a second state, or a state that numpy does not write
 */
export function build(target: Item, state: Item): void {
  if (target.type === "dtype" && target.byteOrder === undefined) {
    target.byteOrder = byteOrder(state);
  } else if (target.type === "array" && target.layout === undefined) {
    target.layout = arrayState(tupleItems(state, "array state"));
  } else {
    refuse(`state for ${describe(target)}`, "a new array or dtype under it");
  }
}

/**
 * Checks an array's bytes against its shape, and converts them to C order.
 *
 * @throws {FormatError} if they do not match
 */
export function toArray({ layout }: ArrayItem): NumpyArray {
  if (layout === undefined) return refuse("array without content", "its state");
  const { code, byteOrder } = layout.dtype;
  if (byteOrder === undefined) return refuse(`dtype "${code}" without state`, "its byte order");
  const { name, itemSize } = DTYPES[code];
  const data = bytesOf(layout.data);
  // With at most 32 axes below 2^31, the product is finite.
  const size = layout.shape.reduce((product, extent) => product * extent, itemSize);
  if (data.byteLength !== size) {
    const shape = layout.shape.join(", ");
    refuse(`${data.byteLength} bytes for shape (${shape}) of ${name}`, `${size}`);
  }
  return {
    dtype: dtypeName(code, byteOrder),
    ...inCOrder(layout, data, itemSize),
  };
}

/** Numpy's name of a plain dtype, with `>` in front if its items are big-endian. */
export function dtypeName(code: string, byteOrder: string): string {
  const { name, itemSize } = DTYPES[code];
  return byteOrder === ">" && itemSize > 1 ? `>${name}` : name;
}

/** `scalar(dtype, bytes)`, a number or a bool outside of an array. */
function scalar(values: Item[]): Item {
  const [itemType, data] = values;
  const stored = data && asBytes(data);
  if (values.length !== 2 || itemType.type !== "dtype" || stored === undefined) {
    return refuse(`scalar(${describeAll(values)})`, "dtype, bytes");
  }
  const { code, byteOrder } = itemType;
  const { name, itemSize, read } = DTYPES[code];
  // In UTF-8, characters of Latin-1 have two bytes at most.
  const bytes = stored.stored.byteLength > 2 * itemSize ? stored.stored : bytesOf(stored);
  if (bytes.byteLength !== itemSize) refuse(`${bytes.byteLength} bytes of ${name}`, `${itemSize}`);
  if (read === undefined || byteOrder === undefined) {
    return refuse(`scalar of ${name}`, "a real number with a byte order");
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, itemSize);
  const value = read(view, 0, byteOrder !== ">");
  if (typeof value === "boolean") return { type: "bool", value };
  if (name.startsWith("float")) return { type: "float", value: Number(value) };
  return { type: "int", value: typeof value === "bigint" ? toNumber(value) : value };
}

/** `bytearray()`, `bytearray(bytes)`, and `bytearray(text, "latin-1")` of older versions. */
function bytearray(values: Item[]): Item {
  const [content, codec] = values;
  if (values.length === 0) return { type: "bytes", stored: new Uint8Array(0), latin1: false };
  if (values.length === 1 && content.type === "bytes") return content;
  if (values.length === 2 && isText(codec, "latin-1")) {
    return fromLatin1(content);
  }
  return refuse(`bytearray(${describeAll(values)})`, "bytes");
}

/** Protocols 0 to 2 have no bytes: they are stored as text and a call that encodes it. */
function encode(values: Item[]): Item {
  const [text, codec] = values;
  if (values.length === 2 && isText(codec, "latin1")) return fromLatin1(text);
  return refuse(`_codecs.encode(${describeAll(values)})`, 'a text and "latin1"');
}

/** The bytes whose Latin-1 characters are a text. */
function fromLatin1(text: Item): BytesItem {
  if (text.type !== "text") return refuse(`${describe(text)} in Latin-1`, "a text");
  return { type: "bytes", stored: text.stored, latin1: !text.latin1 };
}

/** `dtype(code, align, copy)`; older numpy 1 writes the booleans as integers. */
function dtype(values: Item[]): Item {
  const [code, align, copy] = values;
  const isShort = (code?.type === "text" || code?.type === "string") && code.stored.byteLength < 4;
  const text = isShort ? asciiOf(code.stored) : "";
  const known = Object.hasOwn(DTYPES, text) && values.length === 3;
  if (!known || !isBool(align, false) || !isBool(copy, true)) {
    const isText = code?.type === "text" || code?.type === "string";
    const given = isText ? quotable(code.stored) : describeAll(values);
    return refuse(`dtype "${given}"`, `a plain one (${Object.keys(DTYPES).join(", ")})`);
  }
  return { type: "dtype", code: text };
}

/** State of a plain dtype: `(3, byte order, None, None, None, -1, -1, 0)`. */
function byteOrder(state: Item): "|" | "<" | ">" {
  const [version, order, subdtype, names, fields, itemSize, alignment, flags] = tupleItems(
    state,
    "dtype state",
    [8],
  );
  const plain = isInt(version, 3) && subdtype.type === "none" && names.type === "none" &&
    fields.type === "none" && isInt(itemSize, -1) && isInt(alignment, -1) && isInt(flags, 0);
  if (plain) {
    for (const known of ["|", "<", ">"] as const) if (isText(order, known)) return known;
  }
  return refuse("dtype with fields, objects or a foreign byte order", "a plain one");
}

/** `_reconstruct(ndarray, (0,), b"b")` creates an array without state. */
function reconstruct(values: Item[]): Item {
  const [subtype, shape, letter] = values;
  const code = letter && asBytes(letter);
  const asWritten = values.length === 3 &&
    subtype.type === "global" && subtype.name === "numpy ndarray" &&
    shape.type === "tuple" && shape.items.length === 1 && isInt(shape.items[0], 0) &&
    code !== undefined && asciiOf(code.stored.subarray(0, 2)) === "b";
  if (!asWritten) {
    return refuse(`_reconstruct(${describeAll(values)})`, 'ndarray, (0,), b"b"');
  }
  return { type: "array" };
}

/** `(1, shape, dtype, is Fortran order, bytes)`. */
function arrayState(state: Item[]): ArrayLayout {
  const [version, extents, itemType, fortran, content] = state;
  const data = content && asBytes(content);
  if (
    state.length !== 5 || !isInt(version, 1) || itemType.type !== "dtype" ||
    fortran.type !== "bool" || data === undefined
  ) {
    return refuse(
      `array state (${describeAll(state)})`,
      "version 1, shape, dtype, is Fortran order, bytes",
    );
  }
  return { shape: shapeOf(extents), dtype: itemType, data, order: fortran.value ? "F" : "C" };
}

/**
 * `_frombuffer(bytes, dtype, shape, order)` of protocol 5. Recent numpy 2 adds a fifth argument for
 * order "K": the axes of the memory that the array is a transposed view of.
 */
function fromBuffer(values: Item[]): Item {
  const [data, itemType, extents, order, axes] = values;
  if (values.length < 4 || data.type !== "bytes" || itemType.type !== "dtype") {
    return refuse(
      `_frombuffer(${describeAll(values)})`,
      "bytes, dtype, shape, order",
    );
  }
  const shape = shapeOf(extents);
  const layout = { shape, dtype: itemType, data };
  if (values.length === 4) {
    for (const known of ["C", "F"] as const) {
      if (isText(order, known)) return { type: "array", layout: { ...layout, order: known } };
    }
  }
  if (values.length !== 5 || !isText(order, "K")) {
    return refuse(`_frombuffer in order ${describe(order)}`, '"C", "F", or "K" with axes');
  }
  const permutation = tupleItems(axes, "axes", [shape.length]).map(extent);
  for (let axis = 0; axis < shape.length; axis++) {
    if (!permutation.includes(axis)) refuse(`axes (${permutation.join(", ")})`, "each axis once");
  }
  return { type: "array", layout: { ...layout, order: permutation } };
}

function shapeOf(item: Item): number[] {
  const extents = tupleItems(item, "shape");
  if (extents.length > MAX_AXES) refuse(`shape of ${extents.length} axes`, `at most ${MAX_AXES}`);
  return extents.map(extent);
}

function extent(item: Item): number {
  if (item.type === "int" && item.value >= 0 && item.value <= MAX_EXTENT) return Number(item.value);
  return refuse(`extent or axis ${describe(item)}`, `an integer from 0 to ${MAX_EXTENT}`);
}

function tupleItems(item: Item, what: string, lengths?: readonly number[]): Item[] {
  if (item.type === "tuple" && (!lengths || lengths.includes(item.items.length))) {
    return item.items;
  }
  const size = lengths ? ` of ${lengths.join(" or ")}` : "";
  return refuse(`${what}: ${describe(item)}`, `a tuple${size}`);
}

function isInt(item: Item, value: number): boolean {
  return item.type === "int" && item.value === value;
}

function isBool(item: Item, value: boolean): boolean {
  return item.type === "bool" ? item.value === value : isInt(item, Number(value));
}

/** Describes the first arguments of a call. */
function describeAll(items: Item[]): string {
  const described = items.slice(0, DESCRIBED_ARGUMENTS).map(describe).map((text) =>
    text.length > DESCRIBED_LENGTH ? `${text.slice(0, DESCRIBED_LENGTH)}...` : text
  );
  return [...described, ...items.length > DESCRIBED_ARGUMENTS ? ["..."] : []].join(", ");
}

/** An item's bytes, also as a `str` of Python 2. */
function asBytes(item: Item): BytesItem | undefined {
  if (item.type === "bytes") return item;
  return item.type === "string" ? { ...item, type: "bytes", latin1: false } : undefined;
}

function isText(item: Item, text: string): boolean {
  return (item.type === "text" || item.type === "string") &&
    item.stored.byteLength === text.length &&
    asciiOf(item.stored) === text;
}

/**
 * Converts an array to C order. Returns `data` itself if it already is.
 *
 * @param data the bytes of the whole shape
 * @param itemSize bytes per item
 */
export function inCOrder(
  { shape, order }: Pick<ArrayLayout, "shape" | "order">,
  data: Uint8Array,
  itemSize: number,
): { shape: number[]; data: Uint8Array } {
  if (order === "C") return { shape, data };
  const strides: number[] = [];
  let stride = itemSize;
  for (let step = 0; step < shape.length; step++) {
    const axis = order === "F" ? step : shape.length - 1 - step;
    strides[axis] = stride;
    stride *= shape[axis];
  }
  const ownShape = order === "F" ? shape : order.map((axis) => shape[axis]);
  const ownStrides = order === "F" ? strides : order.map((axis) => strides[axis]);
  const axes = ownShape.map((count, axis) => ({ count, stride: ownStrides[axis] }));
  if (itemSize > 1) axes.push({ count: itemSize, stride: 1 });
  return { shape: ownShape, data: gather(data, axes.filter(({ count }) => count !== 1)) };
}

/**
 * Copies `data` so that the last axis becomes the fastest.
 *
 * @param axes without those of extent 1, so that the size of the data bounds their number
 */
function gather(data: Uint8Array, axes: { count: number; stride: number }[]): Uint8Array {
  if (axes.length === 0 || data.byteLength === 0) return data;
  const gathered = new Uint8Array(data.byteLength);
  let to = 0;
  function copyAxis(level: number, from: number): void {
    const { count, stride } = axes[level];
    const end = from + count * stride;
    if (level < axes.length - 1) {
      for (let at = from; at < end; at += stride) copyAxis(level + 1, at);
    } else {
      for (let at = from; at < end; at += stride) gathered[to++] = data[at];
    }
  }
  copyAxis(0, 0);
  return gathered;
}
