import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { planCopying, planDecoding, planShowing } from "../../../lib/sources/file/seek.ts";
import { pureTest } from "../../support/pure_test.ts";

pureTest("planDecoding() leaves the seek to FFmpeg if that is exact", () => {
  assertEquals(planDecoding("matroska,webm", 33.3), { seek: 33.3, rest: 0 });
});

pureTest("planDecoding() begins earlier if FFmpeg finds no keyframes", () => {
  const { seek, rest } = planDecoding("mpegts", 33.3);
  assertAlmostEquals(seek, 21.3, 1e-9);
  assertAlmostEquals(rest, 12, 1e-9);
  assertEquals(planDecoding("mpegts", 3.3), { seek: 0, rest: 3.3 });
  assertEquals(planDecoding("h264", 5000), { seek: 0, rest: 5000 });
});

pureTest(
  "planDecoding() begins earlier if keyframes are decoded long before they are shown",
  () => {
    const timing = { timeBase: [1, 12_800], frameRate: [25, 1], decodeDelay: 2 } as const;
    const { seek, rest } = planDecoding("mov,mp4", 33.3, timing);
    assertAlmostEquals(rest, 0.24, 0.001);
    assertAlmostEquals(seek + rest, 33.3, 1e-9);
    const inOrder = planDecoding("mov,mp4", 33.3, { ...timing, decodeDelay: undefined });
    assertEquals(inOrder, { seek: 33.3, rest: 0 });
    // A slide show: every frame lasts two seconds.
    assertAlmostEquals(
      planDecoding("mov,mp4", 33.3, { ...timing, frameRate: [1, 2] }).rest,
      12,
      0.01,
    );
  },
);

pureTest("planDecoding() begins at a whole number of ticks and of microseconds", () => {
  const bases = [[1, 12_800], [1, 90_000], [1001, 30_000], [1, 1000], [1, 44_100], [1, 7]] as const;
  for (const timeBase of bases) {
    for (const start of [3.3, 10 / 3, 1234.567891]) {
      const { seek, rest } = planDecoding("mov,mp4", start, { timeBase, decodeDelay: 2 });
      for (const unit of [seek * 1e6, seek * timeBase[1] / timeBase[0]]) {
        assertAlmostEquals(unit, Math.round(unit), 1e-4, `${start} s in ${timeBase}`);
      }
      assert(seek > 0 && rest >= 0.24 - 1e-9, `${seek} s and ${rest} s`);
    }
  }
});

pureTest("planDecoding() begins near the start if no near time is a whole number of both", () => {
  // AVI at 23.976 and 29.97 frames a second, as many programs write it.
  const bases = [[1_000_000, 23_976_023], [2419, 57_998], [100, 2997]] as const;
  for (const timeBase of bases) {
    const timing = { timeBase, frameRate: [24, 1], decodeDelay: 1 } as const;
    const { seek, rest } = planDecoding("avi", 3600, timing);
    const ticks = seek * timeBase[1] / timeBase[0];
    assertAlmostEquals(ticks, Math.round(ticks), 1e-4, `${timeBase}`);
    assertAlmostEquals(seek + rest, 3600, 1e-9);
    assert(rest >= 0.125 && rest < 0.2, `${rest} s in ${timeBase}`);
  }
});

pureTest("planCopying() begins early enough to meet the keyframe", () => {
  assertEquals(planCopying("matroska,webm", 0.5), { seek: 0, rest: 0.5 });
  assertEquals(planCopying("matroska,webm", 5), { seek: 4, rest: 1 });
});

pureTest("planShowing() keeps to the ticks of the video", () => {
  const plan = planShowing("avi", 3.35, { timeBase: [1, 25] });
  // 3.35 s is in the middle of the frame that began at 3.32 s.
  assertAlmostEquals(plan.seek + plan.rest, 3.32, 1e-9);
  assertAlmostEquals(plan.seek * 25, Math.round(plan.seek * 25), 1e-9);
});

pureTest("planShowing() rounds a time in microseconds to the tick that it means", () => {
  // 1/3 s rounded to microseconds lies before the tick.
  const { seek, rest } = planShowing("matroska,webm", 0.333333, { timeBase: [1, 3] });
  assertAlmostEquals(seek + rest, 1 / 3, 1e-9);
});

pureTest(
  "planShowing() begins at the beginning for what is shown there, however fine the ticks",
  () => {
    assertEquals(planShowing("h264", 0, { timeBase: [1, 1_200_000] }), { seek: 0, rest: 0 });
  },
);
