/** A real terminal by tmux, whose screen can be read. */
import { printedBy, textOf } from "../programs/machine.ts";
import { sourceCommand } from "../programs/running_program.ts";
import { PATIENCE } from "../time/patience.ts";

/** A character and its colours: red, green, blue, or the number of one of 256. */
export interface Cell {
  character: string;
  foreground?: number[];
  background?: number[];
}

/** A terminal of 80 columns and 12 rows with a client in it. */
export class Terminal implements AsyncDisposable {
  #name: string;
  #folder: string;

  private constructor(name: string, folder: string) {
    this.#name = name;
    this.#folder = folder;
  }

  /** Opens a terminal, prints a line in it, and starts the client. */
  static async start(args: readonly string[], env: Record<string, string> = {}): Promise<Terminal> {
    const folder = await Deno.makeTempDir({ prefix: "stream_tmux_" });
    const terminal = new Terminal(`stream-${crypto.randomUUID()}`, folder);
    // Terminals set this; tmux does not.
    const variables = Object.entries({ COLORTERM: "truecolor", ...env }).map(([name, value]) =>
      `export ${name}=${quote(value)}`
    );
    const script = [
      // The environment of the tests may set it.
      "unset NO_COLOR",
      ...["stty -echoctl", "trap : INT", "echo before", ...variables],
      `sh -c 'echo $$ > "$0"; exec "$@"' ${quote(`${folder}/pid`)} ` +
      [...sourceCommand("client"), ...args].map(quote).join(" "),
      // A key that comes too late for the client must not end the shell.
      'status=$?; trap "" INT; echo "status $status"',
      `tmux -L ${terminal.#name} wait-for -S over`,
      "exec cat",
    ];
    await Deno.writeTextFile(`${folder}/script`, script.join("\n"));
    const size = ["-x", "80", "-y", "12"];
    const shell = ["sh", `${folder}/script`];
    await terminal.#tmux("-f", "/dev/null", "new-session", "-d", ...size, ...shell);
    return terminal;
  }

  /** Waits until the client has ended. */
  async over(): Promise<void> {
    await this.#tmux("wait-for", "over");
  }

  /** Presses a key, by tmux's name: `C-c`. */
  async press(key: string): Promise<void> {
    await this.#tmux("send-keys", key);
  }

  /** Types something, as it is. */
  async type(text: string): Promise<void> {
    await this.#tmux("send-keys", "-l", text);
  }

  /** Gives the window another size. */
  async resize(columns: number, rows: number): Promise<void> {
    await this.#tmux("resize-window", "-x", String(columns), "-y", String(rows));
  }

  /** Sends the client a signal. */
  async signal(name: Deno.Signal): Promise<void> {
    Deno.kill(Number(await Deno.readTextFile(`${this.#folder}/pid`)), name);
  }

  /** Whether input is echoed, and read by whole lines. */
  async settings(): Promise<{ echo: boolean; lines: boolean }> {
    const settings = (await this.set("-a")).split(/[\s;]+/);
    return { echo: settings.includes("echo"), lines: settings.includes("icanon") };
  }

  /** Sets the terminal, as `stty` does it, and gives what that prints. */
  async set(setting: string): Promise<string> {
    const tty = (await this.#tmux("display-message", "-p", "#{pane_tty}")).trim();
    return (await textOf("stty", ["-F", tty, setting])).stdout;
  }

  /** The text on the screen, without empty lines at the end. */
  async text(): Promise<string> {
    return (await this.#tmux("capture-pane", "-p")).trimEnd();
  }

  /** Waits until the text on the screen matches. */
  async until(pattern: RegExp): Promise<void> {
    const limit = AbortSignal.timeout(PATIENCE);
    while (!pattern.test(await this.text())) {
      if (limit.aborted) throw new Error(`Cannot find ${pattern} in "${await this.text()}"`);
    }
  }

  /** Waits until the cells on the screen fit. */
  async untilCells(isRight: (cells: Cell[][]) => boolean): Promise<Cell[][]> {
    const limit = AbortSignal.timeout(PATIENCE);
    while (true) {
      const cells = await this.cells();
      if (isRight(cells)) return cells;
      if (limit.aborted) throw new Error(`Cannot find it in "${await this.text()}"`);
    }
  }

  /** The cells on the screen, row by row. */
  async cells(): Promise<Cell[][]> {
    const text = await this.#tmux("capture-pane", "-p", "-e");
    let style: Omit<Cell, "character"> = {};
    return text.split("\n").map((line) => {
      const row: Cell[] = [];
      // Between two escapes there is a style, then text.
      for (const [index, part] of line.split("\x1b[").entries()) {
        const [, codes, rest] = index === 0 ? ["", "", part] : part.match(/^([\d;]*)m(.*)$/) ?? [];
        if (index > 0) style = restyled(style, codes ?? "");
        for (const character of rest ?? "") row.push({ character, ...style });
      }
      return row;
    });
  }

  /** Whether the alternate screen is on, and the cursor visible. */
  async state(): Promise<{ drawing: boolean; cursor: boolean }> {
    const text = await this.#tmux("display-message", "-p", "#{alternate_on} #{cursor_flag}");
    const [drawing, cursor] = text.trim().split(" ").map((flag) => flag === "1");
    return { drawing, cursor };
  }

  /** Waits for a {@linkcode state}. */
  async untilState(wanted: { drawing: boolean; cursor: boolean }): Promise<void> {
    await until(() => this.state(), wanted);
  }

  /** Waits for {@linkcode settings}. */
  async untilSettings(wanted: { echo: boolean; lines: boolean }): Promise<void> {
    await until(() => this.settings(), wanted);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tmux("kill-server");
    await Deno.remove(this.#folder, { recursive: true });
  }

  #tmux(...args: string[]): Promise<string> {
    return printedBy("tmux", ["-L", this.#name, ...args], {
      env: { TMUX: "", TERM: "xterm-256color", LC_ALL: "C.UTF-8" },
    });
  }
}

/** Polls until a value is as wanted. */
async function until<T>(look: () => Promise<T>, wanted: T): Promise<void> {
  const limit = AbortSignal.timeout(PATIENCE);
  while (true) {
    const seen = JSON.stringify(await look());
    if (seen === JSON.stringify(wanted)) return;
    if (limit.aborted) throw new Error(`Cannot see ${JSON.stringify(wanted)}: ${seen}`);
  }
}

/** Applies one escape's codes: `0`, `38;2;R;G;B`, `48;2;R;G;B`, `38;5;N`, `48;5;N`. */
function restyled(style: Omit<Cell, "character">, codes: string): Omit<Cell, "character"> {
  const numbers = codes.split(";").map(Number);
  let { foreground, background } = style;
  for (let at = 0; at < numbers.length; at++) {
    const count = numbers[at + 1] === 5 ? 1 : 3;
    const colour = numbers.slice(at + 2, at + 2 + count);
    if (numbers[at] === 0 || numbers[at] === 39) foreground = undefined;
    if (numbers[at] === 0 || numbers[at] === 49) background = undefined;
    if (numbers[at] === 38) foreground = colour;
    if (numbers[at] === 48) background = colour;
    if (numbers[at] === 38 || numbers[at] === 48) at += 1 + count;
  }
  return { foreground, background };
}

function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
