/** What FFmpeg's demuxer gives of a file, to compare others with. */
import { createHash } from "node:crypto";
import type { Packet, PacketFile, PacketTrack } from "../../../lib/containers/packet_file.ts";
import { run } from "./media_folder.ts";

/** A file as ffprobe describes it. */
export interface ProbedFile {
  format: { start_time: string; duration?: string };
  streams: ProbedStream[];
  packets: ProbedPacket[];
}

/** A stream as ffprobe describes it. */
export interface ProbedStream {
  codec_name: string;
  codec_type: string;
  time_base: string;
  start_time?: string;
  width?: number;
  height?: number;
  sample_aspect_ratio?: string;
  avg_frame_rate: string;
  color_range?: string;
  color_space?: string;
  sample_rate?: string;
  channels?: number;
  extradata_hash?: string;
  disposition: { attached_pic: number };
}

interface ProbedPacket {
  stream_index: number;
  pts?: number;
  size: string;
  flags: string;
  data_hash: string;
}

/** Asks ffprobe about a file and all of its packets. */
export async function probePackets(path: string): Promise<ProbedFile> {
  const output = await run("ffprobe", [
    ...["-show_streams", "-show_format", "-show_packets", "-show_data_hash", "md5", "-of", "json"],
    path,
  ]);
  return JSON.parse(new TextDecoder().decode(output));
}

/** The packets of a stream, one line each: timestamp, keyframe, size, digest. */
export function probedLines({ packets }: ProbedFile, index: number): string[] {
  return packets.filter((packet) => packet.stream_index === index).map((packet) =>
    `${packet.pts} ${packet.flags[0]} ${packet.size} ${packet.data_hash}`
  );
}

/** The packets of tracks in the same form, by the index of the track. */
export async function packetLines(
  file: PacketFile,
  { tracks, from = 0 }: { tracks?: readonly number[]; from?: number } = {},
): Promise<Map<number, string[]>> {
  const wanted = tracks ?? file.tracks.map(({ index }) => index);
  const lines = new Map<number, string[]>(wanted.map((index) => [index, []]));
  for await (const batch of file.packets({ tracks: wanted, from })) {
    for (const packet of batch) lines.get(packet.track)?.push(packetLine(packet));
  }
  return lines;
}

/** A packet in the same form. */
export function packetLine({ timestamp, keyframe, data }: Packet): string {
  return `${timestamp} ${keyframe ? "K" : "_"} ${data.byteLength} ${digestOf(data)}`;
}

function digestOf(bytes: Uint8Array): string {
  return `MD5:${createHash("md5").update(bytes).digest("hex")}`;
}

/** The facts of a track in ffprobe's words. */
export function factsOf(track: PacketTrack): Partial<ProbedStream> {
  const { codec, width, height, sampleRate, extradata, channels } = track;
  return withoutGaps({
    codec_name: codec,
    codec_type: track.type,
    time_base: track.timeBase.join("/"),
    start_time: track.startTime?.toFixed(6),
    width,
    height,
    sample_aspect_ratio: track.sampleAspectRatio?.join(":"),
    avg_frame_rate: track.frameRate?.join("/"),
    color_range: track.colorRange,
    color_space: track.colorSpace,
    sample_rate: sampleRate === undefined ? undefined : `${sampleRate}`,
    channels,
    extradata_hash: extradata.byteLength === 0 ? undefined : digestOf(extradata),
  });
}

/** Those of ffprobe's words that {@linkcode factsOf} has for a track, too. */
export function probedFacts(stream: ProbedStream): Partial<ProbedStream> {
  const { codec_name, codec_type, time_base, start_time, extradata_hash } = stream;
  const common = { codec_name, codec_type, time_base, start_time, extradata_hash };
  if (codec_type === "audio") {
    const { sample_rate, channels } = stream;
    return withoutGaps({ ...common, sample_rate, channels });
  }
  const { width, height, sample_aspect_ratio, avg_frame_rate, color_range, color_space } = stream;
  const shape = { width, height, sample_aspect_ratio, avg_frame_rate };
  return withoutGaps({ ...common, ...shape, color_range, color_space });
}

function withoutGaps<T extends object>(facts: T): T {
  return Object.fromEntries(
    Object.entries(facts).filter(([, value]) => value !== undefined),
  ) as T;
}
