import { assert, assertEquals, assertRejects } from "@std/assert";
import { RequestError } from "../../../lib/base/errors.ts";
import { encodeFrame } from "../../../lib/protocol/native/framing.ts";
import { Broadcast } from "../../../lib/sources/live/broadcast.ts";
import { parseLiveSource } from "../../../lib/sources/live/source_spec.ts";
import {
  type LiveItem,
  LiveQueue,
  QUEUE_LIMITS,
} from "../../../lib/sources/live/subscriber_queue.ts";
import { HandFeed } from "../../support/media/hand_feed.ts";
import { GREY } from "../../support/peers/scripted_server.ts";
import { pureTest } from "../../support/pure_test.ts";
import { HandClock } from "../../support/time/hand_clock.ts";

const NEVER = new AbortController().signal;

/** A broadcast with a source, a clock and random numbers that the test controls. */
class Studio implements AsyncDisposable {
  readonly clock: HandClock = new HandClock();
  readonly lines: string[] = [];
  readonly feeds: HandFeed[] = [];
  readonly broadcast: Broadcast;
  #started = Promise.withResolvers<HandFeed>();

  constructor({ isPaced = false, capture }: { isPaced?: boolean; capture?: Studio } = {}) {
    if (capture !== undefined) this.clock = capture.clock;
    this.broadcast = new Broadcast({
      source: parseLiveSource("cam=v4l2:/dev/video0"),
      isPaced,
      linger: 10_000,
      open: (signal) => {
        const feed = new HandFeed();
        signal.addEventListener("abort", () => feed.break("aborted"));
        this.feeds.push(feed);
        this.#started.resolve(feed);
        this.#started = Promise.withResolvers();
        return Promise.resolve(feed);
      },
      prepare: encodeFrame,
      capture: capture?.broadcast,
      clock: this.clock,
      random: () => 0.5,
      logger: { log: (level, message) => void this.lines.push(`${level} ${message}`) },
    });
  }

  /** The source's next start. */
  get nextStart(): Promise<HandFeed> {
    return this.#started.promise;
  }

  async join(): Promise<LiveQueue> {
    const queue = new LiveQueue({ limits: QUEUE_LIMITS.wait });
    await this.broadcast.join(queue, NEVER);
    return queue;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.broadcast.stop();
  }
}

/** Takes one item and describes it. */
async function taken(queue: LiveQueue): Promise<string> {
  const item: LiveItem = await queue.take(NEVER);
  if (item.kind === "event") return `${item.event.code}: ${item.event.message}`;
  if (item.kind === "end") return "end";
  if (item.kind === "describe") return `describe: ${item.streams.map(({ codec }) => codec)}`;
  item.frame.release();
  const { timestamp, discontinuity } = item.frame.frame;
  return `${discontinuity ? "~" : ""}${timestamp}`;
}

pureTest("Broadcast stops when it has had no subscribers for the linger time", async () => {
  await using studio = new Studio();
  const joining = studio.join();
  studio.feeds[0].show(0);
  const queue = await joining;
  studio.clock.pass(20_000);
  assert(!studio.broadcast.stopped.aborted);
  studio.broadcast.leave(queue);
  studio.clock.pass(9_999);
  // A subscriber joins just in time, and the linger time begins anew when the last one leaves.
  const again = await studio.join();
  studio.clock.pass(5_000);
  assert(!studio.broadcast.stopped.aborted);
  studio.broadcast.leave(again);
  assertEquals(await studio.clock.asleep(), [44_999]);
  studio.clock.pass(10_000);
  const { promise, resolve } = Promise.withResolvers<void>();
  studio.broadcast.stopped.addEventListener("abort", () => resolve());
  await promise;
  await studio.broadcast.stop();
  assertEquals(studio.feeds.map(({ isDisposed }) => isDisposed), [true]);
});

pureTest("Broadcast gives every subscriber the same memory, and recycles it once", async () => {
  await using studio = new Studio();
  const joining = Promise.all([studio.join(), studio.join(), studio.join()]);
  const [feed] = studio.feeds;
  feed.show(100);
  const queues = await joining;
  feed.show(101);
  const items = await Promise.all(queues.map((queue) => queue.take(NEVER)));
  const seconds = await Promise.all(queues.map((queue) => queue.take(NEVER)));
  const buffers = new Set<ArrayBuffer>();
  for (const item of items) {
    assert(item.kind === "frame");
    assertEquals(item.frame.frame.timestamp, 0);
    buffers.add(item.frame.message.buffer);
    assertEquals(feed.recycled, 0);
    item.frame.release();
  }
  assertEquals([buffers.size, feed.recycled], [1, 1]);
  for (const item of seconds) if (item.kind === "frame") item.frame.release();
  assertEquals([feed.recycled, studio.feeds.length], [2, 1]);
});

pureTest("Broadcast starts a failed source again, notifies subscribers, and goes on", async () => {
  await using studio = new Studio();
  const joining = studio.join();
  studio.feeds[0].show(50);
  const queue = await joining;
  assertEquals(await taken(queue), "0");
  studio.feeds[0].break("it broke");
  assertEquals(await taken(queue), "source_lost: it broke; it is tried again in 1.0 s");
  await assertRejects(() => studio.join(), RequestError, "it broke");
  assertEquals(await studio.clock.asleep(), [1000]);
  // The second attempt fails; the third one follows after twice the time.
  let start = studio.nextStart;
  studio.clock.pass(1000);
  (await start).break("still broken");
  assertEquals(await taken(queue), "source_lost: still broken; it is tried again in 2.0 s");
  start = studio.nextStart;
  studio.clock.pass(2000);
  (await start).show(7);
  assertEquals(await taken(queue), `source_back: "cam" is back`);
  assertEquals(await taken(queue), "~30");
  (await studio.join()).close();
  assertEquals(studio.feeds.map(({ isDisposed }) => isDisposed), [true, true, false]);
});

pureTest("Broadcast resets the backoff after a good run", async () => {
  await using studio = new Studio();
  const joining = studio.join();
  studio.feeds[0].show(0);
  const queue = await joining;
  assertEquals(await taken(queue), "0");
  let [feed] = studio.feeds;
  for (const [run, wait] of [[0, "1.0"], [5000, "2.0"], [10_000, "1.0"]] as const) {
    studio.clock.pass(run);
    feed.break("no");
    assertEquals(await taken(queue), `source_lost: no; it is tried again in ${wait} s`);
    const start = studio.nextStart;
    studio.clock.pass(Number(wait) * 1000);
    feed = await start;
    feed.show(0);
    assertEquals(await taken(queue), `source_back: "cam" is back`);
    assert((await taken(queue)).startsWith("~"));
  }
});

pureTest("Broadcast that fails at its first start takes subscribers once it runs", async () => {
  await using studio = new Studio();
  const waiting = [studio.join(), studio.join()];
  studio.feeds[0].break("not yet");
  for (const joining of waiting) await assertRejects(() => joining, RequestError, "not yet");
  const start = studio.nextStart;
  // One sleep is for the next attempt, the other is the linger time.
  while ((await studio.clock.asleep()).length < 2) await Promise.resolve();
  studio.clock.pass(1000);
  (await start).show(5);
  while (studio.broadcast.streams.length === 0) await Promise.resolve();
  const queue = await studio.join();
  studio.feeds[1].show(6);
  assertEquals(await taken(queue), "1");
});

pureTest("Broadcast describes other streams that the source comes back with", async () => {
  await using studio = new Studio();
  const joining = studio.join();
  studio.feeds[0].show(0);
  const queue = await joining;
  const start = studio.nextStart;
  studio.feeds[0].break("gone");
  await studio.clock.asleep();
  studio.clock.pass(1000);
  const feed = await start;
  feed.streams = [{ ...GREY, id: 0, width: 999 }];
  feed.show(0);
  assertEquals(await taken(queue), "0");
  assert((await taken(queue)).startsWith("source_lost"));
  assertEquals(await taken(queue), "describe: rawvideo");
  assert((await taken(queue)).startsWith("source_back"));
  const next = await studio.join();
  assertEquals(studio.broadcast.streams, feed.streams);
  next.close();
});

pureTest("Broadcast paces frames that come faster than real time", async () => {
  await using studio = new Studio({ isPaced: true });
  const joining = studio.join();
  for (const timestamp of [0, 1, 2]) studio.feeds[0].show(timestamp);
  const queue = await joining;
  assertEquals(await taken(queue), "0");
  assertEquals(await studio.clock.asleep(), [100]);
  studio.clock.pass(100);
  assertEquals(await taken(queue), "1");
});

pureTest("Broadcast that is made from another is lost and comes back with it", async () => {
  await using capture = new Studio();
  await using studio = new Studio({ capture });
  const joining = [capture.join(), studio.join()];
  capture.feeds[0].show(0);
  studio.feeds[0].show(0);
  const [, queue] = await Promise.all(joining);
  assertEquals(await taken(queue), "0");
  // Subscribers get each outage of the capture, and only the capture is started.
  let start = capture.nextStart;
  capture.feeds[0].break("gone");
  await capture.clock.asleep();
  studio.feeds[0].break("nothing comes");
  assertEquals(await taken(queue), "source_lost: gone; it is tried again in 1.0 s");
  await assertRejects(() => studio.join(), RequestError, "gone");
  capture.clock.pass(1000);
  (await start).break("still gone");
  assertEquals(await taken(queue), "source_lost: still gone; it is tried again in 2.0 s");
  assertEquals(studio.feeds.length, 1);
  start = capture.nextStart;
  const again = studio.nextStart;
  capture.clock.pass(2000);
  (await start).show(0);
  (await again).show(0);
  assertEquals(await taken(queue), `source_back: "cam" is back`);
  assertEquals(await taken(queue), "~30");
  // Its own failures have a backoff of their own.
  studio.feeds[1].break("it broke");
  assertEquals(await taken(queue), "source_lost: it broke; it is tried again in 1.0 s");
});

pureTest("Broadcast comes back with a capture that has other streams", async () => {
  await using capture = new Studio();
  await using studio = new Studio({ capture });
  const joining = [capture.join(), studio.join()];
  capture.feeds[0].show(0);
  studio.feeds[0].show(0);
  const [, queue] = await Promise.all(joining);
  const start = capture.nextStart;
  const again = studio.nextStart;
  capture.feeds[0].break("gone");
  await capture.clock.asleep();
  studio.feeds[0].break("nothing comes");
  assertEquals(await taken(queue), "0");
  assert((await taken(queue)).startsWith("source_lost: gone"));
  capture.clock.pass(1000);
  const feed = await start;
  feed.streams = [{ ...GREY, id: 0, width: 999 }];
  feed.show(0);
  (await again).show(0);
  assertEquals(await taken(queue), `source_back: "cam" is back`);
});

pureTest(
  "Broadcast runs as long as another is made from it, with subscribers or without",
  async () => {
    await using capture = new Studio();
    {
      await using studio = new Studio({ capture });
      const joining = studio.join();
      studio.feeds[0].show(0);
      capture.clock.pass(60_000);
      await joining;
      assertEquals([capture.broadcast.subscribers, capture.broadcast.stopped.aborted], [1, false]);
    }
    assertEquals(capture.broadcast.subscribers, 0);
    const { promise, resolve } = Promise.withResolvers<void>();
    capture.broadcast.stopped.addEventListener("abort", () => resolve());
    capture.clock.pass(10_000);
    await promise;
  },
);

pureTest(
  "Broadcast.end() gives subscribers what waits, then the end, also during an outage",
  async () => {
    const studio = new Studio();
    const joining = studio.join();
    studio.feeds[0].show(0);
    const queue = await joining;
    studio.feeds[0].break("gone");
    await studio.clock.asleep();
    await studio.broadcast.end();
    assertEquals(await taken(queue), "0");
    assert((await taken(queue)).startsWith("source_lost: gone"));
    assertEquals([await taken(queue), await taken(queue)], ["end", "end"]);
  },
);

pureTest("Broadcast.stop() ends the source, and is harmless when repeated", async () => {
  const studio = new Studio();
  const joining = studio.join();
  studio.feeds[0].show(0);
  const queue = await joining;
  await studio.broadcast.stop();
  await studio.broadcast.stop();
  assertEquals(await taken(queue), "0");
  await assertRejects(() => queue.take(NEVER), RequestError, "the server ends");
  assert(studio.feeds[0].isDisposed);
});

pureTest("Broadcast asks for a keyframe when somebody joins, and seldom for many", async () => {
  await using studio = new Studio();
  const joining = studio.join();
  const [feed] = studio.feeds;
  let asked = 0;
  const again = Promise.withResolvers<void>();
  feed.requestKeyframe = () => {
    if (++asked === 2) again.resolve();
  };
  feed.show(0);
  await joining;
  for (let times = 0; times < 3; times++) await studio.join();
  // At once for the first of them; for the others when it is time again.
  assertEquals(asked, 1);
  studio.clock.pass(500);
  await again.promise;
  studio.clock.pass(10_000);
  await studio.join();
  assertEquals(asked, 3);
});
