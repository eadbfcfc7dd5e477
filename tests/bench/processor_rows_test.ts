import { assertAlmostEquals, assertEquals } from "@std/assert";
import type { Clip } from "../../bench/clips.ts";
import { processorRows } from "../../bench/processor_rows.ts";
import type { SplitTransfer } from "../../bench/transfer.ts";
import { pureTest } from "../support/pure_test.ts";

const CLIP: Clip = {
  ...{ name: "x.mp4", path: "x.mp4", width: 2, height: 2 },
  ...{ frames: 103, seconds: 1, frameSize: 6 },
};

function taking(processor: number, ffmpeg: number): SplitTransfer {
  return { ...{ connected: 1, flowing: 1, process: 1, bytes: 618 }, processor, ffmpeg };
}

/** Our programs take 0.3 s to start, and 0.2 s for the 100 frames beyond the first 3. */
const OURS = { raw: [taking(2.5, 2)], few: [taking(0.4, 0.1)] };

const ASKED = { title: "t", clip: CLIP, few: 3, hasGoal: true };

pureTest(
  "processorRows() tells FFmpeg's time from that of both ends, and takes their start off",
  () => {
    const rows = processorRows({ ...ASKED, ours: OURS });
    const [ffmpeg, without, started] = rows.map(({ ours }) => ours);
    assertAlmostEquals(ffmpeg, 2000 / 103);
    assertAlmostEquals(without, 500 / 103);
    assertAlmostEquals(started, 2);
    assertEquals(rows.map(({ goal }) => goal?.value), [undefined, undefined, 0.7]);
  },
);

pureTest("processorRows() holds ours against the relay, and keeps the rows of ours alone", () => {
  const relay = { raw: [taking(2.2, 2)], few: [taking(0.2, 0.1)] };
  const alone = processorRows({ ...ASKED, ours: OURS });
  const rows = processorRows({ ...ASKED, ours: OURS, relay });
  assertEquals(rows.slice(3), alone);
  assertEquals(rows.slice(0, 3).map(({ against }) => against), Array(3).fill("bare relay"));
  assertAlmostEquals(rows[2].other ?? NaN, 1);
  assertAlmostEquals(rows[2].ratio ?? NaN, 2);
});
