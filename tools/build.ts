/**
 * Makes executables that need neither Deno nor this source tree where they run:
 * `deno task build [server] [client]`.
 *
 * By `deno compile` where its runtime `denort` can be downloaded or `DENORT_BIN` names one, else as
 * self-extracting files (`stub.sh`). Both take the same arguments and have the same permissions.
 */
import { type Program, PROGRAMS } from "./build_table.ts";
import { packRuntime, type Runtime, writeSelfExtracting } from "./self_extracting.ts";

/** The two kinds of executable. */
export type Form = "compiled" | "self-extracting";

/** Options of {@linkcode Builder}. */
export interface BuilderOptions {
  /** Flags for the module graph, such as `--import-map=…`. */
  graphFlags?: readonly string[];
  /** Makes this form or fails, instead of the best that is possible. */
  form?: Form;
  /** Takes one line of progress, without its end. */
  tell?: (line: string) => void;
}

/** What the building of one program gave. */
export interface Built {
  path: string;
  /** Bytes. */
  size: number;
  form: Form;
}

/** Builds programs; what several have in common is made once. */
export class Builder {
  #graphFlags: readonly string[];
  #form: Form | undefined;
  #tell: (line: string) => void;
  #runtime: Promise<Runtime> | undefined;

  constructor({ graphFlags = [], form, tell = () => {} }: BuilderOptions = {}) {
    this.#graphFlags = graphFlags;
    this.#form = form;
    this.#tell = tell;
  }

  /**
   * Makes an executable. Until it is whole, nothing stands at its path but what stood there before.
   *
   * @throws {Error} where the program has a fault, or cannot be written
   */
  async build(program: Program): Promise<Built> {
    const name = program.output.replace(/^.*\//, "");
    const draft = { ...program, name, output: `${program.output}.${crypto.randomUUID()}.part` };
    try {
      const form = await this.#make(draft);
      const { size } = await Deno.stat(draft.output);
      await Deno.rename(draft.output, program.output);
      return { path: program.output, size, form };
    } finally {
      await removeIfThere(draft.output);
    }
  }

  async #make(program: Program & { name: string }): Promise<Form> {
    const { entry } = program;
    this.#tell(`Checking ${entry}`);
    await this.#deno("check", [entry]);
    if (this.#form !== "self-extracting") {
      this.#tell(`Compiling ${entry}`);
      const problem = await this.#compile(program);
      if (problem === undefined) return "compiled";
      // A runtime that was named, or a form that was asked for, is not silently replaced.
      if (this.#form === "compiled" || Deno.env.get("DENORT_BIN")) throw problem;
      this.#form = "self-extracting";
      this.#tell(`Making self-extracting files, as deno compile failed: ${rootCause(problem)}`);
    }
    this.#tell(`Packing ${entry}`);
    this.#runtime ??= packRuntime();
    const bundle = await this.#bundle(entry);
    await writeSelfExtracting(program, bundle, await this.#runtime);
    return "self-extracting";
  }

  /** Gives the problem where there is one. */
  async #compile({ entry, output, permissions }: Program): Promise<Error | undefined> {
    try {
      const flags = ["--no-check", "--no-prompt", "--output", output, ...permissions];
      await this.#deno("compile", [...flags, entry]);
    } catch (error) {
      if (error instanceof Error) return error;
      throw error;
    }
  }

  async #bundle(entry: string): Promise<Uint8Array<ArrayBuffer>> {
    const folder = await Deno.makeTempDir();
    try {
      const output = `${folder}/bundle.mjs`;
      await this.#deno("bundle", ["--platform", "deno", "--output", output, entry]);
      return await Deno.readFile(output);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  }

  async #deno(command: string, args: string[]): Promise<void> {
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [command, "--quiet", ...this.#graphFlags, ...args],
      env: { NO_COLOR: "1" },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).output();
    if (success) return;
    const reason = new TextDecoder().decode(stderr).replace(/\n+Stack backtrace:[^]*/, "").trim();
    throw new Error(`Cannot ${command} "${args.at(-1)}": ${reason}`);
  }
}

/** The innermost of the causes that Deno lists under an error, or its first line. */
function rootCause({ message }: Error): string {
  const causes = [...message.matchAll(/^ +\d+: (.*)$/gm)];
  return causes.at(-1)?.[1] ?? message.split("\n")[0];
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Builds what is named, all by default; gives the exit status. */
async function main(args: readonly string[]): Promise<number> {
  const tell = (line: string) => Deno.stderr.writeSync(new TextEncoder().encode(`${line}\n`));
  const graphFlags = args.filter((arg) => arg.startsWith("--"));
  const names = args.filter((arg) => !arg.startsWith("--"));
  const unknown = names.find((name) => !Object.hasOwn(PROGRAMS, name));
  if (unknown !== undefined) {
    tell(`Cannot build "${unknown}": expected ${Object.keys(PROGRAMS).join(" or ")}`);
    return 2;
  }
  const builder = new Builder({ graphFlags, tell });
  try {
    for (const name of names.length > 0 ? names : Object.keys(PROGRAMS)) {
      const { path, size, form } = await builder.build(PROGRAMS[name]);
      tell(`./${path}: ${(size / 1e6).toFixed(1)} MB, ${form}`);
    }
    return 0;
  } catch (error) {
    tell(error instanceof Error ? error.message : String(error));
    return 1;
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
