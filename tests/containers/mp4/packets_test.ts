import { assert, assertEquals, assertLess, assertRejects } from "@std/assert";
import { TruncatedError } from "../../../lib/base/errors.ts";
import type { Packet } from "../../../lib/containers/packet_file.ts";
import { concat } from "../../support/media/bytes.ts";
import { pureTest } from "../../support/pure_test.ts";
import {
  box,
  FILM_SECONDS,
  filmFile,
  moovOf,
  SparseBytes,
  tableBox,
  twoFrames,
  words,
} from "./made_file.ts";
import { opened, packetsOf } from "./reference.ts";

/** Bytes of the largest batch. */
const BATCH_SIZE = 56 * 1024;

pureTest(
  "packets() of a film of two hours come in batches with one read each",
  async () => {
    const bytes = filmFile();
    const file = await opened(bytes);
    assertLess(bytes.reads.length, 6);
    assertEquals(file.duration, 10);
    bytes.reads.length = 0;
    const counts = new Map<number, number>();
    let batches = 0;
    for await (const batch of file.packets({ tracks: [0, 1], from: 0 })) {
      batches++;
      const size = batch.reduce((sum, { data }) => sum + data.byteLength, 0);
      assert(size <= BATCH_SIZE, `a batch of ${size} bytes`);
      for (const { track } of batch) counts.set(track, (counts.get(track) ?? 0) + 1);
    }
    assertEquals([...counts], [[0, 25 * FILM_SECONDS], [1, 50 * FILM_SECONDS]]);
    assertLess(batches, 8 * FILM_SECONDS);
    assertLess(bytes.reads.length, 8 * FILM_SECONDS);
    // Little is read that is not given.
    assertLess(bytes.reads.reduce((sum, length) => sum + length), 1.1 * FILM_SECONDS * 220_000);
  },
);

pureTest("packets() begin late in a film with one batch of all up to there", async () => {
  const bytes = filmFile();
  const file = await opened(bytes);
  bytes.reads.length = 0;
  const iterator = file.packets({ tracks: [0, 1], from: 5001.5 });
  const batch: readonly Packet[] = (await iterator.next()).value ?? [];
  // Its sound is a second away from its pictures.
  assertLess(bytes.reads.length, 4);
  const of = (track: number) => batch.filter((packet) => packet.track === track);
  // A keyframe every two seconds, and audio to the packet.
  assertEquals(of(0)[0].timestamp, 5000 * 25 + 1);
  assertEquals(of(0)[0].keyframe, true);
  assertEquals(of(1)[0].timestamp, 5001.5 * 48_000);
  assertLess(5001.5 * 25, of(0).at(-1)!.timestamp);
  const next: readonly Packet[] = (await iterator.next()).value ?? [];
  assertLess(next.reduce((sum, { data }) => sum + data.byteLength, 0), BATCH_SIZE);
  await iterator.return(undefined);
});

/** A film of so many pictures of a size, with a gap behind each, and one keyframe. */
function leadFile({ count, size, gap }: { count: number; size: number; gap: number }): SparseBytes {
  const offsets = Array.from({ length: count }, (_, at) => 8 + at * (size + gap));
  const moov = moovOf([{
    ...{ timescale: 25, duration: count },
    tables: [
      ...[tableBox("stts", 1, count, 1), tableBox("stss", 1, 1), tableBox("stsc", 1, 1, 1, 1)],
      ...[box("stsz", words(0, size, count)), box("stco", words(0, count, ...offsets))],
    ],
  }]);
  const length = count * (size + gap);
  return new SparseBytes(concat(words(8 + length), "mdat"), length, moov);
}

pureTest(
  "packets() far in front of where they are to begin come in few, bounded reads",
  async () => {
    const cases = [
      { count: 100, size: 50_000, gap: 0, reads: 10 },
      { count: 2000, size: 200, gap: 7700, reads: 30 },
      { count: 2000, size: 1, gap: 16_000, reads: 61 },
      { count: 2000, size: 200, gap: 17_500, reads: 2000 },
    ];
    for (const { reads, ...film } of cases) {
      const bytes = leadFile(film);
      const file = await opened(bytes);
      bytes.reads.length = 0;
      let before = 0;
      for await (const batch of file.packets({ tracks: [0], from: 1e6 })) {
        assert(batch.length > 0);
        // A batch can be waited for, and given up behind it.
        assertLess(bytes.reads.length - before, 33);
        before = bytes.reads.length;
      }
      assertEquals(bytes.reads.length, reads);
      assertLess(Math.max(...bytes.reads), 520 * 1024);
    }
  },
);

pureTest("packets() give what is there before they fail at the end of the file", async () => {
  const frames = twoFrames(0);
  const moov = moovOf([{
    ...frames,
    tables: [...frames.tables.slice(0, 3), tableBox("stco", 1, 8)],
  }]);
  const file = await opened(new SparseBytes(box("free", new Uint8Array(8)), 0, moov));
  assertEquals((await packetsOf(file, { tracks: [0], from: 0 })).length, 2);
  const far = moovOf([{
    ...frames,
    tables: [
      tableBox("stts", 1, 2, 1),
      tableBox("stsc", 1, 1, 1, 1),
      box("stsz", words(0, 10, 2)),
      tableBox("stco", 2, 8, 1_000_000),
    ],
  }]);
  const cut = await opened(new SparseBytes(box("free", new Uint8Array(8)), 0, far));
  const iterator = cut.packets({ tracks: [0], from: 0 });
  assertEquals((await iterator.next()).value?.length, 1);
  await assertRejects(() => iterator.next(), TruncatedError);
});

pureTest("packets() of a track that is not asked for are not read", async () => {
  const file = await opened(filmFile());
  const iterator = file.packets({ tracks: [1], from: 100 });
  const { value: batch } = await iterator.next();
  assertEquals(new Set(batch?.map(({ track }: Packet) => track)), new Set([1]));
  await iterator.return(undefined);
  assertEquals(await packetsOf(file, { tracks: [], from: 0 }), []);
});
