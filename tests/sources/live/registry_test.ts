import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { RequestError } from "../../../lib/base/errors.ts";
import { encodeFrame } from "../../../lib/protocol/native/framing.ts";
import { MemoryBudget } from "../../../lib/sources/limits.ts";
import { LiveSources } from "../../../lib/sources/live/registry.ts";
import { type LiveSource, parseLiveSource } from "../../../lib/sources/live/source_spec.ts";
import { type LiveQueue, QUEUE_LIMITS } from "../../../lib/sources/live/subscriber_queue.ts";
import { installedDialect } from "../../support/programs/machine.ts";
import { HandClock } from "../../support/time/hand_clock.ts";
import { HandFeed } from "../../support/media/hand_feed.ts";
import { GREY } from "../../support/peers/scripted_server.ts";

const NEVER = new AbortController().signal;
const COPY = { encoding: "copy" } as const;
const DOOR: LiveSource = { name: "door", kind: "network", input: "a client" };

/** A registry with one source of the command line, `cam`. */
class Studio implements AsyncDisposable {
  readonly budget: MemoryBudget = new MemoryBudget(1e9);
  readonly lines: string[] = [];
  readonly live: LiveSources;

  private constructor(dialect: Awaited<ReturnType<typeof installedDialect>>) {
    this.live = new LiveSources({ sources: [parseLiveSource("cam=v4l2:/dev/video0")] }, {
      ...{ budget: this.budget, dialect, prepare: encodeFrame, clock: new HandClock() },
      logger: { log: (_level, message) => void this.lines.push(message) },
    });
  }

  static async open(): Promise<Studio> {
    return new Studio(await installedDialect());
  }

  watch(source: LiveSource) {
    return this.live.watch(source, COPY, { limits: QUEUE_LIMITS.wait, signal: NEVER });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.live[Symbol.asyncDispose]();
  }
}

/** Takes one item: the timestamp of a frame, or the kind. */
async function taken(queue: LiveQueue): Promise<string | number> {
  const item = await queue.take(NEVER);
  if (item.kind !== "frame") return item.kind;
  item.frame.release();
  return item.frame.frame.timestamp;
}

Deno.test("LiveSources.add() registers a source until it is disposed, and refuses its name", async () => {
  await using studio = await Studio.open();
  const { live } = studio;
  const cam = live.find();
  assertEquals([live.names, cam?.name, live.find("door")], [["cam"], "cam", undefined]);
  const registration = live.add(DOOR);
  assertEquals([live.names, live.find("door"), live.find()], [["cam", "door"], DOOR, cam]);
  assertEquals(live.entries().map(({ name, kind, live, codec }) => [name, kind, live, codec]), [
    ["cam", "video", true, ""],
    ["door", "video", true, ""],
  ]);
  const { code } = assertThrows(() => live.add({ ...DOOR }), RequestError, "another name");
  assertEquals(code, "bad_request");
  registration[Symbol.dispose]();
  const again = live.add({ ...DOOR });
  // It is disposed already; another source has the name.
  registration[Symbol.dispose]();
  assertEquals(live.names, ["cam", "door"]);
  again[Symbol.dispose]();
  assertEquals(live.names, ["cam"]);
});

Deno.test("a source that is removed ends for those who watch it, and may come back", async () => {
  await using studio = await Studio.open();
  const { live, budget } = studio;
  for (let round = 1; round <= 2; round++) {
    const feed = new HandFeed();
    const registration = live.add(DOOR, { open: () => Promise.resolve(feed) });
    const joining = [studio.watch(DOOR), studio.watch(DOOR)];
    feed.show(0);
    const watches = await Promise.all(joining);
    feed.show(1);
    assertEquals([live.running, live.entries()[1].codec], [1, "rawvideo"]);
    for (const { queue } of watches) assertEquals([await taken(queue), await taken(queue)], [0, 1]);
    registration[Symbol.dispose]();
    for (const { queue } of watches) assertEquals(await taken(queue), "end");
    assertEquals([live.running, live.names, live.find("door")], [0, ["cam"], undefined]);
    feed.break("the client has left");
    const gone = await assertRejects(() => studio.watch(DOOR), RequestError, "it is gone");
    assertEquals(gone.code, "not_found");
    for (const watch of watches) watch[Symbol.dispose]();
    assertEquals(budget.taken, 0);
    while (!feed.isDisposed || studio.lines.length < 2 * round) await Promise.resolve();
  }
  const lines = [`"door" is started: copy`, `"door" is stopped`];
  assertEquals(studio.lines, [...lines, ...lines]);
});

Deno.test("a source that is removed before its first frame is refused", async () => {
  await using studio = await Studio.open();
  const feed = new HandFeed();
  const registration = studio.live.add(DOOR, { open: () => Promise.resolve(feed) });
  const joining = studio.watch(DOOR);
  await Promise.resolve();
  registration[Symbol.dispose]();
  feed.break("the client has left");
  await assertRejects(() => joining, RequestError, `Cannot read "door"`);
  assert(!studio.live.names.includes("door"));
});

Deno.test("a source of the name of one that has just ended is read anew in each rendition", async () => {
  await using studio = await Studio.open();
  const { live } = studio;
  const watchJpeg = async (width: number) => {
    const source: LiveSource = { name: "door", kind: "published", input: "" };
    const feed = new HandFeed();
    feed.streams = [{ ...GREY, width, height: 4 / width, timeBase: [1, 10] }];
    const registration = live.add(source, {
      open: (signal) => {
        signal.addEventListener("abort", () => feed.break("nobody watches"));
        return Promise.resolve(feed);
      },
    });
    let timestamp = 0;
    // FFmpeg takes several frames before it gives the first.
    const showing = setInterval(() => feed.show(timestamp++), 5);
    const options = { limits: QUEUE_LIMITS.wait, signal: NEVER };
    const watch = await live.watch(source, { encoding: "mjpeg" }, options)
      .finally(() => clearInterval(showing));
    return { feed, registration, watch };
  };
  const before = await watchJpeg(2);
  before.registration[Symbol.dispose]();
  before.feed.break("the publisher has left");
  // FFmpeg has yet to end with the last frames of the one before.
  const after = await watchJpeg(4);
  const [stream] = after.watch.described.streams;
  assertEquals([stream.codec, stream.type === "video" && stream.width], ["mjpeg", 4]);
  assertEquals(await taken(after.watch.queue), 0);
  let last: string | number = "";
  while (last !== "end") last = await taken(before.watch.queue);
  for (const { watch } of [before, after]) watch[Symbol.dispose]();
});
