/** Frames whose timestamps FFmpeg changes are told from others. */
import { assertThrows } from "@std/assert";
import { FormatError } from "../../../../lib/base/errors.ts";
import {
  DecodeTimes,
  type DecodeTimesOptions,
} from "../../../../lib/sources/file/packets/decode_times.ts";
import { pureTest } from "../../../support/pure_test.ts";

type Frame = [timestamp: number, decodeTimestamp?: number];

const DELAYED = { decodeDelay: 2, frameTicks: 40 };

function add(frames: readonly Frame[], options: DecodeTimesOptions = DELAYED): void {
  const times = new DecodeTimes(options);
  for (const frame of frames) times.add(...frame);
}

pureTest("DecodeTimes.add() takes decode timestamps that increase", () => {
  add([[80, 0], [200, 40], [120, 80], [160, 120]]);
});

pureTest("DecodeTimes.add() refuses those that FFmpeg changes", () => {
  const broken: Frame[][] = [
    [[80, 0], [200, 40], [120, 40]],
    [[80, 0], [200, 40], [120, 20]],
    [[80, 0], [40, 41]],
  ];
  for (const frames of broken) assertThrows(() => add(frames), FormatError);
});

pureTest("DecodeTimes.add() makes decode timestamps of a container without any", () => {
  add([[0], [160], [80], [40], [120], [320], [240], [200], [280]].map(([time]) => [time]));
  // Leading pictures of a group that was cut off.
  assertThrows(() => add([[243], [123], [83]]), FormatError);
  // The same time twice, and a jump back.
  assertThrows(() => add([[0], [0]], { decodeDelay: 0, frameTicks: 40 }), FormatError);
  assertThrows(() => add([[0], [160], [80], [40], [120], [39]]), FormatError);
});
