import { messageOf } from "../../base/errors.ts";
import { printable } from "../../base/log.ts";
import type { Environment } from "./environment.ts";

/** One line of the menu. */
export interface MenuChoice {
  /** What the user types. */
  key: string;
  title: string;
  act: () => Promise<void>;
}

/** What the menu offers, and to whom. */
export interface MenuOptions {
  choices: readonly MenuChoice[];
  environment: Pick<Environment, "lines" | "print" | "printError">;
  signal: AbortSignal;
}

/** What ends the menu. */
const QUIT = "0";

/** Asks what to do, again and again, until the user quits or has no more to say. */
export async function runMenu({ choices, environment, signal }: MenuOptions): Promise<void> {
  const { print, printError } = environment;
  const prompt = `${
    choices.map(({ key, title }) => `${key} ${title}`).join("  ")
  }  ${QUIT} quit\n> `;
  const lines = environment.lines().getReader();
  const stop = () => void lines.cancel();
  signal.addEventListener("abort", stop);
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
    signal.removeEventListener("abort", stop);
    // Where reading failed, that has been told.
    await lines.cancel().catch(() => {});
  }
}

/** Reads a line; nohup leaves programs a standard input that none can be read from. */
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
