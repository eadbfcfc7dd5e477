import { assertEquals } from "@std/assert";
import type { AudioStream, Frame } from "../../../lib/media/frame.ts";
import { PlayerTimeline } from "../../../lib/sinks/window/player_timeline.ts";
import { GREY } from "../../support/peers/scripted_server.ts";
import { pureTest } from "../../support/pure_test.ts";

const SOUND: AudioStream = {
  ...{ type: "audio", id: 1, codec: "aac", fourcc: "mp4a", timeBase: [1, 1000] },
  ...{ extradata: new Uint8Array(), sampleRate: 48_000, channels: 2 },
};

/** A picture of 25 a second. */
function picture(timestamp: number): Frame {
  return { streamId: 0, timestamp, keyframe: true, data: new Uint8Array(1) };
}

/** Sound, by milliseconds. */
function sound(timestamp: number): Frame {
  return { ...picture(timestamp), streamId: 1 };
}

/** A time line, and a clock for it, in milliseconds. */
function timeline(
  options: { hides?: boolean; speed?: number; playerSpeed?: number; live?: boolean } = {},
) {
  const clock = { now: 0 };
  const streams = [GREY, SOUND];
  const line = new PlayerTimeline({
    ...{ streams, speed: 1, hides: false, live: false, ...options },
    now: () => clock.now,
  });
  return { line, clock };
}

pureTest("PlayerTimeline maps frames to even microseconds, at the playback speed", () => {
  const { line } = timeline();
  assertEquals([picture(0), picture(25), sound(40)].map((frame) => line.timestampOf(frame)), [
    ...[1_000_000, 2_000_000, 1_040_000],
  ]);
  const { line: fast } = timeline({ speed: 4 });
  assertEquals([picture(25), sound(4)].map((frame) => fast.timestampOf(frame)), [
    1_250_000,
    1_001_000,
  ]);
  assertEquals(timeline({ speed: 3 }).line.timestampOf(picture(1)), 1_013_334);
  assertEquals(timeline({ speed: 0 }).line.timestampOf(picture(25)), 2_000_000);
});

pureTest("PlayerTimeline leaves the speed of the player to it", () => {
  const { line, clock } = timeline({ speed: 4, playerSpeed: 4 });
  assertEquals([picture(0), picture(25)].map((frame) => line.timestampOf(frame)), [
    ...[1_000_000, 2_000_000],
  ]);
  clock.now = 100;
  line.jump(50);
  // 0.1 seconds of the clock are 0.4 of the player.
  assertEquals(line.timestampOf(picture(1250)), 2_400_000);
});

pureTest(
  "PlayerTimeline maps frames that are only decoded to odd microseconds, close together",
  () => {
    const { line } = timeline({ hides: true });
    const moments = [-50, -48, -49, -1, 0].map((at) => line.timestampOf(picture(at)));
    assertEquals(moments, [998_001, 998_081, 998_041, 999_961, 1_000_000]);
    assertEquals([-20, 0].map((at) => line.timestampOf(sound(at))), [undefined, 1_000_000]);
  },
);

pureTest("PlayerTimeline.shownAt() gives the time of frames by that of the player", () => {
  for (const speeds of [{}, { speed: 4 }, { speed: 4, playerSpeed: 4 }, { speed: 0 }]) {
    const { line, clock } = timeline(speeds);
    const shownBy = (timestamp: number) =>
      Number(line.shownAt(line.timestampOf(picture(timestamp))! / 1e6).toFixed(3));
    assertEquals([0, 25, 50].map(shownBy), [0, 1, 2]);
    clock.now = 100;
    line.jump(50);
    // Of what was shown before.
    assertEquals(line.shownAt(1.5), 50);
    assertEquals([1250, 1275].map(shownBy), [50, 51]);
  }
});

pureTest("PlayerTimeline drops pictures that refer to ones before the first", () => {
  const { line } = timeline({ hides: true });
  assertEquals([-10, -12, -9].map((at) => line.timestampOf(picture(at))), [
    999_601,
    undefined,
    999_641,
  ]);
  line.timestampOf(picture(0));
  line.jump(100);
  // Two seconds in 2 milliseconds, behind the 50 that are between what is shown.
  assertEquals([2450, 2448].map((at) => line.timestampOf(picture(at))), [1_048_001, undefined]);
});

pureTest("PlayerTimeline follows the clock over a seek in either direction", () => {
  for (const to of [0, 100]) {
    const { line, clock } = timeline({ hides: true });
    line.timestampOf(picture(25));
    line.timestampOf(picture(24));
    clock.now = 300;
    line.jump(to);
    assertEquals(line.timestampOf(picture(25 * to)), 2_300_000);
    assertEquals(line.timestampOf(sound(1000 * to - 20)), undefined);
    assertEquals(line.timestampOf(sound(1000 * to + 20)), 2_320_000);
  }
});

pureTest("PlayerTimeline shows a raw picture that has begun before the target of a seek", () => {
  const { line } = timeline();
  line.timestampOf(picture(25));
  line.jump(3.5);
  assertEquals([75, 88].map((at) => line.timestampOf(picture(at))), [2_050_000, 2_070_000]);
});

pureTest("PlayerTimeline follows the clock over a pause, and over seeks in it", () => {
  const { line, clock } = timeline();
  line.timestampOf(picture(25));
  clock.now = 100;
  line.pause(true);
  // Frames that were still on their way.
  assertEquals(line.timestampOf(picture(26)), 2_040_000);
  clock.now = 5100;
  line.pause(false);
  assertEquals(line.timestampOf(picture(27)), 7_080_000);
  clock.now = 6000;
  line.pause(true);
  clock.now = 8000;
  line.jump(50);
  clock.now = 9000;
  line.pause(false);
  // 2.9 seconds until the jump, another until it goes on.
  assertEquals(line.timestampOf(picture(1250)), 7_080_000 + 3_900_000);
});

pureTest("PlayerTimeline does not wait without real time", () => {
  const { line, clock } = timeline({ speed: 0 });
  line.timestampOf(picture(25));
  line.pause(true);
  clock.now = 5000;
  line.pause(false);
  assertEquals(line.timestampOf(picture(26)), 2_040_000);
  clock.now = 9000;
  line.jump(100);
  assertEquals(line.timestampOf(picture(2500)), 2_090_000);
});

pureTest("PlayerTimeline ignores a pause of live media, which goes on", () => {
  const { line, clock } = timeline({ live: true });
  line.timestampOf(picture(25));
  line.pause(true);
  clock.now = 5000;
  line.pause(false);
  assertEquals(line.timestampOf(picture(150)), 7_000_000);
});
