import { assertEquals, assertMatch } from "@std/assert";
import { ThroughputMonitor } from "../../../lib/server/playback/lateness.ts";
import { pureTest } from "../../support/pure_test.ts";

/** Frames of a megabyte, 25 a second, of which each takes some time to come and to be written. */
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

pureTest("ThroughputMonitor.explain() names the rates of a slow link", () => {
  const { monitor, notice, now } = play(50, { writing: 0.1 });
  assertEquals([notice?.code, notice?.needed, notice?.achieved], ["slow_link", 25e6, 10e6]);
  assertMatch(notice!.message, /^The link takes 10 MB\/s and these frames need 25 MB\/s: /);
  assertEquals(monitor.isConnectionSlow(now), true);
});

pureTest("ThroughputMonitor.explain() blames the source where that is what takes the time", () => {
  const { monitor, notice, now } = play(50, { coming: 0.08, writing: 0.01 });
  assertEquals(notice?.code, "slow_source");
  assertMatch(notice!.message, /at 4\d % of the speed/);
  assertEquals(monitor.isConnectionSlow(now), false);
});

pureTest("ThroughputMonitor.explain() has nothing to say where frames are in time", () => {
  assertEquals(play(50, { coming: 0.01, writing: 0.01 }).notice, undefined);
  assertEquals(new ThroughputMonitor(1).explain({ due: 0, size: 1 }, 5), undefined);
});

pureTest("ThroughputMonitor.explain() takes the speed into account, and small rates", () => {
  const monitor = new ThroughputMonitor(4);
  monitor.offer({ due: 0, lateness: 0, size: 2000 }, 0);
  monitor.sent(2000, 2);
  monitor.offer({ due: 1, lateness: 1.75, size: 2000 }, 2);
  const notice = monitor.explain({ due: 1, size: 2000 }, 2);
  assertEquals([notice?.needed, notice?.achieved], [8000, 1000]);
  assertMatch(notice!.message, /takes 1.0 kB\/s and these frames need 8.0 kB\/s/);
});

pureTest("ThroughputMonitor.reset() forgets what was", () => {
  const { monitor, now } = play(50, { writing: 0.1 });
  monitor.reset();
  assertEquals(monitor.isConnectionSlow(now), false);
  assertEquals(monitor.explain({ due: 99, size: 1 }, now), undefined);
});
