/** AV1: the sequence header (AV1 bitstream specification, 5.5). */
import { FormatError } from "../../base/errors.ts";
import type { PacketTrack } from "../packet_file.ts";
import { BitReader } from "./bit_reader.ts";
import {
  agree,
  type Colors,
  hdrColors,
  matrixName,
  readOrNothing,
  type Subsampling,
  type VideoFacts,
  yuvFormat,
} from "./facts.ts";
import { isSame } from "./nal_units.ts";

/** Bytes of `av1C` before the units, and the first of them: a marker and version 1. */
const CONFIGURATION_HEAD = 4;
const CONFIGURATION_START = 0x81;

/** `OBU_SEQUENCE_HEADER`. */
const SEQUENCE_HEADER = 1;

/** Bytes of a `leb128` number at most. */
const MAX_LEB128 = 8;

/** sRGB by its numbers in ITU-T H.273: BT.709 primaries, its own transfer, and no matrix. */
const SRGB = [1, 13, 0];

/** Primaries, transfer and matrix that are not stated. */
const UNSPECIFIED = [2, 2, 2];

/**
 * Describes AV1.
 *
 * @param keyframe the first packet
 * @returns `undefined` if FFmpeg would have to decode
 */
export function describeAv1(track: PacketTrack, keyframe: Uint8Array): VideoFacts | undefined {
  return readOrNothing(() => {
    const { extradata, width, height } = track;
    if (extradata[0] !== CONFIGURATION_START) return undefined;
    const [header, ...further] = sequenceHeaders(extradata.subarray(CONFIGURATION_HEAD));
    if (header === undefined || further.length > 0) return undefined;
    if (!sequenceHeaders(keyframe).every((other) => isSame(other, header))) return undefined;
    const { codedWidth, codedHeight, colors, pixelFormat } = readSequenceHeader(header);
    // FFmpeg computes the shape of pixels if it decodes a frame, which depends on its version.
    if (track.sampleAspectRatio === undefined) return undefined;
    // Frames may differ in size from the sequence.
    if (codedWidth !== width || codedHeight !== height || !agree(track, colors)) return undefined;
    return { width, height, codedWidth, codedHeight, pixelFormat, ...colors, decodeDelay: 0 };
  });
}

/** The sequence headers among the units of a packet. */
function sequenceHeaders(packet: Uint8Array): Uint8Array[] {
  const headers: Uint8Array[] = [];
  for (let at = 0; at < packet.byteLength;) {
    const head = packet[at++];
    const [hasExtension, hasSize] = [(head & 4) !== 0, (head & 2) !== 0];
    if (hasExtension) at++;
    if (!hasSize) throw new FormatError("Cannot split a packet: an OBU has no size");
    const size = readLeb128(packet, at);
    at += size.length + size.value;
    if (at > packet.byteLength) throw new FormatError("Cannot split a packet: an OBU is cut");
    if (((head >> 3) & 15) === SEQUENCE_HEADER) headers.push(packet.subarray(at - size.value, at));
  }
  return headers;
}

function readLeb128(bytes: Uint8Array, at: number): { value: number; length: number } {
  let value = 0;
  for (let length = 1; length <= MAX_LEB128 && at < bytes.byteLength; length++) {
    const byte = bytes[at++];
    value += (byte & 127) * 128 ** (length - 1);
    if (byte < 128) return { value, length };
  }
  throw new FormatError("Cannot split a packet: the size of an OBU does not end");
}

interface SequenceFacts {
  codedWidth: number;
  codedHeight: number;
  pixelFormat: string;
  colors: Colors;
}

function readSequenceHeader(header: Uint8Array): SequenceFacts {
  const reader = new BitReader(header);
  const profile = reader.bits(3);
  if (profile > 2) throw refusal(`the profile is ${profile}, expected 2 at most`);
  reader.skip(1);
  if (reader.flag()) throw refusal("it is that of a still picture");
  skipOperatingPoints(reader, reader.flag() ? readTiming(reader) : undefined);
  const [widthBits, heightBits] = [reader.bits(4) + 1, reader.bits(4) + 1];
  const [codedWidth, codedHeight] = [reader.bits(widthBits) + 1, reader.bits(heightBits) + 1];
  if (reader.flag()) reader.skip(7);
  skipTools(reader);
  return { codedWidth, codedHeight, ...readColors(reader, profile) };
}

/**
 * Reads `timing_info` and `decoder_model_info`.
 *
 * @returns bits of the delays of an operating point; `undefined` without a decoder model
 */
function readTiming(reader: BitReader): number | undefined {
  reader.skip(64);
  if (reader.flag()) reader.unsigned();
  if (!reader.flag()) return undefined;
  const delayBits = reader.bits(5) + 1;
  reader.skip(32 + 10);
  return delayBits;
}

function skipOperatingPoints(reader: BitReader, delayBits: number | undefined): void {
  const hasDelays = reader.flag();
  // Several mean layers, of which versions of decoders choose differently.
  if (reader.bits(5) > 0) throw refusal("it has several operating points");
  reader.skip(12);
  if (reader.bits(5) > 7) reader.skip(1);
  if (delayBits !== undefined && reader.flag()) reader.skip(2 * delayBits + 1);
  if (hasDelays && reader.flag()) reader.skip(4);
}

function skipTools(reader: BitReader): void {
  reader.skip(3 + 4);
  const hasOrder = reader.flag();
  if (hasOrder) reader.skip(2);
  const hasScreenContent = reader.flag() || reader.flag();
  if (hasScreenContent && !reader.flag()) reader.skip(1);
  if (hasOrder) reader.skip(3);
  reader.skip(3);
}

function readColors(
  reader: BitReader,
  profile: number,
): Pick<SequenceFacts, "colors" | "pixelFormat"> {
  const isHigh = reader.flag();
  const depth = !isHigh ? 8 : profile === 2 && reader.flag() ? 12 : 10;
  const isGray = profile !== 1 && reader.flag();
  const described = reader.flag() ? [reader.bits(8), reader.bits(8), reader.bits(8)] : UNSPECIFIED;
  if (isSame(Uint8Array.from(described), Uint8Array.from(SRGB))) throw refusal("it is RGB");
  const colorRange = reader.flag() ? "pc" : "tv";
  const colorSpace = matrixName(described[2]);
  const subsampling = isGray ? "400" : readSubsampling(reader, profile, depth);
  const range = hdrColors(described[0], described[1]);
  return {
    colors: { colorRange, colorSpace, ...range },
    pixelFormat: yuvFormat(subsampling, depth),
  };
}

function readSubsampling(reader: BitReader, profile: number, depth: number): Subsampling {
  if (profile === 0) return "420";
  if (profile === 1) return "444";
  if (depth < 12) return "422";
  if (!reader.flag()) return "444";
  return reader.flag() ? "420" : "422";
}

function refusal(reason: string): FormatError {
  return new FormatError(`Cannot read a sequence header: ${reason}`);
}
