/**
 * Reckons how much of what a camera gave did not reach its viewers, whoever lost it, also where it
 * stopped coming. Pure.
 *
 * @param seen numbers of the frames that each viewer had
 * @param due the first number that counts, and the first that does not any more
 * @returns percent
 */
export function lostOf(
  seen: readonly (readonly number[])[],
  { from, to }: { from: number; to: number },
): number {
  const had = seen.map((numbers) =>
    new Set(numbers.filter((number) => number >= from && number < to)).size
  );
  return (1 - had.reduce((sum, count) => sum + count, 0) / (seen.length * (to - from))) * 100;
}
