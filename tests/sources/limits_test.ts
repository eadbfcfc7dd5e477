import { assertEquals, assertRejects } from "@std/assert";
import { DecoderSlots } from "../../lib/sources/limits.ts";
import { pureTest } from "../support/pure_test.ts";

const NEVER = new AbortController().signal;

/** Somebody who wants a slot, and what it was told. */
function asker(slots: DecoderSlots, isNeedless?: () => boolean) {
  const abort = new AbortController();
  const places: number[] = [];
  const slot = slots.take({
    signal: abort.signal,
    onWait: (position) => places.push(position),
    isNeedless,
  });
  return { slot, places, abort };
}

pureTest(
  "DecoderSlots gives slots in the order of asking, and tells the place in line",
  async () => {
    const slots = new DecoderSlots(1);
    const first = await slots.take({ signal: NEVER });
    const second = asker(slots);
    const third = asker(slots);
    assertEquals([slots.taken, slots.waiting], [1, 2]);
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    const held = await second.slot;
    assertEquals([second.places, third.places], [[1], [2, 1]]);
    assertEquals([slots.taken, slots.waiting], [1, 1]);
    held[Symbol.dispose]();
    (await third.slot)[Symbol.dispose]();
    assertEquals([slots.taken, slots.waiting], [0, 0]);
  },
);

pureTest("DecoderSlots lets those who wait leave", async () => {
  const slots = new DecoderSlots(1);
  using _first = await slots.take({ signal: NEVER });
  const second = asker(slots);
  const third = asker(slots);
  second.abort.abort(new Error("enough"));
  await assertRejects(() => second.slot, Error, "enough");
  assertEquals([third.places, slots.waiting], [[2, 1], 1]);
  third.abort.abort(new Error("enough"));
  await assertRejects(() => third.slot, Error, "enough");
  await assertRejects(() => slots.take({ signal: AbortSignal.abort(new Error("late")) }), Error);
});

pureTest("DecoderSlots lets those go on who need none any more", async () => {
  const slots = new DecoderSlots(1);
  let isRunning = false;
  let full = 0;
  slots.onFull = () => full++;
  using _first = await slots.take({ signal: NEVER });
  const second = asker(slots, () => isRunning);
  slots.review();
  assertEquals([slots.waiting, full], [1, 1]);
  isRunning = true;
  slots.review();
  (await second.slot)[Symbol.dispose]();
  assertEquals([slots.taken, slots.waiting], [1, 0]);
});
