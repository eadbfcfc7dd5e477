/** The samples of a track: their places and times. */
import { type Chunks, readChunks, readSizes } from "./chunks.ts";
import {
  allowBoxes,
  type Box,
  entryCount,
  needBox,
  needBytes,
  onlyBox,
  printable,
  typeAt,
  UnindexedError,
} from "./boxes.ts";

/** Packets of one track: those of a film of two hours are 550,000. */
const MAX_PACKETS = 2 ** 22;

/** Largest difference of two timestamps that FFmpeg does not repair, ticks. */
const MAX_DELTA = 2 ** 31 - 1;

/** Largest offset between the timestamps of a sample that FFmpeg believes, ticks. */
const MAX_OFFSET = 2 ** 28;

/** Samples of PCM that FFmpeg puts into a packet. */
const PCM_SAMPLES = 1024;

/** Frames that FFmpeg compares at most (libavformat/mov.c, `mov_estimate_video_delay`). */
const MAX_COMPARED = 16;

const IN_TABLE = new Set([
  ...["stsd", "stts", "ctts", "cslg", "stsc", "stsz", "stz2", "stco", "co64", "stss", "sdtp"],
  ...["sgpd", "sbgp", "stsh", "padb", "subs", "free", "skip", "wide", "uuid"],
]);

/** Packets of a track in decode order, each array with one value for each. */
export interface SampleTable {
  /** Number of packets. */
  count: number;
  /** Offsets in the file, bytes. */
  offsets: Float64Array<ArrayBuffer>;
  /** Bytes. */
  sizes: Uint32Array<ArrayBuffer>;
  /** Decode timestamps in ticks. */
  decodeTimes: Float64Array<ArrayBuffer>;
  /** Presentation timestamps minus decode timestamps in ticks; absent if all are 0. */
  delays?: Int32Array<ArrayBuffer>;
  /**
   * Ticks by which decode timestamps were moved back, so that no presentation timestamp is before:
   * FFmpeg does so for negative offsets. It is in the delays already.
   */
  shift: number;
  /** Numbers of the keyframes in the table, ascending; absent if all are. */
  keyframes?: Uint32Array<ArrayBuffer>;
}

/** Facts about all samples that FFmpeg makes others of. */
export interface SampleTimes {
  /** Ticks of all samples together. */
  total: number;
  /** Number of samples. */
  samples: number;
  /** Ticks of the first sample. */
  first: number;
}

/** Options of {@linkcode readSampleTable}. */
export interface SampleTableOptions {
  /** Bytes of the file. */
  fileSize: number;
  /** Whether every packet is a keyframe, whatever the table says. */
  isIntra: boolean;
  /** Bytes of one sample of PCM with all channels; absent for other codecs and for video. */
  pcmSize?: number;
  /** Whether the track is audio. */
  isAudio: boolean;
}

/**
 * Reads the tables of a track.
 *
 * @param boxes in `stbl`
 * @throws {UnindexedError} for what FFmpeg has to read
 * @throws {FormatError} for broken boxes
 */
export function readSampleTable(
  boxes: readonly Box[],
  options: SampleTableOptions,
): { table: SampleTable; times: SampleTimes } {
  allowBoxes(boxes, "stbl", IN_TABLE);
  checkGroups(boxes);
  const deltas = needBox(boxes, "stts");
  const times = readTimes(deltas);
  const isChunked = options.isAudio && entryCount(deltas, 4, 8) === 1 && times.first === 1;
  const hasDelays = onlyBox(boxes, "ctts") !== undefined;
  if (isChunked && (options.pcmSize === undefined || hasDelays)) {
    throw new UnindexedError("its samples are parts of packets");
  }
  const sizes = readSizes(boxes);
  if (sizes.count !== times.samples) {
    throw new UnindexedError(`it has ${sizes.count} samples, and times of ${times.samples}`);
  }
  const chunks = readChunks(boxes);
  if (chunks.samples !== sizes.count) {
    throw new UnindexedError(`it has ${sizes.count} samples, and ${chunks.samples} in chunks`);
  }
  if (isChunked) {
    return { table: joinSamples(chunks, sizes.count, options), times };
  }
  if (sizes.count > MAX_PACKETS || sizes.count > options.fileSize) {
    throw new UnindexedError(`it has ${sizes.count} samples in a track`);
  }
  const { pcmSize = sizes.each } = options;
  if (sizes.each !== undefined && sizes.each !== pcmSize) {
    throw new UnindexedError("its samples have not the size of those of its codec");
  }
  const packetSizes = sizes.read();
  const { delays, shift } = readDelays(onlyBox(boxes, "ctts"), sizes.count);
  const table: SampleTable = {
    count: sizes.count,
    sizes: packetSizes,
    offsets: placeSamples(chunks, packetSizes),
    decodeTimes: readDecodeTimes(deltas, sizes.count, shift),
    delays,
    shift,
    keyframes: options.isIntra || options.isAudio
      ? undefined
      : readKeyframes(onlyBox(boxes, "stss"), sizes.count),
  };
  return { table, times };
}

/** @throws {UnindexedError} if groups make keyframes of samples */
function checkGroups(boxes: readonly Box[]): void {
  for (const { type, body } of boxes) {
    if (type !== "sbgp") continue;
    needBytes(body, 8);
    const kind = typeAt(body, 4);
    if (kind === "rap ") throw new UnindexedError(`it has groups of type "${printable(kind)}"`);
  }
}

/** Sums up "stts". */
function readTimes(body: DataView<ArrayBuffer>): SampleTimes {
  const count = entryCount(body, 4, 8);
  let samples = 0;
  let total = 0;
  for (let entry = 0, at = 8; entry < count; entry++, at += 8) {
    const repeated = body.getUint32(at);
    const delta = body.getUint32(at + 4);
    if (delta > MAX_DELTA) throw new UnindexedError(`it has a sample of ${delta} ticks`);
    if (repeated === 0) throw new UnindexedError("it has times of no samples");
    samples += repeated;
    total += repeated * delta;
  }
  if (samples === 0) throw new UnindexedError("a track has no samples");
  if (total >= 2 ** 52 || samples >= 2 ** 31) throw new UnindexedError("a track has no end");
  return { total, samples, first: body.getUint32(12) };
}

function readDecodeTimes(
  body: DataView<ArrayBuffer>,
  count: number,
  shift: number,
): Float64Array<ArrayBuffer> {
  const times = new Float64Array(count);
  let time = -shift;
  for (let index = 0, at = 8; index < count; at += 8) {
    const end = index + body.getUint32(at);
    const delta = body.getUint32(at + 4);
    for (; index < end; index++, time += delta) times[index] = time;
  }
  return times;
}

/**
 * Reads "ctts". FFmpeg looks for the most negative offset in all entries but the last two, whose
 * offsets other programs get wrong.
 */
function readDelays(
  body: DataView<ArrayBuffer> | undefined,
  count: number,
): Pick<SampleTable, "delays" | "shift"> {
  const entries = body === undefined ? 0 : entryCount(body, 4, 8);
  if (body === undefined || entries === 0) return { shift: 0 };
  let shift = 0;
  for (let entry = 0, at = 8; entry < entries; entry++, at += 8) {
    const offset = body.getInt32(at + 4);
    if (Math.abs(offset) > MAX_OFFSET) throw new UnindexedError(`a frame is ${offset} ticks late`);
    if (entry + 2 < entries && body.getInt32(at) > 0) shift = Math.max(shift, -offset);
  }
  const delays = new Int32Array(count);
  let index = 0;
  for (let entry = 0, at = 8; entry < entries && index < count; entry++, at += 8) {
    const repeated = body.getInt32(at);
    if (repeated <= 0) throw new UnindexedError("it has delays of no samples");
    const end = Math.min(count, index + repeated);
    const delay = body.getInt32(at + 4) + shift;
    for (; index < end; index++) delays[index] = delay;
  }
  if (index < count) throw new UnindexedError(`it has ${count} samples, and delays of ${index}`);
  return { delays, shift };
}

/** Reads "stss". */
function readKeyframes(
  body: DataView<ArrayBuffer> | undefined,
  count: number,
): Uint32Array<ArrayBuffer> | undefined {
  if (body === undefined) return undefined;
  const entries = entryCount(body, 4, 4);
  if (entries === 0) throw new UnindexedError("it has no keyframes");
  if (entries > count) throw new UnindexedError(`it has ${count} samples, ${entries} keyframes`);
  const keyframes = new Uint32Array(entries);
  for (let entry = 0; entry < entries; entry++) {
    keyframes[entry] = body.getUint32(8 + 4 * entry) - 1;
    if (keyframes[entry] >= count || entry > 0 && keyframes[entry] <= keyframes[entry - 1]) {
      throw new UnindexedError("its keyframes have no order");
    }
  }
  return keyframes;
}

/** Makes packets of PCM, as FFmpeg does: of up to 1024 samples, from each chunk by itself. */
function joinSamples(
  chunks: Chunks,
  samples: number,
  { pcmSize = 0, fileSize }: SampleTableOptions,
): SampleTable {
  let count = 0;
  chunks.forEach((_, samples) => count += Math.ceil(samples / PCM_SAMPLES));
  if (count > MAX_PACKETS || count > fileSize || samples > MAX_PACKETS * PCM_SAMPLES) {
    throw new UnindexedError(`it has ${samples} samples in a track`);
  }
  const offsets = new Float64Array(count);
  const sizes = new Uint32Array(count);
  const decodeTimes = new Float64Array(count);
  let index = 0;
  let time = 0;
  chunks.forEach((offset, left) => {
    while (left > 0) {
      const joined = Math.min(left, PCM_SAMPLES);
      offsets[index] = offset;
      sizes[index] = joined * pcmSize;
      decodeTimes[index++] = time;
      offset += joined * pcmSize;
      time += joined;
      left -= joined;
    }
  });
  return { count, offsets, sizes, decodeTimes, shift: 0 };
}

function placeSamples(
  chunks: Chunks,
  sizes: Uint32Array<ArrayBuffer>,
): Float64Array<ArrayBuffer> {
  const offsets = new Float64Array(sizes.length);
  let index = 0;
  chunks.forEach((offset, samples) => {
    for (const end = index + samples; index < end; index++) {
      offsets[index] = offset;
      offset += sizes[index];
    }
  });
  return offsets;
}

/**
 * Frames by which decoding has to be ahead, as FFmpeg estimates it from the timestamps of H.264: the
 * largest number of earlier frames that are shown later than one.
 */
export function reorderingOf(
  { count, decodeTimes, delays }: Pick<SampleTable, "count" | "decodeTimes" | "delays">,
): number {
  if (delays === undefined) return 0;
  // The latest timestamps, ascending.
  const latest: number[] = [];
  let most = 0;
  for (let index = 0; index < count; index++) {
    const time = decodeTimes[index] + delays[index];
    let at = latest.length;
    while (at > 0 && latest[at - 1] > time) at--;
    most = Math.max(most, latest.length - at);
    latest.splice(at, 0, time);
    if (latest.length > MAX_COMPARED) latest.shift();
  }
  return most;
}
