import { assertEquals, assertNotStrictEquals, assertStrictEquals } from "@std/assert";
import { BatchMemory } from "../../../../lib/sources/file/packets/batch_memory.ts";
import { pureTest } from "../../../support/pure_test.ts";

pureTest("BatchMemory gives a piece again once all of its packets are out of use", () => {
  const memory = new BatchMemory();
  const piece = memory.allocate(1000);
  const packets = [piece.subarray(0, 10), piece.subarray(10, 30)];
  for (const { buffer } of packets) memory.hold(buffer);
  memory.release(packets[0].buffer);
  assertNotStrictEquals(memory.allocate(1000).buffer, piece.buffer);
  memory.release(packets[1].buffer);
  assertStrictEquals(memory.allocate(1000).buffer, piece.buffer);
});

pureTest("BatchMemory leaves memory alone that is larger than a piece, or not its own", () => {
  const memory = new BatchMemory();
  const large = memory.allocate(1_000_000);
  assertEquals(large.byteLength, 1_000_000);
  memory.hold(large.buffer);
  memory.release(large.buffer);
  memory.release(new ArrayBuffer(200));
  assertNotStrictEquals(memory.allocate(1_000_000).buffer, large.buffer);
  // As what Matroska reads of a file: it goes on with it when its packets are out of use.
  const foreign = new ArrayBuffer(memory.allocate(1).buffer.byteLength);
  memory.hold(foreign);
  memory.release(foreign);
  assertNotStrictEquals(memory.allocate(1).buffer, foreign);
});
