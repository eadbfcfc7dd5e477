import { assertEquals } from "@std/assert";
import { Demand } from "../../../lib/client/publish/publish_loop.ts";
import { pureTest } from "../../support/pure_test.ts";

pureTest("Demand.take() tells of changes alone", () => {
  const demand = new Demand();
  const { changed } = demand;
  for (const action of ["resume", "keyframe", "stop", undefined, 1]) demand.take(action);
  assertEquals([demand.isPaused, changed.aborted], [false, false]);
  demand.take("pause");
  assertEquals([demand.isPaused, changed.aborted, demand.changed.aborted], [true, true, false]);
  const paused = demand.changed;
  demand.take("pause");
  assertEquals(paused.aborted, false);
  demand.take("resume");
  assertEquals([demand.isPaused, paused.aborted], [false, true]);
});
