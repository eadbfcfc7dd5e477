/** Several actions at once, whose results are given as they come. */
import { settlesWithin } from "./async.ts";

/** Options of {@linkcode parallel}. */
export interface ParallelOptions {
  /** Actions that run at once. */
  limit: number;
  /** Milliseconds for which results are collected before they are given. @default 0 */
  interval?: number;
  /** No action begins after it; those that run are waited for. */
  signal?: AbortSignal;
}

/**
 * Runs an action on each item, in order, several at once.
 *
 * @returns the results since the last ones, in the order in which they come. When they are not
 * iterated any more, no further action begins
 * @throws the error of the first action that fails
 */
export async function* parallel<Item, Result>(
  items: readonly Item[],
  action: (item: Item) => Promise<Result>,
  { limit, interval = 0, signal }: ParallelOptions,
): AsyncGenerator<Result[]> {
  let results: Result[] = [];
  let arrival = Promise.withResolvers<void>();
  let next = 0;
  const work = async () => {
    while (next < items.length && !signal?.aborted) {
      const result = await action(items[next++]);
      // Behind the wait: the array may be another one by then.
      results.push(result);
      arrival.resolve();
    }
  };
  const all = Promise.all(Array.from({ length: limit }, work));
  // The failure is thrown below, unless the iteration has ended before.
  all.catch(() => {});
  let isOver = false;
  try {
    while (!isOver) {
      isOver = await Promise.race([arrival.promise.then(() => false), all.then(() => true)]);
      if (!isOver && interval > 0) isOver = await settlesWithin(all, interval);
      const given = results;
      results = [];
      arrival = Promise.withResolvers();
      if (given.length > 0) yield given;
    }
  } finally {
    next = items.length;
  }
}
