import { assert, assertEquals, assertGreater, assertRejects } from "@std/assert";
import { TruncatedError } from "../../../lib/base/errors.ts";
import { openMatroska } from "../../../lib/containers/matroska/open.ts";
import type { FileBytes, PacketFile } from "../../../lib/containers/packet_file.ts";
import { mediaFolder, pictures, tone } from "../../support/media/media_folder.ts";
import {
  factsOf,
  packetLine,
  packetLines,
  probedFacts,
  probedLines,
  probePackets,
} from "../../support/media/probed_packets.ts";
import { installedDialect } from "../../support/programs/machine.ts";
import { bytesOf, matroskaOf, memoryOf } from "../../support/media/opened_matroska.ts";

const folder = mediaFolder();

const SHORT = { seconds: 2 };
const VIDEO = pictures(SHORT);
const SOUND = tone(SHORT);
const BOTH = [...VIDEO, ...SOUND];
const H264 = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "12"];
const B_FRAMES = ["-x264-params", "open-gop=1:bframes=3:keyint=12"];
const VP9 = ["-c:v", "libvpx-vp9", "-cpu-used", "8", "-pix_fmt", "yuv420p", "-g", "20"];
const SUBTITLES = "1\n00:00:00,500 --> 00:00:01,500\nHello\n";

/** Files whose every packet has to be FFmpeg's. */
const FILES: [name: string, args: readonly string[]][] = [
  ["h264.mkv", [...BOTH, ...H264, ...B_FRAMES, "-c:a", "aac"]],
  ["refresh.mkv", [...BOTH, ...H264, "-x264-params", "intra-refresh=1", "-c:a", "libmp3lame"]],
  ["hevc.mkv", [
    ...[...BOTH, "-c:v", "libx265", "-x265-params", "log-level=error:keyint=20"],
    ...["-pix_fmt", "yuv420p", "-c:a", "ac3"],
  ]],
  ["vp8.webm", [...BOTH, "-c:v", "libvpx", "-deadline", "realtime", "-c:a", "libvorbis"]],
  ["vp9.webm", [...BOTH, ...VP9, "-c:a", "libopus", "-cluster_time_limit", "150"]],
  ["av1.mkv", [
    ...[...BOTH, "-c:v", "libaom-av1", "-cpu-used", "8", "-g", "20", "-pix_fmt", "yuv420p"],
    ...["-c:a", "flac"],
  ]],
  ["mpeg4.mkv", [...BOTH, "-c:v", "mpeg4", "-bf", "2", "-c:a", "eac3"]],
  ["mjpeg.mkv", [...BOTH, "-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-c:a", "pcm_s24le"]],
  ["front.mkv", [...BOTH, ...H264, "-c:a", "aac", "-cues_to_front", "1"]],
  ["clusters.mkv", [...BOTH, ...H264, "-c:a", "aac", "-cluster_time_limit", "100"]],
  ["uneven.mkv", [
    ...[...BOTH, "-vf", "select='not(mod(n,3))+gt(n,30)'", "-fps_mode", "vfr", ...H264],
    ...["-c:a", "aac"],
  ]],
  ["ntsc.mkv", [...pictures({ rate: "30000/1001" }), "-vf", "setsar=4/3", ...H264]],
  ["late.mkv", [...VIDEO, "-itsoffset", "1.2", ...tone(), ...H264, "-c:a", "aac"]],
  ["shifted.mkv", [
    ...["-itsoffset", "0.7", ...VIDEO, "-itsoffset", "0.3", ...SOUND, "-copyts"],
    ...[...H264, "-c:a", "aac"],
  ]],
  ["aac.mka", [...SOUND, "-c:a", "aac"]],
  ["opus.webm", [...SOUND, "-c:a", "libopus"]],
  ["pcm.mka", [...tone({ layout: "5.1" }), "-c:a", "pcm_f32le"]],
];

/** FFmpeg's decoders tell more than the container, so these are compared only if it states them. */
const DECODED = ["color_range", "color_space"] as const;

for (const [name, args] of FILES) {
  Deno.test(`openMatroska() gives the tracks and packets of ${name} as FFmpeg does`, async () => {
    const path = await folder.make(name, args);
    const probed = await probePackets(path);
    using opened = await matroskaOf(path);
    const { file } = opened;
    assertEquals(file.format, "matroska,webm");
    assertEquals(file.start, Number(probed.format.start_time));
    assertEquals(file.duration, Number(probed.format.duration));
    const lines = await packetLines(file, { from: -1 });
    assertEquals(file.tracks.length, probed.streams.length);
    for (const track of file.tracks) {
      const stream = { ...probed.streams[track.index] };
      const facts = factsOf(track);
      for (const fact of DECODED) if (facts[fact] === undefined) delete stream[fact];
      assertEquals(facts, probedFacts(stream));
      assertEquals(lines.get(track.index), probedLines(probed, track.index));
    }
    await checkSeeks(file, lines);
  });
}

/** From any time on, each track is the end of itself, from a keyframe at or before the time. */
async function checkSeeks(file: PacketFile, whole: ReadonlyMap<number, string[]>): Promise<void> {
  const { duration = 0 } = file;
  const all = file.tracks.map(({ index }) => index);
  for (const from of [0, 0.01, 0.48, duration / 2, duration - 0.05, duration + 5]) {
    for (const tracks of [all, ...all.map((index) => [index])]) {
      const found = await packetLines(file, { tracks, from });
      for (const index of tracks) {
        const [expected, lines] = [whole.get(index) ?? [], found.get(index) ?? []];
        assertEquals(lines, expected.slice(-lines.length));
        const [timestamp, key] = lines[0].split(" ");
        const [n, d] = file.tracks.find((track) => track.index === index)?.timeBase ?? [0, 1];
        assert(lines.length === expected.length || Number(timestamp) * n / d <= from);
        assertEquals(key, "K");
      }
    }
  }
}

Deno.test("openMatroska() counts what a file has beside its tracks", async () => {
  const subtitles = await folder.write("sub.srt", SUBTITLES);
  const cover = await folder.make("cover.png", [
    ...["-f", "lavfi", "-i", "color=red:s=32x32:d=0.04", "-frames:v", "1"],
  ]);
  const path = await folder.make("beside.mkv", [
    ...[...BOTH, ...tone(), "-i", subtitles, "-map", "0", "-map", "1", "-map", "2", "-map", "3"],
    ...[...H264, "-c:a", "aac", "-c:s", "srt", "-attach", cover, "-attach", subtitles],
    ...["-metadata:s:t:0", "mimetype=image/png", "-metadata:s:t:1", "mimetype=font/ttf"],
  ]);
  using opened = await matroskaOf(path);
  const { further, tracks, listed } = opened.file;
  assertEquals(further, { audio: 1, subtitle: 1, cover: 1, attachment: 1 });
  assertEquals(
    tracks.map(({ index, type, number }) => [index, type, number]),
    [[0, "video", 0], [1, "audio", 0], [2, "audio", 1]],
  );
  assertEquals(listed.map(({ type, codec }) => [type, codec]), [
    ...[["video", undefined], ["audio", undefined], ["audio", undefined]],
    ["subtitle", "subrip"],
  ]);
  const { streams } = await probePackets(path);
  assertEquals(
    streams.slice(2).map(({ codec_type, disposition }) =>
      disposition.attached_pic === 1 ? "cover" : codec_type
    ).sort(),
    ["attachment", "audio", "cover", "subtitle"],
  );
});

Deno.test("openMatroska() reads a few parts of a file, and packets() about what it gives", async () => {
  const path = await folder.make("large.mkv", [
    ...["-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25:d=12", ...tone({ seconds: 12 })],
    ...["-c:v", "libx264", "-preset", "ultrafast", "-crf", "8", "-g", "25", "-pix_fmt", "yuv420p"],
    ...["-c:a", "aac"],
  ]);
  const counts = { reads: 0, bytes: 0 };
  using source = await bytesOf(path);
  const counted: FileBytes = {
    size: source.size,
    read(offset, length) {
      counts.reads++;
      counts.bytes += length;
      return source.read(offset, length);
    },
  };
  const file = await openMatroska(counted, await installedDialect());
  assert("packets" in file);
  assert(counts.reads <= 6, `${counts.reads} reads`);
  assert(counts.bytes < source.size / 4, `${counts.bytes} bytes of ${source.size}`);
  const probed = await probePackets(path);
  const lines = await packetLines(file, { from: -1 });
  for (const index of [0, 1]) assertEquals(lines.get(index), probedLines(probed, index));
  Object.assign(counts, { reads: 0, bytes: 0 });
  let batches = 0;
  for await (const batch of file.packets({ tracks: [0, 1], from: 8.5 })) {
    const times = batch.map(({ timestamp }) => timestamp);
    assert(Math.max(...times) - Math.min(...times) < 1200);
    // Views on few large reads, not copies.
    if (batches++ === 0) {
      // FFmpeg 7.1 lets sound begin below 0, others move pictures and sound until it begins at 0.
      assert([7979, 8000].includes(batch[0].timestamp), `${batch[0].timestamp}`);
      assertGreater(batch.length, 3 * new Set(batch.map(({ data }) => data.buffer)).size);
      assert(counts.bytes < source.size / 4, `${counts.bytes} bytes of ${source.size}`);
    }
  }
  assert(batches === 4 || batches === 5, `${batches} batches of four seconds`);
});

Deno.test("packets() does not read all of a file for sound that has ended", async () => {
  const path = await folder.make("half silent.mkv", [
    ...["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:d=60", ...tone({ seconds: 10 })],
    ...["-c:v", "libx264", "-preset", "ultrafast", "-crf", "8", "-g", "25", "-pix_fmt", "yuv420p"],
    ...["-c:a", "aac"],
  ]);
  let bytes = 0;
  using source = await bytesOf(path);
  const counted: FileBytes = {
    size: source.size,
    read(offset, length) {
      bytes += length;
      return source.read(offset, length);
    },
  };
  const file = await openMatroska(counted, await installedDialect());
  assert("packets" in file);
  bytes = 0;
  const packets = file.packets({ tracks: [0, 1], from: 57 });
  const { value: first } = await packets.next();
  assertEquals(first?.[0].track, 0);
  assertEquals(first?.[0].keyframe, true);
  assert(bytes < 0.7 * source.size, `${bytes} bytes of ${source.size}`);
  await packets.return(undefined);
});

Deno.test("packets() gives what is in front of the cut of a truncated file", async () => {
  const path = await folder.make("cut.mkv", [
    ...[...BOTH, ...H264, "-c:a", "aac", "-cues_to_front", "1", "-cluster_time_limit", "500"],
  ]);
  const whole = await Deno.readFile(path);
  const expected = await packetLines(await openedOf(whole), { from: -1 });
  for (const share of [0.5, 0.7, 0.9]) {
    const file = await openedOf(whole.subarray(0, whole.byteLength * share));
    const lines = new Map<number, string[]>([[0, []], [1, []]]);
    await assertRejects(async () => {
      for await (const batch of file.packets({ tracks: [0, 1], from: -1 })) {
        for (const packet of batch) lines.get(packet.track)?.push(packetLine(packet));
      }
    }, TruncatedError);
    for (const index of [0, 1]) {
      const found = lines.get(index) ?? [];
      assertEquals(found, expected.get(index)?.slice(0, found.length));
    }
    assertGreater((lines.get(0) ?? []).length, 50 * share / 2);
  }
});

async function openedOf(bytes: Uint8Array): Promise<PacketFile> {
  const file = await openMatroska(memoryOf(bytes), await installedDialect());
  if ("unindexed" in file) throw new Error(file.unindexed);
  return file;
}
