import { assertEquals, assertThrows } from "@std/assert";
import { UnindexedError } from "../../../../lib/containers/mp4/boxes.ts";
import {
  checkChannelBox,
  pcmCodecOf,
  sampleBytes,
} from "../../../../lib/containers/mp4/codecs/pcm.ts";
import { pureTest } from "../../../support/pure_test.ts";
import { words } from "../made_file.ts";

const FIELDS = { version: 0, channels: 2, bits: 16, sampleRate: 48_000, frameSamples: 0, flags: 0 };

pureTest("pcmCodecOf() names codecs as FFmpeg does", () => {
  assertEquals(pcmCodecOf("sowt", FIELDS, false), "pcm_s16le");
  assertEquals(pcmCodecOf("twos", FIELDS, false), "pcm_s16be");
  assertEquals(pcmCodecOf("twos", { ...FIELDS, bits: 8 }, false), "pcm_s8");
  assertEquals(pcmCodecOf("sowt", { ...FIELDS, bits: 24 }, false), "pcm_s24le");
  assertEquals(pcmCodecOf("in24", { ...FIELDS, version: 1, frameSamples: 1 }, true), "pcm_s24le");
  assertEquals(pcmCodecOf("fl32", FIELDS, false), "pcm_f32be");
  assertEquals(pcmCodecOf("mp4a", FIELDS, false), undefined);
  const linear = { ...FIELDS, version: 2, frameSamples: 1 };
  assertEquals(pcmCodecOf("lpcm", { ...linear, bits: 24, flags: 4 }, false), "pcm_s24le");
  assertEquals(pcmCodecOf("lpcm", { ...linear, bits: 64, flags: 3 }, false), "pcm_f64be");
});

pureTest("pcmCodecOf() refuses unsigned samples, odd sizes, and frames", () => {
  const refused = (format: string, fields: Partial<typeof FIELDS>) =>
    assertThrows(() => pcmCodecOf(format, { ...FIELDS, ...fields }, false), UnindexedError);
  refused("raw ", { bits: 16 });
  refused("twos", { bits: 12 });
  refused("lpcm", {});
  refused("lpcm", { version: 2, flags: 0 });
  refused("in24", { version: 1, frameSamples: 64 });
});

pureTest("sampleBytes() gives the bytes of a sample", () => {
  const codecs = ["pcm_s16le", "pcm_u8", "pcm_mulaw", "pcm_s24be", "pcm_f64le"];
  assertEquals(codecs.map(sampleBytes), [2, 1, 1, 3, 8]);
});

pureTest("checkChannelBox() compares layouts with the number of channels", () => {
  const check = (...values: readonly number[]) =>
    checkChannelBox(new DataView(words(0, ...values).buffer), 2);
  check(101 << 16 | 2, 0, 0);
  check(1 << 16, 3, 0);
  check(0, 0, 2);
  for (const values of [[121 << 16 | 6, 0, 0], [1 << 16, 7, 0], [0, 0, 1]]) {
    assertThrows(() => check(...values), UnindexedError, "2 channels");
  }
});
