import { printable } from "../core/log.ts";
import type { Viewer } from "../viewers/viewer.ts";
import { lineOutput, Progress } from "./progress.ts";
import type { Surroundings } from "./surroundings.ts";

/** Where a run tells how it goes. */
export interface MessagesContext {
  surroundings: Pick<
    Surroundings,
    "printError" | "terminalSize" | "stderrIsTerminal" | "stdoutIsTerminal"
  >;
}

/**
 * What the user reads while something is played: on standard error, or, where a viewer has the
 * terminal to itself, on that, and on standard error afterwards.
 */
export class Messages {
  #context: MessagesContext;
  #viewer: Viewer | undefined;
  #told: string[] = [];
  #progress: Progress | undefined;

  constructor(context: MessagesContext) {
    this.#context = context;
  }

  /** The line that tells how far it is, where somebody can see one. */
  get progress(): Progress | undefined {
    return this.#progress;
  }

  /** Finds out which of the viewers has the terminal. */
  attach(viewers: readonly Viewer[]): void {
    const { stderrIsTerminal, printError, terminalSize } = this.#context.surroundings;
    const viewer = viewers.find(({ showStatus }) => showStatus !== undefined);
    this.#viewer = viewer;
    if (viewer !== undefined) {
      this.#progress = new Progress({ draw: (line) => viewer.showStatus?.(line), clear() {} });
    } else if (stderrIsTerminal) {
      const columns = () => terminalSize().columns;
      this.#progress = new Progress(lineOutput({ write: printError, columns }));
    }
  }

  /** Tells a line; nothing where there is none. */
  tell(line: string | undefined): void {
    if (line === undefined) return;
    if (this.#viewer?.tell === undefined) {
      this.#progress?.clear();
      return this.#say(line);
    }
    this.#viewer.tell(printable(line));
    this.#told.push(line);
  }

  /** Tells that it pauses, or goes on. */
  pause(paused: boolean): void {
    this.#progress?.pause(paused);
  }

  /** Tells again what stood on a screen that is gone. */
  end(): void {
    this.#told.splice(0).forEach((line) => this.#say(line));
  }

  #say(line: string): void {
    this.#context.surroundings.printError(`${printable(line)}\n`);
  }
}
