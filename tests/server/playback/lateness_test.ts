import { assertEquals } from "@std/assert";
import { LatePolicy } from "../../../lib/server/playback/lateness.ts";
import { pureTest } from "../../support/pure_test.ts";

const PICTURE = { streamId: 0, isPicture: true, keyframe: true };
const BETWEEN = { ...PICTURE, keyframe: false };
const SOUND = { streamId: 1, isPicture: false, keyframe: true };

pureTest(
  "LatePolicy.leavesOut() leaves pictures out from half a second on, until one is due",
  () => {
    const policy = new LatePolicy();
    const lateness = [0, 0.5, 0.51, 0.4, 0.06, 0.05, 0.5];
    const left = lateness.map((late) => policy.leavesOut(PICTURE, late));
    assertEquals(left, [false, false, true, true, true, false, false]);
  },
);

pureTest(
  "LatePolicy.leavesOut() goes on to a keyframe where pictures build upon each other",
  () => {
    const policy = new LatePolicy();
    assertEquals(policy.leavesOut(PICTURE, 0), false);
    assertEquals(policy.leavesOut(BETWEEN, 0.6), true);
    assertEquals(policy.leavesOut(BETWEEN, -1), true);
    assertEquals(policy.leavesOut(PICTURE, 0.6), true);
    assertEquals(policy.leavesOut(BETWEEN, 0), true);
    // A keyframe that is nearly due is worth more than waiting for the next.
    assertEquals(policy.leavesOut(PICTURE, 0.4), false);
    assertEquals(policy.leavesOut(BETWEEN, 0.4), false);
  },
);

pureTest("LatePolicy.leavesOut() keeps sound for longer, and its streams apart", () => {
  const policy = new LatePolicy();
  assertEquals(policy.leavesOut(PICTURE, 0.9), true);
  assertEquals(policy.leavesOut(SOUND, 0.9), false);
  assertEquals(policy.leavesOut(SOUND, 1.1), true);
  assertEquals(policy.leavesOut(SOUND, 0.9), true);
  assertEquals(policy.leavesOut(SOUND, 0), false);
});

pureTest("LatePolicy.keep() takes back that frames are left out", () => {
  const policy = new LatePolicy();
  assertEquals(policy.leavesOut(PICTURE, 0), false);
  assertEquals(policy.leavesOut(BETWEEN, 0.6), true);
  policy.keep(BETWEEN.streamId);
  assertEquals(policy.leavesOut(BETWEEN, 0), false);
});

pureTest("LatePolicy.reset() forgets what was left out", () => {
  const policy = new LatePolicy();
  assertEquals(policy.leavesOut(BETWEEN, 0.9), true);
  policy.reset();
  assertEquals(policy.leavesOut(BETWEEN, 0.4), false);
});
