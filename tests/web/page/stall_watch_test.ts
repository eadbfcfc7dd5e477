import { assertEquals, assertThrows } from "@std/assert";
import { StallWatch, StuckError, UndecodableError } from "../../../lib/web/page/stall_watch.js";
import { pureTest } from "../../support/pure_test.ts";

/** More than may come without anything to play. */
const MANY = 20e6;

/** Milliseconds. */
const LONG = 1100;

/** A media element that waits for more, and a clock. */
function waiting({ at, ranges = [] }: { at: number; ranges?: (readonly [number, number])[] }) {
  const [HAVE_METADATA, HAVE_FUTURE_DATA] = [1, 3];
  const video = {
    currentTime: at,
    ...{ paused: false, readyState: HAVE_METADATA, HAVE_FUTURE_DATA },
    ranges,
    buffered: {
      get length() {
        return video.ranges.length;
      },
      start: (index: number) => video.ranges[index][0],
      end: (index: number) => video.ranges[index][1],
    },
  };
  const clock = { now: 0 };
  return { video, clock, watch: new StallWatch(video, () => clock.now) };
}

pureTest("StallWatch.check() waits for what begins late, however much comes before", () => {
  const { video, clock, watch } = waiting({ at: 5 });
  watch.begin(5);
  for (const bytes of [1, MANY, 2 * MANY]) {
    watch.check({ bytes, full: false });
    clock.now += LONG;
  }
  video.ranges = [[4, 4.5]];
  watch.check({ bytes: 3 * MANY, full: false });
  clock.now += LONG;
  watch.check({ bytes: 4 * MANY, full: false });
});

pureTest("StallWatch.check() tells of what has no room for its own beginning", () => {
  const { clock, watch } = waiting({ at: 5, ranges: [[4, 4.5]] });
  watch.begin(5);
  watch.check({ bytes: MANY, full: true });
  clock.now += LONG;
  assertThrows(() => watch.check({ bytes: MANY, full: true }), UndecodableError);
});

pureTest("StallWatch.check() tells where nothing is left to play, though more comes", () => {
  // Browsers round: it may stand behind the end.
  for (const [at, moment] of [[6.95, 7], [7.000001, 7.000001]]) {
    const { clock, watch } = waiting({ at, ranges: [[4, 7]] });
    watch.begin(5);
    watch.check({ bytes: 1, full: false });
    clock.now += LONG;
    watch.check({ bytes: 1e6, full: false });
    const error = assertThrows(() => watch.check({ bytes: MANY, full: false }), StuckError);
    assertEquals(error.moment, moment);
  }
});

pureTest("StallWatch.check() tells where it stands still, and there is no room for more", () => {
  for (const change of [{}, { paused: true }, { readyState: 3 }, { ranges: [[4, 9] as const] }]) {
    const { video, clock, watch } = waiting({ at: 6, ranges: [[4, 7]] });
    watch.begin(5);
    Object.assign(video, change);
    const check = () => watch.check({ bytes: MANY, full: true });
    check();
    clock.now += LONG;
    if (Object.keys(change).length === 0) assertThrows(check, StuckError);
    else check();
  }
});
