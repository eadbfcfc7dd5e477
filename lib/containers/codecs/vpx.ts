/** VP8 (RFC 6386, 9.1 and 9.2) and VP9 (VP9 bitstream specification, 6.2 and 7.2). */
import type { PacketTrack } from "../packet_file.ts";
import { BitReader } from "./bit_reader.ts";
import {
  agree,
  hdrOf,
  readOrNothing,
  type Subsampling,
  type VideoFacts,
  yuvFormat,
} from "./facts.ts";

/** Bytes of a VP8 keyframe before what is coded arithmetically. */
const VP8_HEAD = 10;

const VP8_START_CODE = 0x9d012a;

/**
 * Describes VP8.
 *
 * @param keyframe the first packet
 * @returns `undefined` if FFmpeg would have to decode
 */
export function describeVp8(track: PacketTrack, keyframe: Uint8Array): VideoFacts | undefined {
  return readOrNothing(() => {
    const reader = new BitReader(keyframe);
    const [low, middle, high] = [reader.bits(8), reader.bits(8), reader.bits(8)];
    const firstPartition = (low >> 5) + middle * 8 + high * 2048;
    if ((low & 1) !== 0 || firstPartition > keyframe.byteLength - VP8_HEAD) return undefined;
    if (reader.bits(24) !== VP8_START_CODE) return undefined;
    const [width, height] = [littleEndian(reader) & 0x3fff, littleEndian(reader) & 0x3fff];
    // The two highest bits are 0 if both arithmetically coded bits are: the only colour space, and
    // sums that have to be limited. FFmpeg takes the colours from the container then.
    if (width === 0 || height === 0 || reader.bits(2) !== 0) return undefined;
    const coded = { codedWidth: width, codedHeight: height };
    const { colorRange, colorSpace } = track;
    const colors = { colorRange, colorSpace, ...hdrOf(track) };
    return { width, height, ...coded, pixelFormat: "yuv420p", ...colors, decodeDelay: 0 };
  });
}

function littleEndian(reader: BitReader): number {
  return reader.bits(8) + reader.bits(8) * 256;
}

/** `sync_code` of VP9. */
const VP9_SYNC = 0x498342;

/** `color_space` of VP9 with FFmpeg's names. */
const VP9_MATRICES: readonly (string | undefined)[] = [
  undefined,
  ...["bt470bg", "bt709", "smpte170m", "smpte240m", "bt2020nc"],
];

/** Three highest bits of the last byte of a packet with several VP9 frames (annex B). */
const SUPERFRAME = 0b110;

/**
 * Describes VP9.
 *
 * @param keyframe the first packet
 * @returns `undefined` if FFmpeg would have to decode
 */
export function describeVp9(track: PacketTrack, keyframe: Uint8Array): VideoFacts | undefined {
  return readOrNothing(() => {
    const reader = new BitReader(keyframe);
    if (reader.bits(2) !== 2 || isSuperframe(keyframe)) return undefined;
    const profile = reader.bits(1) + 2 * reader.bits(1);
    // A reserved bit of profile 3, frames that repeat an earlier one, and frames that are no keyframes.
    if (profile === 3 && reader.flag() || reader.flag() || reader.flag()) return undefined;
    reader.skip(2);
    if (reader.bits(24) !== VP9_SYNC) return undefined;
    const depth = profile < 2 ? 8 : reader.flag() ? 12 : 10;
    const matrix = reader.bits(3);
    if (matrix >= VP9_MATRICES.length) return undefined;
    const colorRange = reader.flag() ? "pc" : "tv";
    // Packets of VP9 state no transfer.
    const colors = { colorRange, colorSpace: VP9_MATRICES[matrix], ...hdrOf(track) };
    const subsampling = profile % 2 === 0 ? "420" : readSubsampling(reader);
    const [width, height] = [reader.bits(16) + 1, reader.bits(16) + 1];
    if (subsampling === undefined || !agree(track, colors)) return undefined;
    const pixelFormat = yuvFormat(subsampling, depth);
    const coded = { codedWidth: width, codedHeight: height };
    return { width, height, ...coded, pixelFormat, ...colors, decodeDelay: 0 };
  });
}

function isSuperframe(packet: Uint8Array): boolean {
  const last = packet[packet.byteLength - 1];
  return last >> 5 === SUPERFRAME;
}

function readSubsampling(reader: BitReader): Subsampling | undefined {
  const isHalfWidth = reader.flag();
  const isHalfHeight = reader.flag();
  reader.skip(1);
  if (isHalfHeight) return undefined;
  return isHalfWidth ? "422" : "444";
}
