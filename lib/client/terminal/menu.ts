/** The menu that a start without a request shows. */
import { onAbort } from "../../base/async.ts";
import { messageOf } from "../../base/errors.ts";
import { printable } from "../../base/log.ts";
import type { Environment } from "./environment.ts";

/** One choice of the menu. */
export interface MenuChoice {
  /** The text that selects it. */
  key: string;
  title: string;
  act: () => Promise<void>;
}

/** Options of {@linkcode runMenu}. */
export interface MenuOptions {
  choices: readonly MenuChoice[];
  environment: Pick<Environment, "lines" | "print" | "printError">;
  signal: AbortSignal;
}

const QUIT = "0";

/** Asks what to do, until the user quits, the input ends or the signal fires. */
export async function runMenu({ choices, environment, signal }: MenuOptions): Promise<void> {
  const { print, printError } = environment;
  const prompt = `${
    choices.map(({ key, title }) => `${key} ${title}`).join("  ")
  }  ${QUIT} quit\n> `;
  const lines = environment.lines().getReader();
  using _stop = onAbort(signal, () => void lines.cancel());
  try {
    while (!signal.aborted) {
      print(prompt);
      const { value: line, done } = await read(lines);
      if (done || line.trim() === QUIT) return;
      const choice = choices.find(({ key }) => key === line.trim());
      if (choice === undefined) {
        const keys = choices.map(({ key }) => key).join(", ");
        printError(`Cannot do "${printable(line.trim())}": expected ${keys} or ${QUIT}\n`);
        continue;
      }
      try {
        await choice.act();
      } catch (error) {
        if (error !== signal.reason) printError(`${printable(messageOf(error))}\n`);
      }
    }
  } finally {
    // Rejects with the error that read() has thrown.
    await lines.cancel().catch(() => {});
  }
}

/** Reads a line. Under nohup, standard input may be unreadable. */
async function read(
  lines: ReadableStreamDefaultReader<string>,
): Promise<ReadableStreamReadResult<string>> {
  try {
    return await lines.read();
  } catch (cause) {
    const message = `Cannot read from standard input what to do: ${messageOf(cause)}, ` +
      "expected a terminal, or --image, --video or --list";
    throw new Error(message, { cause });
  }
}
