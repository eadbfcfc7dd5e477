import { assertEquals } from "@std/assert";
import type { AudioStream, DataStream, Frame } from "../../../lib/media/frame.ts";
import { messageLine, MessageLog } from "../../../lib/sinks/data/message_log.ts";
import { messagesPath } from "../../../lib/sinks/data/recording.ts";
import { GREY } from "../../support/peers/scripted_server.ts";
import { pureTest } from "../../support/pure_test.ts";

const JSON_STREAM: DataStream = { id: 2, type: "data", codec: "json", timeBase: [1, 1000] };

const SOUND: AudioStream = {
  ...{ type: "audio", id: 1, codec: "aac", fourcc: "mp4a", timeBase: [1, 1000] },
  ...{ extradata: new Uint8Array(), sampleRate: 48_000, channels: 2 },
};

function said(time: number, text = "0") {
  return { stream: JSON_STREAM, time, data: new TextEncoder().encode(text) };
}

/** @param seconds with a time base of 1/25, or 1/1000 for sound */
function frame(streamId: number, seconds: number): Frame {
  const timestamp = Math.round(seconds * (streamId === 0 ? 25 : 1000));
  return { streamId, timestamp, keyframe: true, data: new Uint8Array(1) };
}

/** A log, and the times of its lines. */
function logged(): { log: MessageLog; times: number[] } {
  const times: number[] = [];
  const log = new MessageLog((line) => {
    times.push(JSON.parse(line).time);
    return Promise.resolve(true);
  });
  return { log, times };
}

pureTest("MessageLog counts from the first frame of all streams", async () => {
  const { log, times } = logged();
  log.begin([GREY, SOUND]);
  await log.take(said(4.5));
  await log.see(frame(0, 5));
  assertEquals(times, []);
  await log.see(frame(1, 4.75));
  assertEquals(times, [-0.25]);
  await log.take(said(6));
  await log.see(frame(0, 1));
  await log.take(said(7.5));
  assertEquals(times, [-0.25, 1.25, 2.75]);
});

pureTest(
  "MessageLog does not wait for a stream without frames for longer than a second",
  async () => {
    const { log, times } = logged();
    log.begin([GREY, SOUND]);
    await log.see(frame(0, 5));
    await log.take(said(5.5));
    await log.see(frame(0, 5.96));
    assertEquals(times, []);
    await log.see(frame(0, 6));
    assertEquals(times, [0.5]);
  },
);

pureTest("MessageLog counts from the first message without other streams", async () => {
  const { log, times } = logged();
  log.begin([]);
  for (const time of [70, 70.25, 69]) await log.take(said(time));
  assertEquals(times, [0, 0.25, -1]);
});

pureTest("MessageLog writes what waits at the end, and when too much waits", async () => {
  const { log, times } = logged();
  log.begin([GREY]);
  await log.take(said(3));
  await log.end();
  await log.end();
  assertEquals(times, [0]);
  const large = logged();
  large.log.begin([GREY]);
  await large.log.take(said(3, `"${"x".repeat(17 << 20)}"`));
  assertEquals(large.times, [0]);
});

pureTest("MessageLog takes no more once its lines are not taken", async () => {
  const log = new MessageLog(() => Promise.resolve(false));
  log.begin([]);
  assertEquals([await log.take(said(1)), await log.take(said(2))], [false, false]);
});

pureTest("messageLine() keeps a message on one line, without control characters", () => {
  const line = (text: string) => messageLine(said(1.23456789, text), 0);
  assertEquals(line("[1,\n 2]"), '{"time":1.234568,"stream":2,"value":[1,  2]}\n');
  assertEquals(line('"\u{9b}\u{2028}"'), '{"time":1.234568,"stream":2,"value":"\\u009b\\u2028"}\n');
  assertEquals(line(""), '{"time":1.234568,"stream":2,"value":""}\n');
  assertEquals(line("a\nb"), '{"time":1.234568,"stream":2,"value":"a\\nb"}\n');
});

pureTest("messagesPath() replaces the extension", () => {
  for (
    const [path, messages] of [
      ["cam.mp4", "cam.jsonl"],
      ["a.b/cam-2.mkv", "a.b/cam-2.jsonl"],
      ["a.b/cam", "a.b/cam.jsonl"],
      ["site/index.m3u8", "site/index.jsonl"],
    ]
  ) assertEquals(messagesPath(path), messages);
});
