import { assertEquals, assertThrows } from "@std/assert";
import { FormatError } from "../../../lib/base/errors.ts";
import { lastCue, readCues } from "../../../lib/containers/matroska/cues.ts";
import { CUES } from "../../../lib/containers/matroska/ids.ts";
import { concat } from "../../support/media/bytes.ts";
import { element, uint } from "../../support/media/matroska_files.ts";
import { pureTest } from "../../support/pure_test.ts";

const SEGMENT = { start: 100, end: 1000 };

function point(time: number, ...positions: [track: number, cluster: number][]) {
  return element(
    CUES.point,
    uint(CUES.time, time),
    ...positions.map(([track, cluster]) =>
      element(CUES.positions, uint(CUES.track, track), uint(CUES.cluster, cluster))
    ),
  );
}

pureTest("readCues() sorts the clusters of each track by time", () => {
  const body = concat(point(40, [1, 400], [2, 400]), point(0, [1, 0]), point(20, [1, 200]));
  const cues = readCues(body, SEGMENT);
  assertEquals(cues.get(1), { times: [0, 20, 40], offsets: [100, 300, 500] });
  assertEquals(cues.get(2), { times: [40], offsets: [500] });
});

pureTest("readCues() refuses entries without a time or place, and places outside", () => {
  const noTime = element(CUES.point, element(CUES.positions, uint(CUES.cluster, 1)));
  const noPlace = element(CUES.point, uint(CUES.time, 0), element(CUES.positions));
  for (const body of [noTime, noPlace, point(0, [1, 900])]) {
    assertThrows(() => readCues(body, SEGMENT), FormatError, `Cannot read Matroska "cues"`);
  }
});

pureTest("lastCue() finds the last entry at or before a time", () => {
  const index = { times: [0, 20, 20, 40], offsets: [1, 2, 3, 4] };
  const found = [-1, 0, 19.5, 20, 39, 40, 1e9].map((ticks) => lastCue(index, ticks));
  assertEquals(found, [-1, 0, 0, 2, 2, 3, 3]);
  assertEquals(lastCue({ times: [], offsets: [] }, 5), -1);
});
