/** Stands between a program under test and the FFmpeg it starts, and tells of it. */
import { printedBy, whereIs } from "./machine.ts";
import { Output } from "./running_program.ts";

/** Options of {@linkcode witness}. */
export interface WitnessOptions {
  /** Shell commands that are run instead of the program itself. */
  instead?: string;
}

/**
 * A stand-in for a program, found first in PATH, which tells when it starts and when it ends. For
 * programs that are started once.
 */
export class Witness implements AsyncDisposable {
  /** The PATH to run with. */
  readonly path: string;
  #folder: string;
  #listener: Deno.ChildProcess;
  #heard: Output;

  constructor(folder: string) {
    this.#folder = folder;
    this.path = `${folder}:${Deno.env.get("PATH")}`;
    this.#listener = new Deno.Command("cat", {
      args: [`${folder}/told`],
      stdin: "null",
      stdout: "piped",
    }).spawn();
    this.#heard = new Output(this.#listener.stdout);
  }

  /** Waits until the program is started, and gives its process id. */
  async started(): Promise<number> {
    const [, pid] = await this.#heard.until(/^(\d+)\n/);
    return Number(pid);
  }

  /** What it has told so far: its process id, and what it wrote to descriptor 9. */
  get text(): string {
    return this.#heard.text;
  }

  /** Waits until the program has ended, however it does. */
  async ended(): Promise<void> {
    await this.#heard.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // It has ended by itself where the program was started.
    if (this.#heard.bytes.byteLength === 0) this.#listener.kill("SIGKILL");
    await this.#listener.status;
    await this.#heard.ended;
    await Deno.remove(this.#folder, { recursive: true });
  }
}

/**
 * Puts a stand-in before a program.
 *
 * @param program such as `ffmpeg`
 */
export async function witness(
  program: string,
  { instead }: WitnessOptions = {},
): Promise<Witness> {
  const folder = await Deno.makeTempDir({ prefix: "stream_witness_" });
  await printedBy("mkfifo", [`${folder}/told`]);
  const real = instead === undefined ? `exec "${whereIs(program)}" "$@"` : undefined;
  // Who only asks for the version is answered, and not told of.
  const version = `[ "$1" != -version ] || ${real ?? `{ echo "${program} version 9.0"; exit; }`}`;
  // The pipe stays open for as long as the program lives, whose end is that of the pipe.
  const lines = [version, `exec 9>"${folder}/told"`, "echo $$ >&9", instead ?? real];
  const script = ["#!/bin/sh", ...lines, ""].join("\n");
  await Deno.writeTextFile(`${folder}/${program}`, script, { mode: 0o755 });
  return new Witness(folder);
}
