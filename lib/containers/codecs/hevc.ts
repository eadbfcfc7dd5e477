/** HEVC: video and sequence parameter sets (ITU-T H.265, 7.3.2 and E.2.1). */
import { FormatError } from "../../base/errors.ts";
import type { PacketTrack } from "../packet_file.ts";
import { BitReader } from "./bit_reader.ts";
import {
  agree,
  CHROMA_FORMATS,
  hdrOf,
  readOrNothing,
  type VideoFacts,
  yuvFormat,
} from "./facts.ts";
import { ConfigurationReader, isSame, splitNalUnits, unescape } from "./nal_units.ts";
import { readUsability, type Usability } from "./usability.ts";

/** Types of NAL units (ITU-T H.265, table 7-1). */
const VIDEO_PARAMETERS = 32;
const SEQUENCE_PARAMETERS = 33;

/** Bytes of an `HEVCDecoderConfigurationRecord` before the length of lengths. */
const CONFIGURATION_HEAD = 21;

/** Sets of reference pictures in a sequence parameter set at most. */
const MAX_REFERENCE_SETS = 64;

/** Reference pictures of a set at most. */
const MAX_REFERENCES = 16;

/**
 * Describes HEVC.
 *
 * @param keyframe the first packet
 * @returns `undefined` if FFmpeg would have to decode
 */
export function describeHevc(track: PacketTrack, keyframe: Uint8Array): VideoFacts | undefined {
  return readOrNothing(() => {
    const { lengthSize, video, sequence } = readConfiguration(track.extradata);
    if (!hasOneLayer(video)) return undefined;
    const isOther = splitNalUnits(keyframe, lengthSize).some((unit) =>
      typeOf(unit) === SEQUENCE_PARAMETERS && !isSame(unit, sequence)
    );
    if (isOther) return undefined;
    const { facts, usability } = readSequenceParameters(sequence);
    // The decoder takes the limited range if none is stated, and no matrix.
    const { colorRange = "tv", colorSpace, sampleAspectRatio } = usability;
    const colors = { colorRange, colorSpace, ...hdrOf(usability) };
    if (!agree(track, colors) || colorSpace === "gbr") return undefined;
    const isFull = colorRange === "pc" && facts.pixelFormat === "yuv420p";
    const pixelFormat = isFull ? "yuvj420p" : facts.pixelFormat;
    return { ...facts, pixelFormat, sampleAspectRatio, ...colors };
  });
}

interface Configuration {
  lengthSize: number;
  video: Uint8Array;
  sequence: Uint8Array;
}

/** Reads an `HEVCDecoderConfigurationRecord` with one parameter set of each type. */
function readConfiguration(extradata: Uint8Array): Configuration {
  const reader = new ConfigurationReader(extradata);
  const [version] = reader.take(CONFIGURATION_HEAD);
  const lengthSize = (reader.byte() & 3) + 1;
  const units: Uint8Array[] = [];
  const arrays = reader.byte();
  for (let array = 0; array < arrays; array++) {
    reader.byte();
    const count = reader.byte() * 256 + reader.byte();
    for (let at = 0; at < count; at++) units.push(reader.unit());
  }
  const [video, ...furtherVideo] = units.filter((unit) => typeOf(unit) === VIDEO_PARAMETERS);
  const [sequence, ...further] = units.filter((unit) => typeOf(unit) === SEQUENCE_PARAMETERS);
  const isPlain = version === 1 && furtherVideo.length === 0 && further.length === 0;
  if (!isPlain || video === undefined || sequence === undefined) {
    throw new FormatError(
      "Cannot read hvcC: expected one parameter set for video and sequence each",
    );
  }
  return { lengthSize, video, sequence };
}

function typeOf(unit: Uint8Array): number {
  return (unit[0] >> 1) & 63;
}

/** Whether there is no second view and no alpha, which versions of FFmpeg decode differently. */
function hasOneLayer(unit: Uint8Array): boolean {
  const reader = new BitReader(unescape(unit));
  // Header, vps_video_parameter_set_id and two flags of the base layer.
  reader.skip(16 + 4 + 2);
  return reader.bits(6) === 0;
}

interface SequenceFacts {
  facts: Omit<VideoFacts, keyof Usability>;
  usability: Usability;
}

function readSequenceParameters(unit: Uint8Array): SequenceFacts {
  const reader = new BitReader(unescape(unit));
  // Header and sps_video_parameter_set_id.
  reader.skip(16 + 4);
  const subLayers = reader.bits(3) + 1;
  reader.skip(1);
  skipProfile(reader, subLayers);
  reader.unsigned();
  const chroma = atMost(3, reader.unsigned(), "chroma_format_idc");
  if (chroma === 3 && reader.flag()) throw refusal("its planes are separate");
  const codedWidth = reader.unsigned();
  const codedHeight = reader.unsigned();
  const size = readWindow(reader, { codedWidth, codedHeight, chroma });
  const depth = reader.unsigned() + 8;
  if (reader.unsigned() + 8 !== depth || ![8, 10, 12].includes(depth)) {
    throw refusal("its planes differ in depth, or have an unusual one");
  }
  const orderBits = atMost(12, reader.unsigned(), "log2_max_pic_order_cnt_lsb_minus4") + 4;
  const decodeDelay = readReordering(reader, subLayers);
  const block = skipCodingTools(reader, chroma);
  if (codedWidth % block !== 0 || codedHeight % block !== 0) {
    throw refusal(`its size is ${codedWidth}x${codedHeight}, expected whole blocks of ${block}`);
  }
  skipReferences(reader, orderBits);
  reader.skip(2);
  const usability = reader.flag() ? readUsability(reader) : {};
  const pixelFormat = yuvFormat(CHROMA_FORMATS[chroma], depth);
  const facts = { ...size, codedWidth, codedHeight, pixelFormat, decodeDelay };
  return { facts, usability };
}

/** Skips `profile_tier_level`. */
function skipProfile(reader: BitReader, subLayers: number): void {
  reader.skip(88 + 8);
  if (subLayers === 1) return;
  const present = Array.from({ length: 8 }, () => [reader.flag(), reader.flag()]);
  for (const [hasProfile, hasLevel] of present.slice(0, subLayers - 1)) {
    reader.skip((hasProfile ? 88 : 0) + (hasLevel ? 8 : 0));
  }
}

/** Reads the conformance window and applies it to the size. */
function readWindow(
  reader: BitReader,
  { codedWidth, codedHeight, chroma }: { codedWidth: number; codedHeight: number; chroma: number },
): { width: number; height: number } {
  if (codedWidth === 0 || codedHeight === 0) throw refusal("its pictures are empty");
  if (!reader.flag()) return { width: codedWidth, height: codedHeight };
  const unitX = chroma === 1 || chroma === 2 ? 2 : 1;
  const unitY = chroma === 1 ? 2 : 1;
  const width = codedWidth - (reader.unsigned() + reader.unsigned()) * unitX;
  const height = codedHeight - (reader.unsigned() + reader.unsigned()) * unitY;
  if (width <= 0 || height <= 0) throw refusal("nothing is left by its cropping");
  return { width, height };
}

/** Reads by how many pictures the highest sub-layer is reordered. */
function readReordering(reader: BitReader, subLayers: number): number {
  const count = reader.flag() ? subLayers : 1;
  let reordered = 0;
  for (let at = 0; at < count; at++) {
    atMost(MAX_REFERENCES - 1, reader.unsigned(), "sps_max_dec_pic_buffering_minus1");
    reordered = atMost(MAX_REFERENCES - 1, reader.unsigned(), "sps_max_num_reorder_pics");
    reader.unsigned();
  }
  return reordered;
}

/**
 * Skips the sizes of blocks, and the tools for them.
 *
 * @returns pixels of the smallest block
 */
function skipCodingTools(reader: BitReader, chroma: number): number {
  const block = 8 << atMost(3, reader.unsigned(), "log2_min_luma_coding_block_size_minus3");
  for (let at = 0; at < 5; at++) reader.unsigned();
  if (reader.flag() && reader.flag()) skipScalingLists(reader, chroma);
  reader.skip(2);
  if (!reader.flag()) return block;
  reader.skip(8);
  reader.unsigned();
  reader.unsigned();
  reader.skip(1);
  return block;
}

/** Skips `scaling_list_data`. */
function skipScalingLists(reader: BitReader, chroma: number): void {
  if (chroma === 3) throw refusal("its scaling lists are those of 4:4:4");
  for (let size = 0; size < 4; size++) {
    for (let matrix = 0; matrix < 6; matrix += size === 3 ? 3 : 1) {
      if (!reader.flag()) {
        reader.unsigned();
        continue;
      }
      if (size > 1) reader.signed();
      for (let at = 0; at < Math.min(64, 16 << (2 * size)); at++) reader.signed();
    }
  }
}

/** Skips the sets of short-term and long-term reference pictures. */
function skipReferences(reader: BitReader, orderBits: number): void {
  const count = atMost(MAX_REFERENCE_SETS, reader.unsigned(), "num_short_term_ref_pic_sets");
  let pictures = 0;
  for (let at = 0; at < count; at++) pictures = readReferenceSet(reader, at, pictures);
  if (!reader.flag()) return;
  const longTerm = atMost(32, reader.unsigned(), "num_long_term_ref_pics_sps");
  reader.skip(longTerm * (orderBits + 1));
}

/**
 * Reads `st_ref_pic_set`.
 *
 * @param previous pictures of the set before
 * @returns number of its pictures
 */
function readReferenceSet(reader: BitReader, index: number, previous: number): number {
  if (index > 0 && reader.flag()) {
    reader.skip(1);
    reader.unsigned();
    let pictures = 0;
    for (let at = 0; at <= previous; at++) {
      // used_by_curr_pic_flag, and use_delta_flag, which is 1 if it is absent.
      if (reader.flag() || reader.flag()) pictures++;
    }
    return atMost(MAX_REFERENCES, pictures, "NumDeltaPocs");
  }
  const negative = atMost(MAX_REFERENCES, reader.unsigned(), "num_negative_pics");
  const positive = atMost(MAX_REFERENCES, reader.unsigned(), "num_positive_pics");
  for (let at = 0; at < negative + positive; at++) {
    reader.unsigned();
    reader.skip(1);
  }
  return atMost(MAX_REFERENCES, negative + positive, "NumDeltaPocs");
}

function atMost(limit: number, value: number, name: string): number {
  if (value <= limit) return value;
  throw refusal(`${name} is ${value}, expected ${limit} at most`);
}

function refusal(reason: string): FormatError {
  return new FormatError(`Cannot read a sequence parameter set: ${reason}`);
}
