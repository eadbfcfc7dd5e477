import { assertEquals, assertThrows } from "@std/assert";
import { FormatError } from "../../../lib/base/errors.ts";
import { boxesIn, UnindexedError } from "../../../lib/containers/mp4/boxes.ts";
import { readSampleTable, reorderingOf } from "../../../lib/containers/mp4/sample_table.ts";
import { concat } from "../../support/media/bytes.ts";
import { pureTest } from "../../support/pure_test.ts";
import { box, tableBox, words } from "./made_file.ts";

const BOXES: Record<string, Uint8Array> = {
  stts: tableBox("stts", 2, 3, 10, 2, 5),
  stsc: tableBox("stsc", 2, 1, 2, 1, 3, 1, 1),
  stsz: box("stsz", words(0, 0, 5, 11, 12, 13, 14, 15)),
  stco: tableBox("stco", 3, 100, 200, 300),
};

function read(
  changed: Record<string, Uint8Array> = {},
  { isAudio = false, pcmSize, fileSize = 1000 }: {
    isAudio?: boolean;
    pcmSize?: number;
    fileSize?: number;
  } = {},
) {
  const parts = Object.values({ ...BOXES, ...changed });
  const boxes = boxesIn(new DataView(concat(...parts).buffer));
  return readSampleTable(boxes, { fileSize, isIntra: false, isAudio, pcmSize });
}

function refused(reason: string, changed: Record<string, Uint8Array>): void {
  assertThrows(() => read(changed), UnindexedError, reason);
}

pureTest("readSampleTable() places samples in chunks", () => {
  const { table, times } = read();
  assertEquals([...table.offsets], [100, 111, 200, 213, 300]);
  assertEquals([...table.sizes], [11, 12, 13, 14, 15]);
  assertEquals([...table.decodeTimes], [0, 10, 20, 30, 35]);
  assertEquals([table.delays, table.keyframes], [undefined, undefined]);
  assertEquals(times, { total: 40, samples: 5, first: 10 });
});

pureTest("readSampleTable() reads offsets of 64 bits, and compact sizes", () => {
  const co64 = box("co64", words(0, 3, 1, 0, 2, 0, 3, 0));
  const { table } = read({ stco: co64, stsz: box("stz2", words(0, 4, 5), "\x12\x34\x50") });
  assertEquals([...table.offsets], [2 ** 32, 2 ** 32 + 1, 2 ** 33, 2 ** 33 + 3, 3 * 2 ** 32]);
  assertEquals([...table.sizes], [1, 2, 3, 4, 5]);
  const wide = read({ stsz: box("stz2", words(0, 16, 5), "\0\x01\0\x02\0\x03\0\x04\x01\0") });
  assertEquals([...wide.table.sizes], [1, 2, 3, 4, 256]);
});

pureTest("readSampleTable() numbers keyframes from 0", () => {
  assertEquals([...read({ stss: tableBox("stss", 2, 1, 4) }).table.keyframes ?? []], [0, 3]);
});

pureTest("readSampleTable() moves decode timestamps back for negative delays", () => {
  const ctts = tableBox("ctts", 4, 1, 0, 2, 0x1_0000_0000 - 7, 1, 3, 1, 0);
  const { table } = read({ ctts });
  assertEquals(table.shift, 7);
  assertEquals([...table.decodeTimes], [-7, 3, 13, 23, 28]);
  assertEquals([...table.delays ?? []], [7, 0, 0, 10, 7]);
});

pureTest("readSampleTable() does not believe the last two delays to be negative, as FFmpeg", () => {
  const ctts = tableBox("ctts", 2, 4, 0, 1, 0x1_0000_0000 - 7);
  assertEquals(read({ ctts }).table.shift, 0);
});

pureTest("readSampleTable() joins 1024 samples of PCM within a chunk", () => {
  const { table } = read({
    stts: tableBox("stts", 1, 5000, 1),
    stsc: tableBox("stsc", 2, 1, 2000, 1, 3, 1000, 1),
    stsz: box("stsz", words(0, 1, 5000)),
  }, { isAudio: true, pcmSize: 4 });
  assertEquals([...table.sizes], [4096, 3904, 4096, 3904, 4000]);
  assertEquals([...table.decodeTimes], [0, 1024, 2000, 3024, 4000]);
  assertEquals([...table.offsets], [100, 4196, 200, 4296, 300]);
});

pureTest("readSampleTable() refuses tables that contradict each other", () => {
  refused("times of 6", { stts: tableBox("stts", 1, 6, 1) });
  refused("4 in chunks", {
    stsc: tableBox("stsc", 2, 1, 1, 1, 2, 1, 1),
    stco: tableBox("stco", 4, 1, 2, 3, 4),
  });
  refused("no order", { stsc: tableBox("stsc", 2, 1, 2, 1, 9, 1, 1) });
  refused("no order", { stsc: tableBox("stsc", 1, 2, 2, 1) });
  refused("several formats", { stsc: tableBox("stsc", 2, 1, 2, 1, 3, 1, 2) });
  refused("keyframes have no order", { stss: tableBox("stss", 2, 4, 1) });
  refused("keyframes have no order", { stss: tableBox("stss", 1, 0) });
  refused("no keyframes", { stss: tableBox("stss", 0) });
  refused("delays of 4", { ctts: tableBox("ctts", 1, 4, 1) });
  refused("ticks late", { ctts: tableBox("ctts", 1, 5, 2 ** 29) });
  refused("sample of 0 bytes", { stsz: box("stsz", words(0, 0, 5, 1, 0, 1, 1, 1)) });
  refused("4294967295 ticks", { stts: tableBox("stts", 1, 5, 2 ** 32 - 1) });
  refused('2 boxes "stts"', { again: BOXES.stts });
  refused('box "saiz"', { saiz: box("saiz") });
  refused("groups", { sbgp: box("sbgp", words(0), "rap ", words(1, 5, 1)) });
});

pureTest("readSampleTable() takes no memory for what a file cannot hold", () => {
  const stsz = box("stsz", words(0, 1, 2 ** 31 - 1));
  const stts = tableBox("stts", 1, 2 ** 31 - 1, 2);
  const stsc = tableBox("stsc", 1, 1, 2 ** 31 - 1, 1);
  const all = { stsz, stts, stsc, stco: tableBox("stco", 1, 0) };
  assertThrows(() => read(all), UnindexedError, "2147483647 samples");
  const long = box("stsz", words(0, 0, 2 ** 31 - 1));
  assertThrows(() => read({ ...all, stsz: long }), FormatError);
  const sound = { ...all, stts: tableBox("stts", 1, 2 ** 31 - 1, 1) };
  const options = { isAudio: true, pcmSize: 4 };
  assertThrows(() => read(sound, options), UnindexedError, "2147483647 samples");
});

function reordering(times: readonly number[]): number {
  return reorderingOf({
    count: times.length,
    decodeTimes: Float64Array.from(times, (_, at) => at),
    delays: Int32Array.from(times, (time, at) => time - at),
  });
}

pureTest("reorderingOf() counts the earlier frames that are shown later", () => {
  assertEquals(reordering([0, 1, 2]), 0);
  assertEquals(reordering([0, 2, 1, 4, 3]), 1);
  assertEquals(reordering([0, 4, 2, 1, 3, 8, 6, 5, 7]), 2);
  // Parts that overlap.
  assertEquals(reordering([0, 8, 4, 2, 6, 1]), 4);
});

pureTest("reorderingOf() compares a frame with 16 earlier ones", () => {
  const times = Array.from({ length: 40 }, (_, at) => at + 1);
  assertEquals(reordering([...times, 0]), 16);
});

pureTest("reorderingOf() gives 0 for a table without delays", () => {
  assertEquals(reorderingOf({ count: 2, decodeTimes: Float64Array.of(0, 1) }), 0);
});
