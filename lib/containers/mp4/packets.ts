/** Packets of several tracks, read in batches. */
import { TruncatedError } from "../../base/errors.ts";
import type { FileBytes, Packet, PacketOptions } from "../packet_file.ts";
import type { KeyframeTest } from "./codecs/keyframes.ts";
import type { SampleTable } from "./sample_table.ts";

/** Seconds of a batch. */
const BATCH_TIME = 0.5;

/** Bytes of a batch, unless one packet has more. */
const BATCH_SIZE = 56 * 1024;

/**
 * Bytes of a batch in front of the start, with what lies between its packets: a viewer needs them all
 * before it shows anything, and each read takes a while on a busy server.
 */
const LEAD_SIZE = 512 * 1024;

/** Seconds after the start that still belong to the lead, since pictures may be reordered. */
const LEAD_TIME = 0.1;

/** Packets of a batch: tiny ones, too, take memory. */
const BATCH_PACKETS = 4096;

/** Bytes between two packets that are read rather than passed over. */
const MAX_GAP = 16 * 1024;

/** A track as far as its packets matter. */
export interface PacketSource {
  /** Number of the track. */
  index: number;
  table: SampleTable;
  /** Ticks a second. */
  timescale: number;
  /** A new test of keyframes, if the table does not decide. */
  keyframeTest?: () => KeyframeTest | undefined;
  /** @throws {FormatError} for a packet that FFmpeg would split or join */
  check?: (data: Uint8Array) => void;
}

/** A packet that is to be read. */
interface Wanted {
  track: Cursor;
  /** Number in the table. */
  at: number;
  offset: number;
  size: number;
}

/** Options of {@linkcode readPackets}. */
type ReadOptions = Pick<PacketOptions, "from" | "allocate">;

/**
 * Gives the packets of tracks in batches, merged by decode time.
 *
 * @throws {TruncatedError} if packets are behind the end of the file
 */
export async function* readPackets(
  bytes: FileBytes,
  sources: readonly PacketSource[],
  { from, allocate }: ReadOptions,
): AsyncGenerator<readonly Packet[]> {
  const cursors = sources.map((source) => new Cursor(source, from));
  while (true) {
    const wanted = nextBatch(cursors, from + LEAD_TIME);
    if (wanted.length === 0) return;
    const missing = wanted.findIndex(({ offset, size }) => offset + size > bytes.size);
    const whole = missing < 0 ? wanted.length : missing;
    // Taken out, so that nothing is kept while the batch is in use: many viewers have one.
    if (whole > 0) yield await readBatch(bytes, wanted.splice(0, whole), allocate);
    if (missing >= 0) throw new TruncatedError(wanted[0].offset + wanted[0].size, bytes.size);
  }
}

/**
 * Takes the packets of a batch from the tracks.
 *
 * @param lead seconds up to which packets are needed together
 */
function nextBatch(cursors: readonly Cursor[], lead: number): Wanted[] {
  const wanted: Wanted[] = [];
  let end = Infinity;
  let bytes = 0;
  /** Bytes in the lead that are read, or passed over, between packets. */
  let gaps = 0;
  while (wanted.length < BATCH_PACKETS) {
    let track: Cursor | undefined;
    for (const cursor of cursors) {
      if (cursor.time < (track?.time ?? Infinity)) track = cursor;
    }
    if (track === undefined || track.time >= end) break;
    const { at } = track;
    const { offsets, sizes } = track.source.table;
    bytes += sizes[at];
    gaps += gapBefore(offsets[at], wanted.at(-1));
    const isFull = track.time < lead ? bytes + gaps > LEAD_SIZE : bytes > BATCH_SIZE;
    if (wanted.length > 0 && isFull) break;
    if (wanted.length === 0) end = Math.max(track.time + BATCH_TIME, lead);
    wanted.push({ track, at, offset: offsets[at], size: sizes[at] });
    track.advance();
  }
  return wanted;
}

/**
 * Bytes between a packet and the one before it; {@linkcode MAX_GAP} if both are read apart, so that
 * few reads make a batch, too.
 */
function gapBefore(offset: number, before: Wanted | undefined): number {
  if (before === undefined) return 0;
  const gap = offset - before.offset - before.size;
  return gap < 0 ? MAX_GAP : Math.min(gap, MAX_GAP);
}

/** Reads packets, those that are near to each other at once. */
async function readBatch(
  bytes: FileBytes,
  wanted: readonly Wanted[],
  allocate: ReadOptions["allocate"],
): Promise<Packet[]> {
  const packets = new Array<Packet>(wanted.length);
  const order = Array.from(wanted, (_, at) => at).sort((a, b) =>
    wanted[a].offset - wanted[b].offset
  );
  for (let first = 0; first < order.length;) {
    const { offset: start } = wanted[order[first]];
    let end = start;
    let next = first;
    for (; next < order.length; next++) {
      const { offset, size } = wanted[order[next]];
      if (next > first && offset > end + MAX_GAP) break;
      end = Math.max(end, offset + size);
    }
    const read = await bytes.read(start, end - start, allocate?.(end - start));
    for (; first < next; first++) {
      const at = order[first];
      packets[at] = toPacket(wanted[at], read, start);
    }
  }
  // Tests of keyframes have a state, so they see packets in decode order.
  for (const [at, { track, at: sample }] of wanted.entries()) {
    track.finish(packets[at], sample);
  }
  return packets;
}

function toPacket(
  { track: { source: { index, table } }, at, offset, size }: Wanted,
  read: Uint8Array<ArrayBuffer>,
  start: number,
): Packet {
  return {
    track: index,
    timestamp: table.decodeTimes[at] + (table.delays?.[at] ?? 0),
    decodeTimestamp: table.decodeTimes[at],
    keyframe: true,
    data: read.subarray(offset - start, offset - start + size),
  };
}

/** A place in a track. */
class Cursor {
  readonly source: PacketSource;
  /** Number of the next packet. */
  at: number;
  /** Decode time of the next packet in seconds; infinite at the end. */
  time = Infinity;
  /** Place in the list of keyframes. */
  #keyframe = 0;
  #test: KeyframeTest | undefined;

  constructor(source: PacketSource, from: number) {
    this.source = source;
    this.at = startOf(source, from);
    this.#test = source.keyframeTest?.();
    const { keyframes } = source.table;
    if (keyframes) {
      this.#keyframe = lastAtOrBefore(keyframes.length, (k) => keyframes[k] < this.at) + 1;
    }
    this.#look();
  }

  /** Goes to the next packet. */
  advance(): void {
    this.at++;
    this.#look();
  }

  /** Tells of a packet whether it is a keyframe. Calls are in decode order. */
  finish(packet: Packet, sample: number): void {
    const { table, check } = this.source;
    check?.(packet.data);
    const { keyframes } = table;
    const isSync = keyframes === undefined || keyframes[this.#keyframe] === sample;
    if (isSync) this.#keyframe++;
    packet.keyframe = this.#test ? this.#test(packet.data, isSync) : isSync;
  }

  #look(): void {
    const { table, timescale } = this.source;
    this.time = this.at < table.count ? table.decodeTimes[this.at] / timescale : Infinity;
  }
}

/** The number of the last keyframe at or before a time, or of the first packet. */
function startOf({ table, timescale }: PacketSource, from: number): number {
  const { keyframes, decodeTimes, delays, count } = table;
  const timeOf = (at: number) => decodeTimes[at] + (delays?.[at] ?? 0);
  const numberOf = (at: number) => keyframes === undefined ? at : keyframes[at];
  const wanted = from * timescale;
  let found = lastAtOrBefore(
    keyframes?.length ?? count,
    (at) => decodeTimes[numberOf(at)] <= wanted,
  );
  while (found > 0 && timeOf(numberOf(found)) > wanted) found--;
  return found < 0 || timeOf(numberOf(found)) > wanted ? 0 : numberOf(found);
}

/** The last of so many for which something holds that holds for all before; -1 for none. */
function lastAtOrBefore(count: number, holds: (at: number) => boolean): number {
  let [below, above] = [-1, count];
  while (above - below > 1) {
    const middle = (below + above) >> 1;
    if (holds(middle)) below = middle;
    else above = middle;
  }
  return below;
}
