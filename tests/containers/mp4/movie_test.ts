import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { FormatError } from "../../../lib/base/errors.ts";
import { concat } from "../../support/media/bytes.ts";
import { pureTest } from "../../support/pure_test.ts";
import { box, HEVC, type MadeTrack, moovOf, PCM, tableBox, twoFrames, words } from "./made_file.ts";
import { opened, reasonOf } from "./reference.ts";

const DATA = concat(box("ftyp", "isom", words(0)), box("mdat", new Uint8Array(64)));

function fileOf(tracks: readonly MadeTrack[], ...more: readonly Uint8Array[]): Uint8Array {
  return concat(DATA, moovOf(tracks, ...more));
}

async function refused(reason: string, ...parts: Parameters<typeof fileOf>): Promise<void> {
  assertStringIncludes(await reasonOf(fileOf(...parts)), reason);
}

const FRAMES = twoFrames(24);

const SOUND: MadeTrack = {
  ...FRAMES,
  handler: "soun",
  entry: PCM,
  timescale: 48_000,
  tables: [
    tableBox("stts", 1, 2, 1),
    tableBox("stsc", 1, 1, 2, 1),
    box("stsz", words(0, 1, 2)),
    tableBox("stco", 1, 24),
  ],
};

pureTest(
  "readMovie() chooses the first video, has each audio, and counts the others",
  async () => {
    const cover = box("data", words(13, 0), "jpeg");
    const list = box("ilst", box("covr", cover, cover));
    const meta = box("meta", words(0), box("hdlr", words(0, 0), "mdir"), list);
    const tracks = [SOUND, FRAMES, SOUND, FRAMES];
    const file = await opened(fileOf(tracks, box("udta", meta)));
    assertEquals(file.tracks.map(({ index, codec }) => [index, codec]), [
      [0, "pcm_s16le"],
      [1, "hevc"],
      [2, "pcm_s16le"],
    ]);
    assertEquals(file.further, { audio: 1, video: 1, cover: 2 });
  },
);

pureTest("readMovie() counts a picture in front of a track as a stream", async () => {
  const cover = box("data", words(13, 0), "jpeg");
  const meta = box("meta", box("hdlr", words(0, 0), "mdir"), box("ilst", box("covr", cover)));
  const file = await opened(fileOf([{ ...FRAMES, more: [meta] }, SOUND]));
  assertEquals(file.tracks.map(({ index }) => index), [0, 2]);
});

pureTest("readMovie() takes a video of chapters for cover art", async () => {
  const chapters = box("tref", box("chap", words(2)));
  const file = await opened(fileOf([{ ...FRAMES, more: [chapters] }, FRAMES]));
  assertEquals([file.tracks.length, file.further], [1, { cover: 1 }]);
});

pureTest("readMovie() leaves what it does not understand to FFmpeg", async () => {
  await refused("neither video nor audio", []);
  await refused('box "mvex"', [FRAMES], box("mvex"));
  await refused('box "cmov"', [FRAMES], box("cmov"));
  await refused('type "auxv"', [{ ...FRAMES, handler: "auxv" }]);
  await refused('type "text" and format "abcd"', [FRAMES, {
    ...FRAMES,
    handler: "text",
    entry: box("abcd"),
  }]);
  await refused('video of type "VP80"', [{
    ...FRAMES,
    entry: concat(
      words(HEVC.length),
      "VP80",
      HEVC.subarray(8, 86),
      box("free", new Uint8Array(HEVC.length - 94)),
    ),
  }]);
  await refused("several formats", [{ ...FRAMES, entry: concat(HEVC, HEVC) }]);
  await refused("edit list has 3 entries", [{
    ...FRAMES,
    edits: [9, 0, 1 << 16, 9, 0, 1 << 16, 9, 0, 1 << 16],
  }]);
  await refused("different chapters", [
    { ...FRAMES, more: [box("tref", box("chap", words(2)))] },
    { ...FRAMES, more: [box("tref", box("chap", words(1)))] },
  ]);
  await refused(
    "no end",
    [{ ...FRAMES, edits: [2 ** 32 - 1, 0, 1 << 16], timescale: 25 }].map((track) => ({
      ...track,
      tables: [tableBox("stts", 1, 2 ** 31 - 1, 2 ** 31 - 1), ...track.tables.slice(1)],
    })),
  );
});

pureTest("openMp4() refuses what is no such file", async () => {
  assertStringIncludes(await reasonOf(new Uint8Array(0)), 'no box "moov"');
  assertStringIncludes(await reasonOf(box("RIFF", "abcd")), 'box "RIFF"');
  assertStringIncludes(await reasonOf(DATA), 'no box "moov"');
  const moov = moovOf([FRAMES]);
  assertStringIncludes(await reasonOf(concat(DATA, moov, moov)), "several");
  assertStringIncludes(await reasonOf(concat(DATA, moov.subarray(0, -4))), "not complete");
  assertStringIncludes(await reasonOf(concat(DATA, moov, box("moof"))), '"moof"');
  const broken = concat(DATA, box("moov", words(99), "mvhd"));
  await assertRejects(() => reasonOf(broken), FormatError, "expected 99");
});
