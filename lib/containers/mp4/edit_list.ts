/** Edit lists: the part of a track that is shown, and when. */
import { UnindexedError } from "./boxes.ts";
import { rescaled } from "../fractions.ts";
import type { SampleTable } from "./sample_table.ts";
import type { Edit } from "./track.ts";

/** The speed of an edit that plays as it was recorded. */
const NORMAL = 1 << 16;

/** The media time of an edit without media. */
const EMPTY = -1;

/** The track and the movie that an edit list belongs to. */
export interface EditedTrack {
  edits: readonly Edit[];
  /** Ticks a second of the track. */
  timescale: number;
  /** Ticks a second of the durations of edits. */
  movieTimescale: number;
  isAudio: boolean;
}

/** Packets with the timestamps that the edit list gives them. */
export interface EditedTable {
  table: SampleTable;
  /** Ticks at which the track starts, if the edit list says so. */
  start?: number;
  /** Ticks of all edits together. */
  duration?: number;
}

/** An edit in ticks of the track. */
interface Span {
  from: number;
  to: number;
  duration: number;
  /** Ticks before it. */
  delay: number;
}

/** The packets that are needed for an edit. */
interface Part {
  /** Number of the first packet. */
  first: number;
  /** Number of the packet behind the last. */
  end: number;
  /** Ticks to add to the timestamps. */
  moved: number;
}

/**
 * Applies an edit list as FFmpeg does (libavformat/mov.c, `mov_fix_index`): packets from the keyframe
 * before the edit on, and up to the first or second one behind it, those outside of the edit with the
 * timestamps that they would have had. FFmpeg marks them as not to be shown; nothing that it writes
 * them to keeps the mark.
 *
 * @throws {UnindexedError} for lists that show more than one part, or at another speed
 */
export function applyEdits(table: SampleTable, track: EditedTrack): EditedTable {
  const span = spanOf(track);
  if (span === undefined) return { table };
  const { first, end, moved } = partFor(table, span, track);
  const keyframes = table.keyframes?.filter((index) => index >= first && index < end);
  return {
    table: {
      count: end - first,
      offsets: table.offsets.subarray(first, end),
      sizes: table.sizes.subarray(first, end),
      decodeTimes: shifted(table.decodeTimes.subarray(first, end), moved),
      delays: table.delays?.subarray(first, end),
      shift: table.shift,
      keyframes: keyframes?.map((index) => index - first),
    },
    start: span.delay,
    duration: span.delay + span.duration,
  };
}

/**
 * Ticks of the track at which its edit list lets it start; `undefined` if it has none.
 *
 * @throws {UnindexedError} for lists that are not understood
 */
export function delayOf(track: EditedTrack): number | undefined {
  return spanOf(track)?.delay;
}

function spanOf({ edits, timescale, movieTimescale }: EditedTrack): Span | undefined {
  if (edits.length === 0) return undefined;
  const edit = edits[edits.length - 1];
  const empty = edits.length === 2 ? edits[0] : undefined;
  if (edit.mediaTime < 0 || empty && empty.mediaTime !== EMPTY) {
    throw new UnindexedError("its edit list is not one part after a pause");
  }
  if (edit.rate !== NORMAL || empty && empty.rate !== NORMAL) {
    throw new UnindexedError("its edit list changes the speed");
  }
  for (const { duration, mediaTime } of edits) {
    if (duration < 0 || duration > 2 ** 40 || mediaTime > 2 ** 50) {
      throw new UnindexedError("its edit list has no end");
    }
  }
  const duration = rescaled(edit.duration, timescale, movieTimescale);
  if (duration === 0) throw new UnindexedError("its edit list shows nothing");
  return {
    from: edit.mediaTime,
    to: edit.mediaTime + duration,
    duration,
    delay: empty ? rescaled(empty.duration, timescale, movieTimescale) : 0,
  };
}

function partFor(table: SampleTable, span: Span, { timescale, isAudio }: EditedTrack): Part {
  const { count, decodeTimes, delays, shift } = table;
  const isKey = keyframeFlags(table);
  // Decoders of audio need what comes before: FFmpeg goes back by a second.
  const wanted = isAudio ? Math.max(span.from - timescale, decodeTimes[0]) : span.from;
  const first = findStart(table, wanted - shift, isKey);
  const counter = span.delay - shift;
  const { from, to, duration } = span;
  let moved = 0;
  let isFound = false;
  let earliest = -1;
  let seenKeyframe = false;
  let index = first;
  while (index < count) {
    const decoded = decodeTimes[index];
    const time = delays === undefined ? decoded : decoded + delays[index];
    const lasts = index + 1 < count ? decodeTimes[index + 1] - decoded : duration;
    if (time >= from && time < to) {
      if (!isFound) moved = counter - decoded;
      isFound = true;
      if (earliest < 0 || time + moved < earliest) earliest = time + moved;
    } else if (isAudio && !isFound && time < from && time + lasts > from) {
      // The packet that the edit starts in, whose beginning is skipped.
      moved = counter - (from - time) - decoded;
      isFound = true;
    }
    const flag = isKey === undefined || isKey[index] === 1;
    index++;
    if (time + lasts >= to && (flag || isAudio)) {
      // Frames behind this keyframe may be shown before it.
      if (delays === undefined || isAudio || seenKeyframe) break;
      seenKeyframe = true;
    }
  }
  if (!isFound) throw new UnindexedError("its edit list shows nothing");
  // FFmpeg lets video start at once, even if its frames come later than the edit.
  const late = isAudio ? 0 : Math.max(0, earliest - span.delay);
  return { first, end: index, moved: moved - late };
}

function shifted(times: Float64Array<ArrayBuffer>, ticks: number): Float64Array<ArrayBuffer> {
  for (let index = 0; index < times.length; index++) times[index] += ticks;
  return times;
}

/** One for each keyframe; `undefined` if all packets are. */
function keyframeFlags({ count, keyframes }: SampleTable): Uint8Array | undefined {
  if (keyframes === undefined) return undefined;
  const flags = new Uint8Array(count);
  for (const index of keyframes) flags[index] = 1;
  return flags;
}

/** Finds the packet to start with for a timestamp, as FFmpeg's `find_prev_closest_index`. */
function findStart(table: SampleTable, wanted: number, isKey?: Uint8Array): number {
  const { decodeTimes, delays, shift } = table;
  const isKeyframe = (index: number) => isKey === undefined || isKey[index] === 1;
  const latest = search(decodeTimes, wanted);
  let index = latest;
  while (index >= 0 && !isKeyframe(index)) index--;
  // FFmpeg then takes any packet instead, unless their order differs.
  if (index < 0) return delays === undefined ? Math.max(0, firstOf(decodeTimes, latest)) : 0;
  for (let at = index; at > 0 && decodeTimes[at] === decodeTimes[at - 1]; at--) {
    if (isKeyframe(at - 1)) index = at - 1;
  }
  if (delays === undefined) return index;
  while (
    index >= 0 && !(isKeyframe(index) && decodeTimes[index] + delays[index] - shift <= wanted)
  ) index--;
  return Math.max(0, index);
}

/** The number of the last timestamp that is not later; -1 if there is none. */
function search(times: Float64Array, wanted: number): number {
  let [below, above] = [-1, times.length];
  if (times[times.length - 1] < wanted) below = times.length - 1;
  while (above - below > 1) {
    const middle = (below + above) >> 1;
    if (times[middle] >= wanted) above = middle;
    if (times[middle] <= wanted) below = middle;
  }
  return below;
}

/** The first of those with the same timestamp. */
function firstOf(times: Float64Array, index: number): number {
  while (index > 0 && times[index] === times[index - 1]) index--;
  return index;
}
