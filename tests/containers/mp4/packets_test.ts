import { assert, assertEquals, assertLess, assertRejects } from "@std/assert";
import { TruncatedError } from "../../../lib/base/errors.ts";
import type { Packet } from "../../../lib/containers/packet_file.ts";
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

pureTest("packets() begin late in a film with few reads", async () => {
  const bytes = filmFile();
  const file = await opened(bytes);
  bytes.reads.length = 0;
  const iterator = file.packets({ tracks: [0, 1], from: 5000.5 });
  const packets: Packet[] = [];
  const firstOf = (track: number) => packets.find((packet) => packet.track === track);
  while (firstOf(1) === undefined) {
    const { value: batch } = await iterator.next();
    assert(batch !== undefined);
    packets.push(...batch);
  }
  assertLess(bytes.reads.length, 6);
  // A keyframe every two seconds, and audio to the packet.
  assertEquals(firstOf(0)?.timestamp, 5000 * 25 + 1);
  assertEquals(firstOf(0)?.keyframe, true);
  assertEquals(firstOf(1)?.timestamp, 5000.5 * 48_000);
  await iterator.return(undefined);
});

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
