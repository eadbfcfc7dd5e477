import { assertEquals, assertStrictEquals } from "@std/assert";
import { isWide, keepHighBytes } from "../../../lib/server/session/script.ts";
import { pureTest } from "../../support/pure_test.ts";

pureTest("isWide() knows colours and grey of 16 bits", () => {
  for (const name of ["gray16be", "gray16le", "ya16be", "rgb48le", "rgba64be", "gbrp16le"]) {
    assertEquals(isWide(name), true, name);
  }
  for (const name of ["gray", "rgb24", "gray12le", "yuv420p16le", "gbrpf32le", "rgb565le"]) {
    assertEquals(isWide(name), false, name);
  }
});

pureTest("keepHighBytes() keeps every other byte, in place", () => {
  const data = Uint8Array.of(9, 9, 1, 0xff, 2, 0x80, 3, 0, 9).subarray(2, 8);
  const kept = keepHighBytes(data);
  assertEquals([...kept], [1, 2, 3]);
  assertStrictEquals(kept.buffer, data.buffer);
  assertEquals(kept.byteOffset, 2);
});
