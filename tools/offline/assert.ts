/**
 * Stand-in for `@std/assert` 1.0.19 for when JSR is unreachable: the exports this project uses,
 * with the same signatures.
 *
 * @module
 */
import { stripVTControlCharacters } from "node:util";
import { describeDifference, format } from "./difference.ts";
import { equal } from "./equal.ts";

/** A class with any constructor parameters. */
type Constructor<T> = abstract new (...args: never[]) => T;

/** All falsy values. */
export type Falsy = false | 0 | 0n | "" | null | undefined;

/** Error of a failed assertion. */
class AssertionError extends Error {
  /** @param message what was found and what was expected */
  constructor(message: string) {
    super(message);
    this.name = "AssertionError";
  }
}

function failure(what: string, message: string | undefined): AssertionError {
  return new AssertionError(`${what}${message ? `: ${message}` : "."}`);
}

/** Fails if `expr` is not truthy. */
export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) throw new AssertionError(msg);
}

/** Fails if `expr` is truthy. */
export function assertFalse(expr: unknown, msg = ""): asserts expr is Falsy {
  if (expr) throw new AssertionError(msg);
}

/** Fails if the values are not deeply equal. */
export function assertEquals<T>(
  actual: T,
  expected: T,
  msg?: string,
): void {
  if (equal(actual, expected)) return;
  const difference = describeDifference(actual, expected);
  throw new AssertionError(`${failure("Values are not equal", msg).message}\n${difference}`);
}

/** Fails if the values are deeply equal. */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  if (!equal(actual, expected)) return;
  const texts = `Expected actual: ${format(actual)} not to be: ${format(expected)}`;
  throw failure(texts, msg);
}

/** Fails if the values are not the same by `Object.is`. */
export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  msg?: string,
): asserts actual is T {
  if (Object.is(actual, expected)) return;
  const what = format(actual) === format(expected)
    ? "Values have the same structure but are not reference-equal"
    : "Values are not strictly equal";
  const difference = describeDifference(actual, expected);
  throw new AssertionError(`${failure(what, msg).message}\n${difference}`);
}

/** Fails if the values are the same by `Object.is`. */
export function assertNotStrictEquals<T>(actual: T, expected: T, msg?: string): void {
  if (!Object.is(actual, expected)) return;
  throw failure(`Expected "actual" to not be strictly equal to: ${format(actual)}`, msg);
}

/** Fails if the value is not an instance of the class. */
export function assertInstanceOf<T>(
  actual: unknown,
  expectedType: Constructor<T>,
  msg = "",
): asserts actual is T {
  if (actual instanceof expectedType) return;
  const what = `Expected object to be an instance of "${expectedType.name}"`;
  const found = typeName(actual);
  if (found === expectedType.name) throw failure(what, msg);
  const other = found === "function" ? "not an instanced object" : `"${found}"`;
  throw failure(`${what} but was ${other}`, msg);
}

function typeName(value: unknown): string {
  if (value === null) return "null";
  return typeof value === "object" ? value.constructor?.name ?? "Object" : typeof value;
}

/** Fails if the text does not contain the other. */
export function assertStringIncludes(actual: string, expected: string, msg?: string): void {
  if (actual.includes(expected)) return;
  throw failure(`Expected actual: "${actual}" to contain: "${expected}"`, msg);
}

/** Fails if the text does not match. */
export function assertMatch(actual: string, expected: RegExp, msg?: string): void {
  if (expected.test(actual)) return;
  throw failure(`Expected actual: "${actual}" to match: "${expected}"`, msg);
}

/** Fails if the numbers are further apart than `tolerance`, by default 1e-7 of `expected`. */
export function assertAlmostEquals(
  actual: number,
  expected: number,
  tolerance?: number,
  msg?: string,
): void {
  if (Object.is(actual, expected)) return;
  const allowed = tolerance ?? (isFinite(expected) ? Math.abs(expected * 1e-7) : 1e-7);
  const delta = Math.abs(expected - actual);
  if (delta <= allowed) return;
  const [found, wanted, distance, limit] = [actual, expected, delta, allowed].map((value) =>
    Number.isInteger(value) ? `${value}` : value.toExponential()
  );
  const what = `Expected actual: "${found}" to be close to "${wanted}"`;
  throw failure(`${what}: delta "${distance}" is greater than "${limit}"`, msg);
}

/** Fails if `actual` is not above `expected`. */
export function assertGreater<T>(actual: T, expected: T, msg?: string): void {
  if (actual > expected) return;
  throw new AssertionError(msg ?? `Expect ${format(actual)} > ${format(expected)}`);
}

/** Fails if `actual` is not above or equal to `expected`. */
export function assertGreaterOrEqual<T>(actual: T, expected: T, msg?: string): void {
  if (actual >= expected) return;
  throw new AssertionError(msg ?? `Expect ${format(actual)} >= ${format(expected)}`);
}

/** Fails if `actual` is not below `expected`. */
export function assertLess<T>(actual: T, expected: T, msg?: string): void {
  if (actual < expected) return;
  throw new AssertionError(msg ?? `Expect ${format(actual)} < ${format(expected)}`);
}

/** Fails if `fn` does not throw. */
export function assertThrows(fn: () => unknown, msg?: string): unknown;
/** Fails if `fn` does not throw, or not this error. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass: Constructor<E>,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ...given: ErrorArguments<E>
): E | unknown {
  const expected = expectation(given);
  try {
    fn();
  } catch (error) {
    checkError(error, "thrown", expected);
    return error;
  }
  throw failure("Expected function to throw", expected.message);
}

/** Fails if `fn` returns no promise, or its promise does not reject. */
export function assertRejects(fn: () => PromiseLike<unknown>, msg?: string): Promise<unknown>;
/** Fails if `fn` returns no promise, or its promise does not reject with this error. */
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass: Constructor<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ...given: ErrorArguments<E>
): Promise<E | unknown> {
  const expected = expectation(given);
  const promise = start(fn, expected.message);
  try {
    await promise;
  } catch (error) {
    checkError(error, "rejected", expected);
    return error;
  }
  throw failure("Expected function to reject", expected.message);
}

/** A function that throws synchronously instead of rejecting is a separate error. */
function start(
  fn: () => PromiseLike<unknown>,
  message: string | undefined,
): PromiseLike<unknown> {
  const what = "Function throws when expected to reject";
  let promise: PromiseLike<unknown>;
  try {
    promise = fn();
  } catch {
    throw failure(what, message);
  }
  if (typeof promise === "object" && typeof promise?.then === "function") return promise;
  throw failure(what, message);
}

/** Arguments after the function: a message, or a class and then a part of its message. */
type ErrorArguments<E extends Error> = [
  errorClassOrMsg?: Constructor<E> | string,
  msgIncludes?: string,
  msg?: string,
];

interface ErrorExpectation<E extends Error> {
  ErrorClass?: Constructor<E>;
  includes?: string;
  message?: string;
}

function expectation<E extends Error>(
  [errorClassOrMsg, includes, message]: ErrorArguments<E>,
): ErrorExpectation<E> {
  return typeof errorClassOrMsg === "string"
    ? { message: errorClassOrMsg }
    : { ErrorClass: errorClassOrMsg, includes, message };
}

/** Accepts every value that was thrown if no class is expected, as the original does. */
function checkError<E extends Error>(
  error: unknown,
  how: "thrown" | "rejected",
  { ErrorClass, includes, message }: ErrorExpectation<E>,
): void {
  if (ErrorClass === undefined) return;
  if (!(error instanceof Error)) throw failure(`A non-Error object was ${how}`, message);
  if (!(error instanceof ErrorClass)) {
    const what = `Expected error to be instance of "${ErrorClass.name}"`;
    throw failure(`${what}, but was "${typeName(error)}"`, message);
  }
  if (!includes) return;
  // Ignores colours.
  if (stripVTControlCharacters(error.message).includes(stripVTControlCharacters(includes))) return;
  const [wanted, found] = [includes, error.message].map((text) => JSON.stringify(text));
  throw failure(`Expected error message to include ${wanted}, but got ${found}`, message);
}
