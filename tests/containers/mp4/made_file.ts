/** Files of the ISO base media format that no encoder makes. */
import { TruncatedError } from "../../../lib/base/errors.ts";
import type { FileBytes } from "../../../lib/containers/packet_file.ts";
import { concat } from "../../support/media/bytes.ts";

/** Numbers of 32 bits in a row. */
export function words(...values: readonly number[]): Uint8Array<ArrayBuffer> {
  return wordsOf(values);
}

function wordsOf(values: readonly number[]): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(4 * values.length));
  values.forEach((value, at) => view.setUint32(4 * at, value));
  return new Uint8Array(view.buffer);
}

/** A box with what is in it. */
export function box(
  type: string,
  ...parts: readonly (string | Uint8Array)[]
): Uint8Array<ArrayBuffer> {
  const body = concat(...parts);
  return concat(words(8 + body.byteLength), type, body);
}

/** A box with a version and flags, and a table of so many entries. */
export function tableBox(
  type: string,
  entries: number,
  ...values: readonly number[]
): Uint8Array<ArrayBuffer> {
  return longTable(type, entries, values);
}

function longTable(
  type: string,
  entries: number,
  values: readonly number[],
): Uint8Array<ArrayBuffer> {
  return box(type, words(0, entries), wordsOf(values));
}

const IDENTITY = [1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30];

/** The sample description of HEVC of 64 × 48 pixels, whose configuration is four bytes. */
export const HEVC = box(
  "hvc1",
  ...[new Uint8Array(6), "\0\x01", new Uint8Array(16), "\0\x40\0\x30"],
  ...[words(0x48_0000, 0x48_0000, 0), "\0\x01", new Uint8Array(32), "\0\x18\xff\xff"],
  box("hvcC", "\x01\x02\x03\x04"),
);

/** The sample description of 16-bit stereo PCM of 48,000 samples a second. */
export const PCM = box(
  "sowt",
  ...[new Uint8Array(6), "\0\x01", new Uint8Array(8), "\0\x02\0\x10", words(0), "\xbb\x80\0\0"],
);

/** A track for {@linkcode moovOf}. */
export interface MadeTrack {
  /** @default "vide" */
  handler?: string;
  /** @default HEVC */
  entry?: Uint8Array;
  /** Ticks a second. */
  timescale: number;
  /** Ticks. */
  duration: number;
  /** Boxes in `stbl` besides the sample description. */
  tables: readonly Uint8Array[];
  /** Numbers of an edit list of version 0: duration, media time and rate of each entry. */
  edits?: readonly number[];
  /** More boxes in the track. */
  more?: readonly Uint8Array[];
}

/** A movie of 1000 ticks a second that lasts 10 s, with more boxes behind its tracks. */
export function moovOf(
  tracks: readonly MadeTrack[],
  ...more: readonly Uint8Array[]
): Uint8Array<ArrayBuffer> {
  const header = box(
    "mvhd",
    words(0, 0, 0, 1000, 10_000, 1 << 16, 0, 0, 0, ...IDENTITY, 0, 0, 0, 0, 0, 0, 9),
  );
  return box("moov", header, ...tracks.map(trackOf), ...more);
}

function trackOf(track: MadeTrack, at: number): Uint8Array<ArrayBuffer> {
  const { handler = "vide", entry = HEVC, timescale, duration, tables, edits, more = [] } = track;
  const size = handler === "vide" ? [64 << 16, 48 << 16] : [0, 0];
  return box(
    "trak",
    box("tkhd", words(7, 0, 0, at + 1, 0, 10_000, 0, 0, 0, 0, ...IDENTITY, ...size)),
    ...(edits ? [box("edts", tableBox("elst", edits.length / 3, ...edits))] : []),
    box(
      "mdia",
      box("mdhd", words(0, 0, 0, timescale, duration, 0)),
      box("hdlr", words(0, 0), handler, new Uint8Array(13)),
      box("minf", box("stbl", box("stsd", words(0, 1), entry), ...tables)),
    ),
    ...more,
  );
}

/** Two video frames of 10 bytes at an offset. */
export function twoFrames(offset: number): MadeTrack {
  return {
    timescale: 25,
    duration: 2,
    tables: [
      tableBox("stts", 1, 2, 1),
      tableBox("stsc", 1, 1, 2, 1),
      box("stsz", words(0, 10, 2)),
      tableBox("stco", 1, offset),
    ],
  };
}

/** A number of 64 bits as two of 32. */
function longWords(value: number): number[] {
  return [Math.floor(value / 2 ** 32), value % 2 ** 32];
}

/** Seconds of the film that {@linkcode longFilm} makes. */
export const FILM_SECONDS = 7200;

/** Bytes of a second of {@linkcode longFilm}. */
const SECOND = 220_000;

/** Packets of audio of a second. */
const SOUNDS = 50;

/** The sample description of stereo Opus. */
const OPUS = box(
  "Opus",
  ...[new Uint8Array(6), "\0\x01", new Uint8Array(8), "\0\x02\0\x10", words(0), "\xbb\x80\0\0"],
  box("dOps", "\0\x02\0\0", words(48_000), "\0\0\0"),
);

/** A film of two hours: 180,000 frames with B-frames and 360,000 packets of audio. */
function longFilm(start: number): Uint8Array<ArrayBuffer> {
  const frames = 25 * FILM_SECONDS;
  const sounds = SOUNDS * FILM_SECONDS;
  const delays = Array.from({ length: frames }, (_, at) => [1, at % 2 === 0 ? 3 : 1]).flat();
  const keyframes = Array.from({ length: frames / 50 }, (_, at) => 50 * at + 1);
  const sizes = Array.from({ length: frames }, (_, at) => 8000 + at % 100);
  // A second of video, then one of audio.
  const offsets = Array.from({ length: FILM_SECONDS }, (_, at) => start + at * SECOND);
  const video: MadeTrack = {
    timescale: 25,
    duration: frames,
    edits: [FILM_SECONDS * 1000, 2, 1 << 16],
    tables: [
      tableBox("stts", 1, frames, 1),
      longTable("ctts", frames, delays),
      longTable("stss", keyframes.length, keyframes),
      tableBox("stsc", 1, 1, 25, 1),
      box("stsz", words(0, 0, frames), wordsOf(sizes)),
      longTable("co64", offsets.length, offsets.flatMap(longWords)),
    ],
  };
  const audio: MadeTrack = {
    handler: "soun",
    entry: OPUS,
    timescale: 48_000,
    duration: FILM_SECONDS * 48_000,
    tables: [
      tableBox("stts", 1, sounds, 48_000 / SOUNDS),
      tableBox("stsc", 1, 1, SOUNDS, 1),
      box("stsz", words(0, 0, sounds), wordsOf(new Array<number>(sounds).fill(300))),
      longTable("co64", offsets.length, offsets.map((at) => at + 203_000).flatMap(longWords)),
    ],
  };
  return moovOf([video, audio]);
}

/** A file whose first bytes and last bytes are stated; those between are zeros. */
export class SparseBytes implements FileBytes {
  /** Bytes of each read. */
  readonly reads: number[] = [];
  readonly size: number;
  #head: Uint8Array;
  #tail: Uint8Array;

  constructor(head: Uint8Array, middle: number, tail: Uint8Array) {
    this.#head = head;
    this.#tail = tail;
    this.size = head.byteLength + middle + tail.byteLength;
  }

  read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    this.reads.push(length);
    if (offset + length > this.size) {
      return Promise.reject(new TruncatedError(offset + length, this.size));
    }
    const bytes = new Uint8Array(length);
    for (
      const [part, start] of [[this.#head, 0], [
        this.#tail,
        this.size - this.#tail.byteLength,
      ]] as const
    ) {
      const from = Math.max(offset, start);
      const to = Math.min(offset + length, start + part.byteLength);
      if (from < to) bytes.set(part.subarray(from - start, to - start), from - offset);
    }
    return Promise.resolve(bytes);
  }
}

/** A film of two hours whose index is at the end, behind data with a size of 64 bits. */
export function filmFile(): SparseBytes {
  const brand = box("ftyp", "isom", words(0));
  const size = FILM_SECONDS * SECOND;
  const head = concat(brand, words(1), "mdat", words(...longWords(16 + size)));
  return new SparseBytes(head, size, longFilm(head.byteLength));
}
