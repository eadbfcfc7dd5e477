/** Runs the client in the tests' own process, with a made-up environment. */
import { runClient, statusOf } from "../../../lib/client/run.ts";
import type { Environment } from "../../../lib/client/terminal/environment.ts";
import { MONOTONIC_CLOCK } from "../../../lib/base/clock.ts";
import { messageOf } from "../../../lib/base/errors.ts";
import { printable } from "../../../lib/base/log.ts";
import { installedFfmpeg } from "./machine.ts";
import { withoutSlowness } from "./running_program.ts";
import type { TestServer } from "../peers/test_server.ts";

/** Options of {@linkcode runInside}. By default there is no screen and no terminal. */
export interface InsideOptions {
  /** Lines that the user types. */
  typed?: readonly string[];
  environment?: Partial<Environment>;
  signal?: AbortSignal;
  forced?: AbortSignal;
}

/** How a run ended. */
export interface Outcome {
  /** Exit status; 130 if a signal ended the run. */
  status: number;
  /** Text that was printed to standard output; `bytes` is what was written. */
  stdout: string;
  stderr: string;
  bytes: Uint8Array<ArrayBuffer>;
}

/** Runs the client with a command line. Errors are printed as `client.ts` prints them. */
export async function runInside(
  args: readonly string[],
  { typed = [], environment = {}, signal, forced }: InsideOptions = {},
): Promise<Outcome> {
  const never = new AbortController().signal;
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  const outcome = { status: 0, stdout: "", stderr: "" };
  const found: Environment = {
    stdout: new WritableStream({ write: (chunk) => void chunks.push(chunk.slice()) }),
    print: (text) => void (outcome.stdout += text),
    printError: (text) => void (outcome.stderr += text),
    draw: (text) => Promise.resolve(found.print(text)),
    lines: () => ReadableStream.from(typed),
    keyboard: () => Promise.resolve(undefined),
    variable: (name) => name === "COLORTERM" ? "truecolor" : undefined,
    clock: MONOTONIC_CLOCK,
    token: () => undefined,
    terminalSettings: () => undefined,
    passesSixel: () => Promise.resolve(true),
    stdinIsTerminal: false,
    stdoutIsTerminal: false,
    stderrIsTerminal: false,
    screen: undefined,
    terminalSize: () => ({ columns: 80, rows: 24 }),
    ...environment,
  };
  const ffmpeg = installedFfmpeg();
  const around = { environment: found, signal: signal ?? never, forced: forced ?? never, ffmpeg };
  try {
    outcome.status = await runClient(args, around) ? 0 : 130;
  } catch (error) {
    outcome.status = statusOf(error);
    outcome.stderr += `${printable(messageOf(error))}\n`;
  }
  // It is read in advance, and no test may leave that to the next one.
  await Promise.allSettled([ffmpeg.version("ffmpeg")]);
  const stderr = withoutSlowness(outcome.stderr);
  return { ...outcome, stderr, bytes: await new Blob(chunks).bytes() };
}

/** The flags that name a server of the tests. */
export function at(server: Pick<TestServer, "address">): string[] {
  return ["--host", server.address.hostname, "--port", String(server.address.port)];
}
