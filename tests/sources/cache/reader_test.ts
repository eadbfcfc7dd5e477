import { assertEquals, assertRejects } from "@std/assert";
import { FakeSource, frameAt, TEN_FRAMES } from "../../support/media/fake_source.ts";
import { changedAt, LONG_AGO, oldFile, Studio, take } from "../../support/media/studio.ts";

Deno.test("a reader does not wait for a slot that is taken by a decoder of no use to it", async () => {
  using _old = changedAt(() => LONG_AGO);
  const studio = new Studio(10_500);
  studio.make = () => new FakeSource(Array.from({ length: 60 }, (_, at) => frameAt(at)));
  const file = await oldFile("behind.mkv");
  const [slow, second, first] = [
    await studio.open(file),
    await studio.open(file),
    await studio.open(file),
  ];
  const given = slow.frames();
  await take(given, 1);
  const ahead = first.frames();
  await take(ahead, 20);
  // Uses the block behind the start, so that the one after that is removed before it.
  const between = second.frames();
  await take(between, 5);
  await take(ahead, 11);
  await first[Symbol.asyncDispose]();
  await second[Symbol.asyncDispose]();
  using _other = await studio.slots.take({ signal: new AbortController().signal });
  const rest = Array.from({ length: 59 }, (_, at) => at + 1);
  assertEquals(await take(given, 60), rest);
  assertEquals(studio.opened.length, 2);
  await slow[Symbol.asyncDispose]();
  assertEquals(studio.slots.taken, 1);
});

/** What a viewer may be doing while it takes no frame. */
const IDLENESS = {
  paused: { pausedFor: 10_000, time: 10_000 },
  stuck: { pausedFor: undefined, time: 3000 },
};

for (const [name, { pausedFor, time }] of Object.entries(IDLENESS)) {
  for (
    const { size, speed } of [{ size: 1e6, speed: 1 }, { size: 1e6, speed: 0 }, {
      size: 0,
      speed: 1,
    }]
  ) {
    Deno.test(`a reader that is ${name} gives its decoder up, and goes on with another one, with ${size} bytes at speed ${speed}`, async () => {
      using _old = changedAt(() => LONG_AGO);
      const studio = new Studio(size);
      const pacer = { speed, lateness: () => 100, postpone() {}, pausedFor };
      const file = await oldFile(`${name}.mkv`);
      await using idle = await studio.open(file, {}, { ...studio.opening(), pacer });
      const given = idle.frames();
      assertEquals(await take(given, 3), [0, 1, 2]);
      const { signal } = new AbortController();
      const other = await studio.slots.take({ signal });
      const waiting = studio.slots.take({ signal });
      assertEquals([studio.slots.waiting, studio.opened[0].isOpen], [1, true]);
      studio.clock.time = time - 1;
      studio.slots.review();
      assertEquals(studio.opened[0].isOpen, true);
      studio.clock.time = time;
      studio.slots.review();
      const slot = await waiting;
      assertEquals(studio.opened[0].isOpen, false);
      const rest = take(given, 10);
      // Its next frame needs a slot.
      while (studio.slots.waiting === 0) await new Promise((resolve) => setTimeout(resolve));
      slot[Symbol.dispose]();
      assertEquals([await rest, studio.opened.length], [[3, 4, 5, 6, 7, 8, 9], 2]);
      other[Symbol.dispose]();
    });
  }
}

Deno.test("a decoder in use goes to another network, and its reader goes on when it ends", async () => {
  using _old = changedAt(() => LONG_AGO);
  const studio = new Studio(0);
  const opening = studio.opening();
  const { takeSlot } = opening;
  opening.takeSlot = (options) => takeSlot({ ...options, network: "a" });
  const file = await oldFile("used.mkv");
  await using first = await studio.open(file, {}, opening);
  await using second = await studio.open(file, {}, opening);
  const [kept, moved] = [first.frames(), second.frames()];
  await take(kept, 2);
  await take(moved, 2);
  const { signal } = new AbortController();
  const slot = await studio.slots.take({ signal, network: "b" });
  assertEquals(studio.opened.map(({ isOpen }) => isOpen), [true, false]);
  const rest = take(moved, 10);
  assertEquals(await take(kept, 10), [2, 3, 4, 5, 6, 7, 8, 9]);
  assertEquals([await rest, studio.opened.length], [[2, 3, 4, 5, 6, 7, 8, 9], 3]);
  slot[Symbol.dispose]();
});

Deno.test("a reader keeps a decoder of damaged media, which another one might not repeat", async () => {
  using _old = changedAt(() => LONG_AGO);
  const studio = new Studio(1e6);
  studio.make = () => Object.assign(new FakeSource(TEN_FRAMES), { warning: "It is damaged" });
  const pacer = { speed: 1, lateness: () => 100, postpone() {}, pausedFor: 1e6 };
  const file = await oldFile("damaged.mkv");
  await using idle = await studio.open(file, {}, { ...studio.opening(), pacer });
  await take(idle.frames(), 2);
  const end = new AbortController();
  using _other = await studio.slots.take({ signal: end.signal });
  const waiting = studio.slots.take({ signal: end.signal });
  studio.clock.time = 1e6;
  studio.slots.review();
  assertEquals([studio.slots.waiting, studio.opened[0].isOpen], [1, true]);
  end.abort(new Error("enough"));
  await assertRejects(() => waiting, Error, "enough");
});
