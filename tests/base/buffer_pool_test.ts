import { assertStrictEquals } from "@std/assert";
import { BufferPool } from "../../lib/base/buffer_pool.ts";
import { pureTest } from "../support/pure_test.ts";

const LARGE = 100_000;

pureTest("take() gives back what was given, once", () => {
  const pool = new BufferPool(2);
  const buffer = new ArrayBuffer(LARGE);
  assertStrictEquals(pool.take(LARGE), undefined);
  pool.give(buffer);
  assertStrictEquals(pool.take(LARGE), buffer);
  assertStrictEquals(pool.take(LARGE), undefined);
});

pureTest("take() gives a larger buffer, never a smaller one", () => {
  const pool = new BufferPool(2);
  const [small, large] = [new ArrayBuffer(LARGE), new ArrayBuffer(2 * LARGE)];
  pool.give(small);
  pool.give(large);
  assertStrictEquals(pool.take(LARGE + 1), large);
  assertStrictEquals(pool.take(LARGE), small);
});

pureTest("take() drops a buffer that has become too small", () => {
  const pool = new BufferPool(1);
  pool.give(new ArrayBuffer(LARGE));
  assertStrictEquals(pool.take(2 * LARGE), undefined);
  const larger = new ArrayBuffer(2 * LARGE);
  pool.give(larger);
  assertStrictEquals(pool.take(2 * LARGE), larger);
});

pureTest("give() keeps no more than the capacity", () => {
  const pool = new BufferPool(1);
  const [first, second] = [new ArrayBuffer(LARGE), new ArrayBuffer(LARGE)];
  pool.give(first);
  pool.give(second);
  assertStrictEquals(pool.take(LARGE), first);
  assertStrictEquals(pool.take(LARGE), undefined);
});

pureTest("give() keeps neither small nor detached buffers", () => {
  const pool = new BufferPool(2);
  pool.give(new ArrayBuffer(1000));
  assertStrictEquals(pool.take(500), undefined);
  const moved = new ArrayBuffer(LARGE);
  structuredClone(moved, { transfer: [moved] });
  pool.give(moved);
  assertStrictEquals(pool.take(LARGE), undefined);
});
