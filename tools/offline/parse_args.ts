/** One or several names of flags. */
type Names<Name extends string> = Name | readonly Name[];

/** Options of {@linkcode parseArgs}. */
export interface ParseOptions<
  Booleans extends string = string,
  Strings extends string = string,
  Collected extends string = string,
  Defaults extends Record<string, unknown> = Record<string, unknown>,
> {
  /** Puts arguments after `--` into `"--"` of the result instead of `_`. */
  "--"?: boolean;
  /** Other names of a flag. */
  alias?: Record<string, string | readonly string[]>;
  /** Flags without a value; `true` means all long flags. */
  boolean?: boolean | Names<Booleans>;
  /** Values of absent flags. */
  default?: Defaults;
  /** Stops parsing at the first argument that is not a flag. */
  stopEarly?: boolean;
  /** Flags whose value is text. */
  string?: Names<Strings>;
  /** Flags whose values are collected in an array. */
  collect?: Names<Collected>;
  /** Flags that `--no-…` sets to false. */
  negatable?: Names<string>;
  /** Called for each argument that is not declared; `false` drops it. */
  unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

/** Result of {@linkcode parseArgs}: values by flag, and all other arguments under `_`. */
export type Args<Values = Record<string, unknown>> = Values & {
  [name: string]: unknown;
  _: (string | number)[];
  "--"?: string[];
};

/** Value of a flag by its name: required if it has a default, an array if collected. */
type ArgValues<
  Booleans extends string,
  Strings extends string,
  Collected extends string,
  Defaults extends Record<string, unknown>,
> = string extends Booleans | Strings | Collected ? Record<string, unknown>
  :
    & { [Name in Booleans]: Name extends Collected ? boolean[] : boolean }
    & { [Name in Strings & Collected]: string[] }
    & { [Name in Exclude<Strings, Collected> & keyof Defaults]: string | Defaults[Name] }
    & { [Name in Exclude<Strings, Collected | keyof Defaults>]?: string }
    & { [Name in Exclude<Collected, Booleans | Strings>]: unknown[] };

type Value = string | number | boolean;

/** The flags that were declared, each under all of its names. */
interface Declared {
  aliases: Map<string, Set<string>>;
  booleans: Set<string>;
  strings: Set<string>;
  collected: Set<string>;
  negatable: Set<string>;
  allBooleans: boolean;
}

/**
 * Parses command-line arguments: `--name value`, `--name=value`, `--flag`, `-abc`, `-n5`.
 *
 * Values that look like numbers become numbers, except those of `string` flags. A value that begins
 * with a dash must be joined with `=`. Other arguments, and all after `--`, go to `_`.
 *
 * Stands in for the function of the same name in `@std/cli` 1.0.32.
 */
export function parseArgs<
  const Booleans extends string = never,
  const Strings extends string = never,
  const Collected extends string = never,
  Defaults extends Record<string, unknown> = Record<never, never>,
>(
  args: readonly string[],
  options: ParseOptions<Booleans, Strings, Collected, Defaults> = {},
): Args<ArgValues<Booleans, Strings, Collected, Defaults>> {
  const parser = new Parser(options as ParseOptions);
  return parser.parse(args) as Args<ArgValues<Booleans, Strings, Collected, Defaults>>;
}

class Parser {
  #options: ParseOptions;
  #declared: Declared;
  #result: Args = { _: [] };

  constructor(options: ParseOptions) {
    this.#options = options;
    this.#declared = declare(options);
  }

  parse(args: readonly string[]): Args {
    const end = args.indexOf("--");
    const rest = end < 0 ? [] : args.slice(end + 1);
    const flags = end < 0 ? args : args.slice(0, end);
    for (let at = 0; at < flags.length;) {
      if (/^-./s.test(flags[at])) {
        const following = flags.slice(at, at + 2);
        at += flags[at].startsWith("--") ? this.#long(following) : this.#short(following);
        continue;
      }
      if (this.#options.unknown?.(flags[at]) !== false) this.#result._.push(this.#loose(flags[at]));
      at++;
      if (this.#options.stopEarly) {
        this.#result._.push(...flags.slice(at));
        break;
      }
    }
    this.#fillIn();
    if (this.#options["--"]) this.#result["--"] = rest;
    else this.#result._.push(...rest);
    return this.#result;
  }

  /** Parses a long flag; returns the number of arguments used. */
  #long([arg, next]: string[]): number {
    const { booleans, strings, negatable } = this.#declared;
    const negated = /^--no-./s.test(arg);
    const start = negated ? 5 : 2;
    // A name has at least one character: in "--=" it is the "=".
    const end = arg.indexOf("=", start + 1);
    if (end >= 0) {
      // As in the original, the "no-" of a flag with a value is dropped.
      const key = arg.slice(start, end);
      const value = arg.slice(end + 1);
      this.#set(key, booleans.has(key) ? value !== "false" : value, { arg });
      return 1;
    }
    const given = arg.slice(2);
    if (negated && negatable.has(given.slice(3))) {
      this.#set(given.slice(3), false, { arg, replace: true });
      return 1;
    }
    if (next && this.#takesValue(given) && !this.#declared.allBooleans && !next.startsWith("-")) {
      this.#set(given, next, { arg });
      return 2;
    }
    return this.#bare(given, { arg, next, empty: strings.has(given) });
  }

  /** Parses a group of one-letter flags; returns the number of arguments used. */
  #short([arg, next]: string[]): number {
    const { strings } = this.#declared;
    for (let at = 1; at < arg.length - 1; at++) {
      const letter = arg[at];
      const rest = arg.slice(at + 1);
      if (rest === "-") {
        this.#set(letter, rest, { arg });
        continue;
      }
      if (rest === "=") {
        this.#set(letter, "", { arg });
        return 1;
      }
      const joined = attached(letter, rest);
      if (joined !== undefined) {
        this.#set(letter, joined, { arg });
        return 1;
      }
      this.#set(letter, strings.has(letter) ? "" : true, { arg });
    }
    const key = arg[arg.length - 1];
    if (key === "-") return 1;
    if (next && this.#takesValue(key) && !/^--?[^-]/.test(next)) {
      this.#set(key, next, { arg });
      return 2;
    }
    return this.#bare(key, { arg, next, empty: strings.has(key) });
  }

  /** Parses a flag without a value or before `true` or `false`. */
  #bare(key: string, { arg, next, empty }: { arg: string; next?: string; empty: boolean }): number {
    if (next === "true" || next === "false") {
      this.#set(key, next === "true", { arg });
      return 2;
    }
    this.#set(key, empty ? "" : true, { arg });
    return 1;
  }

  #takesValue(key: string): boolean {
    const { aliases, booleans } = this.#declared;
    return !booleans.has(key) && ![...aliases.get(key) ?? []].some((name) => booleans.has(name));
  }

  #loose(arg: string): string | number {
    return this.#declared.strings.has("_") || !isNumber(arg) ? arg : Number(arg);
  }

  #set(key: string, given: Value, { arg, replace = false }: { arg: string; replace?: boolean }) {
    const { aliases, booleans, strings, collected, allBooleans } = this.#declared;
    const known = booleans.has(key) || strings.has(key) || aliases.has(key) ||
      collected.has(key) ||
      (allBooleans && /^--[^=]+$/.test(arg));
    if (!known && this.#options.unknown?.(arg, key, given) === false) return;
    const value = typeof given === "string" && !strings.has(key) && isNumber(given)
      ? Number(given)
      : given;
    const collect = !replace && collected.has(key);
    for (const name of [key, ...aliases.get(key) ?? []]) {
      setNested(this.#result, name.split("."), { value, collect });
    }
  }

  /** Sets default values of absent flags. */
  #fillIn(): void {
    const { aliases, booleans, strings, collected } = this.#declared;
    const isAbsent = (name: string) => !hasNested(this.#result, name.split("."));
    const fill = (name: string, value: unknown) =>
      setNested(this.#result, name.split("."), { value, collect: false });
    for (const [name, value] of Object.entries(this.#options.default ?? {})) {
      if (!isAbsent(name)) continue;
      for (const one of [name, ...aliases.get(name) ?? []]) fill(one, value);
    }
    for (const name of booleans) if (isAbsent(name)) fill(name, collected.has(name) ? [] : false);
    for (const name of strings) if (isAbsent(name) && collected.has(name)) fill(name, []);
  }
}

/** The value directly after a letter, as in `-n5`, `-n=5` or `-n./x`. */
function attached(letter: string, rest: string): string | undefined {
  if (/[A-Za-z]/.test(letter)) {
    const [, value] = rest.match(/=(.+)/) ?? [];
    if (value !== undefined) return value;
    if (/-?\d+(\.\d*)?(e-?\d+)?$/.test(rest)) return rest;
  }
  // The last letter of a group is excluded: its value may be the next argument.
  return rest.length > 1 && /\W/.test(rest[0]) ? rest : undefined;
}

function declare(options: ParseOptions): Declared {
  const aliases = new Map<string, Set<string>>();
  for (const [name, given] of Object.entries(options.alias ?? {})) {
    if (given === undefined) throw new TypeError("Alias value must be defined");
    const others = typeof given === "string" ? [given] : given;
    aliases.set(name, new Set(others));
    for (const other of others) {
      aliases.set(other, new Set([name, ...others.filter((one) => one !== other)]));
    }
  }
  const withAliases = (given: boolean | Names<string> | undefined) => {
    const names = typeof given === "string" ? [given] : Array.isArray(given) ? given : [];
    return new Set(
      names.filter((name) => name !== "").flatMap((name) => [name, ...aliases.get(name) ?? []]),
    );
  };
  return {
    aliases,
    booleans: withAliases(options.boolean),
    strings: withAliases(options.string),
    collected: withAliases(options.collect),
    negatable: withAliases(options.negatable),
    allBooleans: options.boolean === true,
  };
}

function isNumber(text: string): boolean {
  return /\S/.test(text) && Number.isFinite(Number(text));
}

type Nested = Record<string, unknown>;

function setNested(
  object: Nested,
  keys: string[],
  { value, collect }: { value: unknown; collect: boolean },
): void {
  let holder = object;
  for (const key of keys.slice(0, -1)) {
    if (isReserved(holder, key)) return;
    holder = (holder[key] ??= {}) as Nested;
  }
  const key = keys[keys.length - 1];
  if (isReserved(holder, key)) return;
  const present = holder[key];
  if (!collect) holder[key] = value;
  else if (Array.isArray(present)) present.push(value);
  else holder[key] = present ? [present, value] : [value];
}

/** Whether setting a key would reach the prototype of an object. */
function isReserved(holder: Nested, key: string): boolean {
  return key === "__proto__" || (key === "constructor" && typeof holder[key] === "function");
}

function hasNested(object: Nested, keys: string[]): boolean {
  let holder = object;
  for (const key of keys) {
    if (!Object.hasOwn(holder, key)) return false;
    holder = holder[key] as Nested;
  }
  return true;
}
