/**
 * Computes the share of a camera's frames that did not reach its viewers, wherever they were lost,
 * also if a viewer stopped receiving.
 *
 * @param seen numbers of the frames that each viewer received
 * @param due first number that counts, and the first after the last one
 * @returns percentage
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
