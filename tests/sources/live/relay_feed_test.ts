import { assertEquals } from "@std/assert";
import type { Frame, StreamDescription } from "../../../lib/media/frame.ts";
import {
  CaptureTimes,
  FrameFeeder,
  type FrameInput,
} from "../../../lib/sources/live/relay_feed.ts";
import { GREY } from "../../support/peers/scripted_server.ts";
import { pureTest } from "../../support/pure_test.ts";

const STREAMS: StreamDescription[] = [
  { ...GREY, timeBase: [1, 10] },
  {
    ...{ id: 1, type: "audio", codec: "aac", fourcc: "mp4a", timeBase: [1, 1000] },
    ...{ extradata: new Uint8Array(), sampleRate: 1000, channels: 2 },
  },
];

/** Frames of one byte that are available at once, and then an error. */
class Frames implements FrameInput {
  streams = STREAMS;
  released = 0;
  isDisposed = false;
  #frames: Frame[];
  #error: Error;

  constructor(frames: readonly Partial<Frame>[], error: Error) {
    const data = Uint8Array.of(7);
    this.#frames = frames.map((frame) => ({
      ...{ streamId: 0, timestamp: 0, keyframe: true, data },
      ...frame,
    }));
    this.#error = error;
  }

  take() {
    const frame = this.#frames.shift();
    if (frame === undefined) return Promise.reject(this.#error);
    return Promise.resolve({ frame, release: () => this.released++ });
  }

  [Symbol.dispose](): void {
    this.isDisposed = true;
  }
}

/** Feeds frames to a sink until there are no more. */
async function feed(frames: Frames, write: (chunk: Uint8Array) => void = () => {}) {
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const sink = new WritableStream<Uint8Array>({ write });
  const feeder = new FrameFeeder(frames, { output: sink, onFailure: resolve });
  return { feeder, failure: await promise };
}

pureTest("FrameFeeder begins at 0, and reports the error of the input", async () => {
  const end = new Error("it is over");
  const frames = new Frames([
    { timestamp: 105, captured: 1_000_000 },
    { streamId: 1, timestamp: 10_400 },
    { streamId: 1, timestamp: 10_600, captured: 1_100_000 },
    { timestamp: 107, captured: 1_200_000 },
    { streamId: 5 },
  ], end);
  let written = 0;
  const { feeder, failure } = await feed(frames, ({ length }) => written += length === 1 ? 1 : 0);
  assertEquals([failure, frames.released], [end, 5]);
  // Audio before the first video frame is dropped, and so are frames of no stream.
  assertEquals(written, 3);
  assertEquals(feeder.capturedAt(0, 0), 1_000_000);
  assertEquals(feeder.capturedAt(0, 0.2), 1_200_000);
  assertEquals(feeder.capturedAt(1, 0.1), 1_100_000);
  await feeder[Symbol.asyncDispose]();
  assertEquals(frames.isDisposed, true);
});

pureTest("FrameFeeder reports streams that cannot be written", async () => {
  const frames = new Frames([], new Error("never asked for"));
  frames.streams = [];
  const { feeder, failure } = await feed(frames);
  assertEquals(failure instanceof RangeError, true);
  await feeder[Symbol.asyncDispose]();
});

pureTest(
  "CaptureTimes.find() returns the latest frame that has begun, also in decode order",
  () => {
    const times = new CaptureTimes();
    for (const seconds of [0, 0.3, 0.1, 0.2]) times.add(0, seconds, seconds * 10);
    assertEquals([0, 0.15, 0.2, 5].map((at) => times.find(0, at)), [0, 1, 2, 3]);
    // Rounded to milliseconds, a time may be a little earlier.
    assertEquals(times.find(0, 0.299), 3);
    assertEquals([times.find(0, -1), times.find(1, 0)], [undefined, undefined]);
    times.add(0, 20, 200);
    assertEquals([times.find(0, 0.3), times.find(0, 20)], [undefined, 200]);
  },
);
