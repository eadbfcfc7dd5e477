/** When the fragments of an MP4 begin and end (ISO/IEC 14496-12, section 8.8). */
import { FormatError } from "../../../base/errors.ts";
import { findBox, readBoxes } from "../../../sinks/browser/mp4_codecs.ts";

/** The track whose keyframes segments begin with: the video, or the audio if there is no other. */
export interface LeadingTrack {
  id: number;
  isVideo: boolean;
  /** Ticks a second. */
  timescale: number;
  /** Of samples that do not state them: ticks, and flags. */
  defaults: { duration: number; flags: number };
}

/** Ticks a second of each track, by its id. */
export type Timescales = ReadonlyMap<number, number>;

/** The part of a fragment that belongs to the leading track. */
export interface FragmentTimes {
  /** Decode time of its first sample, seconds. */
  start: number;
  /** Decode time behind its last sample, seconds. */
  end: number;
  /** Its first sample is a keyframe. */
  isKey: boolean;
}

/** Bytes of version and flags of a full box. */
const FULL = 4;

/** Flag of a sample that is no keyframe. */
const NON_SYNC = 0x10000;

/** Flags of "tfhd": which fields it has. */
const TFHD = { offset: 0x1, description: 0x2, duration: 0x8, size: 0x10, flags: 0x20 };

/** Flags of "trun": which fields it, and each of its samples, has. */
const TRUN = { offset: 0x1, first: 0x4, duration: 0x100, size: 0x200, flags: 0x400, shift: 0x800 };

/**
 * Finds the leading track.
 *
 * @param moov body of the box "moov"
 * @throws {FormatError} if there is none, or it cannot be read
 */
export function findLeadingTrack(moov: Uint8Array): LeadingTrack {
  const tracks = bodies(moov, "trak").map((trak) => ({
    trak,
    handler: text(need(trak, "mdia/hdlr"), FULL + 4),
  }));
  const leading = tracks.find(({ handler }) => handler === "vide") ??
    tracks.find(({ handler }) => handler === "soun");
  if (leading === undefined) throw new FormatError(`Cannot read MP4 "moov": it has no media`);
  const { id, timescale } = readTrack(leading.trak);
  const extension = bodies(need(moov, "mvex"), "trex")
    .map((body) => new Fields(body)).find((fields) => fields.uint32() === id);
  const duration = extension?.skip(4).uint32() ?? 0;
  const flags = extension?.skip(4).uint32() ?? 0;
  const isVideo = leading.handler === "vide";
  return { id, isVideo, timescale, defaults: { duration, flags } };
}

/**
 * Reads the timescales of all tracks.
 *
 * @param moov body of the box "moov"
 * @throws {FormatError} if it cannot be read
 */
export function readTimescales(moov: Uint8Array): Timescales {
  const tracks = bodies(moov, "trak").map(readTrack);
  return new Map(tracks.map(({ id, timescale }) => [id, timescale]));
}

function readTrack(trak: Uint8Array): { id: number; timescale: number } {
  const header = new Fields(need(trak, "tkhd"));
  // Behind two times, of 32 or 64 bits.
  const id = header.skip(header.version === 1 ? 16 : 8).uint32();
  const media = new Fields(need(trak, "mdia/mdhd"));
  const timescale = media.skip(media.version === 1 ? 16 : 8).uint32();
  if (timescale === 0) throw new FormatError(`Cannot read MP4 "mdhd": timescale 0`);
  return { id, timescale };
}

/**
 * Moves all tracks of a fragment in time.
 *
 * @param moof body of the box "moof", which is changed
 * @param seconds to add to its decode times
 * @throws {FormatError} if it cannot be read, or has times of 32 bits
 */
export function shiftFragment(moof: Uint8Array, timescales: Timescales, seconds: number): void {
  for (const traf of bodies(moof, "traf")) {
    const timescale = timescales.get(new Fields(need(traf, "tfhd")).uint32()) ?? 0;
    const body = need(traf, "tfdt");
    const time = new Fields(body);
    if (time.version !== 1) throw new FormatError(`Cannot shift MP4 "tfdt": expected 64 bits`);
    const shifted = time.int64() + Math.round(seconds * timescale);
    new DataView(body.buffer, body.byteOffset).setBigInt64(FULL, BigInt(shifted));
  }
}

/**
 * Reads the times of a fragment.
 *
 * @param moof body of the box "moof"
 * @returns `undefined` if it has no samples of the track
 * @throws {FormatError} if it cannot be read
 */
export function readFragment(moof: Uint8Array, track: LeadingTrack): FragmentTimes | undefined {
  for (const traf of bodies(moof, "traf")) {
    const header = new Fields(need(traf, "tfhd"));
    if (header.uint32() !== track.id) continue;
    const defaults = readDefaults(header, track);
    const decoded = new Fields(need(traf, "tfdt"));
    const first = decoded.version === 1 ? decoded.int64() : decoded.uint32();
    const runs = bodies(traf, "trun").map((body) => readRun(new Fields(body), defaults))
      .filter(({ count }) => count > 0);
    if (runs.length === 0) return undefined;
    const length = runs.reduce((sum, { duration }) => sum + duration, 0);
    return {
      start: first / track.timescale,
      end: (first + length) / track.timescale,
      isKey: (runs[0].flags & NON_SYNC) === 0,
    };
  }
  return undefined;
}

/** @param header "tfhd" behind its track */
function readDefaults(header: Fields, { defaults }: LeadingTrack): LeadingTrack["defaults"] {
  const { flags: fields } = header;
  if (fields & TFHD.offset) header.skip(8);
  if (fields & TFHD.description) header.skip(4);
  const duration = fields & TFHD.duration ? header.uint32() : defaults.duration;
  if (fields & TFHD.size) header.skip(4);
  return { duration, flags: fields & TFHD.flags ? header.uint32() : defaults.flags };
}

/** Samples of a "trun", their duration in ticks, and the flags of the first one. */
function readRun(
  run: Fields,
  defaults: LeadingTrack["defaults"],
): { count: number; duration: number; flags: number } {
  const { flags: fields } = run;
  const count = run.uint32();
  if (fields & TRUN.offset) run.skip(4);
  let flags = fields & TRUN.first ? run.uint32() : undefined;
  if ((fields & (TRUN.duration | TRUN.flags)) === 0) {
    return { count, duration: count * defaults.duration, flags: flags ?? defaults.flags };
  }
  let duration = 0;
  for (let at = 0; at < count; at++) {
    duration += fields & TRUN.duration ? run.uint32() : defaults.duration;
    if (fields & TRUN.size) run.skip(4);
    const own = fields & TRUN.flags ? run.uint32() : defaults.flags;
    flags ??= own;
    if (fields & TRUN.shift) run.skip(4);
  }
  return { count, duration, flags: flags ?? defaults.flags };
}

/** Bodies of all boxes of a type. */
function bodies(bytes: Uint8Array, type: string): Uint8Array[] {
  return readBoxes(bytes).filter((box) => box.type === type).map(({ body }) => body);
}

function need(bytes: Uint8Array, path: string): Uint8Array {
  const found = findBox(bytes, path);
  if (found !== undefined) return found;
  throw new FormatError(`Cannot read MP4: "${path}" is missing`);
}

function text(bytes: Uint8Array, at: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + 4));
}

/** Reads the fields of a full box one after the other. */
class Fields {
  readonly version: number;
  readonly flags: number;
  #view: DataView;
  #at = FULL;

  constructor(body: Uint8Array) {
    this.#view = new DataView(body.buffer, body.byteOffset, body.byteLength);
    this.#check(0, FULL);
    const word = this.#view.getUint32(0);
    this.version = word >>> 24;
    this.flags = word & 0xffffff;
  }

  skip(bytes: number): this {
    this.#at += bytes;
    return this;
  }

  uint32(): number {
    this.#check(this.#at, 4);
    const value = this.#view.getUint32(this.#at);
    this.#at += 4;
    return value;
  }

  /** With a sign, since FFmpeg writes times before 0 so. */
  int64(): number {
    this.#check(this.#at, 8);
    const value = Number(this.#view.getBigInt64(this.#at));
    this.#at += 8;
    return value;
  }

  #check(at: number, size: number): void {
    const { byteLength } = this.#view;
    if (at + size <= byteLength) return;
    throw new FormatError(`Cannot read MP4: a box ends after ${byteLength} bytes, expected more`);
  }
}
