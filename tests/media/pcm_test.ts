import { assertEquals } from "@std/assert";
import { sampleSize } from "../../lib/media/frame.ts";
import { pureTest } from "../support/pure_test.ts";

pureTest("sampleSize() knows PCM by its name", () => {
  const sizes = ["pcm_s16le", "pcm_s32le", "pcm_u8", "aac", "pcm_alaw"].map(sampleSize);
  assertEquals(sizes, [2, 4, 1, undefined, undefined]);
});
