import { assertEquals, assertStrictEquals } from "@std/assert";
import { WaitingFrames } from "../../../../lib/sources/file/packets/waiting_frames.ts";
import { pureTest } from "../../../support/pure_test.ts";

pureTest("WaitingFrames gives frames as they were, in order, over the same memory", () => {
  const memory = new Uint8Array([0, 1, 2, 3, 4, 5]);
  const frames = [[-3, true, 0, 2], [0.5, false, 2, 3], [7, true, 5, 5]] as const;
  const queue = new WaitingFrames(4);
  assertEquals([queue.isEmpty, queue.due, queue.lastDue], [true, Infinity, -Infinity]);
  const add = (at: number) => {
    const [timestamp, keyframe, from, to] = frames[at];
    const data = memory.subarray(from, to);
    queue.add({ streamId: 4, timestamp, keyframe, data, borrowed: true, due: 0 }, at / 8);
  };
  const check = (at: number) => {
    const [timestamp, keyframe, from, to] = frames[at];
    assertEquals(queue.due, at / 8);
    const frame = queue.take();
    assertStrictEquals(frame.data.buffer, memory.buffer);
    const data = memory.subarray(from, to);
    assertEquals(frame, { streamId: 4, timestamp, keyframe, data, borrowed: true, due: at / 8 });
  };
  add(0);
  add(1);
  check(0);
  queue.compact();
  add(2);
  check(1);
  check(2);
  assertEquals([queue.isEmpty, queue.due, queue.lastDue], [true, Infinity, 2 / 8]);
  queue.compact();
  assertEquals(queue.isEmpty, true);
});
