import { assertEquals, assertRejects } from "@std/assert";
import { DecoderSemaphore } from "../../lib/sources/limits.ts";
import { pureTest } from "../support/pure_test.ts";

const NEVER = new AbortController().signal;

/** A waiter for a slot, and its positions in the queue. */
function waiter(slots: DecoderSemaphore, isNeedless?: () => boolean) {
  const abort = new AbortController();
  const positions: number[] = [];
  const slot = slots.take({
    signal: abort.signal,
    onWait: (position) => positions.push(position),
    isNeedless,
  });
  return { slot, positions, abort };
}

pureTest(
  "DecoderSemaphore gives slots in order, and notifies waiters of their position",
  async () => {
    const slots = new DecoderSemaphore(1);
    const first = await slots.take({ signal: NEVER });
    const second = waiter(slots);
    const third = waiter(slots);
    assertEquals([slots.taken, slots.waiting], [1, 2]);
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    const held = await second.slot;
    assertEquals([second.positions, third.positions], [[1], [2, 1]]);
    assertEquals([slots.taken, slots.waiting], [1, 1]);
    held[Symbol.dispose]();
    (await third.slot)[Symbol.dispose]();
    assertEquals([slots.taken, slots.waiting], [0, 0]);
  },
);

pureTest("DecoderSemaphore lets waiters leave", async () => {
  const slots = new DecoderSemaphore(1);
  using _first = await slots.take({ signal: NEVER });
  const second = waiter(slots);
  const third = waiter(slots);
  second.abort.abort(new Error("enough"));
  await assertRejects(() => second.slot, Error, "enough");
  assertEquals([third.positions, slots.waiting], [[2, 1], 1]);
  third.abort.abort(new Error("enough"));
  await assertRejects(() => third.slot, Error, "enough");
  await assertRejects(() => slots.take({ signal: AbortSignal.abort(new Error("late")) }), Error);
});

pureTest("DecoderSemaphore lets waiters go that need no slot any more", async () => {
  const slots = new DecoderSemaphore(1);
  let isRunning = false;
  let full = 0;
  slots.onFull = () => full++;
  using _first = await slots.take({ signal: NEVER });
  const second = waiter(slots, () => isRunning);
  slots.review();
  assertEquals([slots.waiting, full], [1, 1]);
  isRunning = true;
  slots.review();
  (await second.slot)[Symbol.dispose]();
  assertEquals([slots.taken, slots.waiting], [1, 0]);
});
