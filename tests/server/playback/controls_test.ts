import { assertEquals } from "@std/assert";
import { Controls } from "../../../lib/server/playback/controls.ts";
import { pureTest } from "../../support/pure_test.ts";

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
  const controls = new Controls(VIDEO);
  controls.attach(new AbortController().signal);
  controls.take({ action: "seek", to: 1, id: 1 });
  controls.take({ action: "seek", to: 2.5, id: 2 });
  assertEquals([controls.takeSeek(), controls.isInterrupted], [undefined, false]);
  controls.begin({ seekable: true });
  assertEquals(controls.current.aborted, true);
  assertEquals(controls.takeSeek(), { to: 2.5, id: 2 });
  assertEquals([controls.takeSeek(), controls.current.aborted], [undefined, false]);
  controls.take({ action: "seek", to: 0 });
  assertEquals(controls.current.aborted, true);
  assertEquals(controls.takeSeek(), { to: 0, id: undefined });
});

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
  controls.attach(session.signal);
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
