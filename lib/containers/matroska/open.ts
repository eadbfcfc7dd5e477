/** Opens Matroska and WebM files (RFC 9559). */
import { FormatError, TruncatedError } from "../../base/errors.ts";
import type { FileBytes, ListedTrack, PacketFile, PacketTrack, Unindexed } from "../packet_file.ts";
import { hasRotation, readAttachments } from "./attachments.ts";
import { framesOf } from "./blocks.ts";
import { checkCluster } from "./clusters.ts";
import { codecFacts, soundFacts, subtitleCodec } from "./tracks/codec_facts.ts";
import { type CueIndex, readCues } from "./cues.ts";
import { broken } from "./ebml.ts";
import { reduced } from "../fractions.ts";
import { type PacketMaker, packetMaker } from "./frames.ts";
import { type OpenedFile, readPackets } from "./packets.ts";
import { checkFirst } from "./tracks/first_frames.ts";
import { pictureFacts } from "./tracks/picture.ts";
import { contentOf, readSegment, type Segment } from "./segment.ts";
import { findStarts, type SoundStart, type Starts } from "./start.ts";
import { readInfo, readTracks, type SegmentInfo, type TrackEntry } from "./tracks/entries.ts";
import { Window } from "./window.ts";

/** FFmpeg's names of the format. */
const FORMAT = "matroska,webm";

/** Bytes of one read while a file is opened. */
const CHUNK = 128 * 1024;

/** Bytes of the parts that are read as a whole. */
const MAX_INFO = 2 ** 20, MAX_TRACKS = 2 ** 24, MAX_CUES = 2 ** 24, MAX_TAGS = 2 ** 22;

const NANOSECONDS = 1_000_000_000, MICROSECONDS = 1_000_000;

/** Options of {@linkcode openMatroska}. */
export interface MatroskaOptions {
  /**
   * Where the FFmpeg to be equalled says that sound begins. Without it, files are not opened for which
   * that matters, such as most with Opus.
   */
  soundStart?: SoundStart;
}

/**
 * Opens a Matroska or WebM file by its index of clusters. Whatever FFmpeg would read in another way,
 * or in a way that depends on its version, is not opened.
 */
export async function openMatroska(
  bytes: FileBytes,
  { soundStart }: MatroskaOptions = {},
): Promise<PacketFile | Unindexed> {
  try {
    return await open(bytes, soundStart);
  } catch (error) {
    if (!(error instanceof FormatError || error instanceof TruncatedError)) throw error;
    return { unindexed: error.message };
  }
}

async function open(bytes: FileBytes, soundStart?: SoundStart): Promise<PacketFile> {
  const file = new Window(bytes, CHUNK, { keeps: true });
  const segment = await readSegment(file);
  const info = readInfo(await contentOf(file, segment.info, MAX_INFO));
  const entries = readTracks(await contentOf(file, segment.tracks, MAX_TRACKS));
  const chosen = choose(entries);
  const further = await countFurther(file, segment, entries.filter((_, at) => !chosen.has(at)));
  for (const place of segment.tags) {
    if (hasRotation(await contentOf(file, place, MAX_TAGS))) {
      throw broken("tags", "a rotation", "pictures as they are stored");
    }
  }
  const allCues = readCues(await contentOf(file, segment.cues, MAX_CUES), segment);
  const cues = await usableCues(file, allCues, [...chosen.values()]);
  const scale = info.timestampScale;
  const beginning = { segment, tracks: entries, cues: allCues, scale, soundStart };
  const starts = await findStarts(file, beginning);
  const makers = entries.flatMap((entry, index): PacketMaker[] => {
    if (chosen.has(index)) return [makerOf(entries, index, { starts, scale })];
    return entry.type === "audio" ? furtherMaker(entries, index, { starts, scale }) : [];
  });
  const numbers = new Set(entries.map(({ number }) => number));
  const opened: OpenedFile = { bytes, segment, makers, numbers, cues, scale };
  return {
    format: FORMAT,
    tracks: makers.map(({ track }) => track),
    listed: entries.map(toListed),
    further,
    start: Math.round(starts.first * scale / 1000) / MICROSECONDS,
    duration: durationOf(info),
    isTruncated: segment.end > file.size,
    packets: (options) => readPackets(opened, options),
  };
}

/** The first video and the first audio track, by FFmpeg's number of the stream. */
function choose(entries: readonly TrackEntry[]): Map<number, TrackEntry> {
  const chosen = entries.flatMap((entry, index) => {
    const isFirst = entries.findIndex(({ type }) => type === entry.type) === index;
    return entry.type !== "subtitle" && isFirst ? [[index, entry] as const] : [];
  });
  if (chosen.length === 0) throw broken("tracks", "neither pictures nor sound", "one of them");
  for (const [, entry] of chosen) checkFrames(entry);
  return new Map(chosen);
}

/** @throws {FormatError} if FFmpeg has to read the frames of a track */
function checkFrames({ isEncoded, isLaced, type, defaultDuration }: TrackEntry): void {
  if (isEncoded) throw broken("track", "compressed or encrypted frames", "plain ones");
  // FFmpeg computes the times of further frames from what its decoders say.
  if (type === "audio" && isLaced && defaultDuration === 0) {
    throw broken("track", "frames that may have no times", "a time for each");
  }
}

/** @throws {FormatError} if FFmpeg has to read the track */
function makerOf(
  entries: readonly TrackEntry[],
  index: number,
  { starts, scale }: { starts: Starts; scale: number },
): PacketMaker {
  const entry = entries[index];
  const first = starts.tracks.get(entry.number);
  if (first === undefined) throw broken("clusters", `no packet of track ${index}`, "one");
  const number = entries.slice(0, index).filter(({ type }) => type === entry.type).length;
  const track = toTrack({ index, number }, entry, { scale, start: first.start });
  const { data, flags, isKey } = first.block;
  checkFirst(track.codec, framesOf(data, flags), isKey);
  return packetMaker(entry, track, scale);
}

/** The maker of a track that viewers may choose, if it is understood. */
function furtherMaker(...[entries, index, timing]: Parameters<typeof makerOf>): PacketMaker[] {
  try {
    checkFrames(entries[index]);
    return [makerOf(entries, index, timing)];
  } catch (error) {
    if (error instanceof FormatError) return [];
    throw error;
  }
}

function toListed(entry: TrackEntry, index: number): ListedTrack {
  const { type, codecId, language, title, isDefault } = entry;
  return {
    ...{ index, type, isDefault },
    codec: type === "subtitle" ? subtitleCodec(codecId) : undefined,
    language: language === "und" ? undefined : language || undefined,
    title: title || undefined,
  };
}

async function countFurther(
  file: Window,
  { attachments }: Segment,
  entries: readonly TrackEntry[],
): Promise<Record<string, number>> {
  const files = attachments === undefined ? [] : await readAttachments(file, attachments);
  const counts: Record<string, number> = {};
  for (const name of [...entries.map(({ type }) => type), ...files]) {
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

/** The index by which the file is read, whose ends are checked. */
async function usableCues(
  file: Window,
  cues: ReadonlyMap<number, CueIndex>,
  chosen: readonly TrackEntry[],
): Promise<CueIndex> {
  const main = chosen.find(({ type }) => type === "video") ?? chosen[0];
  const index = cues.get(main.number);
  if (index === undefined) throw broken("cues", `none of track ${main.number}`, "some");
  for (const offset of [index.offsets[0], index.offsets.at(-1)]) {
    // The end of a truncated file is missing.
    if (offset !== undefined && offset < file.size) await checkCluster(file, offset);
  }
  return index;
}

function toTrack(
  place: Pick<PacketTrack, "index" | "number">,
  entry: TrackEntry,
  { scale, start }: { scale: number; start: number },
): PacketTrack {
  const codec = codecFacts(entry);
  return {
    ...place,
    type: entry.type === "video" ? "video" : "audio",
    timeBase: reduced(scale, NANOSECONDS),
    ...codec,
    ...(entry.type === "video" ? pictureFacts(entry) : soundFacts(entry, codec.codec)),
    startTime: start * scale / NANOSECONDS,
  };
}

/** FFmpeg estimates a duration that the file does not state. */
function durationOf({ duration, timestampScale }: SegmentInfo): number {
  if (!(duration > 0)) throw broken("duration", `${duration}`, "above 0");
  return Math.trunc(duration * timestampScale * 1000 / MICROSECONDS) / MICROSECONDS;
}
