/** MP4 files that are read by their own index. */
import { TruncatedError } from "../../lib/base/errors.ts";
import { openMp4 } from "../../lib/containers/mp4/open.ts";
import type { FileBytes, PacketFile } from "../../lib/containers/packet_file.ts";
import { concat } from "../support/media/bytes.ts";
import type { MediaFolder } from "../support/media/media_folder.ts";
import { mutateBytes, type Mutator } from "./mutate_bytes.ts";
import { checkAtMost, checkRefusal } from "./properties.ts";
import type { Random } from "./random.ts";
import type { Target } from "./target.ts";

/** Files for the corpus, of a few frames each. */
const FILES: [name: string, args: string[]][] = [
  ["b_frames.mp4", ["-c:v", "libx264", "-bf", "2", "-pix_fmt", "yuv420p", "-c:a", "aac"]],
  ["others.mp4", ["-c:v", "mpeg4", "-c:a", "ac3", "-movflags", "faststart"]],
  ["jpeg.mov", ["-c:v", "mjpeg", "-c:a", "pcm_s16le", "-timecode", "01:00:00:00"]],
  ["newer.mp4", [
    ...["-c:v", "libvpx-vp9", "-pix_fmt", "yuv420p", "-c:a", "libopus"],
  ]],
];

async function makeFiles(folder: MediaFolder): Promise<Uint8Array[]> {
  const sources = [
    ...["-f", "lavfi", "-i", "testsrc=size=16x16:rate=25:d=0.2"],
    ...["-f", "lavfi", "-i", "sine=sample_rate=48000:d=0.2"],
  ];
  const whole = await Promise.all(
    FILES.map(([name, args]) => folder.make(`indexed_${name}`, [...sources, ...args])),
  );
  const cut = await folder.make("indexed_cut.mp4", [
    ...["-ss", "0.1", "-i", whole[0], "-c", "copy"],
  ]);
  return await Promise.all([...whole, cut].map((path) => Deno.readFile(path)));
}

/** Boxes that hold others, and the bytes before those. */
const PARENTS: Readonly<Record<string, number>> = {
  moov: 0,
  trak: 0,
  edts: 0,
  mdia: 0,
  minf: 0,
  dinf: 0,
  stbl: 0,
  udta: 0,
  stsd: 8,
  dref: 8,
  mp4a: 28,
  avc1: 78,
};

/** Splits the boxes of a body; what has no order is one piece. */
function piecesOf(body: Uint8Array): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  let at = 0;
  while (at + 8 <= body.byteLength) {
    const size = view.getUint32(at);
    if (size < 8 || size > body.byteLength - at) break;
    pieces.push(body.subarray(at, at + size));
    at += size;
  }
  return at < body.byteLength ? [...pieces, body.subarray(at)] : pieces;
}

/** Changes one box somewhere, and corrects the sizes of those around it. */
const mutateFile: Mutator = (input, others, random) => {
  if (random.once(16)) return mutateBytes(input, others, random);
  const pieces = piecesOf(input);
  const index = pieces.findIndex((piece) => typeOf(piece) === "moov");
  if (index < 0) return mutateBytes(input, others, random);
  let changed = new Uint8Array(pieces[index]);
  for (let count = 1 + random.size(3); count > 0; count--) {
    changed = changeBox(changed, others, random);
  }
  return concat(...pieces.slice(0, index), changed, ...pieces.slice(index + 1));
};

function changeBox(
  box: Uint8Array,
  others: readonly Uint8Array[],
  random: Random,
): Uint8Array<ArrayBuffer> {
  const header = 8 + (PARENTS[typeOf(box)] ?? 0);
  const isParent = Object.hasOwn(PARENTS, typeOf(box)) && box.byteLength > header;
  if (!isParent) {
    // Mostly a number of a table, which stays as long as it is.
    const body = box.subarray(8);
    const changed = random.once(3) || body.byteLength < 4
      ? mutateBytes(body, others, random)
      : changeNumber(body, random);
    return sized(box.subarray(0, 8), changed);
  }
  const pieces = piecesOf(box.subarray(header));
  const at = random.below(pieces.length);
  if (random.once(12)) pieces.splice(at, random.below(2), pieces[random.below(pieces.length)]);
  else pieces[at] = changeBox(pieces[at], others, random);
  return sized(box.subarray(0, header), ...pieces);
}

function changeNumber(body: Uint8Array, random: Random): Uint8Array {
  const changed = body.slice();
  const view = new DataView(changed.buffer);
  const at = 4 * random.below(Math.floor(body.byteLength / 4));
  const value = view.getUint32(at);
  view.setUint32(
    at,
    random.pick([0, 1, value + 1, value - 1, 2 * value, 2 ** 31, 2 ** 32 - 1, random.below(5000)]),
  );
  return changed;
}

/** A box with the right size. */
function sized(header: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const box = concat(header, ...parts);
  if (box.byteLength >= 8) new DataView(box.buffer).setUint32(0, box.byteLength);
  return box;
}

function typeOf(box: Uint8Array): string {
  return String.fromCharCode(...box.subarray(4, 8));
}

/** A file in memory, which takes note of how much is read. */
class ReadBytes implements FileBytes {
  #bytes: Uint8Array;
  /** Bytes read. */
  total = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get size(): number {
    return this.#bytes.byteLength;
  }

  read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    if (!(offset >= 0 && length >= 0 && Number.isInteger(offset) && Number.isInteger(length))) {
      throw new Error(`reads ${length} bytes at ${offset}`);
    }
    if (offset + length > this.size) {
      return Promise.reject(new TruncatedError(offset + length, this.size));
    }
    this.total += length;
    return Promise.resolve(this.#bytes.slice(offset, offset + length));
  }
}

/** Bytes that a batch may have. */
const BATCH_SIZE = 512 * 1024;

async function checkPackets(file: PacketFile, bytes: ReadBytes, random: Random): Promise<void> {
  const last = new Map<number, number>();
  const tracks = file.tracks.map(({ index }) => index);
  checkAtMost("tracks", tracks.length, 2);
  const from = random.pick([-Infinity, 0, 0.1, 5]);
  let batches = 0;
  for await (const batch of file.packets({ tracks, from })) {
    const size = batch.reduce((sum, { data }) => sum + data.byteLength, 0);
    checkAtMost("bytes of a batch", batch.length > 1 ? size : 0, BATCH_SIZE);
    checkAtMost("empty batches", Number(batch.length === 0), 0);
    for (const { track, timestamp, data } of batch) {
      if (!tracks.includes(track) || !Number.isSafeInteger(timestamp) || data.byteLength === 0) {
        throw new Error(`a packet of ${track} at ${timestamp} of ${data.byteLength} bytes`);
      }
      last.set(track, timestamp);
    }
    // Overlapping samples of a small file can be many.
    if (++batches === 20) return;
  }
  checkAtMost("bytes read", bytes.total, (2 + batches) * (bytes.size + 16));
}

/** An MP4 file. */
export async function mp4FileTarget(folder: MediaFolder): Promise<Target> {
  return {
    name: "openMp4()",
    corpus: await makeFiles(folder),
    mutate: mutateFile,
    async check(input, random) {
      const bytes = new ReadBytes(input);
      try {
        const file = await openMp4(bytes);
        if ("unindexed" in file) {
          checkAtMost("characters of a reason", file.unindexed.length, 200);
          if (!/^[\x20-\x7e]+$/.test(file.unindexed)) throw new Error(`said ${file.unindexed}`);
          return "refused";
        }
        for (const number of [file.start, file.duration ?? 0]) {
          if (!Number.isFinite(number)) throw new Error(`told ${number} seconds`);
        }
        await checkPackets(file, bytes, random);
        return "taken";
      } catch (error) {
        checkRefusal(error);
        return "refused";
      }
    },
  };
}
