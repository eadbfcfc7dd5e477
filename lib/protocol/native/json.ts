/** Validates JSON from peers. */
import { FormatError } from "../../base/errors.ts";
import type { Rational } from "../../media/frame.ts";

/** A JSON object with unchecked fields. */
export type JsonObject = Record<string, unknown>;

const decoder = new TextDecoder("utf-8", { fatal: true });
const encoder = new TextEncoder();

/** Characters of a value that error messages quote. */
const MAX_QUOTED = 60;

/**
 * Parses a payload as a JSON object.
 *
 * @throws {FormatError} if it is anything else
 */
export function parseJsonObject(payload: Uint8Array, what: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(payload));
  } catch (cause) {
    throw new FormatError(`Cannot read the ${what}: no JSON in UTF-8`, { cause });
  }
  return toObject(value, what);
}

/** Encodes an object as JSON in UTF-8. */
export function encodeJson(value: object): Uint8Array<ArrayBuffer> {
  return encoder.encode(JSON.stringify(value));
}

/**
 * Checks that a value is a JSON object.
 *
 * @throws {FormatError} otherwise
 */
export function toObject(value: unknown, what: string): JsonObject {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as JsonObject;
  }
  throw unexpected(what, value, "an object");
}

/**
 * Checks that a value is a list.
 *
 * @throws {FormatError} otherwise
 */
export function toList(value: unknown, what: string): unknown[] {
  if (Array.isArray(value)) return value;
  throw unexpected(what, value, "a list");
}

/**
 * Reads a number; `undefined` if the field is missing.
 *
 * @throws {FormatError} for anything but a number within the bounds
 */
export function optionalNumber(
  object: JsonObject,
  field: string,
  { min, max, integer = false }: { min: number; max: number; integer?: boolean },
): number | undefined {
  const value = object[field];
  if (value === undefined || value === null) return undefined;
  const fits = typeof value === "number" && value >= min && value <= max &&
    (!integer || Number.isInteger(value));
  if (fits) return value;
  throw unexpected(field, value, `a ${integer ? "whole " : ""}number from ${min} to ${max}`);
}

/**
 * Reads a text; `undefined` if the field is missing.
 *
 * @throws {FormatError} for anything but a text that matches the pattern
 */
export function optionalText(
  object: JsonObject,
  field: string,
  { pattern, expected }: { pattern: RegExp; expected: string },
): string | undefined {
  const value = object[field];
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string" && pattern.test(value)) return value;
  throw unexpected(field, value, expected);
}

/**
 * Reads a boolean; `undefined` if the field is missing.
 *
 * @throws {FormatError} for anything but true or false
 */
export function optionalBoolean(object: JsonObject, field: string): boolean | undefined {
  const value = object[field];
  if (value === undefined || value === null) return undefined;
  if (typeof value === "boolean") return value;
  throw unexpected(field, value, "true or false");
}

/**
 * Reads one of a few words; `undefined` if the field is missing.
 *
 * @throws {FormatError} for anything else
 */
export function optionalWord<Word extends string>(
  object: JsonObject,
  field: string,
  words: readonly Word[],
): Word | undefined {
  const value = object[field];
  if (value === undefined || value === null) return undefined;
  const word = words.find((candidate) => candidate === value);
  if (word !== undefined) return word;
  throw unexpected(field, value, `one of ${words.join(", ")}`);
}

/**
 * Reads a fraction `[numerator, denominator]`; `undefined` if the field is missing.
 *
 * @throws {FormatError} for anything but two whole numbers above zero
 */
export function optionalRational(object: JsonObject, field: string): Rational | undefined {
  const value = object[field];
  if (value === undefined || value === null) return undefined;
  const fits = Array.isArray(value) && value.length === 2 &&
    value.every((part) => Number.isInteger(part) && part > 0 && part < 2 ** 31);
  if (fits) return [value[0], value[1]];
  throw unexpected(field, value, "two whole numbers above zero");
}

/**
 * Returns the value of a required field.
 *
 * @throws {FormatError} if it is missing
 */
export function required<T>(value: T | undefined, field: string): T {
  if (value !== undefined) return value;
  throw new FormatError(`Cannot read ${field}: it is missing`);
}

/** Quotes a peer's value in an error message, shortened. */
export function quoteValue(value: unknown): string {
  // Numbers beyond JavaScript's range are parsed as Infinity, which JSON cannot express.
  const json = typeof value === "number"
    ? String(value)
    : JSON.stringify(beginningOf(value, MAX_QUOTED)) ?? "nothing";
  return json.length > MAX_QUOTED ? `${json.slice(0, MAX_QUOTED)}…` : json;
}

/**
 * Cuts a value at a depth of nesting, since the time to write JSON grows with the square of the depth.
 */
function beginningOf(value: unknown, depth: number): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (depth === 0) return null;
  if (Array.isArray(value)) return value.map((item) => beginningOf(item, depth - 1));
  const entries = Object.entries(value).map(([key, item]) => [key, beginningOf(item, depth - 1)]);
  return Object.fromEntries(entries);
}

function unexpected(field: string, value: unknown, expected: string): FormatError {
  return new FormatError(`Cannot use ${field} ${quoteValue(value)}: expected ${expected}`);
}
