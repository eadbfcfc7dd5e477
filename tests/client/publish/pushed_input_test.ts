import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { PushedInput } from "../../../lib/client/publish/pushed_input.ts";
import type { InputReading } from "../../../lib/client/publish/input.ts";
import { RequestError } from "../../../lib/base/errors.ts";
import type { Description, VideoStream } from "../../../lib/media/frame.ts";
import { HandClock } from "../../support/time/hand_clock.ts";

const { signal } = new AbortController();

const RAW: VideoStream = {
  ...{ id: 0, type: "video", codec: "rawvideo", fourcc: "", timeBase: [1, 1000] },
  ...{ extradata: new Uint8Array(0), width: 2, height: 2, pixelFormat: "gray" },
};

function describe(more: Partial<VideoStream> = {}): Description {
  return { name: "cam", live: true, streams: [{ ...RAW, ...more }] };
}

function inputOf(more?: Partial<VideoStream>): PushedInput {
  return new PushedInput(describe(more), { clock: new HandClock() });
}

function push(input: PushedInput, timestamp: number, { keyframe = true } = {}): void {
  const data = new Uint8Array(4).fill(timestamp);
  input.push({ streamId: 0, timestamp, keyframe, captured: 0, data });
}

/** Takes an item: a frame as its timestamp and its flag. */
async function take(reading: InputReading): Promise<unknown> {
  const item = await reading.take(signal);
  if (item.kind !== "frame") return item.kind;
  const { timestamp } = item.frame.frame;
  item.frame.release();
  return item.dropped ? [timestamp, "dropped"] : timestamp;
}

Deno.test("PushedInput gives the description, the frames, and the end", async () => {
  await using input = inputOf();
  push(input, 1);
  using reading = input.read();
  const first = await reading.take(signal);
  assertEquals(first.kind === "describe" && first.streams.map(({ codec }) => codec), ["rawvideo"]);
  assertEquals(await take(reading), 1);
  push(input, 2);
  input.end();
  assertEquals([await take(reading), await take(reading)], [2, "end"]);
});

Deno.test("PushedInput copies what is pushed", async () => {
  await using input = inputOf();
  const data = new Uint8Array([1, 2, 3, 4]);
  input.push({ streamId: 0, timestamp: 0, keyframe: true, data });
  data.fill(9);
  using reading = input.read();
  await take(reading);
  const item = await reading.take(signal);
  assertEquals(item.kind === "frame" && [...item.frame.frame.data], [1, 2, 3, 4]);
  if (item.kind === "frame") item.frame.release();
});

Deno.test("PushedInput drops the oldest of more than ten raw frames, and counts them", async () => {
  await using input = inputOf();
  for (let timestamp = 0; timestamp < 13; timestamp++) push(input, timestamp);
  assertEquals(input.dropped, 3);
  using reading = input.read();
  await take(reading);
  assertEquals(await take(reading), [3, "dropped"]);
  assertEquals(await take(reading), 4);
  assertEquals(reading.dropped, 3);
});

Deno.test("PushedInput goes on for the next connection with what waits", async () => {
  await using input = inputOf();
  {
    using reading = input.read();
    await take(reading);
    for (let timestamp = 0; timestamp < 12; timestamp++) push(input, timestamp);
    assertEquals(await take(reading), [2, "dropped"]);
    assertEquals(reading.dropped, 2);
  }
  using reading = input.read();
  assertEquals([await take(reading), await take(reading)], ["describe", 3]);
  assertEquals(reading.dropped, 0);
});

Deno.test("PushedInput begins with a keyframe after a lost connection", async () => {
  await using input = inputOf({ codec: "h264", pixelFormat: undefined });
  {
    using reading = input.read();
    await take(reading);
    push(input, 0);
    push(input, 1, { keyframe: false });
    assertEquals(await take(reading), 0);
  }
  push(input, 2, { keyframe: false });
  push(input, 3);
  using reading = input.read();
  assertEquals([await take(reading), await take(reading)], ["describe", [3, "dropped"]]);
  assertEquals([reading.dropped, input.dropped], [2, 2]);
});

Deno.test("PushedInput discards frames while nobody watches, and does not count them", async () => {
  await using input = inputOf();
  push(input, 0);
  await input.stop();
  push(input, 1);
  using reading = input.read();
  push(input, 2);
  assertEquals([await take(reading), await take(reading)], ["describe", 2]);
  assertEquals(input.dropped, 0);
});

Deno.test("PushedInput refuses streams and frames that cannot be published", async () => {
  assertThrows(() => inputOf({ pixelFormat: "odd" }), RequestError, 'pixel format "odd"');
  await using input = inputOf();
  const short = { streamId: 0, timestamp: 0, keyframe: true, data: new Uint8Array(3) };
  assertThrows(() => input.push(short), RequestError, "a frame of 3 bytes");
  const foreign = { ...short, streamId: 7, data: new Uint8Array(4) };
  assertThrows(() => input.push(foreign), RequestError, "a frame of stream 7, not described");
  // Programs in JavaScript pass anything.
  const list = { ...short, data: [1, 2, 3, 4] as unknown as Uint8Array };
  assertThrows(() => input.push(list), TypeError, "expected a Uint8Array");
});

Deno.test("a reading of PushedInput ends its wait with the signal", async () => {
  await using input = inputOf();
  using reading = input.read();
  await take(reading);
  const controller = new AbortController();
  const waiting = assertRejects(() => reading.take(controller.signal), Error, "enough");
  controller.abort(new Error("enough"));
  await waiting;
});
