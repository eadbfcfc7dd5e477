/**
 * Calls `onExpiry` once, `milliseconds` from now, unless disposed before.
 *
 * @example
 * ```ts
 * import { deadline } from "./deadline.ts";
 *
 * const controller = new AbortController();
 * using _limit = deadline(10_000, () => controller.abort());
 * ```
 */
export function deadline(milliseconds: number, onExpiry: () => void): Disposable {
  const timer = setTimeout(onExpiry, milliseconds);
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}
