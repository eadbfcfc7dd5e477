/** Measures of the values in pickles. */
import type { PickledValue } from "../../../lib/protocol/script/pickle/unpickler.ts";

/** What a value is made of. */
export interface ValueSize {
  /** Values, itself included. */
  values: number;
  /** Bytes of texts (in UTF-8), bytes and arrays. */
  bytes: number;
  /** Levels of lists and dicts. */
  depth: number;
}

/** Measures a value. What occurs again counts again. */
export function sizeOfValue(value: PickledValue): ValueSize {
  const [bytes, parts] = measured(value);
  const sizes = parts.map(sizeOfValue);
  const level = value.kind === "list" || value.kind === "dict" ? 1 : 0;
  return {
    values: sizes.reduce((sum, { values }) => sum + values, 1),
    bytes: sizes.reduce((sum, { bytes }) => sum + bytes, bytes),
    depth: sizes.reduce((deepest, { depth }) => Math.max(deepest, depth + level), level),
  };
}

/** Bytes of a value itself, and the values in it. */
function measured(value: PickledValue): [bytes: number, parts: PickledValue[]] {
  switch (value.kind) {
    case "text":
      return [new TextEncoder().encode(value.text).byteLength, []];
    case "bytes":
      return [value.bytes.byteLength, []];
    case "array":
      return [value.array.data.byteLength, []];
    case "list":
      return [0, value.items];
    case "dict":
      return [0, value.entries.flat()];
    default:
      return [0, []];
  }
}
