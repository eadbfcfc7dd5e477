import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { expectBytes, expectFrames, toTransfer } from "../../bench/transfer.ts";
import { pureTest } from "../support/pure_test.ts";

pureTest("toTransfer() reckons rates over the three stretches", () => {
  const moments = { began: 0, connected: 1000, first: { at: 1500, frames: 10 }, ended: 3000 };
  const transfer = toTransfer({ ...moments, gone: 4000 }, { frames: 100, bytes: 9, processor: 2 });
  assertAlmostEquals(transfer.connected, 50);
  assertAlmostEquals(transfer.flowing, 60);
  assertAlmostEquals(transfer.process, 25);
  assertEquals([transfer.bytes, transfer.processor], [9, 2]);
});

pureTest("expectFrames() and expectBytes() refuse a video that did not come whole", () => {
  const clip = {
    ...{ name: "x", path: "x", width: 2, height: 2 },
    ...{ frames: 3, seconds: 1, frameSize: 6 },
  };
  expectFrames("it", 3, clip);
  expectBytes("it", 18, 18);
  assertThrows(() => expectFrames("it", 2, clip), Error, "it received 2 frames, expected 3");
  assertThrows(() => expectBytes("it", 17, 18), Error, "it received 17 bytes, expected 18");
});
