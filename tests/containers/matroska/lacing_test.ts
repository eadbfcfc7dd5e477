import { assertEquals, assertRejects } from "@std/assert";
import { FormatError } from "../../../lib/base/errors.ts";
import { AUDIO, CLUSTER, TRACK, VIDEO } from "../../../lib/containers/matroska/ids.ts";
import { openMatroska } from "../../../lib/containers/matroska/open.ts";
import type { Packet, PacketFile } from "../../../lib/containers/packet_file.ts";
import { concat } from "../../support/media/bytes.ts";
import {
  blockBody,
  cluster,
  element,
  float,
  matroskaFile,
  text,
  uint,
} from "../../support/media/matroska_files.ts";
import { mediaFolder, pictures, tone } from "../../support/media/media_folder.ts";
import { matroskaOf, memoryOf } from "../../support/media/opened_matroska.ts";
import { packetLines, probedLines, probePackets } from "../../support/media/probed_packets.ts";

// FFmpeg writes neither lacing nor references, so files are put together from its packets.

const folder = mediaFolder();

const XIPH = 0x02, FIXED = 0x04, EBML = 0x06, KEY = 0x80;

/** Frames of a block. */
const LACED = 4;

const SIZE = { audio: 2, video: 1 };

interface Laced {
  name: string;
  codec: string;
  args: readonly string[];
  /** Nanoseconds of a frame. */
  duration: number;
  lacing: readonly number[];
}

const SOUNDS: Laced[] = [
  { ...sound("A_AAC", "aac"), duration: 21_333_333, lacing: [XIPH, EBML] },
  { ...sound("A_MPEG/L3", "libmp3lame"), duration: 24_000_000, lacing: [XIPH, EBML] },
  { ...sound("A_AC3", "ac3"), duration: 32_000_000, lacing: [FIXED, XIPH, EBML] },
  { ...sound("A_VORBIS", "libvorbis"), duration: 21_333_333, lacing: [XIPH, EBML] },
  { ...sound("A_FLAC", "flac"), duration: 96_000_000, lacing: [XIPH, EBML] },
];

function sound(codec: string, encoder: string) {
  return { name: `${encoder}.mka`, codec, args: [...tone(), "-c:a", encoder] };
}

/** Sizes of all frames but the last, as Xiph and EBML lacing store them. */
function sizesOf(frames: readonly Uint8Array[], lacing: number): Uint8Array {
  const sizes = frames.slice(0, -1).map(({ byteLength }) => byteLength);
  if (lacing === FIXED) return new Uint8Array(0);
  if (lacing === XIPH) {
    return concat(
      ...sizes.map((size) => Uint8Array.of(...Array(Math.floor(size / 255)).fill(255), size % 255)),
    );
  }
  // In four bytes each, which is more than it takes.
  return concat(...sizes.map((size, at) => {
    const value = at === 0 ? size : size - sizes[at - 1] + 2 ** 27 - 1;
    return Uint8Array.of(0x10 | value >> 24, value >> 16, value >> 8, value);
  }));
}

/** Lays the packets of a file into blocks of several frames, some of them in groups. */
function laced(packets: readonly Packet[], { duration, lacing }: Laced): Uint8Array[] {
  const blocks: Uint8Array[] = [];
  for (let at = 0; at < packets.length; at += LACED) {
    const frames = packets.slice(at, at + LACED).map(({ data }) => data);
    const isEven = frames.every(({ byteLength }) => byteLength === frames[0].byteLength);
    const kind = lacing[blocks.length % lacing.length];
    const flags = frames.length === 1 ? 0 : kind === FIXED && !isEven ? XIPH : kind;
    const count = flags === 0 ? new Uint8Array(0) : Uint8Array.of(frames.length - 1);
    const data = concat(count, flags === 0 ? count : sizesOf(frames, flags), ...frames);
    const time = Math.floor(at * duration / 1e6);
    const fields = { track: 1, time, data };
    blocks.push(
      blocks.length % 3 === 2
        ? element(CLUSTER.group, element(CLUSTER.block, blockBody({ ...fields, flags })))
        : element(CLUSTER.simpleBlock, blockBody({ ...fields, flags: flags | KEY })),
    );
  }
  return blocks;
}

async function packetsOf(path: string): Promise<{ file: PacketFile; packets: Packet[] }> {
  using opened = await matroskaOf(path);
  const packets: Packet[] = [];
  for await (const batch of opened.file.packets({ tracks: [0], from: -1 })) packets.push(...batch);
  return { file: opened.file, packets };
}

/** A track as the file has it, with the private data of the decoder. */
function audioTrack(file: PacketFile, codec: string, ...further: Uint8Array[]): Uint8Array {
  const [{ sampleRate = 0, channels = 0, extradata }] = file.tracks;
  const info = codec === "A_FLAC" ? concat("fLaC\x80\0\0\x22", extradata) : extradata;
  return element(
    TRACK.entry,
    uint(TRACK.number, 1),
    uint(TRACK.type, SIZE.audio),
    text(TRACK.codecId, codec),
    ...(info.byteLength > 0 ? [element(TRACK.codecPrivate, info)] : []),
    ...further,
    element(TRACK.audio, float(AUDIO.rate, sampleRate), uint(AUDIO.channels, channels)),
  );
}

async function checkEqual(path: string, bytes: Uint8Array): Promise<void> {
  const file = await openMatroska(memoryOf(bytes));
  if ("unindexed" in file) throw new Error(file.unindexed);
  const probed = await probePackets(path);
  assertEquals(file.start, Number(probed.format.start_time));
  const lines = await packetLines(file, { from: -1 });
  assertEquals(lines.get(0), probedLines(probed, 0));
}

for (const row of SOUNDS) {
  Deno.test(`packets() cuts laced blocks of ${row.codec} as FFmpeg does`, async () => {
    const { file, packets } = await packetsOf(await folder.make(row.name, row.args));
    const bytes = matroskaFile({
      tracks: audioTrack(file, row.codec, uint(TRACK.defaultDuration, row.duration)),
      clusters: [cluster(0, ...laced(packets, row))],
      cues: [{ time: 0, track: 1, cluster: 0 }],
    });
    await checkEqual(await folder.write(`laced_${row.name}`, bytes), bytes);
  });
}

Deno.test("packets() refuses laced frames without times", async () => {
  const [row] = SOUNDS;
  const { file, packets } = await packetsOf(await folder.make(row.name, row.args));
  const parts = {
    clusters: [cluster(0, ...laced(packets, row))],
    cues: [{ time: 0, track: 1, cluster: 0 }],
  };
  const maybe = await openMatroska(memoryOf(matroskaFile({
    ...parts,
    tracks: audioTrack(file, row.codec),
  })));
  assertEquals("unindexed" in maybe && maybe.unindexed.includes("no times"), true);
  // Its description denies that there is any.
  const denied = await openMatroska(memoryOf(matroskaFile({
    ...parts,
    tracks: audioTrack(file, row.codec, uint(TRACK.lacing, 0)),
  })));
  if ("unindexed" in denied) throw new Error(denied.unindexed);
  await assertRejects(() => packetLines(denied), FormatError, "frames without times");
});

Deno.test("packets() takes blocks without references for keyframes", async () => {
  const args = [...pictures(), "-c:v", "libx265", "-x265-params", "log-level=error:keyint=10"];
  const path = await folder.make("hevc.mkv", [...args, "-pix_fmt", "yuv420p"]);
  const { file, packets } = await packetsOf(path);
  const [{ extradata, width = 0, height = 0 }] = file.tracks;
  const blocks = packets.map(({ timestamp, keyframe, data }) =>
    element(
      CLUSTER.group,
      element(CLUSTER.block, blockBody({ track: 1, time: timestamp, flags: 0, data })),
      ...(keyframe ? [] : [uint(CLUSTER.reference, 1)]),
      uint(CLUSTER.duration, 40),
    )
  );
  const bytes = matroskaFile({
    tracks: element(
      TRACK.entry,
      uint(TRACK.number, 1),
      uint(TRACK.type, SIZE.video),
      text(TRACK.codecId, "V_MPEGH/ISO/HEVC"),
      element(TRACK.codecPrivate, extradata),
      uint(TRACK.defaultDuration, 40_000_000),
      element(TRACK.video, uint(VIDEO.width, width), uint(VIDEO.height, height)),
    ),
    clusters: [cluster(0, ...blocks)],
    cues: [{ time: 0, track: 1, cluster: 0 }],
  });
  await checkEqual(await folder.write("groups.mkv", bytes), bytes);
});
