/** The alternate screen: pictures, notices and a status line. */
import { settlesWithin } from "../../base/async.ts";
import { MissingProgramError } from "../../base/errors.ts";
import type { Terminal } from "./capabilities.ts";
import type { Layout, RenderMode } from "./render_mode.ts";
import { startGuard, type TerminalGuard } from "./restore.ts";

/** Options of {@linkcode TerminalScreen}. */
export interface ScreenOptions extends Pick<Terminal, "write" | "writeNow" | "size"> {
  mode: RenderMode;
  /**
   * Draws one picture below the existing text, and leaves it there; else uses the alternate screen.
   */
  inline: boolean;
  /** Starts a guard that restores the terminal if this program is killed. */
  guarded: boolean;
  /** Original settings of the terminal, as `stty -g` prints them. */
  settings?: string;
}

/** Enter and leave the alternate screen, without cursor and line wrap. */
const ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J";
const LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l";

/** Ends an unfinished string, update or colour. */
const CALM = "\x1b\\\x1b[?2026l\x1b[0m";

/** Groups changes into one update (Synchronized Output, by Christian Parpart). */
const UPDATE = { begin: "\x1b[?2026h", end: "\x1b[?2026l" };

const [HOME, CLEAR] = ["\x1b[H", "\x1b[2J"];

/** Milliseconds in which a terminal has to take the last text. */
const PATIENCE = 500;

/** Milliseconds for which a notice hides the status, from when it is first drawn. */
const NOTICE_TIME = 4000;

/** The area that pictures are drawn in, and a row of text below. */
export class TerminalScreen {
  #options: ScreenOptions;
  #guard: TerminalGuard | undefined;
  #entered = false;
  /** Another program has the terminal. */
  #suspended = false;
  #left = false;
  /** Rows as they were written. */
  #rows: readonly string[] = [];
  #layout: Layout | undefined;
  #status = "";
  #subtitle = "";
  /** `until` follows when it is drawn. */
  #notice: { line: string; until?: number } = { line: "", until: 0 };
  /** Settles when all writes are done, which follow each other. */
  #writing: Promise<void> = Promise.resolve();

  constructor(options: ScreenOptions) {
    this.#options = options;
    const restoration = options.inline ? CALM : `${CALM}${options.mode.wipe}${LEAVE}`;
    if (options.guarded) this.#guard = guard(restoration, options.settings);
  }

  /** Draws a picture; resolves when the terminal has taken it. */
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

  /** Shows a notice below the picture for a while. */
  notify(line: string): void {
    this.#notice = { line };
    this.#drawText();
  }

  /** Shows the progress below the picture. */
  showStatus(line: string): void {
    this.#status = line;
    this.#drawText();
  }

  /** Shows a subtitle in place of the progress; an empty one shows that again. */
  showSubtitle(line: string): void {
    if (line === this.#subtitle) return;
    this.#subtitle = line;
    this.#drawText();
  }

  /** Removes the notice, which hides the status. */
  clearNotice(): void {
    this.#notice.until = 0;
    this.#drawText();
  }

  /** Leaves the screen until {@linkcode resume}; nothing is drawn meanwhile. */
  async suspend(): Promise<void> {
    this.#suspended = true;
    await this.#write(this.#leaveSequence());
  }

  /** Draws the next picture as a whole: a terminal that changes its size drops and moves text. */
  invalidate(): void {
    this.#layout = undefined;
  }

  resume(): void {
    this.#suspended = false;
  }

  /** Leaves the screen synchronously, since the program fails. */
  leaveNow(): void {
    const last = this.#leaveSequence();
    if (last === "") return;
    try {
      this.#options.writeNow?.(`${CALM}${last}`);
    } catch {
      // The terminal is blocked or gone: the guard restores it.
      return;
    }
  }

  /** Leaves the screen for good. If the terminal takes nothing, the guard does it. */
  async leave(): Promise<void> {
    if (this.#left) return;
    this.#left = true;
    const last = this.#leaveSequence();
    const isWritten = await settlesWithin(this.#write(last), PATIENCE).catch(() => false);
    if (isWritten) await this.#guard?.dismiss();
  }

  /** Escape sequence that leaves the screen; empty if it was not entered. */
  #leaveSequence(): string {
    const last = this.#entered ? `${this.#options.mode.wipe}${LEAVE}` : "";
    this.#entered = false;
    return last;
  }

  #drawText(): void {
    if (!this.#entered) return;
    // The next draw() reports a failure.
    this.#write(`${UPDATE.begin}${this.#textRow()}${UPDATE.end}`).catch(() => {});
  }

  #textRow(): string {
    const { columns, rows } = this.#options.size();
    const now = performance.now();
    this.#notice.until ??= now + NOTICE_TIME;
    const { line, until } = this.#notice;
    const text = now < until ? line : this.#subtitle || this.#status;
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

/** Picture among text: room is made first for one that is drawn as a whole. */
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
    // Without sh there is no guard, which is needed only after a crash.
    if (error instanceof MissingProgramError) return undefined;
    throw error;
  }
}
