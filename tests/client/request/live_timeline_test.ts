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

pureTest("LiveTimeline.place() leaves the frames of the first connection as they are", () => {
  const line = new LiveTimeline([GREY, SOUND], () => 0);
  for (const each of [frame(1000), frame(990), frame(40_000, 1)]) {
    assertEquals(line.place(each) === each, true);
  }
});

pureTest(
  "LiveTimeline.place() goes on by the time that has passed, picture and sound together",
  () => {
    let now = 0;
    const line = new LiveTimeline([GREY, SOUND], () => now);
    line.place(frame(1000));
    line.place(frame(40_020, 1));
    now = 2500;
    line.resume([GREY, SOUND]);
    assertEquals(line.place(frame(7)), { ...frame(1063), discontinuity: true });
    assertEquals(line.gap, 2.5);
    // By its own time base 10 ms behind the picture.
    assertEquals(line.place(frame(290, 1)), { ...frame(42_530, 1), discontinuity: true });
    assertEquals(line.place(frame(8)), frame(1064));
    assertAlmostEquals(line.length, 2.56, 1e-9);
    now = 3500;
    assertAlmostEquals(line.length, 3.56, 1e-9);
  },
);

pureTest("LiveTimeline.place() takes another time base", () => {
  const line = new LiveTimeline([GREY], () => 0);
  line.place(frame(25));
  line.resume([{ ...GREY, timeBase: [1, 1000] }]);
  assertEquals(line.place(frame(0)), undefined);
  assertEquals(line.place(frame(80)), { ...frame(27), discontinuity: true });
  assertEquals(line.place(frame(120)), frame(28));
});

pureTest("LiveTimeline.place() leaves out what would lie before what came", () => {
  const line = new LiveTimeline([GREY, SOUND], () => 0);
  line.place(frame(1000, 1));
  line.place(frame(25));
  line.resume([GREY, SOUND]);
  // No time has passed by this clock, so that the first picture lies where the last one did.
  assertEquals(line.place(frame(0)), undefined);
  assertEquals(line.place(frame(1)), { ...frame(26), discontinuity: true });
  assertEquals(line.place(frame(0, 1)), undefined);
  assertEquals(line.place(frame(20, 1)), { ...frame(1020, 1), discontinuity: true });
});

pureTest("LiveTimeline.length is nothing before anything came", () => {
  const line = new LiveTimeline([GREY], () => 9000);
  assertEquals(line.length, 0);
  line.resume([GREY]);
  assertEquals(line.place(frame(5)), { ...frame(5), discontinuity: true });
});
