/**
 * Makes executables that need neither Deno nor this source tree where they run: `deno task build`.
 *
 * By `deno compile` if its runtime `denort` can be downloaded or `DENORT_BIN` names one, else as
 * self-extracting files (`stub.sh`). Both forms hold the program as one bundled module, take the
 * same arguments and have the same permissions.
 */
import { untilInterrupted } from "../lib/core/interrupt.ts";
import { hostSystem, type Program, programsFor, TARGETS } from "./build_table.ts";
import { readOrders } from "./build_orders.ts";
import { packRuntime, type Runtime, writeSelfExtracting } from "./self_extracting.ts";

/** The two kinds of executable. */
export type Form = "compiled" | "self-extracting";

/** Options of {@linkcode Builder}. */
export interface BuilderOptions {
  /** Flags for the module graph, such as `--import-map=…`. */
  graphFlags?: readonly string[];
  /** Makes this form or fails, instead of the best that is possible. */
  form?: Form;
  /** Environment of `deno`, besides that of this process. */
  env?: Record<string, string>;
  /** Takes one line of progress, without its end. */
  tell?: (line: string) => void;
  /** Ends the build, and removes what it has written so far. */
  signal?: AbortSignal;
}

/** The executable that was built. */
export interface Built {
  path: string;
  /** Bytes. */
  size: number;
  form: Form;
}

/** A `deno` that has failed. */
class DenoError extends Error {
  override name = "DenoError";

  /**
   * @param action the subcommand and its object, such as `compile server.ts`
   * @param causes the causes that Deno lists, outermost first
   */
  constructor(action: string, said: string, readonly causes: readonly string[]) {
    super(`Cannot ${action}: ${causes.length > 0 ? causes.join(": ") : said}`);
  }

  /** Whether `deno compile` cannot download its runtime: it names the archive then. */
  get isRuntimeUnreachable(): boolean {
    return this.causes.some((cause) => /denort-[\w-]+\.zip/.test(cause));
  }

  /** The innermost cause. */
  get root(): string {
    return this.causes.at(-1) ?? this.message;
  }
}

/** Builds programs; parts that several have in common are made once. */
export class Builder {
  #options: BuilderOptions;
  #form: Form | undefined;
  #runtime: Promise<Runtime> | undefined;
  /** Each program as one module, by its entry. */
  #bundles = new Map<string, Promise<Uint8Array<ArrayBuffer>>>();

  constructor(options: BuilderOptions = {}) {
    this.#options = options;
    this.#form = options.form;
  }

  /**
   * Makes an executable. Until it is whole, its path keeps what stood there before.
   *
   * @param target Deno's name of the system to build for; default: this one
   * @throws {Error} if the program has a fault, cannot be compiled, or cannot be written
   */
  async build(program: Program, target?: string): Promise<Built> {
    const { entry, output } = program;
    const [, folder = ".", name = output] = output.match(/^(.*)\/([^/]*)$/) ?? [];
    const bundle = await this.#bundle(entry);
    // `deno compile` leaves a draft beside its output if it fails. Here it goes with the folder.
    const work = await Deno.makeTempDir({ dir: folder || "/", prefix: ".build-" });
    try {
      const module = `${work}/${entry.replace(/^.*\/|\.ts$/g, "")}.mjs`;
      await Deno.writeFile(module, bundle);
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
    if (this.#form !== "self-extracting") {
      this.#tell(`Compiling ${name}${target ? ` for ${target}` : ""}`);
      const problem = await this.#compile(draft, target);
      if (problem === undefined) return "compiled";
      if (!problem.isRuntimeUnreachable || this.#form === "compiled") throw problem;
      if (target !== undefined && target !== Deno.build.target) {
        throw new Error(
          `Cannot build ${name} for ${target}: its runtime cannot be downloaded ` +
            `(${problem.root}); set DENORT_BIN to the denort of that system`,
        );
      }
      this.#form = "self-extracting";
      this.#tell(
        "Making self-extracting files, as the runtime of deno compile cannot be downloaded: " +
          problem.root,
      );
    }
    this.#tell(`Packing ${name}`);
    this.#runtime ??= packRuntime();
    await writeSelfExtracting({ ...draft, name }, bundle, await this.#runtime);
    return "self-extracting";
  }

  /** Gives the problem if there is one. */
  async #compile(
    { entry, output, permissions }: Program,
    target: string | undefined,
  ): Promise<DenoError | undefined> {
    const flags = ["--no-check", "--no-config", "--no-lock", "--no-remote", "--no-npm"];
    if (target !== undefined) flags.push("--target", target);
    try {
      const args = [...flags, "--no-prompt", ...permissions, "--output", output, entry];
      await this.#deno("compile", args, output);
    } catch (error) {
      if (error instanceof DenoError) return error;
      throw error;
    }
  }

  /** Checks a program, and gives it as one module. */
  #bundle(entry: string): Promise<Uint8Array<ArrayBuffer>> {
    const known = this.#bundles.get(entry);
    if (known !== undefined) return known;
    const made = this.#makeBundle(entry);
    this.#bundles.set(entry, made);
    return made;
  }

  async #makeBundle(entry: string): Promise<Uint8Array<ArrayBuffer>> {
    const { graphFlags = [] } = this.#options;
    this.#tell(`Checking ${entry.replace(/^.*\//, "")}`);
    await this.#deno("check", [...graphFlags, entry], entry);
    const folder = await Deno.makeTempDir();
    try {
      const output = `${folder}/bundle.mjs`;
      const args = ["--platform", "deno", ...graphFlags, "--output", output, entry];
      await this.#deno("bundle", args, entry);
      return await Deno.readFile(output);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  }

  /** Runs a subcommand of Deno on a file. */
  async #deno(command: string, args: string[], file: string): Promise<void> {
    const { signal, env } = this.#options;
    signal?.throwIfAborted();
    const { success, signal: ended, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [command, "--quiet", ...args],
      env: { ...env, NO_COLOR: "1" },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
      signal,
    }).output();
    signal?.throwIfAborted();
    if (success) return;
    const said = new TextDecoder().decode(stderr).replace(/\n+Stack backtrace:[^]*/, "").trim();
    const causes = [...said.matchAll(/^ +\d+: (.*)$/gm)].map(([, cause]) => cause);
    const reason = ended === null ? said : `deno was ended by ${ended} ${said}`.trim();
    throw new DenoError(`${command} ${file.replace(/^.*\//, "")}`, reason, causes);
  }

  #tell(line: string): void {
    this.#options.tell?.(line);
  }
}

/** Builds what the command line names; gives the exit status. */
async function main(args: readonly string[], signal: AbortSignal): Promise<number> {
  const tell = (line: string) => void Deno.stderr.writeSync(new TextEncoder().encode(`${line}\n`));
  const orders = readOrders(args);
  if (orders.kind === "print") {
    await Deno.stdout.write(new TextEncoder().encode(orders.text));
    return 0;
  }
  if (orders.kind === "wrong") {
    tell(`${orders.message}; see deno task build --help`);
    return 2;
  }
  const { graphFlags, names, targets } = orders;
  const builder = new Builder({ graphFlags, tell, signal });
  const make = async (program: Program, target?: string) => {
    const { path, size, form } = await builder.build(program, target);
    tell(`${path.includes("/") ? path : `./${path}`}: ${(size / 1e6).toFixed(1)} MB, ${form}`);
  };
  try {
    if (targets.length === 0) {
      const programs = programsFor(hostSystem());
      for (const name of names) await make(programs[name]);
      return 0;
    }
    await Deno.mkdir("dist", { recursive: true });
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
    if (!signal.aborted) tell(error instanceof Error ? error.message : String(error));
    return 1;
  }
}

if (import.meta.main) {
  using interrupt = untilInterrupted();
  const status = await main(Deno.args, interrupt.signal);
  Deno.exit(interrupt.signal.aborted ? await interrupt.status : status);
}
