import { assertAlmostEquals, assertEquals } from "@std/assert";
import { planCopying, planDecoding, planShowing } from "../../lib/media/seek_plan.ts";

function test(name: string, fn: () => void): void {
  Deno.test({ name, permissions: "none", fn });
}

test("planDecoding() leaves it to FFmpeg where that is exact", () => {
  assertEquals(planDecoding("matroska,webm", 33.3), { seek: 33.3, rest: 0 });
});

test("planDecoding() begins earlier where FFmpeg finds no keyframes", () => {
  const { seek, rest } = planDecoding("mpegts", 33.3);
  assertAlmostEquals(seek, 21.3, 1e-9);
  assertAlmostEquals(rest, 12, 1e-9);
  assertEquals(planDecoding("mpegts", 3.3), { seek: 0, rest: 3.3 });
  assertEquals(planDecoding("h264", 5000), { seek: 0, rest: 5000 });
});

test("planCopying() begins early enough to meet the keyframe", () => {
  assertEquals(planCopying("matroska,webm", 0.5), { seek: 0, rest: 0.5 });
  assertEquals(planCopying("matroska,webm", 5), { seek: 4, rest: 1 });
});

test("planShowing() keeps to the ticks of the pictures", () => {
  const plan = planShowing("avi", 3.35, [1, 25]);
  // 3.35 s is in the middle of the picture that began at 3.32 s.
  assertAlmostEquals(plan.seek + plan.rest, 3.32, 1e-9);
  assertAlmostEquals(plan.seek * 25, Math.round(plan.seek * 25), 1e-9);
});

test("planShowing() takes a moment that is written in microseconds for the tick that it means", () => {
  // 1/3 s rounded to microseconds lies before the tick.
  const { seek, rest } = planShowing("matroska,webm", 0.333333, [1, 3]);
  assertAlmostEquals(seek + rest, 1 / 3, 1e-9);
});

test("planShowing() begins at the beginning for what is shown there, however fine the ticks", () => {
  assertEquals(planShowing("h264", 0, [1, 1_200_000]), { seek: 0, rest: 0 });
});
