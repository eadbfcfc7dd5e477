/** Rebuilds numpy arrays from the calls in their pickles. */
import {
  type ArrayItem,
  type ArrayLayout,
  asciiOf,
  bytesOf,
  describe,
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
const MAX_AXES = 32;

/** Numpy's names of the dtypes of fixed size without objects. */
const DTYPE_NAMES: Readonly<Record<string, string>> = {
  b1: "bool",
  i1: "int8",
  i2: "int16",
  i4: "int32",
  i8: "int64",
  u1: "uint8",
  u2: "uint16",
  u4: "uint32",
  u8: "uint64",
  f2: "float16",
  f4: "float32",
  f8: "float64",
  c8: "complex64",
  c16: "complex128",
};

/** Protocol 2 uses the module name of Python 2, which can load it too. */
const BYTES_GLOBALS = ["__builtin__ bytes", "builtins bytes"];

/** Numpy 2 moved `numpy.core` to `numpy._core`. */
const RECONSTRUCT_GLOBALS = [
  "numpy.core.multiarray _reconstruct",
  "numpy._core.multiarray _reconstruct",
];

const FROM_BUFFER_GLOBALS = [
  "numpy.core.numeric _frombuffer",
  "numpy._core.numeric _frombuffer",
];

/** All globals in pickles of numpy arrays and plain bytes, as `module name`. */
const GLOBALS: ReadonlySet<string> = new Set([
  ...BYTES_GLOBALS,
  ...RECONSTRUCT_GLOBALS,
  ...FROM_BUFFER_GLOBALS,
  "numpy ndarray",
  "numpy dtype",
  "_codecs encode",
]);

/**
 * Accepts one of the few globals of numpy's pickles. The result is only its name; nothing is looked
 * up.
 *
 * @throws {FormatError} for any other global, with its name
 */
export function resolveGlobal(module: Uint8Array, name: Uint8Array): Item {
  const longest = 64;
  if (module.byteLength <= longest && name.byteLength <= longest) {
    const full = `${asciiOf(module)} ${asciiOf(name)}`;
    if (GLOBALS.has(full)) return { type: "global", name: full };
  }
  return refuse(`global "${quotable(module)}.${quotable(name)}"`, "one that numpy arrays use");
}

/**
 * Calls one of numpy's constructors: the inverse of `ndarray.__reduce__` and `ndarray.__reduce_ex__`
 * (numpy/core/src/multiarray/methods.c).
 *
 * @throws {FormatError} for arguments that numpy does not write
 */
export function reduce(callable: Item, argument: Item): Item {
  if (callable.type !== "global") {
    return refuse(`call of ${describe(callable)}`, "a constructor that numpy arrays use");
  }
  const { name } = callable;
  const values = tupleItems(argument, `arguments of ${name.replace(" ", ".")}`);
  if (BYTES_GLOBALS.includes(name) && values.length === 0) {
    return { type: "bytes", stored: new Uint8Array(0), latin1: false };
  }
  if (name === "_codecs encode") return encode(values);
  if (name === "numpy dtype") return dtype(values);
  if (RECONSTRUCT_GLOBALS.includes(name)) return reconstruct(values);
  if (FROM_BUFFER_GLOBALS.includes(name)) return fromBuffer(values);
  return refuse(`call of ${describe(callable)}`, "a constructor that numpy arrays use");
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
  const itemSize = Number(code.slice(1));
  const data = bytesOf(layout.data);
  // With at most 32 axes below 2^31, the product is finite.
  const size = layout.shape.reduce((product, extent) => product * extent, itemSize);
  if (data.byteLength !== size) {
    const shape = layout.shape.join(", ");
    refuse(`${data.byteLength} bytes for shape (${shape}) of ${DTYPE_NAMES[code]}`, `${size}`);
  }
  return {
    dtype: (byteOrder === ">" ? ">" : "") + DTYPE_NAMES[code],
    ...inCOrder(layout, data, itemSize),
  };
}

/** Protocol 2 has no bytes: they are stored as text and a call that encodes it. */
function encode(values: Item[]): Item {
  const [text, codec] = values;
  if (values.length !== 2 || text.type !== "text" || !isText(codec, "latin1")) {
    return refuse(`_codecs.encode(${values.map(describe).join(", ")})`, 'a text and "latin1"');
  }
  return { type: "bytes", stored: text.stored, latin1: true };
}

/** `dtype(code, align, copy)`; older numpy 1 writes the booleans as integers. */
function dtype(values: Item[]): Item {
  const [code, align, copy] = values;
  const text = code?.type === "text" && code.stored.byteLength < 4 ? asciiOf(code.stored) : "";
  const known = Object.hasOwn(DTYPE_NAMES, text) && values.length === 3;
  if (!known || !isBool(align, false) || !isBool(copy, true)) {
    const given = code?.type === "text" ? quotable(code.stored) : values.map(describe).join(", ");
    return refuse(`dtype "${given}"`, `a plain one (${Object.keys(DTYPE_NAMES).join(", ")})`);
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
  const [subtype, shape, code] = values;
  const asWritten = values.length === 3 &&
    subtype.type === "global" && subtype.name === "numpy ndarray" &&
    shape.type === "tuple" && shape.items.length === 1 && isInt(shape.items[0], 0) &&
    code.type === "bytes" && asciiOf(code.stored.subarray(0, 2)) === "b";
  if (!asWritten) {
    return refuse(`_reconstruct(${values.map(describe).join(", ")})`, 'ndarray, (0,), b"b"');
  }
  return { type: "array" };
}

/** `(1, shape, dtype, is Fortran order, bytes)`. */
function arrayState(state: Item[]): ArrayLayout {
  const [version, extents, itemType, fortran, data] = state;
  if (
    state.length !== 5 || !isInt(version, 1) || itemType.type !== "dtype" ||
    fortran.type !== "bool" || data.type !== "bytes"
  ) {
    return refuse(
      `array state (${state.map(describe).join(", ")})`,
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
      `_frombuffer(${values.map(describe).join(", ")})`,
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
  if (item.type === "int" && item.value >= 0) return item.value;
  return refuse(`extent or axis ${describe(item)}`, "an integer from 0 on");
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

function isText(item: Item, text: string): boolean {
  return item.type === "text" && item.stored.byteLength === text.length &&
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
