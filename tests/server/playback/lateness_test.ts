import { assertEquals, assertMatch } from "@std/assert";
import {
  LatePolicy,
  LiveThroughputMonitor,
  ThroughputMonitor,
} from "../../../lib/server/playback/lateness.ts";
import { pureTest } from "../../support/pure_test.ts";

const VIDEO = { streamId: 0, isVideo: true, keyframe: true };
const BETWEEN = { ...VIDEO, keyframe: false };
const AUDIO = { streamId: 1, isVideo: false, keyframe: true };

pureTest("LatePolicy.drops() drops video frames from half a second on, until one is due", () => {
  const policy = new LatePolicy();
  const lateness = [0, 0.5, 0.51, 0.4, 0.06, 0.05, 0.5];
  const left = lateness.map((late) => policy.drops(VIDEO, late));
  assertEquals(left, [false, false, true, true, true, false, false]);
});

pureTest("LatePolicy.drops() goes on to a keyframe if not all frames are keyframes", () => {
  const policy = new LatePolicy();
  assertEquals(policy.drops(VIDEO, 0), false);
  assertEquals(policy.drops(BETWEEN, 0.6), true);
  assertEquals(policy.drops(BETWEEN, -1), true);
  assertEquals(policy.drops(VIDEO, 0.6), true);
  assertEquals(policy.drops(BETWEEN, 0), true);
  // A keyframe that is nearly due is better than waiting for the next.
  assertEquals(policy.drops(VIDEO, 0.4), false);
  assertEquals(policy.drops(BETWEEN, 0.4), false);
});

pureTest("LatePolicy.drops() keeps audio longer, and decides per stream", () => {
  const policy = new LatePolicy();
  assertEquals(policy.drops(VIDEO, 0.9), true);
  assertEquals(policy.drops(AUDIO, 0.9), false);
  assertEquals(policy.drops(AUDIO, 1.1), true);
  assertEquals(policy.drops(AUDIO, 0.9), true);
  assertEquals(policy.drops(AUDIO, 0), false);
});

pureTest("LatePolicy.keep() takes a drop back", () => {
  const policy = new LatePolicy();
  assertEquals(policy.drops(VIDEO, 0), false);
  assertEquals(policy.drops(BETWEEN, 0.6), true);
  policy.keep(BETWEEN.streamId);
  assertEquals(policy.drops(BETWEEN, 0), false);
});

pureTest("LatePolicy.reset() forgets drops", () => {
  const policy = new LatePolicy();
  assertEquals(policy.drops(BETWEEN, 0.9), true);
  policy.reset();
  assertEquals(policy.drops(BETWEEN, 0.4), false);
});

/** Frames of a megabyte, 25 per second, each of which takes some time to come and to be written. */
function play(frames: number, { coming = 0, writing = 0 }: { coming?: number; writing?: number }) {
  const monitor = new ThroughputMonitor(1);
  let now = 100;
  for (let at = 0; at < frames; at++) {
    now = Math.max(now + coming, 100 + at * 0.04);
    const due = at * 0.04;
    monitor.offer({ due, lateness: now - 100 - due, size: 1e6 }, now);
    now += writing;
    monitor.sent(1e6, writing);
  }
  const due = frames * 0.04;
  monitor.offer({ due, lateness: now - 100 - due, size: 1e6 }, now);
  return { monitor, notice: monitor.explain({ due, size: 1e6 }, now), now };
}

pureTest("ThroughputMonitor.explain() gives the rates of a slow connection", () => {
  const { monitor, notice, now } = play(50, { writing: 0.1 });
  assertEquals([notice?.code, notice?.needed, notice?.achieved], ["slow_link", 25e6, 10e6]);
  assertMatch(notice!.message, /^The link takes 10 MB\/s and these frames need 25 MB\/s: /);
  assertEquals(monitor.isConnectionSlow(now), true);
});

pureTest("ThroughputMonitor.explain() blames the source if that takes the time", () => {
  const { monitor, notice, now } = play(50, { coming: 0.08, writing: 0.01 });
  assertEquals(notice?.code, "slow_source");
  assertMatch(notice!.message, /at 4\d % of the speed/);
  assertEquals(monitor.isConnectionSlow(now), false);
});

pureTest("ThroughputMonitor.explain() gives nothing if frames are in time", () => {
  assertEquals(play(50, { coming: 0.01, writing: 0.01 }).notice, undefined);
  assertEquals(new ThroughputMonitor(1).explain({ due: 0, size: 1 }, 5), undefined);
});

pureTest(
  "ThroughputMonitor.explain() takes the speed into account, and formats small rates",
  () => {
    const monitor = new ThroughputMonitor(4);
    monitor.offer({ due: 0, lateness: 0, size: 2000 }, 0);
    monitor.sent(2000, 2);
    monitor.offer({ due: 1, lateness: 1.75, size: 2000 }, 2);
    const notice = monitor.explain({ due: 1, size: 2000 }, 2);
    assertEquals([notice?.needed, notice?.achieved], [8000, 1000]);
    assertMatch(notice!.message, /takes 1.0 kB\/s and these frames need 8.0 kB\/s/);
  },
);

pureTest("ThroughputMonitor.reset() forgets earlier frames", () => {
  const { monitor, now } = play(50, { writing: 0.1 });
  monitor.reset();
  assertEquals(monitor.isConnectionSlow(now), false);
  assertEquals(monitor.explain({ due: 99, size: 1 }, now), undefined);
});

pureTest(
  "LiveThroughputMonitor.explain() gives, once, the rates of a connection with a backlog",
  () => {
    const monitor = new LiveThroughputMonitor();
    assertEquals(monitor.explain({ now: 9, offered: 9e6, sent: 0 }), undefined);
    monitor.offer({ now: 10, offered: 1e6, sent: 1e6 }, true);
    monitor.offer({ now: 10.5, offered: 4e6, sent: 2e6 }, false);
    assertEquals(monitor.explain({ now: 10.9, offered: 9e6, sent: 2e6 }), undefined);
    const notice = monitor.explain({ now: 12, offered: 9e6, sent: 3e6 });
    assertEquals([notice?.code, notice?.needed, notice?.achieved], ["slow_link", 4e6, 1e6]);
    assertEquals(monitor.explain({ now: 14, offered: 19e6, sent: 4e6 }), undefined);
  },
);

pureTest("LiveThroughputMonitor.explain() measures from the last frame without a backlog", () => {
  const monitor = new LiveThroughputMonitor();
  monitor.offer({ now: 10, offered: 0, sent: 0 }, true);
  monitor.offer({ now: 20, offered: 9e6, sent: 1e6 }, true);
  assertEquals(monitor.explain({ now: 20.5, offered: 11e6, sent: 2e6 }), undefined);
  assertEquals(monitor.explain({ now: 22, offered: 11e6, sent: 3e6 }), undefined);
});
