/** Opens files of the ISO base media format and QuickTime. */
import { FormatError } from "../../base/errors.ts";
import type {
  FileBytes,
  ListedTrack,
  OpenPacketFile,
  PacketFile,
  PacketTrack,
} from "../packet_file.ts";
import { type AudioFacts, readAudioEntry } from "./codecs/audio_entry.ts";
import { type Box, boxesIn, needBox, needBytes, UnindexedError } from "./boxes.ts";
import { applyEdits, delayOf } from "./edit_list.ts";
import {
  type FrameHeader,
  HEADER_BYTES,
  readAc3Header,
  readMp3Header,
} from "./codecs/frame_headers.ts";
import { keyframeTest } from "./codecs/keyframes.ts";
import { readIndex } from "./index_box.ts";
import { type Movie, readMovie } from "./movie.ts";
import { type PacketSource, readPackets } from "./packets.ts";
import { reduced, rescaled } from "../fractions.ts";
import {
  readSampleTable,
  reorderingOf,
  type SampleTable,
  type SampleTimes,
} from "./sample_table.ts";
import type { Track } from "./track.ts";
import { INTRA_CODECS, readVideoEntry, type VideoFacts } from "./codecs/video_entry.ts";

/** FFmpeg's names of the format. */
const FORMAT = "mov,mp4,m4a,3gp,3g2,mj2";

/** Microseconds a second: FFmpeg's unit of time for a file as a whole. */
const MICROSECONDS = 1_000_000;

/** Codecs whose packets have to be single frames: FFmpeg would split and join others. */
const FRAME_HEADERS: Readonly<Record<string, (bytes: Uint8Array) => FrameHeader | undefined>> = {
  mp3: readMp3Header,
  ac3: readAc3Header,
};

/** A chosen track with its packets. */
interface Opened {
  track: PacketTrack;
  source: PacketSource;
}

/**
 * Opens a file of the ISO base media format or of QuickTime.
 *
 * What FFmpeg's demuxer does in special ways is not imitated: such files are not indexed.
 *
 * @throws {FormatError} for broken boxes
 * @throws {TruncatedError} if the file ends within its index
 */
export const openMp4: OpenPacketFile = async (bytes) => {
  try {
    return await open(bytes);
  } catch (error) {
    if (error instanceof UnindexedError) return { unindexed: error.message };
    throw error;
  }
};

async function open(bytes: FileBytes): Promise<PacketFile> {
  const movie = readMovie(await readIndex(bytes));
  const chosen = [
    movie.tracks.find(({ kind }) => kind === "video"),
    movie.tracks.find(({ kind }) => kind === "audio"),
  ].filter((track) => track !== undefined);
  if (chosen.length === 0) throw new UnindexedError("it has neither video nor audio");
  const opened: Opened[] = [];
  for (const track of movie.tracks) {
    if (chosen.includes(track)) opened.push(await openTrack(bytes, movie, track));
    else if (track.kind === "audio") opened.push(...await openFurther(bytes, movie, track));
  }
  const sources = opened.map(({ source }) => source);
  return {
    format: FORMAT,
    tracks: opened.map(({ track }) => track),
    listed: movie.tracks.flatMap(toListed),
    further: countFurther(movie, chosen),
    start: startOf(movie, opened) / MICROSECONDS,
    duration: rescaled(movie.duration, MICROSECONDS, movie.timescale) / MICROSECONDS || undefined,
    isTruncated: sources.some(({ table }) => isBeyond(table, bytes.size)),
    memory: sources.reduce((sum, { table }) => sum + memoryOf(table), 0),
    packets: ({ tracks, ...options }) =>
      readPackets(bytes, sources.filter(({ index }) => tracks.includes(index)), options),
  };
}

/** Opens a track that viewers may choose, if it is understood. */
async function openFurther(...args: Parameters<typeof openTrack>): Promise<Opened[]> {
  try {
    return [await openTrack(...args)];
  } catch (error) {
    if (error instanceof UnindexedError || error instanceof FormatError) return [];
    throw error;
  }
}

function toListed(track: Track): ListedTrack[] {
  const { index, kind, language, isEnabled } = track;
  if (kind === "data" || kind === "cover") return [];
  const codec = kind === "subtitle" ? subtitleCodec(track) : undefined;
  return [{ index, type: kind, codec, language, isDefault: isEnabled }];
}

/** FFmpeg's name of a codec of subtitles; `undefined` if it is not known. */
function subtitleCodec({ table }: Track): string | undefined {
  const [entry] = boxesIn(needBox(table, "stsd"), 8);
  return entry?.type === "tx3g" || entry?.type === "text" ? "mov_text" : undefined;
}

async function openTrack(bytes: FileBytes, movie: Movie, track: Track): Promise<Opened> {
  const entry = onlyEntry(track);
  const isAudio = track.kind === "audio";
  const audio = isAudio ? readAudioEntry(entry) : undefined;
  const facts: AudioFacts | VideoFacts = audio ?? readVideoEntry(entry, track);
  const { table: whole, times } = readSampleTable(track.table, {
    fileSize: bytes.size,
    isIntra: INTRA_CODECS.has(facts.codec),
    pcmSize: audio?.pcmSize,
    isAudio,
  });
  const { timescale } = track;
  const edited = { ...track, movieTimescale: movie.timescale, isAudio };
  const { table, start, duration } = applyEdits(whole, edited);
  if (audio && track.edits.length === 0 && movie.statesPriming && audio.codec === "aac") {
    throw new UnindexedError("an item states the priming of its audio");
  }
  if (track.duration === 0 || times.total === 0) throw new UnindexedError("a track has no length");
  const { pcmSize: _, ...stated } = { pcmSize: undefined, ...facts };
  const header = FRAME_HEADERS[facts.codec];
  const startTicks = start ?? table.decodeTimes[0] + (table.delays?.[0] ?? 0);
  return {
    track: {
      index: track.index,
      number: movie.tracks.filter(({ kind }) => kind === track.kind).indexOf(track),
      type: isAudio ? "audio" : "video",
      tag: entry.type,
      timeBase: [1, timescale],
      ...stated,
      ...(header ? await readSound(bytes, table, header) : {}),
      ...(isAudio ? {} : { frameRate: rateOf(times, timescale) }),
      ...(facts.codec === "h264" ? { decodeDelay: reorderingOf(table) } : {}),
      duration: Math.min(track.duration, times.total, duration ?? Infinity) / timescale,
      startTime: startTicks / timescale,
    },
    source: {
      index: track.index,
      table,
      timescale,
      keyframeTest: isAudio ? undefined : () => keyframeTest(facts.codec, facts.extradata),
      check: header && ((data) => checkFrame(facts.codec, data, header)),
    },
  };
}

function isBeyond({ offsets, sizes }: SampleTable, size: number): boolean {
  return offsets.some((offset, at) => offset + sizes[at] > size);
}

/** Bytes, with those of packets that an edit list leaves out. */
function memoryOf({ offsets, sizes, decodeTimes, delays, keyframes }: SampleTable): number {
  return [offsets, sizes, decodeTimes, delays, keyframes]
    .reduce((sum, table) => sum + (table?.buffer.byteLength ?? 0), 0);
}

/** The only sample description. */
function onlyEntry({ table }: Track): Box {
  const body = needBox(table, "stsd");
  needBytes(body, 8);
  const entries = boxesIn(body, 8);
  if (body.getUint8(0) !== 0 || entries.length !== 1 || body.getUint32(4) !== 1) {
    throw new UnindexedError("it has samples of several formats");
  }
  return entries[0];
}

/** Frames a second on average. */
function rateOf({ samples, total }: SampleTimes, timescale: number) {
  return reduced(BigInt(samples) * BigInt(timescale), BigInt(total));
}

/** Facts in the first frame, which decoders believe. */
async function readSound(
  bytes: FileBytes,
  { offsets: [offset], sizes: [size] }: SampleTable,
  read: (bytes: Uint8Array) => FrameHeader | undefined,
): Promise<{ sampleRate: number; channels: number }> {
  if (size < HEADER_BYTES || offset + size > bytes.size) {
    throw new UnindexedError("its first frame is not complete");
  }
  const header = read(await bytes.read(offset, HEADER_BYTES));
  if (header?.size !== size) throw new UnindexedError("its packets are not single frames");
  return { sampleRate: header.sampleRate, channels: header.channels };
}

/** @throws {FormatError} if a packet is not a single frame */
function checkFrame(
  codec: string,
  data: Uint8Array,
  read: (bytes: Uint8Array) => FrameHeader | undefined,
): void {
  const found = read(data)?.size ?? 0;
  if (found === data.byteLength) return;
  throw new FormatError(
    `Cannot read MP4: packet of ${data.byteLength} bytes, expected a frame of ${codec} of ${found}`,
  );
}

/** Counts the streams that are not chosen. */
function countFurther(movie: Movie, chosen: readonly Track[]): Record<string, number> {
  const further: Record<string, number> = {};
  const others = movie.tracks.filter((track) => !chosen.includes(track)).map(({ kind }) => kind);
  for (const kind of [...others, ...Array<string>(movie.covers).fill("cover")]) {
    further[kind] = (further[kind] ?? 0) + 1;
  }
  return further;
}

/** Microseconds at which the file starts: the start of the first of all video and audio streams. */
function startOf(movie: Movie, opened: readonly Opened[]): number {
  const starts = movie.tracks.filter(({ kind }) => kind !== "data" && kind !== "subtitle")
    .map((track) => {
      const { timescale } = track;
      const found = opened.find(({ track: { index } }) => index === track.index);
      const isAudio = track.kind === "audio";
      const ticks = found
        ? Math.round((found.track.startTime ?? 0) * timescale)
        : delayOf({ ...track, movieTimescale: movie.timescale, isAudio }) ?? 0;
      if (!found && track.table.some(({ type }) => type === "ctts") && track.edits.length === 0) {
        throw new UnindexedError("a further stream starts late");
      }
      return rescaled(ticks, MICROSECONDS, timescale);
    });
  const start = Math.min(...starts);
  // FFmpeg lets subtitles and data start a file that video and audio start late.
  const hasTexts = movie.tracks.some(({ kind }) => kind === "data" || kind === "subtitle");
  if (start > 0 && hasTexts) throw new UnindexedError("other streams may start before the video");
  return start;
}
