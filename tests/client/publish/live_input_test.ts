import { assertEquals, assertRejects } from "@std/assert";
import { RequestError } from "../../../lib/base/errors.ts";
import type { InputItem, InputReading } from "../../../lib/client/publish/input.ts";
import { LiveInput } from "../../../lib/client/publish/live_input.ts";
import type { LiveFeed } from "../../../lib/sources/live/feed.ts";
import { HandFeed } from "../../support/media/hand_feed.ts";
import { GREY } from "../../support/peers/scripted_server.ts";
import { pureTest } from "../../support/pure_test.ts";
import { HandClock } from "../../support/time/hand_clock.ts";

const NEVER = new AbortController().signal;

/** A live input whose source, clock and messages the test controls. */
class Studio implements AsyncDisposable {
  readonly clock = new HandClock();
  readonly feeds: HandFeed[] = [];
  readonly lines: string[] = [];
  readonly input: LiveInput;
  #started = Promise.withResolvers<HandFeed>();

  constructor(open?: () => Promise<LiveFeed>) {
    this.input = new LiveInput({
      source: { name: "cam", kind: "device", format: "v4l2", input: "/dev/video0" },
      open: open ?? ((signal) => {
        const feed = new HandFeed();
        signal.addEventListener("abort", () => feed.break("aborted"));
        this.feeds.push(feed);
        this.#started.resolve(feed);
        this.#started = Promise.withResolvers();
        return Promise.resolve(feed);
      }),
      notify: (line) => void this.lines.push(line),
      clock: this.clock,
    });
  }

  /** The next start of the input. */
  get nextStart(): Promise<HandFeed> {
    return this.#started.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.input[Symbol.asyncDispose]();
  }
}

function textOf(item: InputItem): string {
  if (item.kind === "describe") return `describe ${item.streams.map(({ id }) => id)}`;
  if (item.kind === "end") return item.kind;
  item.frame.release();
  return `${item.dropped ? "dropped " : ""}${item.frame.frame.timestamp}`;
}

async function take(reading: InputReading, count: number): Promise<string[]> {
  const texts: string[] = [];
  while (texts.length < count) texts.push(textOf(await reading.take(NEVER)));
  return texts;
}

pureTest("LiveInput describes its streams before the first frame of each reading", async () => {
  await using studio = new Studio();
  {
    using reading = studio.input.read();
    studio.feeds[0].show(0);
    assertEquals(await take(reading, 2), ["describe 0", "0"]);
    studio.feeds[0].show(1);
    assertEquals(await take(reading, 1), ["1"]);
  }
  // It runs on without a connection, and nobody gets what it shows.
  studio.feeds[0].show(2);
  studio.feeds[0].show(3);
  await studio.feeds[0].asked(5);
  using reading = studio.input.read();
  studio.feeds[0].show(4, { keyframe: false });
  studio.feeds[0].show(5);
  assertEquals(await take(reading, 2), ["describe 0", "5"]);
  assertEquals([studio.feeds.length, reading.dropped], [1, 0]);
});

pureTest("LiveInput drops the oldest frames up to a keyframe while nobody takes", async () => {
  await using studio = new Studio();
  using reading = studio.input.read();
  const [feed] = studio.feeds;
  for (let at = 0; at <= 30; at++) {
    feed.show(at, { keyframe: at % 10 === 0 });
    await feed.asked(at + 2);
    studio.clock.pass(100);
  }
  assertEquals(await take(reading, 2), ["describe 0", "dropped 10"]);
  assertEquals(reading.dropped, 10);
});

pureTest("LiveInput.stop() closes the input until it is read again", async () => {
  await using studio = new Studio();
  {
    using reading = studio.input.read();
    studio.feeds[0].show(0);
    await take(reading, 2);
  }
  await studio.input.stop();
  assertEquals(studio.feeds.map(({ isDisposed }) => isDisposed), [true]);
  using reading = studio.input.read();
  studio.feeds[1].show(7);
  assertEquals(await take(reading, 2), ["describe 0", "0"]);
  assertEquals(studio.lines, []);
});

pureTest("LiveInput is started again when it fails, and tells the reason", async () => {
  await using studio = new Studio();
  using reading = studio.input.read();
  studio.feeds[0].show(0);
  await take(reading, 2);
  studio.feeds[0].break("Cannot read: unplugged");
  const { nextStart } = studio;
  await studio.clock.passToNext();
  const feed = await nextStart;
  feed.streams = [{ ...GREY, id: 0, timeBase: [1, 10], codec: "mjpeg" }];
  feed.show(0);
  assertEquals((await take(reading, 2))[0], "describe 0");
  assertEquals(studio.lines.map((line) => line.replace(/\d\.\d s/, "N s")), [
    "Cannot read: unplugged; it is tried again in N s",
    '"cam" is back',
  ]);
});

pureTest(
  "LiveInput describes a frame by its own streams, not by those of a later run",
  async () => {
    await using studio = new Studio();
    using reading = studio.input.read();
    studio.feeds[0].show(0);
    await studio.feeds[0].asked(2);
    const { nextStart } = studio;
    studio.feeds[0].break("Cannot read: unplugged");
    await studio.clock.passToNext();
    const feed = await nextStart;
    feed.streams = [{ ...GREY, id: 0, timeBase: [1, 10], codec: "mjpeg" }];
    feed.show(0);
    await feed.asked(2);
    const codecs: string[] = [];
    for (let count = 0; count < 4; count++) {
      const item = await reading.take(NEVER);
      if (item.kind === "describe") codecs.push(item.streams[0].codec);
      else codecs.push(textOf(item));
    }
    assertEquals(codecs.map((text) => text.replace(/\d+/, "N")), ["rawvideo", "N", "mjpeg", "N"]);
  },
);

pureTest("LiveInput fails for good if its codec cannot be sent", async () => {
  const error = new RequestError("unsupported", "Cannot pass on codec");
  await using studio = new Studio(() => Promise.reject(error));
  using reading = studio.input.read();
  await assertRejects(() => reading.take(NEVER), RequestError, "Cannot pass on codec");
  using again = studio.input.read();
  await assertRejects(() => again.take(NEVER), RequestError, "Cannot pass on codec");
  assertEquals(studio.lines, []);
});
