import { assertEquals } from "@std/assert";
import { Controls } from "../../../lib/server/playback/controls.ts";
import { pureTest } from "../../support/pure_test.ts";
import { HandClock } from "../../support/time/hand_clock.ts";

const VIDEO = { command: "get_video" } as const;

pureTest("Controls.take() pauses and resumes, and ignores unknown actions", () => {
  const controls = new Controls(VIDEO);
  controls.take({ action: "pause" });
  assertEquals(controls.pacer.isPaused, true);
  for (const action of ["Resume", undefined, 7, ["resume"]]) controls.take({ action });
  assertEquals(controls.pacer.isPaused, true);
  controls.take({ action: "resume" });
  assertEquals(controls.pacer.isPaused, false);
});

pureTest("Controls.take() stops only once the response has begun", () => {
  const controls = new Controls(VIDEO);
  controls.attach(new AbortController().signal);
  controls.take({ action: "stop" });
  assertEquals([controls.stopped.aborted, controls.current.aborted], [true, false]);
  controls.begin({ seekable: true });
  assertEquals([controls.isInterrupted, controls.current.aborted], [true, true]);
});

pureTest("Controls.takeSeek() gives the latest seek, and ends the interruption", () => {
  const clock = new HandClock();
  const controls = new Controls(VIDEO, { clock });
  controls.attach(new AbortController().signal);
  controls.take({ action: "seek", to: 1, id: 1 });
  controls.take({ action: "seek", to: 2.5, id: 2 });
  assertEquals([controls.takeSeek(), controls.isInterrupted], [undefined, false]);
  controls.begin({ seekable: true });
  assertEquals(controls.current.aborted, true);
  assertEquals(controls.takeSeek(), { to: 2.5, id: 2 });
  assertEquals([controls.takeSeek(), controls.current.aborted], [undefined, false]);
  clock.pass(100);
  controls.take({ action: "seek", to: 0 });
  assertEquals(controls.current.aborted, true);
  assertEquals(controls.takeSeek(), { to: 0, id: undefined });
});

for (const [isIndexed, count] of [[false, 10], [true, 50]] as const) {
  pureTest(`Controls.take() interrupts for ${count} of many seeks a second`, async () => {
    const clock = new HandClock();
    const controls = new Controls(VIDEO, { clock });
    using _session = controls.attach(new AbortController().signal);
    controls.begin({ seekable: true, isIndexed });
    const seeks: unknown[] = [];
    for (let to = 0; to < 28_000; to++) {
      controls.take({ action: "seek", to });
      // Few of them are taken, at the end of their frames; the others come too soon.
      if (controls.isInterrupted) seeks.push(controls.takeSeek()?.to);
      if (to % 28 === 27) clock.pass(1);
      await Promise.resolve();
    }
    assertEquals([seeks.length, seeks[0]], [count, 0]);
    clock.pass(100);
    await new Promise((go) => setImmediate(go));
    assertEquals([controls.isInterrupted, controls.takeSeek()?.to], [true, 27_999]);
  });
}

pureTest(
  "Controls.takeSeek() gives a seek that waits, if nothing else is left",
  async () => {
    const clock = new HandClock();
    const controls = new Controls(VIDEO, { clock });
    const response = controls.attach(new AbortController().signal);
    controls.begin({ seekable: true });
    for (const to of [1, 2, 3]) {
      controls.take({ action: "seek", to });
      if (to !== 2) assertEquals(controls.takeSeek()?.to, to);
    }
    clock.pass(1000);
    await Promise.resolve();
    assertEquals([controls.isInterrupted, clock.next], [false, Infinity]);
    controls.take({ action: "seek", to: 4 });
    assertEquals(controls.takeSeek()?.to, 4);
    controls.take({ action: "seek", to: 5 });
    assertEquals(clock.next, 100);
    response[Symbol.dispose]();
    await new Promise((go) => setImmediate(go));
    assertEquals(clock.next, Infinity);
  },
);

pureTest("Controls.takeSeek() gives no target that is no time, nor an id that is no number", () => {
  const controls = new Controls(VIDEO);
  controls.begin({ seekable: true });
  for (const to of [-1, NaN, "3", null, undefined, {}]) controls.take({ action: "seek", to });
  assertEquals([controls.takeSeek(), controls.isInterrupted], [undefined, false]);
  controls.take({ action: "seek", to: 1e300, id: "x".repeat(60_000) });
  assertEquals(controls.takeSeek(), { to: 1e8, id: undefined });
});

pureTest("Controls.takeSeek() gives nothing behind a stop, nor without a seekable response", () => {
  const stopped = new Controls(VIDEO);
  stopped.begin({ seekable: true });
  stopped.take({ action: "seek", to: 1 });
  stopped.take({ action: "stop" });
  assertEquals([stopped.takeSeek(), stopped.isInterrupted], [undefined, true]);
  const still = new Controls(VIDEO);
  still.take({ action: "seek", to: 1 });
  still.begin({ seekable: false });
  still.take({ action: "seek", to: 2 });
  assertEquals([still.takeSeek(), still.isInterrupted], [undefined, false]);
});

pureTest("Controls.isInterrupted is false if the session ends", () => {
  const session = new AbortController();
  const controls = new Controls(VIDEO);
  using _session = controls.attach(session.signal);
  controls.begin({ seekable: true });
  session.abort(new TypeError("over"));
  controls.take({ action: "stop" });
  assertEquals([controls.isInterrupted, controls.current.aborted], [false, true]);
});

pureTest("Controls.pacer sends images at once", () => {
  assertEquals(new Controls({ command: "get_image", speed: 2 }).pacer.speed, 0);
  assertEquals(new Controls({ command: "get_video", speed: 2 }).pacer.speed, 2);
  assertEquals(new Controls(VIDEO).pacer.speed, 1);
});
