import type { Description, Encoding, Frame } from "../media/frame.ts";

/** What is shown, and how. */
export interface Presentation extends Description {
  /** It is one picture, or a series of single ones. */
  still: boolean;
  /** It has no end of its own, being live, or beginning again for ever; as `live` where absent. */
  endless?: boolean;
  /** What was asked for. */
  encoding: Encoding;
  /** Playing speed, 1 being real time; 0 for as fast as possible. */
  speed: number;
  /**
   * Whole seconds before the beginning in which there are frames, for decoding only; 0 where
   * there are none.
   */
  lead: number;
  /** Seconds at which the first picture lies, below 0 where it is for decoding only. */
  firstPicture: number;
}

/** Where frames end up. Each method is called in turn, never two at once. */
export interface Sink extends AsyncDisposable {
  /** Gets ready, before the first frame. */
  begin(presentation: Presentation): Promise<void>;
  /**
   * Takes a frame, and its time for it: the next comes when this one is done with.
   *
   * @returns false where the viewer has been closed and wants no more
   */
  show(frame: Frame): Promise<boolean>;
  /**
   * Ends in good order: nothing more comes.
   *
   * @param whole false where the media was cut short
   * @returns what the user should know, such as where the file is
   */
  finish(whole: boolean): Promise<string | undefined>;
  /**
   * Says that what follows comes from elsewhere, since the user went there. Absent where that makes
   * no difference.
   *
   * @param to seconds on the time line of the frames' timestamps; what lies before is for decoding
   * only, and not to be shown, where frames are not raw
   */
  jump?(to: number): Promise<void>;
  /** Says that the user has paused, and nothing more comes, or that it goes on. */
  pause?(paused: boolean): void;
  /** Takes a line that the user should read, where the viewer has the terminal to itself. */
  notify?(line: string): void;
  /** Takes how far it is, in a line that replaces the one before, where it has the terminal. */
  showStatus?(line: string): void;
}

/** Looks at nothing: for measuring, and for seeing whether media arrives. */
export function createNullSink(): Sink {
  return {
    begin: () => Promise.resolve(),
    show: () => Promise.resolve(true),
    finish: () => Promise.resolve(undefined),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** What a person can do to what is played, by a key in the terminal or in a window. Pure. */

/** Pause and go on, go back or forward by a bit or by more, or end it. */
export type PlayAction = "pause" | "back" | "forward" | "far_back" | "far_forward" | "quit";

/** Keys by their names, and what they do. */
const ACTIONS: ReadonlyMap<string, PlayAction> = new Map([
  [" ", "pause"],
  ["p", "pause"],
  ["left", "back"],
  ["right", "forward"],
  ["down", "far_back"],
  ["up", "far_forward"],
  ["q", "quit"],
]);

/**
 * What a key does; `undefined` for those that do nothing.
 *
 * @param key the character it stands for, or `left`, `right`, `up` or `down`
 */
export function actionOf(key: string): PlayAction | undefined {
  return ACTIONS.get(key.toLowerCase());
}

/** All keys that do something, by the names that {@linkcode actionOf} knows. */
export const PLAY_KEYS: readonly string[] = [...ACTIONS.keys()];
