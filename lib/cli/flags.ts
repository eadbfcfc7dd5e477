/** Command-line flags as typed tables: parsing, checks, and the help text. */
import { parseArgs } from "@std/cli/parse-args";
import config from "../../deno.json" with { type: "json" };
import { UsageError } from "../base/errors.ts";
import type { NumberBounds } from "../base/options.ts";
import { nearest } from "../base/suggest.ts";

/** Version of the programs, by semantic versioning. */
export const VERSION: string = config.version;

/** One command-line flag with a value of type `T`. */
export interface Flag<T> {
  /** Name of the value in the usage text; absent for flags without a value. */
  placeholder?: string;
  /** Allowed values. */
  words?: readonly string[];
  /** Whether the flag may be given without a value. */
  valueOptional?: boolean;
  /** Whether the flag may be given several times. Its value is then a list. */
  repeatable?: boolean;
  /** Letter of the short form, of a flag without a value. */
  short?: string;
  /** One line for the usage text. */
  help: string;
  /** Value of an absent flag. */
  absent: T;
  /**
   * Parses the text of the value; `""` if there is none.
   *
   * @throws {UsageError} for an invalid value
   */
  parse(text: string, name: string): T;
}

/** The flags of a program by name, without the leading dashes. */
export type FlagTable = Record<string, Flag<unknown>>;

/** Parsed values of a table, one for every flag. */
export type FlagValues<Table extends FlagTable> = {
  [Name in keyof Table]: Table[Name] extends Flag<infer T> ? T : never;
};

/** A flag without a value. */
export function toggle(help: string, { short }: { short?: string } = {}): Flag<boolean> {
  return { short, help, absent: false, parse: () => true };
}

/** A flag with any text as its value. */
export function text<T extends string | undefined>(
  placeholder: string,
  help: string,
  absent: T,
): Flag<string | T> {
  return { placeholder, help, absent, parse: (value) => value };
}

/** A flag with an optional value: `""` without a value, `undefined` if the flag is absent. */
export function optionalText(placeholder: string, help: string): Flag<string | undefined> {
  return { placeholder, valueOptional: true, help, absent: undefined, parse: (value) => value };
}

/** A flag with one of a few words as its value. */
export function choice<Word extends string, T extends Word | undefined>(
  words: readonly Word[],
  help: string,
  absent: T,
): Flag<Word | T> {
  return {
    placeholder: words.join("|"),
    words,
    help,
    absent,
    parse(value, name) {
      const word = words.find((candidate) => candidate === value);
      if (word === undefined) {
        throw new UsageError(`Cannot use --${name} "${value}": expected ${words.join(", ")}`);
      }
      return word;
    },
  };
}

/** A flag that may be given several times: a list of parsed values. */
export function list<T>(
  placeholder: string,
  help: string,
  parse: (value: string) => T,
): Flag<readonly T[]> {
  return {
    placeholder,
    help,
    repeatable: true,
    absent: [],
    parse: (value) => [parse(value)],
  };
}

/** A flag with a number as its value. */
export function number<T extends number | undefined>(
  placeholder: string,
  help: string,
  { absent, bounds }: { absent: T; bounds: NumberBounds },
): Flag<number | T> {
  return { placeholder, help, absent, parse: (value, name) => toNumber(value, name, bounds) };
}

/** A flag with a time as its value, in seconds: see {@linkcode parseTime}. */
export function time<T extends number | undefined>(
  placeholder: string,
  help: string,
  { absent, bounds }: { absent: T; bounds: NumberBounds },
): Flag<number | T> {
  return { placeholder, help, absent, parse: (value, name) => parseTime(value, name, bounds) };
}

/**
 * Parses a flag's value as a number.
 *
 * @param bounds `word`: a word that the flag takes, too, for the error
 * @throws {UsageError} if it is not a number or out of bounds
 */
export function toNumber(
  value: string,
  name: string,
  bounds: NumberBounds & { word?: string },
): number {
  const { min, max, integer = false, word } = bounds;
  const found = /^-?(\d+\.?\d*|\.\d+)$/.test(value) ? Number(value) : NaN;
  if (found >= min && found <= max && (!integer || Number.isInteger(found))) return found;
  const kind = integer ? "a whole number" : "a number";
  const range = max === Infinity ? `of at least ${min}` : `from ${min} to ${max}`;
  const other = word === undefined ? "" : `, or ${word}`;
  throw new UsageError(`Cannot use --${name} "${value}": expected ${kind} ${range}${other}`);
}

/** Seconds, or minutes or hours in front of them: `90`, `1:30`, `1:02:03.5`. */
const TIME = /^(?:(?:(\d+):([0-5]?\d)|(\d+)):([0-5]?\d(?:\.\d*)?)|(\d+\.?\d*|\.\d+))$/;

/**
 * Parses a flag's value as a time.
 *
 * @returns seconds
 * @throws {UsageError} if it is not a time or out of bounds
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseTime } from "./flags.ts";
 *
 * const bounds = { min: 0, max: 1e8 };
 * const read = ["90", "1:30", "1:02:03.5"].map((text) => parseTime(text, "start", bounds));
 * assertEquals(read, [90, 90, 3723.5]);
 * ```
 */
export function parseTime(value: string, name: string, { min, max }: NumberBounds): number {
  const [, hours = 0, minutes = 0, onlyMinutes = 0, seconds = 0, onlySeconds = 0] =
    value.match(TIME) ?? [NaN, NaN];
  const found = Number(hours) * 3600 + (Number(minutes) + Number(onlyMinutes)) * 60 +
    Number(seconds) + Number(onlySeconds);
  if (found >= min && found <= max) return found;
  throw new UsageError(
    `Cannot use --${name} "${value}": expected seconds from ${min} to ${max}, or a time such as ` +
      "1:30 or 1:02:03.5",
  );
}

/** Splits arguments at `--`; those after it are for another program. */
export function splitArguments(args: readonly string[]): [own: string[], other: string[]] {
  const at = args.indexOf("--");
  return at < 0 ? [[...args], []] : [args.slice(0, at), args.slice(at + 1)];
}

/**
 * Parses a command line by a table of flags. `--flag value` and `--flag=value` are equivalent.
 *
 * @throws {UsageError} for an unknown flag, a missing or wrong value, or a stray argument
 */
export function parseFlags<Table extends FlagTable>(
  table: Table,
  args: readonly string[],
): FlagValues<Table> {
  const { flags, words } = parseArguments(table, args);
  if (words.length > 0) throw strayArgument(table, words[0]);
  return flags;
}

/** A command line with arguments that are no flags. */
export interface ParsedArguments<Table extends FlagTable> {
  flags: FlagValues<Table>;
  /** The arguments that are neither flags nor their values. */
  words: readonly string[];
}

/**
 * Parses a command line as {@linkcode parseFlags} does, and returns the other arguments as well.
 *
 * @throws {UsageError} for an unknown flag, or a missing or wrong value
 */
export function parseArguments<Table extends FlagTable>(
  table: Table,
  args: readonly string[],
): ParsedArguments<Table> {
  const { checked, words } = checkArguments(table, args);
  const names = Object.keys(table);
  const parsed = parseArgs(checked, {
    string: names.filter((name) => table[name].placeholder !== undefined),
    boolean: names.filter((name) => table[name].placeholder === undefined),
    collect: names.filter((name) => table[name].repeatable),
  }) as unknown as Record<string, unknown>;
  const values: Record<string, unknown> = {};
  for (const [name, flag] of Object.entries(table)) {
    const value = parsed[name];
    if (Array.isArray(value)) {
      values[name] = value.flatMap((each) => flag.parse(String(each), name));
      continue;
    }
    values[name] = value === undefined || value === false
      ? flag.absent
      : flag.parse(value === true ? "" : String(value), name);
  }
  return { flags: values as FlagValues<Table>, words };
}

/** An argument that looks like the value of a flag that takes none. */
const SWITCHED = /^(0|1|true|false|yes|no|on|off)$/i;

/**
 * Separates flags and words, and refuses all other arguments. `parseArgs` alone accepts more: it
 * reads `--no-port=1` as `--port=1`, and the `false` of `--json false` as a value.
 *
 * Rewrites `--flag value` to `--flag=value`, so that a value may begin with a dash (`--output -`), and
 * short forms to long ones.
 */
function checkArguments(
  table: FlagTable,
  args: readonly string[],
): { checked: string[]; words: string[] } {
  const checked: string[] = [];
  const words: string[] = [];
  let isSwitch = false;
  for (let at = 0; at < args.length; at++) {
    const argument = longForm(table, args[at]);
    const next = args[at + 1];
    if (argument === "--") {
      if (next !== undefined) throw strayArgument(table, next);
      break;
    }
    if (!argument.startsWith("-") && argument !== "") {
      if (isSwitch && SWITCHED.test(argument)) throw strayArgument(table, argument);
      words.push(argument);
      isSwitch = false;
      continue;
    }
    if (argument === "" || argument === "-") throw strayArgument(table, argument);
    const [, name, given] = argument.match(/^--([^=]+)(=[^]*)?$/) ?? [];
    if (name === undefined || !Object.hasOwn(table, name)) throw unknownFlag(table, argument);
    const flag = table[name];
    isSwitch = flag.placeholder === undefined;
    if (isSwitch) {
      if (given) throw new UsageError(`Cannot use "${argument}": --${name} takes no value`);
      checked.push(argument);
    } else if (given) {
      if (given === "=") throw missingValue(name, flag);
      checked.push(argument);
    } else if (next !== undefined && next !== "" && !/^-[^\d.]/.test(next)) {
      // A flag is never a value; a lone dash or a negative number may be one.
      checked.push(`${argument}=${next}`);
      at++;
    } else if (flag.valueOptional && next !== "") {
      checked.push(argument);
    } else {
      throw missingValue(name, flag);
    }
  }
  return { checked, words };
}

/** The long form of a flag in its short one; all other arguments as they are. */
function longForm(table: FlagTable, argument: string): string {
  const found = Object.entries(table).find(([, { short }]) =>
    short !== undefined && argument === `-${short}`
  );
  return found === undefined ? argument : `--${found[0]}`;
}

function missingValue(name: string, flag: Flag<unknown>): UsageError {
  return new UsageError(`Cannot use --${name}: expected ${flag.placeholder} after it`);
}

function strayArgument(table: FlagTable, argument: string): UsageError {
  const [example] = Object.keys(table);
  return new UsageError(`Cannot use "${argument}": expected a flag such as --${example}`);
}

function unknownFlag(table: FlagTable, argument: string): UsageError {
  const [name] = argument.replace(/^-+/, "").split("=");
  return new UsageError(`Cannot use "${argument}": no such flag${suggestion(table, name)}`);
}

/** Suggests a flag instead of an unknown one; `""` if no flag resembles it. */
function suggestion(table: FlagTable, name: string): string {
  const positive = name.replace(/^no-/, "");
  const isNegated = positive !== name && Object.hasOwn(table, positive);
  if (isNegated && table[positive].placeholder === undefined) {
    return `, leave out --${positive} instead`;
  }
  const letter = Object.values(table).find(({ short }) =>
    short?.toLowerCase() === name.toLowerCase()
  );
  if (letter !== undefined) return `, did you mean -${letter.short}?`;
  // One or two letters are within a few letters of every short flag.
  const near = name.length > 2 ? nearest(name.toLowerCase(), Object.keys(table)) : undefined;
  return near ? `, did you mean --${near}?` : "";
}

/** Names of flags by the title of their section in the usage text. */
export type UsageGroups<Table extends FlagTable> = Record<string, readonly (keyof Table)[]>;

/** The usage text of a table: sections of flags with one or two lines each, at most 80 columns. */
export function describeFlags<Table extends FlagTable>(
  table: Table,
  groups: UsageGroups<Table>,
): string {
  return Object.entries(groups).map(([title, names]) => {
    const lines = names.map((name) => {
      const { placeholder, valueOptional, short, help } = table[name];
      const value = placeholder === undefined
        ? (short === undefined ? "" : `, -${short}`)
        : valueOptional
        ? ` [${placeholder}]`
        : ` ${placeholder}`;
      const left = `  --${String(name)}${value}`;
      return left.length < 26 ? `${left.padEnd(26)}${help}` : `${left}\n${" ".repeat(26)}${help}`;
    });
    return `${title}:\n${lines.join("\n")}\n`;
  }).join("\n");
}
