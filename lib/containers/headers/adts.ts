/** AAC by itself: the headers of its frames (ISO/IEC 13818-7, 6.2). */
import { describeAac } from "../codecs/aac.ts";
import type { FileBytes } from "../packet_file.ts";
import { type FileHeader, toDuration, toText } from "./header.ts";

/** Bytes of a header without a checksum. */
const HEADER = 7;

/** Samples a second by the index in the header, of those that leave no doubt about SBR. */
const RATES = [96_000, 88_200, 64_000, 48_000, 44_100, 32_000];

/** Samples of a frame. */
const SAMPLES = 1024;

/** Bytes of a frame, at most; none in use are near. */
const MAX_FRAME = 2048;

/** FFmpeg's ticks a second of such files, in which it rounds their length. */
const TICKS = 28_224_000;

/** Frames by which FFmpeg estimates the bit rate, and so the length. */
const ESTIMATED = 50;

/** Frames at the end of them, without which the estimate has to be another one. */
const TELLING = 10;

/** Bytes at the end of a file in which tags begin. */
const TAG = 128;
const TAG_START = /^TAG|APETAGEX/;

/** Reads the headers of ADTS frames; `undefined` for tags, few frames, SBR, and all that is unusual. */
export async function readAdtsHeader(bytes: FileBytes): Promise<FileHeader | undefined> {
  if (bytes.size < TAG) return undefined;
  if (TAG_START.test(toText(await bytes.read(bytes.size - TAG, TAG)))) return undefined;
  const start = await bytes.read(0, Math.min(bytes.size, ESTIMATED * MAX_FRAME));
  const frames = readFrames(start);
  const rate = RATES[(start[2] >> 2) & 0xf];
  if (frames === undefined || frames.length <= TELLING || rate === undefined) return undefined;
  const estimate = bitrateOf(frames, rate);
  // Frames of one size would bear out any number of them.
  if (estimate === bitrateOf(frames.slice(0, -TELLING), rate)) return undefined;
  const extradata = configuration(start);
  if (describeAac({ extradata }, start.subarray(HEADER, frames[0])) === undefined) return undefined;
  return {
    likeness: `adts ${start[1]} ${extradata.toHex()} ${frames.length}`,
    duration: toDuration(Math.round(8 * bytes.size / estimate * TICKS), TICKS),
  };
}

/** Sizes of the first frames in bytes; `undefined` if they differ in more than that. */
function readFrames(start: Uint8Array): number[] | undefined {
  const sizes: number[] = [];
  for (let at = 0; sizes.length < ESTIMATED && at < start.length;) {
    const header = start.subarray(at, at + HEADER);
    const size = ((header[3] & 3) << 11) | (header[4] << 3) | (header[5] >> 5);
    // Sync word, no checksum, low complexity, one block.
    const isUsual = header.length === HEADER && header[0] === 0xff && (header[1] & 0xf7) === 0xf1 &&
      header[2] >> 6 === 1 && (header[6] & 3) === 0;
    const isLike = header[1] === start[1] && header[2] === start[2] &&
      (header[3] & 0xf0) === (start[3] & 0xf0);
    if (!isUsual || !isLike || size <= HEADER || size > MAX_FRAME) return undefined;
    at += size;
    if (at > start.length) return undefined;
    sizes.push(size);
  }
  return sizes;
}

/** Bits a second, averaged in whole numbers as FFmpeg does. */
function bitrateOf(sizes: readonly number[], rate: number): number {
  return sizes.reduce((average, size, index) => {
    const bits = Math.trunc(size * 8 * rate / SAMPLES);
    return average + Math.trunc((bits - average) / (index + 1));
  }, 0);
}

/** The header as `AudioSpecificConfig` (ISO/IEC 14496-3, 1.6.2.1). */
function configuration(header: Uint8Array): Uint8Array {
  const [type, rate] = [(header[2] >> 6) + 1, (header[2] >> 2) & 0xf];
  const channels = ((header[2] & 1) << 2) | (header[3] >> 6);
  return new Uint8Array([(type << 3) | (rate >> 1), ((rate & 1) << 7) | (channels << 3)]);
}
