/** Finds out when the tracks of a file begin. */
import { type Block, ClusterReader } from "./clusters.ts";
import type { CueIndex } from "./cues.ts";
import { broken } from "./ebml.ts";
import { delayTicks } from "./frames.ts";
import type { Segment } from "./segment.ts";
import { decoderRate } from "./tracks/codec_facts.ts";
import type { TrackEntry } from "./tracks/entries.ts";
import type { Window } from "./window.ts";

/** Bytes from the first cluster on in which the first blocks are looked for. */
const SEARCHED = 2 ** 20;

/** Seconds by which FFmpeg lets subtitles be earlier than sound and pictures. */
const TEXT_LEAD = 1;

const NANOSECONDS = 1_000_000_000;

/**
 * Where FFmpeg says that sound begins of which decoders drop the first samples (RFC 9559,
 * "CodecDelay"): with the first packet, as it does up to 8.0, or with the first sample that is left, as
 * it does since 8.1.
 */
export type SoundStart = "packet" | "sample";

/** Options of {@linkcode findStarts}. */
export interface Beginning {
  segment: Segment;
  tracks: readonly TrackEntry[];
  cues: ReadonlyMap<number, CueIndex>;
  /** Nanoseconds of a tick. */
  scale: number;
  soundStart: SoundStart | undefined;
}

/** Beginnings of media, ticks. */
export interface Starts {
  /** The timestamp that FFmpeg subtracts from all. */
  first: number;
  /** By the number of the track; some may be missing. */
  tracks: ReadonlyMap<number, FirstBlock>;
}

/** The first block of a track. */
export interface FirstBlock {
  block: Block;
  /** When the track begins, ticks. */
  start: number;
}

/**
 * Reads the first blocks of all tracks.
 *
 * @throws {FormatError} if it stays unknown when the media begins
 */
export async function findStarts(file: Window, beginning: Beginning): Promise<Starts> {
  const { tracks, cues, scale } = beginning;
  const starts = await firstBlocks(file, beginning);
  const media = tracks.filter(({ type }) => type !== "subtitle");
  const found = media.flatMap(({ number }) => starts.get(number)?.start ?? []);
  if (found.length === 0) throw broken("clusters", "no packets near the beginning", "some");
  const first = Math.min(...found);
  for (const track of media) {
    // Before the delay is subtracted, no time is below zero.
    if (!starts.has(track.number) && startOf(track, 0, beginning) < first) {
      throw broken("clusters", `no packet of track ${track.number} near the beginning`, "one");
    }
  }
  if (first <= 0) return { first, tracks: starts };
  const texts = tracks.filter(({ type }) => type === "subtitle").map(({ number }) => {
    const text = starts.get(number)?.start ?? cues.get(number)?.times[0];
    if (text === undefined) throw broken("clusters", `no start of track ${number}`, "one");
    return text;
  });
  const lead = TEXT_LEAD * NANOSECONDS / scale;
  const text = Math.min(...texts);
  return { first: text < first && first - text < lead ? text : first, tracks: starts };
}

async function firstBlocks(
  file: Window,
  { segment, tracks, ...timing }: Beginning,
): Promise<Map<number, FirstBlock>> {
  const starts = new Map<number, FirstBlock>();
  const reader = new ClusterReader(file, {
    ...{ segment, start: segment.firstCluster },
    isWanted: (number) => !starts.has(number),
  });
  while (starts.size < tracks.length && reader.position < segment.firstCluster + SEARCHED) {
    const blocks = await reader.next();
    if (blocks === undefined) break;
    for (const block of blocks) {
      const { track, time } = block;
      const entry = tracks.find(({ number }) => number === track);
      if (entry === undefined) throw broken("block", `track ${track}`, "a known one");
      if (!starts.has(track)) starts.set(track, { block, start: startOf(entry, time, timing) });
    }
  }
  return starts;
}

/** The start of a track whose first block has a time. */
function startOf(
  entry: TrackEntry,
  time: number,
  { scale, soundStart }: Pick<Beginning, "scale" | "soundStart">,
): number {
  const { codecDelay } = entry;
  if (codecDelay === 0) return time;
  if (entry.type !== "audio") throw broken("codec delay", `${codecDelay}`, "0");
  if (soundStart === undefined) {
    throw broken("codec delay", `${codecDelay} ns, in which FFmpeg's versions differ`, "0");
  }
  const start = time - delayTicks(codecDelay, scale);
  if (soundStart === "packet") return start;
  const rate = decoderRate(entry);
  const samples = Math.round(codecDelay * rate / NANOSECONDS);
  return start + Math.round(samples / rate * NANOSECONDS / scale);
}
