/** Observes the FFmpeg that a program under test starts. */
import { printedBy, whereIs } from "./machine.ts";
import { Output } from "./running_program.ts";

/** Options of {@linkcode witness}. */
export interface WitnessOptions {
  /** Shell commands to run instead of the program. */
  instead?: string;
}

/**
 * A stand-in that comes first in PATH and reports when a program starts and ends. The program may be
 * started once only.
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

  /** The report so far: the process id, and what the program wrote to descriptor 9. */
  get text(): string {
    return this.#heard.text;
  }

  /** Waits until the program has ended. */
  async ended(): Promise<void> {
    await this.#heard.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // If the program was started, the listener ends by itself.
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
  // A question for the version, or for the formats, is not reported.
  const answer = real ?? `echo "${program} version 9.0"; exit`;
  const version = `case "$1 $2" in -version*|*-devices|*-demuxers) ${answer};; esac`;
  // The program holds the pipe open until it ends.
  const lines = [version, `exec 9>"${folder}/told"`, "echo $$ >&9", instead ?? real];
  const script = ["#!/bin/sh", ...lines, ""].join("\n");
  await Deno.writeTextFile(`${folder}/${program}`, script, { mode: 0o755 });
  return new Witness(folder);
}
