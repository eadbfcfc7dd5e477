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
