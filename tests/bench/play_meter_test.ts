import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { PlayMeter } from "../../bench/play_meter.ts";
import type { StreamDescription } from "../../lib/media/frame.ts";
import { pureTest } from "../support/pure_test.ts";

const SHARED = { fourcc: "    ", extradata: new Uint8Array(0) } as const;
const STREAMS: StreamDescription[] = [
  {
    ...{ ...SHARED, id: 0, type: "video", codec: "h264", timeBase: [1, 10], decodeDelay: 1 },
    ...{ width: 2, height: 2 },
  },
  {
    ...{ ...SHARED, id: 1, type: "audio", codec: "aac", timeBase: [1, 1000] },
    ...{ sampleRate: 8000, channels: 1 },
  },
];

const [VIDEO, AUDIO] = [0, 1];

function describedMeter(): PlayMeter {
  const meter = new PlayMeter();
  meter.describe(STREAMS);
  return meter;
}

pureTest("PlayMeter compares frames with the first, in the order in which they are due", () => {
  const meter = describedMeter();
  // Timestamps in decoding order: the second is due with the first that is shown.
  const arrivals = [[0, 1000], [2, 1000], [1, 1100], [4, 1220], [3, 1290]];
  for (const [timestamp, now] of arrivals) meter.frame(VIDEO, timestamp, now);
  assertEquals(meter.lateness.map(Math.round), [0, 20, -10]);
});

pureTest("PlayMeter takes sound as it comes, and leaves out what is only decoded", () => {
  const meter = describedMeter();
  const arrivals = [[-20, 900], [0, 1000], [50, 1053], [100, 1090]];
  const shown = arrivals.map(([timestamp, now]) => meter.frame(AUDIO, timestamp, now));
  assertEquals(shown, [false, true, true, true]);
  assertEquals(meter.lateness.map(Math.round), [3, -10]);
});

pureTest("PlayMeter begins anew behind a seek", () => {
  const meter = describedMeter();
  meter.frame(AUDIO, 0, 1000);
  meter.frame(AUDIO, 500, 1500);
  assertAlmostEquals(meter.speed(2000), 0.5);
  meter.seek(30);
  meter.frame(AUDIO, 30_000, 9000);
  meter.frame(AUDIO, 30_200, 9205);
  assertEquals(meter.lateness.map(Math.round), [0, 5]);
  assertAlmostEquals(meter.speed(9200), 1);
});

pureTest("PlayMeter measures frames without timestamps by their own times", () => {
  const meter = new PlayMeter();
  assertEquals(meter.speed(5), 0);
  for (const [seconds, now] of [[0, 100], [0.5, 610], [1, 1100]]) meter.timed(seconds, now);
  assertEquals(meter.lateness, [10, 0]);
  assertEquals(meter.speed(1100), 1);
});

pureTest("PlayMeter refuses frames of a stream that was not described", () => {
  assertThrows(() => describedMeter().frame(7, 0, 0), Error, "stream 7 is unknown");
});
