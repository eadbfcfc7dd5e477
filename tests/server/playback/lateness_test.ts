import { assertEquals } from "@std/assert";
import { LatePolicy } from "../../../lib/server/playback/lateness.ts";

function test(name: string, fn: () => void): void {
  Deno.test({ name, permissions: "none", fn });
}

const VIDEO = { streamId: 0, isVideo: true, keyframe: true };
const BETWEEN = { ...VIDEO, keyframe: false };
const AUDIO = { streamId: 1, isVideo: false, keyframe: true };

test("LatePolicy.drops() drops video frames from half a second on, until one is due", () => {
  const policy = new LatePolicy();
  const lateness = [0, 0.5, 0.51, 0.4, 0.06, 0.05, 0.5];
  const left = lateness.map((late) => policy.drops(VIDEO, late));
  assertEquals(left, [false, false, true, true, true, false, false]);
});

test("LatePolicy.drops() goes on to a keyframe if not all frames are keyframes", () => {
  const policy = new LatePolicy();
  assertEquals(policy.drops(VIDEO, 0), false);
  assertEquals(policy.drops(BETWEEN, 0.6), true);
  assertEquals(policy.drops(BETWEEN, -1), true);
  assertEquals(policy.drops(VIDEO, 0.6), true);
  assertEquals(policy.drops(BETWEEN, 0), true);
  // A keyframe that is nearly due is worth more than waiting for the next.
  assertEquals(policy.drops(VIDEO, 0.4), false);
  assertEquals(policy.drops(BETWEEN, 0.4), false);
});

test("LatePolicy.drops() keeps audio longer, and decides per stream", () => {
  const policy = new LatePolicy();
  assertEquals(policy.drops(VIDEO, 0.9), true);
  assertEquals(policy.drops(AUDIO, 0.9), false);
  assertEquals(policy.drops(AUDIO, 1.1), true);
  assertEquals(policy.drops(AUDIO, 0.9), true);
  assertEquals(policy.drops(AUDIO, 0), false);
});

test("LatePolicy.keep() takes a drop back", () => {
  const policy = new LatePolicy();
  assertEquals(policy.drops(VIDEO, 0), false);
  assertEquals(policy.drops(BETWEEN, 0.6), true);
  policy.keep(BETWEEN.streamId);
  assertEquals(policy.drops(BETWEEN, 0), false);
});

test("LatePolicy.reset() forgets drops", () => {
  const policy = new LatePolicy();
  assertEquals(policy.drops(BETWEEN, 0.9), true);
  policy.reset();
  assertEquals(policy.drops(BETWEEN, 0.4), false);
});
