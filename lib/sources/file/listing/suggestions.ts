/** Names to suggest in place of one that no file has. */
import { nearest } from "../../../base/suggest.ts";

/** Largest number of names to find the nearest one among. */
const MAX_COMPARED = 1000;

/** Largest number of names that are suggested at once. */
export const MAX_SUGGESTED = 3;

/** The names that end in a name, behind their folders. */
export function namesInFolders(name: string, names: readonly string[]): string[] {
  return names.filter((each) => each.endsWith(`/${name}`));
}

/**
 * The name that resembles another one most, of which folders and extension may have been left out.
 *
 * @returns `undefined` if none does
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { nearestName } from "./suggestions.ts";
 *
 * assertEquals(nearestName("see.mkv", ["trips/sea.mkv", "notes.txt"]), "trips/sea.mkv");
 * ```
 */
export function nearestName(name: string, names: readonly string[]): string | undefined {
  const known = names.slice(0, MAX_COMPARED);
  const inFolders = nearest(name, known.map(lastPart));
  return known.find((each) => withoutExtension(each) === name) ?? nearest(name, known) ??
    known.find((each) => lastPart(each) === inFolders);
}

/** What to do instead, in an error: `did you mean "a.mp4" or "b.mp4"?` */
export function suggestion(names: readonly string[]): string {
  if (names.length === 0) return "see the list of media";
  const shown = names.slice(0, MAX_SUGGESTED).map((name) => `"${name}"`).join(" or ");
  return `did you mean ${shown}${names.length > MAX_SUGGESTED ? " or another one" : ""}?`;
}

function lastPart(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}

function withoutExtension(name: string): string {
  return lastPart(name).replace(/\.[^.]*$/, "");
}
