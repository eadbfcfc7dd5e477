/** A terminal that a test plays: what it answers, what it takes, and what is drawn on it. */
import { findPython } from "../../peers/python.ts";
import { Output, pathOf, sourceCommand } from "../programs/running_program.ts";

/** The Python that plays terminals; only Unix has what it takes. */
export const PYTHON = await findPython(["pty", "termios"]);

/** What a terminal is like. */
export interface PseudoTerminalOptions {
  /** What it says when it is asked what it is; nothing where empty. */
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
  /** All that was drawn. */
  readonly drawn: Output;
  #child: Deno.ChildProcess;
  #input: WritableStreamDefaultWriter<Uint8Array>;
  #complaints: Output;

  /** Starts the client in it. */
  constructor(
    args: readonly string[],
    { reply, columns = 80, rows = 24, env = {}, wrapper = [], path }: PseudoTerminalOptions,
  ) {
    const escaped = reply.replaceAll("\\", "\\\\").replaceAll("\x1b", "\\x1b");
    const size = [String(columns), String(rows)];
    const client = path === undefined ? sourceCommand("client") : [path];
    const command = [...wrapper, ...client, ...args];
    this.#child = new Deno.Command(PYTHON ?? "", {
      args: [pathOf("tests/peers/terminal.py"), escaped, ...size, ...command],
      env: {
        ...{ TERM: "xterm-256color", COLORTERM: "truecolor", LC_ALL: "C.UTF-8" },
        // Whoever runs the tests may want none.
        ...{ NO_COLOR: "", TMUX: "", ...env },
      },
      ...{ stdin: "piped", stdout: "piped", stderr: "piped" },
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.drawn = new Output(this.#child.stdout);
    this.#complaints = new Output(this.#child.stderr);
  }

  /** Has it do something: `keys q`, `stop`, `go`, `size 100 30`. */
  async does(what: string): Promise<void> {
    await this.#input.write(new TextEncoder().encode(`${what}\n`));
  }

  /** Waits until the client has ended, and gives its status. */
  async ended(): Promise<number> {
    const { code } = await this.#child.status;
    await Promise.all([this.drawn.ended, this.#complaints.ended]);
    if (this.#complaints.text !== "") throw new Error(this.#complaints.text);
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch (error) {
      // It has ended.
      if (!(error instanceof TypeError)) throw error;
    }
    await this.#child.status;
    await Promise.all([this.drawn.ended, this.#complaints.ended]);
    await this.#input.abort();
  }
}
