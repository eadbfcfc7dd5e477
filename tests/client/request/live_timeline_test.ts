import { assertAlmostEquals, assertEquals } from "@std/assert";
import { LiveTimeline } from "../../../lib/client/request/live_timeline.ts";
import type { AudioStream, Frame } from "../../../lib/media/frame.ts";
import { GREY } from "../../support/peers/scripted_server.ts";
import { pureTest } from "../../support/pure_test.ts";

const SOUND: AudioStream = {
  ...{ type: "audio", id: 1, codec: "aac", fourcc: "mp4a", timeBase: [1, 1000] },
  ...{ extradata: new Uint8Array(), sampleRate: 48_000, channels: 2 },
};

function frame(timestamp: number, streamId = 0): Frame {
  return { streamId, timestamp, keyframe: true, data: new Uint8Array() };
}

pureTest("LiveTimeline.retime() does not change frames of the first connection", () => {
  const timeline = new LiveTimeline([GREY, SOUND], () => 0);
  for (const each of [frame(1000), frame(990), frame(40_000, 1)]) {
    assertEquals(timeline.retime(each) === each, true);
  }
});

pureTest(
  "LiveTimeline.retime() continues after the time that has passed, video and audio together",
  () => {
    let now = 0;
    const timeline = new LiveTimeline([GREY, SOUND], () => now);
    timeline.retime(frame(1000));
    timeline.retime(frame(40_020, 1));
    now = 2500;
    timeline.resume([GREY, SOUND]);
    assertEquals(timeline.retime(frame(7)), { ...frame(1063), discontinuity: true });
    assertEquals(timeline.gap, 2.5);
    // In its own time base, 10 ms after the video frame.
    assertEquals(timeline.retime(frame(290, 1)), { ...frame(42_530, 1), discontinuity: true });
    assertEquals(timeline.retime(frame(8)), frame(1064));
    assertAlmostEquals(timeline.length, 2.56, 1e-9);
    now = 3500;
    assertAlmostEquals(timeline.length, 3.56, 1e-9);
  },
);

pureTest("LiveTimeline.retime() converts another time base", () => {
  const timeline = new LiveTimeline([GREY], () => 0);
  timeline.retime(frame(25));
  timeline.resume([{ ...GREY, timeBase: [1, 1000] }]);
  assertEquals(timeline.retime(frame(0)), undefined);
  assertEquals(timeline.retime(frame(80)), { ...frame(27), discontinuity: true });
  assertEquals(timeline.retime(frame(120)), frame(28));
});

pureTest("LiveTimeline.retime() drops frames that would precede those before the cut", () => {
  const timeline = new LiveTimeline([GREY, SOUND], () => 0);
  timeline.retime(frame(1000, 1));
  timeline.retime(frame(25));
  timeline.resume([GREY, SOUND]);
  // No time has passed on this clock, so the first frame gets the time of the last one.
  assertEquals(timeline.retime(frame(0)), undefined);
  assertEquals(timeline.retime(frame(1)), { ...frame(26), discontinuity: true });
  assertEquals(timeline.retime(frame(0, 1)), undefined);
  assertEquals(timeline.retime(frame(20, 1)), { ...frame(1020, 1), discontinuity: true });
});

pureTest("LiveTimeline.length is 0 before the first frame", () => {
  const timeline = new LiveTimeline([GREY], () => 9000);
  assertEquals(timeline.length, 0);
  timeline.resume([GREY]);
  assertEquals(timeline.retime(frame(5)), { ...frame(5), discontinuity: true });
});

const MESSAGES = { id: 2, type: "data", codec: "json", timeBase: [1, 1000] } as const;

pureTest("LiveTimeline.retime() goes on with other streams of the same connection", () => {
  let now = 0;
  const timeline = new LiveTimeline([GREY], () => now);
  timeline.retime(frame(25));
  const other = { ...GREY, timeBase: [1, 1000] } as const;
  now = 100;
  timeline.resume([other], { streams: [other], isSameConnection: true });
  // On the same timeline, 80 ms after the last one.
  assertEquals(timeline.retime(frame(1080)), frame(1080));
  now = 200;
  timeline.resume([other], { streams: [other], isSameConnection: true });
  // On another one: 100 ms after the last one by the clock.
  assertEquals(timeline.retime(frame(7)), frame(1180));
  assertEquals(timeline.retime(frame(47)), frame(1220));
});

pureTest("LiveTimeline.retime() places messages beside the video, which leads", () => {
  let now = 0;
  const timeline = new LiveTimeline([GREY, MESSAGES], () => now);
  timeline.retime(frame(25));
  // A message of the future does not move the present.
  assertEquals(timeline.retime(frame(900_000, 2)), frame(900_000, 2));
  now = 2000;
  timeline.resume([GREY, MESSAGES]);
  assertEquals(timeline.retime(frame(5, 2)), frame(3000, 2));
  assertEquals(timeline.retime(frame(0)), { ...frame(75), discontinuity: true });
  assertEquals(timeline.retime(frame(40, 2)), frame(3040, 2));
});

pureTest("LiveTimeline.retime() has only messages to go by if there is nothing else", () => {
  let now = 0;
  const timeline = new LiveTimeline([MESSAGES], () => now);
  timeline.retime(frame(1000, 2));
  now = 500;
  timeline.resume([MESSAGES]);
  assertEquals(timeline.retime(frame(0, 2)), frame(1500, 2));
});
