import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { FormatError } from "../../../lib/base/errors.ts";
import {
  AUDIO,
  CLUSTER,
  SEGMENT,
  TAGS,
  TRACK,
  VIDEO,
} from "../../../lib/containers/matroska/ids.ts";
import { type MatroskaOptions, openMatroska } from "../../../lib/containers/matroska/open.ts";
import type { PacketFile } from "../../../lib/containers/packet_file.ts";
import { concat } from "../../support/media/bytes.ts";
import {
  blockBody,
  cluster,
  element,
  type FileParts,
  float,
  matroskaFile,
  text,
  uint,
} from "../../support/media/matroska_files.ts";
import { memoryOf } from "../../support/media/opened_matroska.ts";
import { packetLines } from "../../support/media/probed_packets.ts";
import { pureTest } from "../../support/pure_test.ts";

const SIZE = [uint(VIDEO.width, 64), uint(VIDEO.height, 48)];

/** A key frame of VP8 as far as it is looked at, and one that is none. */
const KEY = Uint8Array.of(0x10, 1, 2), DELTA = Uint8Array.of(0x11, 3);

interface VideoParts {
  codec?: string;
  picture?: readonly Uint8Array[];
  further?: readonly Uint8Array[];
  frame?: number;
}

function video(
  { codec = "V_VP8", picture = SIZE, further = [], frame = 40_000_000 }: VideoParts = {},
): Uint8Array {
  return element(
    TRACK.entry,
    uint(TRACK.number, 1),
    uint(TRACK.type, 1),
    text(TRACK.codecId, codec),
    ...(frame === 0 ? [] : [uint(TRACK.defaultDuration, frame)]),
    element(TRACK.video, ...picture),
    ...further,
  );
}

function subtitles(): Uint8Array {
  return element(
    TRACK.entry,
    uint(TRACK.number, 3),
    uint(TRACK.type, 17),
    text(TRACK.codecId, "S_TEXT/UTF8"),
    element(TRACK.encodings),
  );
}

function opus(delay: number): Uint8Array {
  const head = concat("OpusHead\x01\x02", new Uint8Array(9));
  return element(
    TRACK.entry,
    uint(TRACK.number, 2),
    uint(TRACK.type, 2),
    uint(TRACK.lacing, 0),
    uint(TRACK.codecDelay, delay),
    text(TRACK.codecId, "A_OPUS"),
    element(TRACK.codecPrivate, head),
    element(TRACK.audio, float(AUDIO.rate, 48_000), uint(AUDIO.channels, 2)),
  );
}

function simple(time: number, data: Uint8Array, track = 1): Uint8Array {
  return element(CLUSTER.simpleBlock, blockBody({ track, time, flags: 0, data }));
}

const CLUSTERS = [
  cluster(0, simple(0, KEY), simple(40, DELTA)),
  cluster(80, simple(0, KEY), simple(40, DELTA)),
];

const CUES = [{ time: 0, track: 1, cluster: 0 }, { time: 80, track: 1, cluster: 1 }];

function fileOf(parts: Partial<FileParts> = {}): Uint8Array<ArrayBuffer> {
  return matroskaFile({ tracks: video(), clusters: CLUSTERS, cues: CUES, ...parts });
}

async function opened(bytes: Uint8Array, options?: MatroskaOptions): Promise<PacketFile> {
  const file = await openMatroska(memoryOf(bytes), options);
  if ("unindexed" in file) throw new Error(file.unindexed);
  return file;
}

function tags(name: string): Uint8Array {
  return element(SEGMENT.tags, element(TAGS.tag, element(TAGS.simple, text(TAGS.name, name))));
}

pureTest("openMatroska() reads the facts of a picture", async () => {
  const colour = element(VIDEO.colour, uint(VIDEO.matrix, 9), uint(VIDEO.range, 1));
  const shown = [uint(VIDEO.displayWidth, 128), uint(VIDEO.displayHeight, 48), colour];
  const { tracks: [track], further, start, duration } = await opened(fileOf({
    tracks: concat(video({ picture: [...SIZE, ...shown] }), subtitles()),
    scale: 2_000_000,
    between: [tags("TITLE")],
  }));
  assertEquals(track, {
    ...{
      index: 0,
      number: 0,
      type: "video",
      codec: "vp8",
      timeBase: [1, 500],
      width: 64,
      height: 48,
    },
    ...{ sampleAspectRatio: [2, 1], colorRange: "tv", colorSpace: "bt2020nc" },
    ...{ frameRate: [25, 1], startTime: 0, extradata: new Uint8Array(0) },
  });
  assertEquals([further, start, duration], [{ subtitle: 1 }, 0, 2]);
});

pureTest("packets() begins at the last cue at or before a time", async () => {
  const file = await opened(fileOf());
  const times = async (from: number) =>
    (await packetLines(file, { from })).get(0)?.map((line) => line.split(" ", 3).join(" "));
  assertEquals(await times(0.079), ["0 K 3", "40 _ 2", "80 K 3", "120 _ 2"]);
  assertEquals(await times(0.08), ["80 K 3", "120 _ 2"]);
  assertEquals(await times(100), ["80 K 3", "120 _ 2"]);
});

pureTest("openMatroska() begins Opus as the version of FFmpeg does", async () => {
  const parts = {
    tracks: concat(video(), opus(6_500_000)),
    clusters: [cluster(0, simple(0, KEY, 2), simple(7, KEY)), ...CLUSTERS.slice(1)],
  };
  const packet = await opened(fileOf(parts), { soundStart: "packet" });
  const sample = await opened(fileOf(parts), { soundStart: "sample" });
  assertEquals([packet.start, packet.tracks[1].startTime], [-0.007, -0.007]);
  assertEquals([sample.start, sample.tracks[1].startTime], [0, 0]);
  for (const file of [packet, sample]) {
    assertEquals((await packetLines(file)).get(1)?.[0].slice(0, 2), "-7");
  }
  const unknown = await openMatroska(memoryOf(fileOf(parts)));
  assertMatch("unindexed" in unknown ? unknown.unindexed : "", /versions differ/);
});

const picture = (id: number, value: number) =>
  fileOf({
    tracks: video({ picture: [...SIZE, uint(id, value)] }),
  });

/** Files that are left to FFmpeg, and what the reason names. */
const REFUSED: [reason: RegExp, bytes: Uint8Array][] = [
  [/cues/, fileOf({ cues: undefined })],
  [/"cues": none of track 1/, fileOf({ cues: [{ time: 0, track: 3, cluster: 0 }] })],
  [/document type/, fileOf({ docType: "mka" })],
  [/compressed/, fileOf({ tracks: video({ further: [element(TRACK.encodings)] }) })],
  [/combination/, fileOf({ tracks: video({ further: [element(TRACK.operation)] }) })],
  [/scale of its own/, fileOf({ tracks: video({ further: [float(TRACK.timestampScale, 2)] }) })],
  [/codec delay/, fileOf({ tracks: video({ further: [uint(TRACK.codecDelay, 1)] }) })],
  [/frame rate/, fileOf({ tracks: video({ frame: 0 }) })],
  [/V_VFW/, fileOf({ tracks: video({ codec: "V_VFW" }) })],
  [/h264 without/, fileOf({ tracks: video({ codec: "V_MPEG4/ISO/AVC" }) })],
  [/two of number 1/, fileOf({ tracks: concat(video(), video()) })],
  [/0x54aa/, picture(VIDEO.cropBottom, 2)],
  [/0x53b8/, picture(VIDEO.stereoMode, 1)],
  [/0 × 48 pixels/, picture(VIDEO.width, 0)],
  [/pixel shape/, picture(VIDEO.displayWidth, 9973)],
  [/0x7670/, fileOf({ tracks: video({ picture: [...SIZE, element(VIDEO.projection)] }) })],
  [/rotation/, fileOf({ between: [tags("ROTATE")] })],
  [/duration/, fileOf({ duration: 0 })],
  [/timestamp scale/, fileOf({ scale: 2e9 })],
  [/bytes behind it/, concat(fileOf(), "more")],
  [/known one/, fileOf({ clusters: [cluster(0, simple(0, KEY, 5)), ...CLUSTERS] })],
  [/time first/, fileOf({ clusters: [element(SEGMENT.cluster, simple(0, KEY))], cues: [CUES[0]] })],
  [/Input ended/, new Uint8Array(0)],
  [/EBML/, concat("RIFF\0\0\0\0WAVE")],
];
pureTest("openMatroska() leaves to FFmpeg what it does not understand, with a reason", async () => {
  for (const [reason, bytes] of REFUSED) {
    const file = await openMatroska(memoryOf(bytes));
    assert("unindexed" in file, `${reason} was opened`);
    assertMatch(file.unindexed, reason);
  }
});

pureTest("openMatroska() leaves unknown sizes and wrong places of clusters to FFmpeg", async () => {
  for (const id of [SEGMENT.segment, SEGMENT.cluster]) {
    const bytes = fileOf();
    const hex = bytes.toHex();
    const at = hex.indexOf(id.toString(16)) / 2;
    bytes.fill(0xff, at + 5, at + 12);
    const file = await openMatroska(memoryOf(bytes));
    assertMatch("unindexed" in file ? file.unindexed : "", /unknown|no cluster of known size/);
  }
  const between = [element(0xec, new Uint8Array(30))];
  const bytes = fileOf({ between });
  // The first cluster becomes something else, to which the index still leads.
  bytes[bytes.toHex().indexOf(SEGMENT.cluster.toString(16)) / 2 + 3] ^= 1;
  const file = await openMatroska(memoryOf(bytes));
  assertMatch("unindexed" in file ? file.unindexed : "", /0x1f43b674/);
});

pureTest("packets() refuses damage behind the beginning", async () => {
  const damaged = [
    simple(0, KEY, 7),
    element(CLUSTER.simpleBlock, Uint8Array.of(0x81)),
    element(SEGMENT.cluster),
    element(CLUSTER.timestamp, new Uint8Array(9)),
    element(CLUSTER.simpleBlock, concat(Uint8Array.of(0x81, 0, 0, 0x04, 2), KEY, KEY, DELTA)),
  ];
  for (const block of damaged) {
    // Farther away than what is read to open the file.
    const gap = element(0xec, new Uint8Array(300_000));
    const clusters = [CLUSTERS[0], gap, cluster(80, simple(0, KEY), block), cluster(99)];
    const file = await opened(fileOf({ clusters, cues: [CUES[0]] }));
    await assertRejects(() => packetLines(file), FormatError, "Cannot read Matroska");
  }
});
