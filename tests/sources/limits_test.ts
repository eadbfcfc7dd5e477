import { assertEquals, assertRejects } from "@std/assert";
import { DecoderSemaphore, type Slot } from "../../lib/sources/limits.ts";
import { pureTest } from "../support/pure_test.ts";
import { HandClock } from "../support/time/hand_clock.ts";

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
  using _first = await slots.take({ signal: NEVER });
  const second = waiter(slots, () => isRunning);
  slots.review();
  assertEquals(slots.waiting, 1);
  isRunning = true;
  slots.review();
  (await second.slot)[Symbol.dispose]();
  assertEquals([slots.taken, slots.waiting], [1, 0]);
});

pureTest("DecoderSemaphore.take() serves responses under way before those that begin", async () => {
  const slots = new DecoderSemaphore(1);
  const { signal } = new AbortController();
  const slot = await slots.take({ signal });
  const order: string[] = [];
  const waiting = [["new", false], ["old", true], ["older", true]] as const;
  const all = waiting.map(async ([name, isUnderWay]) => {
    using _slot = await slots.take({ signal, isUnderWay });
    order.push(name);
  });
  slot[Symbol.dispose]();
  await Promise.all(all);
  assertEquals([order, slots.taken], [["old", "older", "new"], 0]);
});

/** Takes slots for networks, and gives the order in which they come. */
function line(slots: DecoderSemaphore, networks: readonly string[]) {
  const order: string[] = [];
  const positions = new Map<string, number>();
  const all = networks.map(async (name) => {
    const [network] = name;
    const onWait = (position: number) => positions.set(name, position);
    const slot = await slots.take({ signal: NEVER, network, onWait });
    order.push(name);
    return slot;
  });
  return { order, positions, all };
}

/** Gives the slots back of those that are given in the end. */
async function release(slots: readonly (Slot | Promise<Slot>)[]): Promise<void> {
  for (const slot of slots) (await slot)[Symbol.dispose]();
}

pureTest("DecoderSemaphore serves the network with the fewest slots first", async () => {
  const slots = new DecoderSemaphore(4);
  const first = await Promise.all(line(slots, ["a1", "a2", "a3", "a4"]).all);
  const { order, positions, all } = line(slots, ["a5", "a6", "b1", "b2", "c1"]);
  assertEquals([...positions], [["a5", 4], ["a6", 5], ["b1", 1], ["b2", 3], ["c1", 2]]);
  await release(first);
  // The network of a5 has as few by then, and it came first.
  await Promise.all([all[0], all[1], all[2], all[4]]);
  assertEquals(order, ["b1", "c1", "a5", "a6"]);
  await release(all);
  assertEquals(slots.taken, 0);
});

/** A holder that gives its slot up at once, and is in use unless it is idle. */
function hold(slot: Slot, { idleIn = () => Infinity, isMovable = true } = {}): Slot {
  slot.holder = {
    get idleIn() {
      return idleIn();
    },
    isMovable,
    giveUp: () => slot[Symbol.dispose](),
  };
  return slot;
}

pureTest(
  "DecoderSemaphore leaves a network half of the slots while another one waits",
  async () => {
    const slots = new DecoderSemaphore(4);
    const given: string[] = [];
    for (const name of ["a1", "a2", "a3", "a4"]) {
      const slot = hold(await slots.take({ signal: NEVER, network: "a" }));
      const { giveUp } = slot.holder!;
      slot.holder!.giveUp = () => void (given.push(name), giveUp());
    }
    const own = line(slots, ["a5"]);
    assertEquals([given, own.order], [[], []]);
    const { order, all } = line(slots, ["b1", "b2", "b3"]);
    await all[1];
    // The last ones, whose holders have the least to make again.
    assertEquals([given, order, slots.waiting], [["a4", "a3"], ["b1", "b2"], 2]);
    await release(all.slice(0, 1));
    await release(all.slice(1));
    await release(own.all);
  },
);

pureTest("DecoderSemaphore takes no slot of a network whose holders cannot go on", async () => {
  const slots = new DecoderSemaphore(2);
  const held = await Promise.all(line(slots, ["a1", "a2"]).all);
  held.forEach((slot) => hold(slot, { isMovable: false }));
  const { order, all } = line(slots, ["b1"]);
  assertEquals([order, slots.waiting], [[], 1]);
  await release(held);
  await release(all);
});

pureTest("DecoderSemaphore frees slots that become idle while somebody waits", async () => {
  const clock = new HandClock();
  const slots = new DecoderSemaphore(2, { clock });
  const [used, idle] = await Promise.all(line(slots, ["a1", "a2"]).all);
  hold(used);
  hold(idle, { idleIn: () => 2500 - clock.time });
  const { order, all } = line(slots, ["a3", "a4"]);
  const waits = [await clock.passToNext(), await clock.passToNext(), await clock.passToNext()];
  await all[0];
  assertEquals([waits, order, slots.waiting], [[1000, 1000, 500], ["a3"], 1]);
  used[Symbol.dispose]();
  await release(all);
  assertEquals(slots.taken, 0);
});

pureTest("DecoderSemaphore.isGreedy() tells who has the most slots among others", async () => {
  const slots = new DecoderSemaphore(9);
  const take = (network: string) => slots.take({ signal: NEVER, network });
  const greedy = (needed: number) =>
    ["many", "few", undefined].map((network) => slots.isGreedy(network, needed));
  for (let count = 0; count < 2; count++) await take("many");
  assertEquals(greedy(1), [false, false, false]);
  const few = [await take("few")];
  assertEquals(greedy(1), [true, false, false]);
  assertEquals(greedy(2), [false, false, false]);
  for (let count = 0; count < 2; count++) few.push(await take("few"));
  assertEquals(greedy(1), [false, true, false]);
  assertEquals(greedy(2), [false, true, false]);
  for (const slot of few) slot[Symbol.dispose]();
  assertEquals(greedy(1), [false, false, false]);
  // Decoders that visitors share are others, but no measure.
  for (let count = 0; count < 3; count++) await take("");
  assertEquals(greedy(1), [true, false, false]);
});

pureTest(
  "DecoderSemaphore.isGreedy() takes no slots that are given up for those of others",
  async () => {
    const slots = new DecoderSemaphore(3);
    const held = [];
    for (let count = 0; count < 3; count++) {
      held.push(await slots.take({ signal: NEVER, network: "all" }));
    }
    const stop = new AbortController();
    held[0].holder = { idleIn: 0, isMovable: true, giveUp() {} };
    const waiting = slots.take({ signal: stop.signal, network: "all" });
    assertEquals(held[0].isLeaving, true);
    assertEquals(slots.isGreedy("all", 1), false);
    stop.abort(new Error("stopped"));
    await waiting.catch(() => {});
  },
);
