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
export function toggle(help: string): Flag<boolean> {
  return { help, absent: false, parse: () => true };
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

/**
 * Parses a flag's value as a number.
 *
 * @throws {UsageError} if it is not a number or out of bounds
 */
export function toNumber(value: string, name: string, bounds: NumberBounds): number {
  const { min, max, integer = false } = bounds;
  const found = /^-?(\d+\.?\d*|\.\d+)$/.test(value) ? Number(value) : NaN;
  if (found >= min && found <= max && (!integer || Number.isInteger(found))) return found;
  const kind = integer ? "a whole number" : "a number";
  const range = max === Infinity ? `of at least ${min}` : `from ${min} to ${max}`;
  throw new UsageError(`Cannot use --${name} "${value}": expected ${kind} ${range}`);
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
  const names = Object.keys(table);
  const parsed = parseArgs(checkArguments(table, args), {
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
  return values as FlagValues<Table>;
}

/**
 * Refuses every argument that is neither a flag of the table nor the value of one. `parseArgs` alone
 * accepts more: it reads `--no-port=1` as `--port=1`, and the `false` of `--json false` as a value.
 *
 * Rewrites `--flag value` to `--flag=value`, so that a value may begin with a dash (`--output -`).
 */
function checkArguments(table: FlagTable, args: readonly string[]): string[] {
  const checked: string[] = [];
  for (let at = 0; at < args.length; at++) {
    const argument = args[at];
    const next = args[at + 1];
    if (argument === "--") {
      if (next !== undefined) throw strayArgument(table, next);
      break;
    }
    if (!/^-./s.test(argument)) throw strayArgument(table, argument);
    const [, name, given] = argument.match(/^--([^=]+)(=[^]*)?$/) ?? [];
    if (name === undefined || !Object.hasOwn(table, name)) throw unknownFlag(table, argument);
    const flag = table[name];
    if (flag.placeholder === undefined) {
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
  return checked;
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
      const { placeholder, valueOptional, help } = table[name];
      const value = placeholder === undefined
        ? ""
        : valueOptional
        ? ` [${placeholder}]`
        : ` ${placeholder}`;
      const left = `  --${String(name)}${value}`;
      return left.length < 26 ? `${left.padEnd(26)}${help}` : `${left}\n${" ".repeat(26)}${help}`;
    });
    return `${title}:\n${lines.join("\n")}\n`;
  }).join("\n");
}
