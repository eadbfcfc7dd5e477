import { assertEquals } from "@std/assert";
import { FrameCounter } from "../../../lib/client/request/response.ts";
import type { StreamDescription } from "../../../lib/media/frame.ts";
import { pureTest } from "../../support/pure_test.ts";

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

pureTest("FrameCounter.connectionStreams cover one connection, and totals all of them", () => {
  const counter = counterOf(0, 0, 1);
  counter.startConnection();
  assertEquals(counter.connectionStreams, []);
  counter.count({ streamId: 0, data: new Uint8Array(5) });
  assertEquals(counter.connectionStreams, [{ id: 0, frames: 1, bytes: 5 }]);
  assertEquals(counter.totals, { frames: 3, audioFrames: 1, bytes: 23 });
});
