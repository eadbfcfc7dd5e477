import { assertEquals } from "@std/assert";
import { LiveTimeline } from "../../../lib/sources/live/timeline.ts";
import { pureTest } from "../../support/pure_test.ts";

pureTest("LiveTimeline.convert() begins at 0, whatever the source's timestamps are", () => {
  const timeline = new LiveTimeline();
  timeline.begin(1234.5, 99);
  assertEquals(timeline.convert(123_450, [1, 100], [1, 100]), 0);
  assertEquals(timeline.convert(123_500, [1, 100], [1, 100]), 50);
  // Video and audio are shifted alike.
  assertEquals(timeline.convert(1_234_600, [1, 1000], [1, 1000]), 100);
});

pureTest("LiveTimeline.begin() goes on after the time of an outage", () => {
  const timeline = new LiveTimeline();
  timeline.begin(0, 1000);
  timeline.convert(200, [1, 100], [1, 100]);
  timeline.begin(7, 6000);
  assertEquals(timeline.convert(700, [1, 100], [1, 100]), 500);
  // In another time base than the described one.
  assertEquals(timeline.convert(7500, [1, 1000], [1, 100]), 550);
});

pureTest("LiveTimeline.begin() never goes back, even if frames were ahead of the clock", () => {
  const timeline = new LiveTimeline();
  timeline.begin(0, 0);
  timeline.convert(100_000, [1, 1000], [1, 1000]);
  timeline.begin(0, 2000);
  assertEquals(timeline.convert(0, [1, 1000], [1, 1000]), 100_001);
});
