/** Checks options that programs pass to functions. */
import { messageOf } from "./errors.ts";

/** Inclusive bounds of a number. */
export interface NumberBounds {
  min: number;
  max: number;
  /** @default false */
  integer?: boolean;
}

/**
 * Checks numbers; those that are `undefined` pass.
 *
 * @param values by the names of their options
 * @throws {TypeError} for the first that is out of bounds, or no number
 *
 * @example
 * ```ts
 * import { assertThrows } from "@std/assert";
 * import { checkNumbers } from "./options.ts";
 *
 * checkNumbers({ port: 7777 }, { min: 0, max: 65535, integer: true });
 * assertThrows(() => checkNumbers({ port: -1 }, { min: 0, max: 65535, integer: true }), TypeError);
 * ```
 */
export function checkNumbers(
  values: Record<string, number | undefined>,
  { min, max, integer = false }: NumberBounds,
): void {
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) continue;
    const isNumber = integer ? Number.isInteger(value) : !Number.isNaN(Number(value));
    if (typeof value === "number" && isNumber && value >= min && value <= max) continue;
    const kind = integer ? "an integer" : "a number";
    throw new TypeError(`Cannot use ${name} ${value}: expected ${kind} from ${min} to ${max}`);
  }
}

/**
 * Checks that the numbers among options are finite: JSON has no others.
 *
 * @throws {TypeError} for the first that is not
 */
export function checkFinite(options: object): void {
  for (const [name, value] of Object.entries(options)) {
    if (typeof value !== "number" || Number.isFinite(value)) continue;
    throw new TypeError(`Cannot use ${name} ${value}: expected a finite number`);
  }
}

/** Runs a check of an option, and throws its failure as a `TypeError`. */
export function checkOption<Result>(check: () => Result): Result {
  try {
    return check();
  } catch (cause) {
    throw new TypeError(messageOf(cause), { cause });
  }
}
