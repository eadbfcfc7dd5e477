import { deadline } from "../../base/async.ts";
import { MissingProgramError } from "../../base/errors.ts";
import type { Layout, RenderMode } from "./render_mode.ts";
import { startGuard, type TerminalGuard } from "./restore.ts";

/** Where text goes, and what for. */
export interface ScreenOptions {
  /** Writes text, whole and in order; resolved when the terminal has taken it. */
  write: (text: string) => Promise<void>;
  /** Writes text at once, whoever has to wait for it. */
  writeNow?: (text: string) => void;
  /** Columns and rows, now. */
  size: () => { columns: number; rows: number };
  mode: RenderMode;
  /** The picture stays where it is drawn, below what was there; else the screen is its own. */
  inline: boolean;
  /** Has another program put things right when this one is gone. */
  guarded: boolean;
  /** Settings of the terminal as they were, as `stty -g` prints them. */
  settings?: string;
}

/** To a screen of its own, and back to what was there before; no cursor, no new lines meanwhile. */
const ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J";
const LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l";

/** Ends what was begun: a string, an update, colours. */
const CALM = "\x1b\\\x1b[?2026l\x1b[0m";

/** Has the terminal show what comes between at once (Synchronized Output, by Christian Parpart). */
const UPDATE = { begin: "\x1b[?2026h", end: "\x1b[?2026l" };

const [HOME, CLEAR] = ["\x1b[H", "\x1b[2J"];

/** Milliseconds that a terminal has to take the last of it. */
const PATIENCE = 500;

/** Milliseconds for which something told stands in the place of the status. */
const NOTICE_TIME = 4000;

/** What is drawn on: the screen, or a part of it, and the row for text below. */
export class TerminalScreen {
  #options: ScreenOptions;
  #guard: TerminalGuard | undefined;
  #entered = false;
  /** Somebody else has the terminal for a while. */
  #suspended = false;
  #left = false;
  /** What stands in each row, as it was written. */
  #rows: readonly string[] = [];
  #layout: Layout | undefined;
  #status = "";
  #notice = { line: "", until: 0 };
  /** Every write, one behind the other. */
  #writing: Promise<void> = Promise.resolve();

  constructor(options: ScreenOptions) {
    this.#options = options;
    const restoration = options.inline ? CALM : `${CALM}${options.mode.wipe}${LEAVE}`;
    if (options.guarded) this.#guard = guard(restoration, options.settings);
  }

  /** Draws a picture; resolved when the terminal has taken it. */
  async draw(picture: Uint8Array, layout: Layout): Promise<void> {
    const { mode, inline } = this.#options;
    if (this.#suspended || this.#left) return;
    const rows = mode.render(picture, layout);
    if (inline) return await this.#write(inlined(rows, { isText: mode.isText, layout }));
    const isFull = !this.#entered || this.#layout !== layout;
    const changed = rows.map((row, index) =>
      !isFull && row === this.#rows[index] ? "" : `\x1b[${index + 1};1H${row}`
    ).join("");
    this.#rows = rows;
    this.#layout = layout;
    if (changed === "") return;
    const enter = this.#entered ? "" : ENTER;
    this.#entered = true;
    const fresh = isFull ? `${CLEAR}${mode.wipe}` : "";
    const text = isFull ? this.#textRow() : "";
    await this.#write(`${enter}${UPDATE.begin}${HOME}${fresh}${changed}${text}${UPDATE.end}`);
  }

  /** Puts a line below the picture, for a while. */
  notify(line: string): void {
    this.#notice = { line, until: performance.now() + NOTICE_TIME };
    this.#drawText();
  }

  /** Puts a line below the picture that tells how far it is. */
  showStatus(line: string): void {
    this.#status = line;
    this.#drawText();
  }

  /** Takes away what was told, so that the status can be seen. */
  clearNotice(): void {
    this.#notice.until = 0;
    this.#drawText();
  }

  /** Gives the screen back for a while, in which nothing is drawn. */
  async suspend(): Promise<void> {
    this.#suspended = true;
    await this.#write(this.#leaveSequence());
  }

  /**
   * Has the next picture be drawn as a whole: a terminal that gets another size leaves parts out,
   * and moves the others.
   */
  invalidate(): void {
    this.#layout = undefined;
  }

  /** Draws again. */
  resume(): void {
    this.#suspended = false;
  }

  /** Gives the screen back at once, since the program fails. */
  leaveNow(): void {
    const last = this.#leaveSequence();
    if (last === "") return;
    try {
      this.#options.writeNow?.(`${CALM}${last}`);
    } catch {
      // The terminal is in the middle of a picture, or gone: the guard has to do it.
      return;
    }
  }

  /** Gives the screen back for good. A terminal that takes nothing gets it from the guard. */
  async leave(): Promise<void> {
    if (this.#left) return;
    this.#left = true;
    const last = this.#leaveSequence();
    const { promise: late, resolve } = Promise.withResolvers<false>();
    using _limit = deadline(PATIENCE, () => resolve(false));
    const written = this.#write(last).then(() => true, () => false);
    if (await Promise.race([written, late])) await this.#guard?.dismiss();
  }

  /** What gives the screen back, where it was taken. */
  #leaveSequence(): string {
    const last = this.#entered ? `${this.#options.mode.wipe}${LEAVE}` : "";
    this.#entered = false;
    return last;
  }

  #drawText(): void {
    if (!this.#entered) return;
    // Who draws the next picture is told of a failure.
    this.#write(`${UPDATE.begin}${this.#textRow()}${UPDATE.end}`).catch(() => {});
  }

  #textRow(): string {
    const { columns, rows } = this.#options.size();
    const { line, until } = this.#notice;
    const text = performance.now() < until ? line : this.#status;
    return `\x1b[${rows};1H\x1b[K${text.slice(0, columns - 1)}`;
  }

  #write(text: string): Promise<void> {
    if (text === "") return this.#writing;
    const before = this.#writing;
    this.#writing = (async () => {
      await before;
      await this.#options.write(text);
    })();
    return this.#writing;
  }
}

/** A picture among the text: where it is drawn as a whole, the place for it is made first. */
function inlined(
  rows: readonly string[],
  { isText, layout: { cells } }: { isText: boolean; layout: Layout },
): string {
  if (isText) return `${rows.join("\n")}\n`;
  const [down, up] = ["\n".repeat(cells.height), `\x1b[${cells.height}A`];
  return `${down}${up}\x1b7${rows.join("")}\x1b8\x1b[${cells.height}B\r`;
}

function guard(restoration: string, settings?: string): TerminalGuard | undefined {
  try {
    return startGuard(restoration, settings);
  } catch (error) {
    // It is for the worst case only, and most of the time goes well without.
    if (error instanceof MissingProgramError) return undefined;
    throw error;
  }
}
