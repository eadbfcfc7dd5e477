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

/** Names of what choices would show, by their titles. */
export type MenuNames = ReadonlyMap<string, string>;

/** Options of {@linkcode runMenu}. */
export interface MenuOptions {
  choices: readonly MenuChoice[];
  environment: Pick<Environment, "lines" | "print" | "printError">;
  /** Gives names to show beside the choices, before each prompt. @default none */
  shown?: () => Promise<MenuNames>;
  /** Called with text that selects no choice. @default it is refused */
  onName?: (name: string) => Promise<void>;
  signal: AbortSignal;
}

const QUIT = "0";

/** Words that end the menu as well. */
const QUIT_WORDS = ["q", "quit", "exit"];

/** Asks what to do, until the user quits, the input ends or the signal fires. */
export async function runMenu(options: MenuOptions): Promise<void> {
  const { choices, environment, onName, signal } = options;
  const { print, printError } = environment;
  const complain = (error: unknown) => {
    if (error !== signal.reason) printError(`${printable(messageOf(error))}\n`);
  };
  const lines = environment.lines().getReader();
  using _stop = onAbort(signal, () => void lines.cancel());
  try {
    let complaint = complain;
    while (!signal.aborted) {
      print(await promptOf(options, complaint));
      // A server that is gone is reported once, and by each choice that fails.
      complaint = () => {};
      const { value: line, done } = await read(lines);
      const text = line?.trim() ?? "";
      if (done || text === QUIT || QUIT_WORDS.includes(text)) return;
      const choice = choices.find(({ key }) => key === text);
      if (choice === undefined && (text === "" || onName === undefined)) {
        const keys = [...choices.map(({ key }) => key), QUIT];
        const expected = onName === undefined
          ? `${keys.slice(0, -1).join(", ")} or ${QUIT}`
          : `${keys.join(", ")} or a name`;
        printError(`Cannot do "${printable(text)}": expected ${expected}\n`);
        continue;
      }
      try {
        await (choice === undefined ? onName?.(text) : choice.act());
      } catch (error) {
        complain(error);
      }
    }
  } finally {
    // Rejects with the error that read() has thrown.
    await lines.cancel().catch(() => {});
  }
}

/** The choices, one a line, and what may be typed. */
async function promptOf(
  { choices, shown, onName }: MenuOptions,
  complain: (error: unknown) => void,
): Promise<string> {
  let names: MenuNames = new Map();
  try {
    names = await shown?.() ?? names;
  } catch (error) {
    complain(error);
  }
  const lines = choices.map(({ key, title }) => {
    const name = names.get(title);
    return `${key}) ${title}${name === undefined ? "" : ` (${printable(name)})`}`;
  });
  const input = onName === undefined ? "Number" : "Number or name";
  return `${lines.join("\n")}\n${QUIT}) quit\n${input}> `;
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
