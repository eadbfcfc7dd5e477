/** A terminal that a test plays. */
import { findPython } from "../../peers/python.ts";
import { HelperProgram, type Output, pathOf, sourceCommand } from "../programs/running_program.ts";

/** The Python that plays terminals; only Unix has what it takes. */
export const PYTHON = await findPython(["pty", "termios"]);

/** Options of {@linkcode PseudoTerminal}. */
export interface PseudoTerminalOptions {
  /** The reply to a query for capabilities; none if empty. */
  reply: string;
  columns?: number;
  rows?: number;
  env?: Record<string, string>;
  /** A program, with its first arguments, that starts the client. */
  wrapper?: readonly string[];
  /** An executable to start instead of the client's source. */
  path?: string;
}

/** A client in a terminal of which every byte is seen. */
export class PseudoTerminal implements AsyncDisposable {
  #program: HelperProgram;

  /** Starts the client in it. */
  constructor(
    args: readonly string[],
    { reply, columns = 80, rows = 24, env = {}, wrapper = [], path }: PseudoTerminalOptions,
  ) {
    const escaped = reply.replaceAll("\\", "\\\\").replaceAll("\x1b", "\\x1b");
    const client = path === undefined ? sourceCommand("client") : [path];
    const terminal = [pathOf("tests/peers/terminal.py"), escaped, String(columns), String(rows)];
    this.#program = new HelperProgram(PYTHON ?? "", [...terminal, ...wrapper, ...client, ...args], {
      env: {
        ...{ TERM: "xterm-256color", COLORTERM: "truecolor", LC_ALL: "C.UTF-8" },
        // The environment of the tests may set them.
        ...{ NO_COLOR: "", TMUX: "", ...env },
      },
      stdin: "piped",
    });
  }

  /** All that was drawn. */
  get drawn(): Output {
    return this.#program.stdout;
  }

  /** Sends a command to the terminal: `keys q`, `stop`, `go`, `size 100 30`. */
  async does(what: string): Promise<void> {
    await this.#program.type(`${what}\n`);
  }

  /** Waits until the client has ended, and gives its status. */
  async ended(): Promise<number> {
    const { code } = await this.#program.ended;
    if (this.#program.stderr.text !== "") throw new Error(this.#program.stderr.text);
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program[Symbol.asyncDispose]();
  }
}
