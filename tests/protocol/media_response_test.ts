import { assertEquals } from "@std/assert";
import type { StreamDescription } from "../../lib/media/frame.ts";
import { FrameCounter } from "../../lib/protocol/media_response.ts";
import { pureTest } from "../support/pure_test.ts";

const STREAMS: Pick<StreamDescription, "id" | "type">[] = [
  { id: 0, type: "video" },
  { id: 1, type: "audio" },
];

function counterOf(...streamIds: number[]): FrameCounter {
  const counter = new FrameCounter();
  counter.describe(STREAMS);
  for (const streamId of streamIds) counter.count({ streamId, data: new Uint8Array(6) });
  return counter;
}

pureTest("FrameCounter.totals add up all frames, except those of unknown streams", () => {
  assertEquals(counterOf(0, 1, 1, 7).totals, { frames: 1, audioFrames: 2, bytes: 18 });
});

pureTest("FrameCounter.streams add up each stream, also those that were not described", () => {
  assertEquals(counterOf(0, 1, 1, 7).streams, [
    { id: 0, frames: 1, bytes: 6 },
    { id: 1, frames: 2, bytes: 12 },
    { id: 7, frames: 1, bytes: 6 },
  ]);
});

pureTest("FrameCounter.totals keep what was counted when other streams are described", () => {
  const counter = counterOf(0, 1);
  counter.describe([{ id: 0, type: "data" }]);
  counter.count({ streamId: 0, data: new Uint8Array(5) });
  assertEquals(counter.totals, { frames: 1, audioFrames: 1, bytes: 17 });
});
