import { assertAlmostEquals, assertEquals, assertStrictEquals } from "@std/assert";
import type { AudioStream, Rational, StreamDescription } from "../../../lib/media/frame.ts";
import {
  beginningIn,
  beginningOf,
  EndMeter,
  moveFrame,
  movesTo,
  roundLength,
  ticksAt,
} from "../../../lib/server/playback/timeline.ts";
import { pureTest } from "../../support/pure_test.ts";

const SHARED = { fourcc: "    ", extradata: new Uint8Array(0) };
const MILLISECONDS: Rational = [1, 1000];

function video(timeBase: Rational, frameRate?: Rational): StreamDescription {
  const size = { width: 2, height: 2 };
  return { ...SHARED, ...size, id: 0, type: "video", codec: "rawvideo", timeBase, frameRate };
}

const AUDIO: AudioStream = {
  ...SHARED,
  ...{ id: 1, type: "audio", codec: "pcm_s16le", timeBase: [1, 48_000] },
  ...{ sampleRate: 48_000, channels: 2 },
};

function frame(streamId: number, timestamp: number, size = 0) {
  return { streamId, timestamp, keyframe: true, due: 0, data: new Uint8Array(size) };
}

pureTest("ticksAt() goes by way of microseconds and rounds halves up", () => {
  assertStrictEquals(ticksAt(3.3, [1, 15_360]), 50_688);
  assertStrictEquals(ticksAt(1.0005, MILLISECONDS), 1001);
  assertStrictEquals(ticksAt(1.0004994, MILLISECONDS), 1000);
  // Rounded to whole microseconds first.
  assertStrictEquals(ticksAt(1.0004996, MILLISECONDS), 1001);
  assertStrictEquals(ticksAt(1e8, [1, 1_000_000_000]), 1e17);
  assertStrictEquals(ticksAt(0, [1001, 30_000]), 0);
});

pureTest("moveFrame() moves a frame to where it is without a seek", () => {
  const position = { from: 3.3335, start: 1.25, shift: 0 };
  const move = movesTo(position, [video(MILLISECONDS), AUDIO]).get(0)!;
  const placed = moveFrame({ ...frame(0, 33), due: 0.033 }, move);
  assertEquals(placed.timestamp, 33 + 3334 - 1250);
  assertAlmostEquals(placed.due, 2.1165, 1e-9);
  const back = { from: 0.5, start: 1.25, shift: 0 };
  assertEquals([beginningIn(MILLISECONDS, back), beginningOf(back)], [-750, -0.75]);
});

pureTest("beginningIn() keeps video and audio together over many rounds", () => {
  const length = 1001 * 7 / 30_000;
  for (const round of [1, 2, 999, 100_000]) {
    const position = { from: 2, start: 2, shift: round * length };
    assertEquals(beginningIn([1, 30_000], position), round * 7007);
    const inAudio = beginningIn([1, 48_000], position) / 48_000;
    assertAlmostEquals(inAudio, round * length, 0.5 / 48_000 + 1e-6);
  }
});

pureTest("EndMeter.end is where the last frame of any stream ends", () => {
  const meter = new EndMeter([video([1, 15_360], [30, 1]), AUDIO]);
  assertEquals(meter.end, 0);
  // In the order of decoding.
  for (const timestamp of [0, 1536, 512, 1024]) meter.add(frame(0, timestamp));
  assertAlmostEquals(meter.end, 4 / 30, 1e-12);
  meter.add(frame(1, 9600, 4 * 480));
  assertAlmostEquals(meter.end, 0.21, 1e-12);
  // A stream without a description.
  meter.add(frame(7, 1e9));
  assertAlmostEquals(meter.end, 0.21, 1e-12);
});

pureTest("EndMeter.end goes by the last step if that differs from the frame rate", () => {
  const slides = new EndMeter([video(MILLISECONDS, [25, 1])]);
  slides.add(frame(0, 0));
  assertEquals(slides.end, 0.04);
  slides.add(frame(0, 5000));
  assertEquals(slides.end, 10);
  const coarse = new EndMeter([video(MILLISECONDS, [30_000, 1001])]);
  for (const timestamp of [0, 33, 67]) coarse.add(frame(0, timestamp));
  assertAlmostEquals(coarse.end, 0.067 + 1001 / 30_000, 1e-12);
  assertEquals(new EndMeter([video(MILLISECONDS)]).end, 0);
});

pureTest(
  "EndMeter.end of compressed audio takes the last packet for as long as the one before",
  () => {
    const audio = new EndMeter([{ ...AUDIO, codec: "aac" }]);
    for (const timestamp of [-1024, 0, 1024]) audio.add(frame(1, timestamp, 300));
    assertEquals(audio.end, 2048 / 48_000);
  },
);

pureTest("roundLength() is the measured length, unless the request ends before", () => {
  assertEquals(roundLength({ measured: 3.04 }), 3.04);
  assertEquals(roundLength({ measured: 5, duration: 1, remaining: 10 }), 1);
  assertEquals(roundLength({ measured: 3.04, duration: 20, remaining: 3 }), 3.04);
  assertEquals(roundLength({ measured: 3.04, duration: 2 }), 2);
  assertEquals(roundLength({ measured: 0 }) > 0, true);
});
