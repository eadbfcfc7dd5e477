/** What a terminal is to those who draw on it. */
import type { TerminalLook } from "./look.ts";

/** The keyboard of a terminal, from which its own answers come, too. */
export interface TerminalKeyboard {
  /**
   * Asks the terminal itself something; keys that are pressed meanwhile stay keys.
   *
   * @returns what came within the patience, milliseconds
   */
  ask(
    ask: () => void,
    options: { isWhole: (answer: string) => boolean; answers: RegExp; patience: number },
  ): Promise<string>;
  /** Has the terminal treat keys as it did before, until disposed. */
  rest(): Disposable;
}

/** The terminal that pictures are drawn on. */
export interface Terminal {
  /** Writes text, whole and in order; resolved when the terminal has taken it. */
  write: (text: string) => Promise<void>;
  /** Writes text at once, whoever has to wait for it. */
  writeNow?: (text: string) => void;
  size: () => { columns: number; rows: number };
  /** How it shows pictures by characters; in any colour where absent. */
  look?: TerminalLook;
  /** It is one, and not a pipe or a file in its place. */
  isTerminal?: boolean;
  /** It answers when it is asked what it is. */
  canBeAsked?: boolean;
  /**
   * Finds out whether sixels reach the screen though the terminal says that it knows them: tmux says
   * so whatever it is drawn in. They do if absent.
   */
  passesSixel?: () => Promise<boolean>;
  /** The keys, where there are some. */
  keyboard?: () => Promise<TerminalKeyboard | undefined>;
  /** Its settings before keys were listened to, as `stty -g` prints them. */
  settings?: () => string | undefined;
  /** Ends drawing at once. */
  forced?: AbortSignal;
}
