import { closest, distance } from "fastest-levenshtein";

/**
 * Finds the candidate nearest to `word`, for "did you mean" in error messages.
 *
 * @returns `undefined` if more than a third of the letters differ in all of them
 */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  if (candidates.length === 0) return undefined;
  const found = closest(word, candidates);
  const allowed = Math.max(2, Math.ceil(Math.max(word.length, found.length) / 3));
  return distance(word, found) <= allowed ? found : undefined;
}
