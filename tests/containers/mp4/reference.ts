/** What FFmpeg's demuxer gives, to compare with. */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { TruncatedError } from "../../../lib/base/errors.ts";
import { openMp4 } from "../../../lib/containers/mp4/open.ts";
import type { FileBytes, Packet, PacketFile } from "../../../lib/containers/packet_file.ts";
import { run } from "../../support/media/media_folder.ts";

/** A file in memory, which counts how it is read. */
export class MemoryBytes implements FileBytes {
  #bytes: Uint8Array;
  /** Number of reads. */
  reads = 0;
  /** Bytes of all reads. */
  total = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get size(): number {
    return this.#bytes.byteLength;
  }

  read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    this.reads++;
    this.total += length;
    if (offset + length > this.size) {
      return Promise.reject(new TruncatedError(offset + length, this.size));
    }
    return Promise.resolve(this.#bytes.slice(offset, offset + length));
  }
}

/**
 * Opens a file in memory.
 *
 * @throws {Error} if it is not indexed
 */
export async function opened(bytes: FileBytes | Uint8Array): Promise<PacketFile> {
  const file = await openMp4(bytes instanceof Uint8Array ? new MemoryBytes(bytes) : bytes);
  assert(!("unindexed" in file), "unindexed" in file ? file.unindexed : "");
  return file;
}

/** Why a file is not indexed. */
export async function reasonOf(bytes: Uint8Array): Promise<string> {
  const file = await openMp4(new MemoryBytes(bytes));
  assert("unindexed" in file, "it is indexed");
  return file.unindexed;
}

/** A stream as ffprobe describes it. */
interface Stream {
  index: number;
  codec_type: string;
  codec_name: string;
  time_base: string;
  width?: number;
  height?: number;
  sample_aspect_ratio?: string;
  color_range?: string;
  color_space?: string;
  avg_frame_rate?: string;
  sample_rate?: string;
  channels?: number;
  start_time?: string;
  duration?: string;
  extradata_hash?: string;
  disposition: { attached_pic: number };
  side_data_list?: { rotation?: number }[];
}

interface Probed {
  streams: Stream[];
  packets: { stream_index: number; pts: number; size: string; flags: string; data_hash: string }[];
  format: { format_name: string; start_time: string; duration?: string };
}

/** Compares a file with FFmpeg's demuxer: its facts, and each packet of the chosen streams. */
export async function checkFile(path: string): Promise<PacketFile> {
  const probed = await probedBy(path);
  const file = await opened(await Deno.readFile(path));
  checkFacts(file, probed);
  await checkExtradata(file, probed);
  const tracks = file.tracks.map(({ index }) => index);
  const packets = await linesOf(packetsOf(file, { tracks, from: -Infinity }));
  for (const track of tracks) {
    assertEquals(packets.get(track) ?? [], expectedLines(probed, track), `packets of ${track}`);
  }
  for (const start of [0.3, 0.75, 1.4, 100]) await checkFrom(file, probed, start);
  return file;
}

/** From a later position: the same packets, from a keyframe at or before it on. */
async function checkFrom(file: PacketFile, probed: Probed, from: number): Promise<void> {
  for (const { index, timeBase: [numerator, denominator] } of file.tracks) {
    const lines = (await linesOf(packetsOf(file, { tracks: [index], from }))).get(index) ?? [];
    const expected = expectedLines(probed, index);
    const first = expected.length - lines.length;
    assertEquals(lines, expected.slice(first), `packets of ${index} from ${from} s`);
    const ticks = from * denominator / numerator;
    const packets = probed.packets.filter((packet) => packet.stream_index === index);
    const later = packets.findLastIndex(({ pts, flags }) => flags.startsWith("K") && pts <= ticks);
    assertEquals(first, Math.max(0, later), `start of ${index} for ${from} s`);
  }
}

/** All packets of all batches. */
export async function packetsOf(
  file: PacketFile,
  options: { tracks: readonly number[]; from: number },
): Promise<Packet[]> {
  const packets: Packet[] = [];
  for await (const batch of file.packets(options)) packets.push(...batch);
  return packets;
}

function checkFacts(file: PacketFile, { streams, format }: Probed): void {
  const video = streams.find((stream) =>
    stream.codec_type === "video" && stream.disposition.attached_pic === 0
  );
  const audio = streams.find(({ codec_type }) => codec_type === "audio");
  const firsts = streams.filter((stream) => stream === video || stream === audio);
  const chosen = streams.filter((stream) => stream === video || stream.codec_type === "audio");
  assertEquals(file.format, format.format_name);
  assertEquals(file.start.toFixed(6), format.start_time, "start");
  // FFmpeg 7.1 counts it by the streams; the file states it in ticks of a millisecond, rounded up.
  assertAlmostEquals(file.duration ?? NaN, Number(format.duration), 0.0011, "duration");
  assertEquals(file.tracks.map(({ index }) => index), chosen.map(({ index }) => index));
  const further: Record<string, number> = {};
  for (const { codec_type, disposition } of streams.filter((one) => !firsts.includes(one))) {
    const name = disposition.attached_pic ? "cover" : codec_type;
    further[name] = (further[name] ?? 0) + 1;
  }
  assertEquals({ ...file.further }, further, "further");
  for (const [at, track] of file.tracks.entries()) {
    const stream = chosen[at];
    assertEquals(track.type, stream.codec_type);
    assertEquals(track.codec, stream.codec_name);
    assertEquals(track.timeBase.join("/"), stream.time_base, "time base");
    assertEquals(track.startTime?.toFixed(6), stream.start_time, `start of ${at}`);
    assertEquals(track.duration?.toFixed(6), stream.duration, `duration of ${at}`);
    if (track.type === "audio") {
      assertEquals(String(track.sampleRate), stream.sample_rate, "samples a second");
      assertEquals(track.channels, stream.channels, "channels");
      continue;
    }
    assertEquals([track.width, track.height], [stream.width, stream.height], "pixels");
    assertEquals(track.frameRate?.join("/"), stream.avg_frame_rate, "frames a second");
    const turned = stream.side_data_list?.find(({ rotation }) => rotation !== undefined);
    assertEquals(track.rotation ?? 0, (360 - (turned?.rotation ?? 0)) % 360, "rotation");
    if (track.sampleAspectRatio) {
      assertEquals(track.sampleAspectRatio.join(":"), stream.sample_aspect_ratio, "aspect");
    }
    if (track.colorRange) assertEquals(track.colorRange, stream.color_range, "range");
    if (track.colorSpace) assertEquals(track.colorSpace, stream.color_space, "matrix");
  }
}

async function checkExtradata(file: PacketFile, { streams }: Probed): Promise<void> {
  for (const { index, extradata } of file.tracks) {
    const expected = streams.find((stream) => stream.index === index)?.extradata_hash;
    const found = extradata.byteLength === 0 ? undefined : await hashOf(extradata);
    assertEquals(found, expected, `extradata of ${index}`);
  }
}

async function probedBy(path: string): Promise<Probed> {
  const output = await run("ffprobe", [
    ...["-show_format", "-show_streams", "-show_packets", "-show_data_hash", "sha256"],
    ...["-of", "json", `file:${path}`],
  ]);
  return JSON.parse(new TextDecoder().decode(output));
}

function expectedLines({ packets }: Probed, track: number): string[] {
  return packets.filter((packet) => packet.stream_index === track).map((packet) =>
    `${packet.pts} ${packet.flags.startsWith("K") ? "K" : "_"} ${packet.size} ${packet.data_hash}`
  );
}

async function linesOf(packets: Promise<readonly Packet[]>): Promise<Map<number, string[]>> {
  const lines = new Map<number, string[]>();
  for (const { track, timestamp, keyframe, data } of await packets) {
    const line = `${timestamp} ${keyframe ? "K" : "_"} ${data.byteLength} ${await hashOf(data)}`;
    const list = lines.get(track) ?? [];
    if (list.length === 0) lines.set(track, list);
    list.push(line);
  }
  return lines;
}

async function hashOf(data: Uint8Array): Promise<string> {
  return `SHA256:${
    new Uint8Array(await crypto.subtle.digest("SHA-256", new Uint8Array(data))).toHex()
  }`;
}
