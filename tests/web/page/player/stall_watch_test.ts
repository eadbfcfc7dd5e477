import { assertEquals, assertThrows } from "@std/assert";
import {
  StallError,
  StallWatch,
  UndecodableError,
} from "../../../../lib/web/page/player/stall_watch.js";
import { pureTest } from "../../../support/pure_test.ts";

/** Ready states of media elements (HTML, section 4.8.11.7). */
const HTML_MEDIA = { HAVE_METADATA: 1, HAVE_FUTURE_DATA: 3 } as const;

/** Bytes, more than may come without anything to play. */
const MANY = 20e6;

/** Milliseconds of standing still that count as a stall. */
const LONG = 1100;

/** A media element that waits for data, and a clock in milliseconds. */
function waiting({ at, ranges = [] }: { at: number; ranges?: (readonly [number, number])[] }) {
  const video = {
    currentTime: at,
    paused: false,
    readyState: HTML_MEDIA.HAVE_METADATA as number,
    HAVE_FUTURE_DATA: HTML_MEDIA.HAVE_FUTURE_DATA,
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

pureTest("StallWatch.check() waits for a late start, however many bytes come before", () => {
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

pureTest("StallWatch.check() throws if the buffer is too small for the start", () => {
  const { clock, watch } = waiting({ at: 5, ranges: [[4, 4.5]] });
  watch.begin(5);
  watch.check({ bytes: MANY, full: true });
  clock.now += LONG;
  assertThrows(() => watch.check({ bytes: MANY, full: true }), UndecodableError);
});

pureTest("StallWatch.check() throws if nothing is left to play although more data comes", () => {
  // Browsers round: the position may be behind the end.
  for (const [at, time] of [[6.95, 7], [7.000001, 7.000001]]) {
    const { clock, watch } = waiting({ at, ranges: [[4, 7]] });
    watch.begin(5);
    watch.check({ bytes: 1, full: false });
    clock.now += LONG;
    watch.check({ bytes: 1e6, full: false });
    const error = assertThrows(() => watch.check({ bytes: MANY, full: false }), StallError);
    assertEquals(error.time, time);
  }
});

pureTest("StallWatch.check() throws if playback stands still and the buffer is full", () => {
  for (const change of [{}, { paused: true }, { readyState: 3 }, { ranges: [[4, 9] as const] }]) {
    const { video, clock, watch } = waiting({ at: 6, ranges: [[4, 7]] });
    watch.begin(5);
    Object.assign(video, change);
    const check = () => watch.check({ bytes: MANY, full: true });
    check();
    clock.now += LONG;
    if (Object.keys(change).length === 0) assertThrows(check, StallError);
    else check();
  }
});
