import { assert, assertEquals, assertRejects } from "@std/assert";
import { RequestError } from "../../../lib/base/errors.ts";
import type { InputItem, InputReading } from "../../../lib/client/publish/input.ts";
import { PacedInput, type PacedInputOptions } from "../../../lib/client/publish/paced_input.ts";
import { HandFeed } from "../../support/media/hand_feed.ts";
import { pureTest } from "../../support/pure_test.ts";
import { HandClock } from "../../support/time/hand_clock.ts";

const NEVER = new AbortController().signal;

function start(
  { skips = true, ...options }: Partial<PacedInputOptions> & { skips?: boolean } = {},
) {
  const feed = new HandFeed();
  const clock = new HandClock({ skips });
  const input = new PacedInput({ open: () => Promise.resolve(feed), clock, ...options });
  return { feed, clock, input };
}

/** A text for an item, whose frame is released. */
function textOf(item: InputItem): string {
  if (item.kind !== "frame") return item.kind;
  item.frame.release();
  return `${item.dropped ? "dropped " : ""}${item.frame.frame.timestamp}`;
}

async function take(reading: InputReading, count: number): Promise<string[]> {
  const texts: string[] = [];
  while (texts.length < count) texts.push(textOf(await reading.take(NEVER)));
  return texts;
}

pureTest("PacedInput gives a description, each frame when it is due, and the end", async () => {
  const { feed, clock, input } = start();
  await using _input = input;
  for (const timestamp of [5, 6, 8]) feed.show(timestamp);
  feed.end();
  using reading = input.read();
  assertEquals(await take(reading, 5), ["describe", "5", "6", "8", "end"]);
  assertEquals(clock.waits, [100, 200]);
  assertEquals([feed.recycled, reading.dropped], [3, 0]);
});

pureTest("PacedInput tells at the end how the media is damaged", async () => {
  const { feed, input } = start();
  await using _input = input;
  feed.show(0);
  feed.end("File ended prematurely");
  using reading = input.read();
  await take(reading, 2);
  assertEquals(await reading.take(NEVER), { kind: "end", warning: "File ended prematurely" });
});

pureTest("PacedInput is held up while nobody takes, and does not rush afterwards", async () => {
  const { feed, clock, input } = start();
  await using _input = input;
  for (const timestamp of [0, 1, 2, 3]) feed.show(timestamp);
  using reading = input.read();
  await take(reading, 3);
  clock.pass(5000);
  await take(reading, 2);
  assertEquals(clock.waits.map(Math.round), [100, 100]);
});

pureTest("PacedInput lets what a program writes be early by its lead, but not late", async () => {
  const { feed, clock, input } = start({ lead: 0.5 });
  await using _input = input;
  for (let timestamp = 0; timestamp < 8; timestamp++) feed.show(timestamp);
  using reading = input.read();
  await take(reading, 9);
  assertEquals(clock.waits, [100, 100]);
  clock.pass(3000);
  for (let timestamp = 8; timestamp < 20; timestamp++) feed.show(timestamp);
  await take(reading, 12);
  assertEquals(clock.waits, [100, 100]);
});

pureTest("PacedInput goes on with a keyframe for another connection, each frame once", async () => {
  const { feed, clock, input } = start({ skips: false });
  await using _input = input;
  for (const timestamp of [0, 1, 2, 3, 4]) feed.show(timestamp, { keyframe: timestamp % 3 === 0 });
  {
    using reading = input.read();
    assertEquals(await take(reading, 2), ["describe", "0"]);
    const stop = new AbortController();
    const taking = reading.take(stop.signal);
    await clock.asleep();
    stop.abort();
    await assertRejects(() => taking, DOMException);
  }
  await input.stop();
  using reading = input.read();
  assertEquals(await take(reading, 2), ["describe", "dropped 3"]);
  assertEquals(reading.dropped, 2);
  const taking = take(reading, 1);
  assertEquals(await clock.passToNext(), 100);
  assertEquals(await taking, ["4"]);
});

pureTest("PacedInput fails with the reason of its input, before anybody reads it", async () => {
  const open = () => Promise.reject(new RequestError("media_error", "no such file"));
  await using input = start({ open }).input;
  await assertRejects(() => input.ready(NEVER), RequestError, "no such file");
  await using program = start({ open, isAwaited: true }).input;
  await program.ready(NEVER);
  using reading = program.read();
  await assertRejects(() => reading.take(NEVER), RequestError, "no such file");
});

pureTest("PacedInput stops its input when it is disposed", async () => {
  const { feed, input } = start();
  using reading = input.read();
  await take(reading, 1);
  await input[Symbol.asyncDispose]();
  assert(feed.isDisposed);
});
