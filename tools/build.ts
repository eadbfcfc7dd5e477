/**
 * `deno task build`: makes executables that need neither Deno nor this source tree to run.
 *
 * It uses `deno compile` if its runtime `denort` can be downloaded or `DENORT_BIN` names one;
 * otherwise it makes self-extracting files (`stub.sh`). Both forms contain the program as one
 * bundled module, and have the same arguments and permissions.
 */
import { untilInterrupted } from "../lib/cli/signals.ts";
import { hostSystem, type Program, programsFor, TARGETS, v8FlagsOf } from "./build_table.ts";
import { readBuildAction } from "./build_action.ts";
import { packRuntime, type Runtime, writeSelfExtracting } from "./self_extracting.ts";

/** The two kinds of executable. */
export type Form = "compiled" | "self-extracting";

/** Options of {@linkcode Builder}. */
export interface BuilderOptions {
  /** Flags for the module graph, such as `--import-map=…`. */
  graphFlags?: readonly string[];
  /** The only form to make. @default compiled, or else self-extracting */
  form?: Form;
  /** Environment variables of `deno`, in addition to those of this process. */
  env?: Record<string, string>;
  /** Receives a line of progress, without its line end. */
  log?: (line: string) => void;
  /** Cancels the build, and removes its files. */
  signal?: AbortSignal;
}

/** The executable that was built. */
export interface Built {
  path: string;
  /** Bytes. */
  size: number;
  form: Form;
}

/** `deno` failed. */
class DenoError extends Error {
  override name = "DenoError";

  /**
   * @param action the subcommand and its object, such as `compile server.ts`
   * @param causes the causes that Deno lists, outermost first
   */
  constructor(action: string, said: string, readonly causes: readonly string[]) {
    super(`Cannot ${action}: ${causes.length > 0 ? causes.join(": ") : said}`);
  }

  /**
   * Whether `deno compile` cannot reach the host of its runtime. Responses of that host, such
   * as status 404 or 500, and invalid archives are other failures.
   */
  get isRuntimeUnreachable(): boolean {
    return this.causes.some((cause) =>
      /error sending request for url \(\S*denort-[\w-]+\.zip\)/.test(cause)
    );
  }

  /** The innermost cause. */
  get root(): string {
    return this.causes.at(-1) ?? this.message;
  }
}

/** Builds programs; shared parts are made once. */
export class Builder {
  #options: BuilderOptions;
  #form: Form | undefined;
  #runtime: Promise<Runtime> | undefined;
  /** Bundled programs by entry point. */
  #bundles = new Map<string, Uint8Array<ArrayBuffer>>();

  constructor(options: BuilderOptions = {}) {
    this.#options = options;
    this.#form = options.form;
  }

  /**
   * Makes an executable, and replaces an existing one atomically.
   *
   * @param target system to build for, by Deno's name; this one by default
   * @throws {Error} if the program has errors, or cannot be compiled or written
   */
  async build(program: Program, target?: string): Promise<Built> {
    try {
      return await this.#build(program, target);
    } catch (cause) {
      // System errors have a code, such as ENOSPC or EROFS.
      if (!(cause instanceof Error && "code" in cause && typeof cause.code === "string")) {
        throw cause;
      }
      const expected = "expected a folder that can be written to, with 300 MB free";
      throw new Error(`Cannot write "${program.output}": ${cause.message}, ${expected}`, { cause });
    }
  }

  async #build(program: Program, target: string | undefined): Promise<Built> {
    const { entry, output } = program;
    const [, folder = ".", name = output] = output.match(/^(.*)\/([^/]*)$/) ?? [];
    // `deno compile` leaves a temporary file in its output folder if it fails.
    const work = await Deno.makeTempDir({ dir: folder || "/", prefix: ".build-" });
    try {
      const module = `${work}/${entry.replace(/^.*\/|\.ts$/g, "")}.mjs`;
      const bundle = await this.#bundle(entry, module);
      const draft = { ...program, entry: module, output: `${work}/${name}` };
      const form = await this.#make(draft, { target, name, bundle });
      const { size } = await Deno.stat(draft.output);
      this.#options.signal?.throwIfAborted();
      await Deno.rename(draft.output, output);
      return { path: output, size, form };
    } finally {
      await Deno.remove(work, { recursive: true });
    }
  }

  async #make(
    draft: Program,
    { target, name, bundle }: { target?: string; name: string; bundle: Uint8Array<ArrayBuffer> },
  ): Promise<Form> {
    if (this.#form !== "self-extracting" || target !== undefined) {
      this.#log(`Compiling ${name}${target ? ` for ${target}` : ""}`);
      const problem = await this.#compile(draft, target);
      if (problem === undefined) return "compiled";
      if (!problem.isRuntimeUnreachable || this.#form === "compiled") throw problem;
      // The self-extracting form contains the Deno of this system.
      if (target !== undefined) {
        throw new Error(
          `Cannot build ${name} for ${target}: its runtime cannot be downloaded ` +
            `(${problem.root}), expected a network or DENORT_BIN with the denort of that system`,
        );
      }
      this.#form = "self-extracting";
      this.#log(
        "Making self-extracting files, because the runtime of deno compile cannot be downloaded: " +
          problem.root,
      );
    }
    this.#log(`Packing ${name}`);
    const { signal } = this.#options;
    this.#runtime ??= packRuntime({ signal });
    await writeSelfExtracting({ ...draft, name }, bundle, { runtime: await this.#runtime, signal });
    return "self-extracting";
  }

  /** Returns the error if it fails. */
  async #compile(
    program: Program,
    target: string | undefined,
  ): Promise<DenoError | undefined> {
    const { entry, output, permissions } = program;
    const flags = [
      ...v8FlagsOf(program),
      ...["--no-check", "--no-config", "--no-lock", "--no-remote", "--no-npm"],
      // The cache would be in the temporary folder, where any user can put a file.
      "--no-code-cache",
    ];
    if (target !== undefined) flags.push("--target", target);
    try {
      const args = [...flags, "--no-prompt", ...permissions, "--output", output, entry];
      await this.#deno("compile", args, output);
    } catch (error) {
      if (error instanceof DenoError) return error;
      throw error;
    }
  }

  /** Type-checks a program, and bundles it as one module. */
  async #bundle(entry: string, module: string): Promise<Uint8Array<ArrayBuffer>> {
    const known = this.#bundles.get(entry);
    if (known !== undefined) {
      await Deno.writeFile(module, known);
      return known;
    }
    const { graphFlags = [] } = this.#options;
    this.#log(`Checking ${entry.replace(/^.*\//, "")}`);
    await this.#deno("check", [...graphFlags, entry], entry);
    const args = ["--platform", "deno", ...graphFlags, "--output", module, entry];
    await this.#deno("bundle", args, entry);
    const bundle = new TextEncoder().encode(escaped(await Deno.readTextFile(module)));
    await Deno.writeFile(module, bundle);
    this.#bundles.set(entry, bundle);
    return bundle;
  }

  /** Runs a subcommand of Deno on a file. */
  async #deno(command: string, args: string[], file: string): Promise<void> {
    const { signal, env } = this.#options;
    signal?.throwIfAborted();
    const { success, signal: ended, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [command, "--quiet", ...args],
      clearEnv: true,
      env: { ...environmentOf(Deno.env.toObject()), ...env, NO_COLOR: "1" },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
      signal,
    }).output();
    signal?.throwIfAborted();
    if (success) return;
    const said = new TextDecoder().decode(stderr).replace(/\n+Stack backtrace:[^]*/, "").trim();
    const causes = readCauses(said);
    const reason = ended === null ? said : `deno was killed by ${ended} ${said}`.trim();
    throw new DenoError(`${command} ${file.replace(/^.*\//, "")}`, reason, causes);
  }

  #log(line: string): void {
    this.#options.log?.(line);
  }
}

/**
 * Escapes what is not ASCII: comments at most, since `deno bundle` escapes all else. V8 takes half the
 * memory for ASCII, and a twentieth less time to start.
 */
function escaped(code: string): string {
  return code.replace(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** The environment without the settings that Deno would store in the executables. */
function environmentOf(all: Record<string, string>): Record<string, string> {
  const kept = Object.entries(all).filter(([name]) =>
    !/^(OTEL_|DENO_UNSTABLE_|DENO_V8_)/.test(name)
  );
  return Object.fromEntries(kept);
}

/** The causes of a failure of Deno, outermost first. A single cause has no number. */
function readCauses(said: string): string[] {
  const numbered = [...said.matchAll(/^ +\d+: (.*)$/gm)].map(([, cause]) => cause);
  const [, only] = said.match(/^Caused by:\n +(.*)$/m) ?? [];
  return numbered.length > 0 || only === undefined ? numbered : [only];
}

/** Builds the programs on the command line; returns the exit status. */
async function main(args: readonly string[], signal: AbortSignal): Promise<number> {
  const log = (line: string) => void Deno.stderr.writeSync(new TextEncoder().encode(`${line}\n`));
  const action = readBuildAction(args, { hasRuntime: Deno.env.get("DENORT_BIN") !== undefined });
  if (action.kind === "print") {
    await Deno.stdout.write(new TextEncoder().encode(action.text));
    return 0;
  }
  if (action.kind === "wrong") {
    log(`${action.message}; see deno task build --help`);
    return 2;
  }
  const { graphFlags, names, targets } = action;
  const builder = new Builder({ graphFlags, log, signal });
  const make = async (program: Program, target?: string) => {
    const { path, size, form } = await builder.build(program, target);
    log(`${path.includes("/") ? path : `./${path}`}: ${(size / 1e6).toFixed(1)} MB, ${form}`);
  };
  try {
    if (targets.length === 0) {
      const programs = programsFor(hostSystem());
      for (const name of names) await make(programs[name]);
      return 0;
    }
    await makeFolder("dist");
    for (const target of targets) {
      const programs = programsFor(TARGETS[target]);
      for (const name of names) {
        const program = programs[name];
        const [base, suffix = ""] = program.output.split(/(?=\.exe$)/);
        await make({ ...program, output: `dist/${base}-${target}${suffix}` }, target);
      }
    }
    return 0;
  } catch (error) {
    if (!signal.aborted) log(error instanceof Error ? error.message : String(error));
    return 1;
  }
}

async function makeFolder(path: string): Promise<void> {
  try {
    await Deno.mkdir(path, { recursive: true });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`Cannot make "${path}": ${reason}, expected a folder or nothing there`, {
      cause,
    });
  }
}

if (import.meta.main) {
  using interrupt = untilInterrupted();
  const status = await main(Deno.args, interrupt.signal);
  Deno.exit(interrupt.signal.aborted ? await interrupt.status : status);
}
