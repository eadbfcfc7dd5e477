/**
 * Stand-in for `@std/assert` 1.0.19 where JSR cannot be reached: the exports this project uses,
 * with the same signatures.
 *
 * @module
 */
import { describeDifference, format } from "./difference.ts";
import { equal } from "./equal.ts";

export { equal };

/** A class by its constructor, whatever that takes. */
type Constructor<T> = new (...args: never[]) => T;

/** All that is not true. */
export type Falsy = false | 0 | 0n | "" | null | undefined;

/** What a failed assertion throws. */
export class AssertionError extends Error {
  /** @param message what was found and what was expected */
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "AssertionError";
  }
}

function failure(what: string, message: string | undefined): AssertionError {
  return new AssertionError(`${what}${message ? `: ${message}` : "."}`);
}

/** Fails without condition. */
export function fail(msg?: string): never {
  throw failure("Failed assertion", msg);
}

/** Fails where `expr` is not truthy. */
export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) throw new AssertionError(msg);
}

/** Fails where `expr` is truthy. */
export function assertFalse(expr: unknown, msg = ""): asserts expr is Falsy {
  if (expr) throw new AssertionError(msg);
}

/** Fails where the values differ in depth. */
export function assertEquals<T>(
  actual: T,
  expected: T,
  msg?: string,
  options: { formatter?: (value: unknown) => string } = {},
): void {
  if (equal(actual, expected)) return;
  const { formatter = format } = options;
  const difference = describeDifference(actual, expected, formatter);
  throw new AssertionError(`${failure("Values are not equal", msg).message}\n${difference}`);
}

/** Fails where the values are equal in depth. */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  if (!equal(actual, expected)) return;
  const texts = `Expected actual: ${format(actual)} not to be: ${format(expected)}`;
  throw failure(texts, msg);
}

/** Fails where the values are not the same by `Object.is`. */
export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  msg?: string,
): asserts actual is T {
  if (Object.is(actual, expected)) return;
  const what = equal(actual, expected)
    ? "Values have the same structure but are not reference-equal"
    : "Values are not strictly equal";
  const difference = describeDifference(actual, expected, format);
  throw new AssertionError(`${failure(what, msg).message}\n${difference}`);
}

/** Fails where the values are the same by `Object.is`. */
export function assertNotStrictEquals<T>(actual: T, expected: T, msg?: string): void {
  if (!Object.is(actual, expected)) return;
  throw failure(`Expected "actual" to not be strictly equal to: ${format(actual)}`, msg);
}

/** Fails where the value is `null` or `undefined`. */
export function assertExists<T>(actual: T, msg?: string): asserts actual is NonNullable<T> {
  if (actual !== undefined && actual !== null) return;
  throw failure(`Expected actual: "${actual}" to not be null or undefined`, msg);
}

/** Fails where the value is no instance of the class. */
export function assertInstanceOf<T>(
  actual: unknown,
  expectedType: Constructor<T> | (abstract new (...args: never[]) => T),
  msg = "",
): asserts actual is T {
  if (actual instanceof expectedType) return;
  const what = `Expected object to be an instance of "${expectedType.name}"`;
  throw failure(`${what} but was "${typeName(actual)}"`, msg);
}

function typeName(value: unknown): string {
  if (value === null) return "null";
  return typeof value === "object" ? value.constructor?.name ?? "Object" : typeof value;
}

/** Fails where the text does not contain the other. */
export function assertStringIncludes(actual: string, expected: string, msg?: string): void {
  if (actual.includes(expected)) return;
  throw failure(`Expected actual: "${actual}" to contain: "${expected}"`, msg);
}

/** Fails where the text does not match. */
export function assertMatch(actual: string, expected: RegExp, msg?: string): void {
  if (expected.test(actual)) return;
  throw failure(`Expected actual: "${actual}" to match: "${expected}"`, msg);
}

/** Fails where the text matches. */
export function assertNotMatch(actual: string, expected: RegExp, msg?: string): void {
  if (!expected.test(actual)) return;
  throw failure(`Expected actual: "${actual}" to not match: "${expected}"`, msg);
}

/** Fails where some element of `expected` has no equal in `actual`. */
export function assertArrayIncludes<T>(
  actual: ArrayLike<T>,
  expected: ArrayLike<T>,
  msg?: string,
): void {
  const present = Array.from(actual);
  const missing = Array.from(expected).filter((item) => !present.some((one) => equal(item, one)));
  if (missing.length === 0) return;
  const what = `Expected actual: "${format(actual)}" to include: "${format(expected)}"`;
  throw new AssertionError(`${failure(what, msg).message}\nmissing: ${format(missing)}`);
}

/** Fails where the numbers are further apart than `tolerance`, by default 1e-7 of `expected`. */
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
  const found = `delta "${delta}" is greater than "${allowed}"`;
  throw failure(`Expected actual: "${actual}" to be close to "${expected}": ${found}`, msg);
}

/** Fails where `actual` is not above `expected`. */
export function assertGreater<T>(actual: T, expected: T, msg?: string): void {
  if (actual > expected) return;
  throw failure(`Expect ${format(actual)} > ${format(expected)}`, msg);
}

/** Fails where `actual` is not above or equal to `expected`. */
export function assertGreaterOrEqual<T>(actual: T, expected: T, msg?: string): void {
  if (actual >= expected) return;
  throw failure(`Expect ${format(actual)} >= ${format(expected)}`, msg);
}

/** Fails where `actual` is not below `expected`. */
export function assertLess<T>(actual: T, expected: T, msg?: string): void {
  if (actual < expected) return;
  throw failure(`Expect ${format(actual)} < ${format(expected)}`, msg);
}

/** Fails where `actual` is not below or equal to `expected`. */
export function assertLessOrEqual<T>(actual: T, expected: T, msg?: string): void {
  if (actual <= expected) return;
  throw failure(`Expect ${format(actual)} <= ${format(expected)}`, msg);
}

/** Fails where `error` is no `Error`, not of the class, or its message lacks the text. */
export function assertIsError<E extends Error = Error>(
  error: unknown,
  ErrorClass?: Constructor<E>,
  msgMatches?: string | RegExp,
  msg?: string,
): asserts error is E {
  if (!(error instanceof Error)) throw failure(`Expected "error" to be an Error object`, msg);
  if (ErrorClass && !(error instanceof ErrorClass)) {
    const what = `Expected error to be instance of "${ErrorClass.name}"`;
    throw new AssertionError(failure(`${what}, but was "${typeName(error)}"`, msg).message, {
      cause: error,
    });
  }
  if (!msgMatches) return;
  const matches = typeof msgMatches === "string"
    ? error.message.includes(msgMatches)
    : msgMatches.test(error.message);
  if (matches) return;
  const wanted = typeof msgMatches === "string" ? JSON.stringify(msgMatches) : String(msgMatches);
  const found = JSON.stringify(error.message);
  throw failure(`Expected error message to include ${wanted}, but got ${found}`, msg);
}

/** Fails where `fn` does not throw. */
export function assertThrows(fn: () => unknown, msg?: string): unknown;
/** Fails where `fn` does not throw, or not this error. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass: Constructor<E>,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  errorClassOrMsg?: Constructor<E> | string,
  ...[msgIncludesOrMsg, msg]: (string | undefined)[]
): E | unknown {
  const { ErrorClass, message } = expectation(errorClassOrMsg, msg);
  try {
    fn();
  } catch (error) {
    if (ErrorClass) checkError(error, { ErrorClass, includes: msgIncludesOrMsg, message });
    return error;
  }
  throw failure("Expected function to throw", message);
}

/** Fails where `fn` gives no promise, or its promise does not reject. */
export function assertRejects(fn: () => PromiseLike<unknown>, msg?: string): Promise<unknown>;
/** Fails where `fn` gives no promise, or its promise does not reject with this error. */
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass: Constructor<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  errorClassOrMsg?: Constructor<E> | string,
  ...[msgIncludesOrMsg, msg]: (string | undefined)[]
): Promise<E | unknown> {
  const { ErrorClass, message } = expectation(errorClassOrMsg, msg);
  const promise = start(fn, message);
  try {
    await promise;
  } catch (error) {
    if (ErrorClass) checkError(error, { ErrorClass, includes: msgIncludesOrMsg, message });
    return error;
  }
  throw failure("Expected function to reject", message);
}

/** A function that throws at once instead of rejecting is a mistake of its own. */
function start(
  fn: () => PromiseLike<unknown>,
  message: string | undefined,
): PromiseLike<unknown> {
  const what = "Function throws when expected to reject";
  let promise: PromiseLike<unknown>;
  try {
    promise = fn();
  } catch (error) {
    throw new AssertionError(failure(what, message).message, { cause: error });
  }
  if (typeof promise?.then !== "function") throw failure(what, message);
  return promise;
}

function expectation<E extends Error>(
  errorClassOrMsg: Constructor<E> | string | undefined,
  msg: string | undefined,
): { ErrorClass?: Constructor<E>; message?: string } {
  return typeof errorClassOrMsg === "string"
    ? { message: errorClassOrMsg }
    : { ErrorClass: errorClassOrMsg, message: msg };
}

interface ErrorExpectation<E extends Error> {
  ErrorClass: Constructor<E>;
  includes?: string;
  message?: string;
}

function checkError<E extends Error>(
  error: unknown,
  { ErrorClass, includes, message }: ErrorExpectation<E>,
): void {
  if (!(error instanceof Error)) throw failure("A non-Error object was thrown", message);
  assertIsError(error, ErrorClass, includes, message);
}
