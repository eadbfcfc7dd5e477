import { closest, distance } from "fastest-levenshtein";

/**
 * Finds the candidate nearest to `word`, for "did you mean" in error messages.
 *
 * @returns `undefined` if more than a third of the letters differ in all of them
 */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  if (candidates.length === 0) return undefined;
  const found = closest(word, candidates);
  const length = Math.max(word.length, found.length);
  // Of three letters, two that differ make another word.
  const allowed = Math.max(length > 3 ? 2 : 1, Math.ceil(length / 3));
  return distance(word, found) <= allowed ? found : undefined;
}
