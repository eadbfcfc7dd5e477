/** Finds out from a file's own index what it is, without a process. */
import { FormatError, TruncatedError } from "../../base/errors.ts";
import { describeAudio } from "../../containers/codecs/audio.ts";
import { hdrOf, type VideoFacts } from "../../containers/codecs/facts.ts";
import { describeVideo } from "../../containers/codecs/video.ts";
import type { ListedTrack, Packet, PacketFile, PacketTrack } from "../../containers/packet_file.ts";
import type { MediaTrack } from "../../media/frame.ts";
import { type AudioInfo, numbered, preferred, type VideoInfo } from "./ffprobe_streams.ts";
import { type Extent, mediaDuration } from "./formats.ts";
import { isSystemError } from "./packets/shared_file.ts";
import type { MediaInfo } from "./probe.ts";

/** Pixels that FFmpeg adds at most to each side of a frame before it compares with the limit. */
export const MARGIN = 128;

/** Batches of packets in which the first ones of all tracks have to be. */
const MAX_BATCHES = 4;

/** The decoders whose results are known, if they are not named after the codec. */
const DECODERS: Readonly<Record<string, string>> = { av1: "libdav1d", mp3: "mp3float" };

/** Options of {@linkcode quickProbe}. */
export interface QuickProbeOptions {
  /** Gives the decoders that FFmpeg chooses, by codec; asked last, `undefined` if they are unknown. */
  decoders: () => Promise<ReadonlyMap<string, string> | undefined>;
  /** Largest number of pixels of a served file. @default Infinity */
  maxPixels?: number;
}

/**
 * Describes a file as ffprobe would, to the last field.
 *
 * @returns `undefined` if only ffprobe can tell, or would refuse the file
 */
export async function quickProbe(
  file: PacketFile,
  options: QuickProbeOptions,
): Promise<MediaInfo | undefined> {
  try {
    const info = await describe(file, options);
    const decoders = info && await options.decoders();
    const isDecoded = decoders !== undefined &&
      file.tracks.every(({ codec }) => decoders.get(codec) === (DECODERS[codec] ?? codec));
    return isDecoded ? info : undefined;
  } catch (error) {
    const isLeft = error instanceof FormatError || error instanceof TruncatedError ||
      isSystemError(error);
    if (isLeft) return undefined;
    throw error;
  }
}

async function describe(
  file: PacketFile,
  { maxPixels = Infinity }: QuickProbeOptions,
): Promise<MediaInfo | undefined> {
  const { tracks, listed, format, further } = file;
  if (tracks.length === 0 || !isComparable(file)) return undefined;
  const firsts = await firstPackets(file);
  let video: VideoInfo | undefined;
  const audioTracks: AudioInfo[] = [];
  for (const track of tracks) {
    const packet = firsts.get(track.index);
    const described = packet && describeTrack(track, packet, maxPixels);
    if (described === undefined) return undefined;
    if ("width" in described) video = described;
    else audioTracks.push(described);
  }
  const audio = preferred(audioTracks, ({ channels, number = 0 }) => ({
    size: channels,
    isDefault: listed.filter(({ type }) => type === "audio")[number].isDefault,
  }));
  const parts = tracks
    .filter(({ type, number }) => type === "video" || number === (audio?.number ?? 0))
    .map((track) => toExtent(track.startTime, track.duration));
  const duration = mediaDuration(format, toExtent(file.start, file.duration), parts);
  const kind = video === undefined ? "audio" : "video";
  const hasFurther = Object.values(further).some((count) => count > 0);
  return {
    ...{ kind, format, duration, video, audio },
    audioTracks: audioTracks.length > 1 ? audioTracks : undefined,
    tracks: listed.map((track) => toMediaTrack(track, file, audioTracks)),
    // Without looking at frames, FFmpeg would not know a start that it subtracts.
    isStated: file.start === 0 || undefined,
    further: hasFurther ? { ...further } : undefined,
  };
}

/** Whether enough is known of all streams to choose among them, and to list them. */
function isComparable({ tracks, listed }: PacketFile): boolean {
  const count = (type: string) => listed.filter((track) => track.type === type).length;
  return count("video") <= 1 &&
    count("audio") === tracks.filter(({ type }) => type === "audio").length &&
    listed.every(({ type, codec }) => type !== "subtitle" || codec !== undefined);
}

function toMediaTrack(
  { index, type, codec, language, title, isDefault }: ListedTrack,
  { tracks }: PacketFile,
  audioTracks: readonly AudioInfo[],
): MediaTrack {
  const track = tracks.find((track) => track.index === index);
  const channels = type === "audio"
    ? audioTracks.find(({ number = 0 }) => number === track?.number)?.channels
    : undefined;
  return {
    type: type === "subtitle" ? "subtitles" : type,
    codec: track?.codec ?? codec ?? "unknown",
    ...{ language, title, channels },
    default: isDefault || undefined,
  };
}

function describeTrack(
  track: PacketTrack,
  packet: Packet,
  maxPixels: number,
): VideoInfo | AudioInfo | undefined {
  return track.type === "video" ? toVideo(track, packet, maxPixels) : toAudio(track, packet);
}

/** The first packet of each track; without those that are not near the beginning. */
async function firstPackets(file: PacketFile): Promise<Map<number, Packet>> {
  const firsts = new Map<number, Packet>();
  const indexes = file.tracks.map(({ index }) => index);
  let batches = 0;
  // Also packets that only prepare decoders.
  for await (const batch of file.packets({ tracks: indexes, from: -Infinity })) {
    for (const packet of batch) {
      if (!firsts.has(packet.track)) firsts.set(packet.track, packet);
    }
    if (firsts.size === indexes.length || ++batches === MAX_BATCHES) break;
  }
  return firsts;
}

function toVideo(track: PacketTrack, packet: Packet, maxPixels: number): VideoInfo | undefined {
  const { codec, timeBase, frameRate, rotation = 0 } = track;
  // Other first packets are decoded, or not, as FFmpeg's version has it.
  if (!packet.keyframe || frameRate === undefined || track.isInterlaced) return undefined;
  const facts = describeVideo(track, packet.data);
  // Which sizes are refused near the limit depends on the alignment of frames.
  if (facts === undefined || largestArea(facts, track) > maxPixels) return undefined;
  const { width, height, pixelFormat, colorRange, colorSpace, decodeDelay } = facts;
  if ((track.decodeDelay ?? 0) > decodeDelay) return undefined;
  const isTurned = rotation === 90 || rotation === 270;
  return {
    codec,
    ...numbered(track.number),
    width: isTurned ? height : width,
    height: isTurned ? width : height,
    ...{ pixelFormat, timeBase, frameRate, rotation, colorRange, colorSpace, ...hdrOf(facts) },
    sampleAspectRatio: track.sampleAspectRatio ?? facts.sampleAspectRatio,
    decodeDelay: decodeDelay || undefined,
  };
}

/** Pixels of the largest frame that FFmpeg may compare with the limit. */
function largestArea({ codedWidth, codedHeight }: VideoFacts, container: PacketTrack): number {
  const width = Math.max(codedWidth, container.width ?? 0) + MARGIN;
  const height = Math.max(codedHeight, container.height ?? 0) + MARGIN;
  return width * height;
}

function toAudio(track: PacketTrack, packet: Packet): AudioInfo | undefined {
  const facts = describeAudio(track, packet.data);
  return facts && { codec: track.codec, ...numbered(track.number), ...facts };
}

/** Start and duration in seconds as ffprobe prints them. */
function toExtent(start: number | undefined, duration: number | undefined): Extent {
  return { start: toMicroseconds(start), duration: toMicroseconds(duration) };
}

function toMicroseconds(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : Number(seconds.toFixed(6));
}
