import { assert, assertEquals, assertRejects } from "@std/assert";
import { FRAME_HEADROOM } from "../../../lib/media/frame.ts";
import { encodeFrame } from "../../../lib/protocol/native/framing.ts";
import { LiveQueue, QUEUE_LIMITS } from "../../../lib/sources/live/subscriber_queue.ts";
import { SharedFrame } from "../../../lib/sources/live/shared_frame.ts";
import { pureTest } from "../../support/pure_test.ts";

const NEVER = new AbortController().signal;

/** Frames of a made-up source, and the number of those that are held. */
class Frames {
  held = 0;

  /** Offers a frame of video or audio, held by the queue only. */
  give(
    queue: LiveQueue,
    at: number,
    { keyframe = true, audio = false, size = 4 }: {
      keyframe?: boolean;
      audio?: boolean;
      size?: number;
    } = {},
  ): number {
    this.held++;
    const data = new Uint8Array(FRAME_HEADROOM + size).subarray(FRAME_HEADROOM);
    const frame = { streamId: audio ? 1 : 0, timestamp: at, keyframe, data };
    const shared = new SharedFrame(frame, {
      type: audio ? "audio" : "video",
      time: at,
      prepare: encodeFrame,
      recycle: () => this.held--,
    });
    const dropped = queue.offer(shared);
    shared.release();
    return dropped;
  }
}

/** Takes frames: their timestamps, with `!` if frames were dropped before. */
async function drain(queue: LiveQueue, count: number): Promise<string> {
  const found: string[] = [];
  while (found.length < count) {
    const item = await queue.take(NEVER);
    if (item.kind === "event") found.push(item.event.code);
    else if (item.kind !== "frame") found.push(item.kind);
    else {
      const { frame, dropped, discontinuity } = item;
      const remarks = (dropped ? "!" : "") + (discontinuity ? "~" : "");
      found.push(`${remarks}${frame.frame.timestamp}`);
      frame.release();
    }
  }
  return found.join(" ");
}

pureTest("LiveQueue keeps the three newest video frames for subscribers that drop", async () => {
  const [queue, frames] = [new LiveQueue({ limits: QUEUE_LIMITS.drop }), new Frames()];
  for (let at = 0; at < 10; at++) frames.give(queue, at);
  assertEquals([queue.dropped, frames.held], [7, 3]);
  assertEquals(await drain(queue, 3), "!7 8 9");
  frames.give(queue, 10);
  assertEquals(await drain(queue, 1), "10");
  assertEquals(frames.held, 0);
});

pureTest("LiveQueue keeps only the newest frame of video while there is no credit", async () => {
  const credit = { isOpen: true };
  const [queue, frames] = [new LiveQueue({ limits: QUEUE_LIMITS.newest, credit }), new Frames()];
  for (let at = 0; at < 3; at++) frames.give(queue, at);
  assertEquals(await drain(queue, 2), "!1 2");
  credit.isOpen = false;
  for (let at = 3; at < 8; at++) frames.give(queue, at);
  frames.give(queue, 8, { audio: true });
  // The audio does not wait for the video in front of it.
  assertEquals(await drain(queue, 1), "8");
  assertEquals([queue.dropped, frames.held], [5, 1]);
  const next = drain(queue, 1);
  frames.give(queue, 9);
  credit.isOpen = true;
  queue.wake();
  assertEquals(await next, "!9");
  assertEquals(frames.held, 0);
});

pureTest("LiveQueue does not hold video in front of other streams, or of the end", async () => {
  const options = { limits: QUEUE_LIMITS.newest, credit: { isOpen: false } };
  const [queue, frames] = [new LiveQueue(options), new Frames()];
  frames.give(queue, 0);
  queue.describe({ streams: [], data: [] });
  frames.give(queue, 1);
  assertEquals(await drain(queue, 2), "0 describe");
  const rest = drain(queue, 2);
  queue.end();
  assertEquals(await rest, "1 end");
});

pureTest(
  "LiveQueue without credit keeps half a second of frames that depend on each other",
  async () => {
    const credit = { isOpen: false };
    const [queue, frames] = [new LiveQueue({ limits: QUEUE_LIMITS.newest, credit }), new Frames()];
    for (let at = 0; at <= 1200; at += 100) frames.give(queue, at, { keyframe: at % 500 === 0 });
    credit.isOpen = true;
    assertEquals(await drain(queue, 3), "!1000 1100 1200");
  },
);

pureTest("LiveQueue keeps four seconds, or so many bytes, for subscribers that wait", async () => {
  const [queue, frames] = [new LiveQueue({ limits: QUEUE_LIMITS.wait }), new Frames()];
  for (let at = 0; at <= 5000; at += 100) frames.give(queue, at);
  assertEquals(queue.dropped, 10);
  assertEquals(await drain(queue, 2), "!1000 1100");
  const narrow = new LiveQueue({ limits: { ...QUEUE_LIMITS.wait, videoBytes: 450 } });
  for (let at = 0; at < 10; at++) frames.give(narrow, at, { size: 100 });
  assertEquals(await drain(narrow, 4), "!6 7 8 9");
  const large = new LiveQueue({ limits: { ...QUEUE_LIMITS.wait, videoBytes: 10 } });
  for (let at = 0; at < 10; at++) frames.give(large, at, { size: 100 });
  assertEquals(await drain(large, 3), "!7 8 9");
  queue.close();
  assertEquals(frames.held, 0);
});

pureTest("LiveQueue begins with a keyframe, and after a gap goes on with one", async () => {
  const [queue, frames] = [new LiveQueue({ limits: QUEUE_LIMITS.drop }), new Frames()];
  const give = (at: number) => frames.give(queue, at, { keyframe: at % 500 === 0 });
  for (const at of [300, 400, 500, 600]) give(at);
  assertEquals(queue.dropped, 0);
  assertEquals(await drain(queue, 2), "500 600");
  // Nothing is taken: frames older than half a second are dropped, with those that depend on them.
  for (let at = 700; at <= 1700; at += 100) give(at);
  assertEquals(await drain(queue, 3), "!1500 1600 1700");
  assertEquals(queue.dropped, 8);
  queue.close();
});

pureTest("LiveQueue drops all up to the next keyframe if none waits", async () => {
  const [queue, frames] = [new LiveQueue({ limits: QUEUE_LIMITS.drop }), new Frames()];
  frames.give(queue, 0);
  for (let at = 100; at <= 900; at += 100) frames.give(queue, at, { keyframe: false });
  assertEquals([queue.dropped, frames.held], [10, 0]);
  frames.give(queue, 1000);
  assertEquals(await drain(queue, 1), "!1000");
});

pureTest("LiveQueue limits audio apart from video, and by time", async () => {
  const [queue, frames] = [new LiveQueue({ limits: QUEUE_LIMITS.drop }), new Frames()];
  for (let at = 0; at <= 1500; at += 250) frames.give(queue, at, { audio: true });
  assertEquals(queue.dropped, 2);
  frames.give(queue, 1500);
  assertEquals(await drain(queue, 6), "!500 750 1000 1250 1500 1500");
  const silent = new LiveQueue({ limits: QUEUE_LIMITS.drop, types: ["video"] });
  frames.give(silent, 0, { audio: true });
  frames.give(silent, 1);
  assertEquals(await drain(silent, 1), "1");
});

pureTest("LiveQueue queues nothing in a pause, and goes on with the newest keyframe", async () => {
  let isPaused = false;
  const queue = new LiveQueue({ limits: QUEUE_LIMITS.wait, isPaused: () => isPaused });
  const frames = new Frames();
  frames.give(queue, 0);
  frames.give(queue, 1, { keyframe: false });
  isPaused = true;
  for (const at of [2, 3, 4]) frames.give(queue, at, { keyframe: at === 3 });
  assertEquals([queue.dropped, frames.held], [0, 0]);
  queue.notify({ code: "source_lost", message: "" });
  assertEquals(await drain(queue, 1), "source_lost");
  isPaused = false;
  frames.give(queue, 5, { keyframe: false });
  frames.give(queue, 6);
  assertEquals(await drain(queue, 1), "~6");
  assertEquals(queue.dropped, 0);
});

pureTest("LiveQueue.take() waits, in order with events, until it fails or is aborted", async () => {
  const [queue, frames] = [new LiveQueue({ limits: QUEUE_LIMITS.wait }), new Frames()];
  const first = drain(queue, 1);
  frames.give(queue, 1);
  assertEquals(await first, "1");
  frames.give(queue, 2);
  queue.notify({ code: "source_lost", message: "" });
  queue.fail(new Error("it is gone"));
  frames.give(queue, 3);
  assertEquals(await drain(queue, 2), "2 source_lost");
  await assertRejects(() => queue.take(NEVER), Error, "it is gone");
  const stop = new AbortController();
  const waiting = new LiveQueue({ limits: QUEUE_LIMITS.wait }).take(stop.signal);
  stop.abort(new Error("enough"));
  await assertRejects(() => waiting, Error, "enough");
  assertEquals(frames.held, 0);
});

pureTest("SharedFrame is recycled with its last holder, and shares one message", () => {
  const frames = new Frames();
  const queues = [1, 2, 3].map(() => new LiveQueue({ limits: QUEUE_LIMITS.wait }));
  let recycled = 0;
  const data = new Uint8Array(FRAME_HEADROOM + 4).subarray(FRAME_HEADROOM);
  const shared = new SharedFrame({ streamId: 0, timestamp: 0, keyframe: true, data }, {
    ...{ type: "video", time: 0, prepare: encodeFrame },
    recycle: () => recycled++,
  });
  for (const queue of queues) queue.offer(shared);
  shared.release();
  assert(shared.message.buffer === data.buffer);
  for (const [at, queue] of queues.entries()) {
    assertEquals(recycled, 0, `viewer ${at}`);
    queue.close();
  }
  assertEquals([recycled, frames.held], [1, 0]);
  return Promise.resolve();
});

/** Bytes with room in front of them. */
function memory(size: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(FRAME_HEADROOM + size).subarray(FRAME_HEADROOM);
}

pureTest("LiveQueue bounds audio by bytes, and messages by their number", async () => {
  const shared = (type: "audio" | "data", size: number, timestamp: number) =>
    new SharedFrame({ streamId: 1, timestamp, keyframe: true, data: memory(size) }, {
      ...{ type, time: 0, prepare: encodeFrame },
      recycle: () => {},
    });
  const audio = new LiveQueue({ limits: QUEUE_LIMITS.wait });
  for (let at = 0; at < 20; at++) audio.offer(shared("audio", 2 ** 20, at));
  assertEquals(audio.dropped, 4);
  assertEquals(await drain(audio, 1), "!4");
  const messages = new LiveQueue({ limits: QUEUE_LIMITS.drop, types: ["data"] });
  for (let at = 0; at < 10_005; at++) messages.offer(shared("data", 1, at));
  assertEquals(messages.dropped, 5);
  assertEquals(await drain(messages, 2), "!5 6");
});

pureTest(
  "LiveQueue keeps the newest of descriptions and events that follow each other",
  async () => {
    const [queue, frames] = [new LiveQueue({ limits: QUEUE_LIMITS.drop }), new Frames()];
    frames.give(queue, 0);
    for (let at = 0; at < 1000; at++) {
      queue.describe({ streams: [], data: [] });
      queue.notify({ code: "source_lost", message: `${at}` });
    }
    frames.give(queue, 1);
    const found: string[] = [];
    while (!queue.isEmpty) found.push(await drain(queue, 1));
    assertEquals([found[0], found.at(-1)], ["0", "1"]);
    assert(
      found.includes("describe") && found.includes("source_lost") && found.length < 12,
      `${found}`,
    );
  },
);

pureTest("LiveQueue says when it needs a keyframe", async () => {
  const [queue, frames] = [new LiveQueue({ limits: QUEUE_LIMITS.drop }), new Frames()];
  let asked = 0;
  queue.onStarved = () => asked++;
  frames.give(queue, 0, { keyframe: false });
  assertEquals(asked, 1);
  frames.give(queue, 1);
  frames.give(queue, 2, { keyframe: false });
  assertEquals([asked, await drain(queue, 2)], [1, "1 2"]);
});
