/** The index of a file: which cluster has the frames of a time. */
import { broken, elementsIn, toUint } from "./ebml.ts";
import { CUES } from "./ids.ts";

/** Clusters of one track by time. */
export interface CueIndex {
  /** Ticks, ascending. */
  times: readonly number[];
  /** Offsets of the clusters in the file, bytes. */
  offsets: readonly number[];
}

/** Entries that are kept. */
const MAX_CUES = 1_000_000;

/** Indexes of all tracks, by their number. */
export function readCues(
  body: Uint8Array<ArrayBuffer>,
  { start, end }: { start: number; end: number },
): Map<number, CueIndex> {
  const found = new Map<number, [time: number, offset: number][]>();
  let count = 0;
  for (const { id, body: content } of elementsIn(body)) {
    if (id !== CUES.point) continue;
    const { time, positions } = readPoint(content);
    for (const { track, cluster } of positions) {
      if (++count > MAX_CUES) throw broken("cues", `over ${MAX_CUES}`, "fewer");
      const offset = start + cluster;
      if (offset >= end) throw broken("cues", `a cluster at ${offset}`, `below ${end}`);
      const cues = found.get(track) ?? [];
      if (cues.length === 0) found.set(track, cues);
      cues.push([time, offset]);
    }
  }
  return new Map([...found].map(([track, cues]) => [track, toIndex(cues)]));
}

function toIndex(cues: [time: number, offset: number][]): CueIndex {
  cues.sort(([a, from], [b, to]) => a - b || from - to);
  return { times: cues.map(([time]) => time), offsets: cues.map(([, offset]) => offset) };
}

function readPoint(
  body: Uint8Array<ArrayBuffer>,
): { time: number; positions: { track: number; cluster: number }[] } {
  let time = -1;
  const positions: { track: number; cluster: number }[] = [];
  for (const { id, body: content } of elementsIn(body)) {
    if (id === CUES.time) time = toUint(content);
    if (id !== CUES.positions) continue;
    const position = { track: 0, cluster: -1 };
    for (const { id, body: value } of elementsIn(content)) {
      if (id === CUES.track) position.track = toUint(value);
      if (id === CUES.cluster) position.cluster = toUint(value);
    }
    if (position.cluster < 0) throw broken("cues", "no position", "one");
    positions.push(position);
  }
  if (time < 0) throw broken("cues", "no time", "one");
  return { time, positions };
}

/** Number of the last entry at or before a time in ticks; -1 if there is none. */
export function lastCue({ times }: CueIndex, ticks: number): number {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] <= ticks) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
