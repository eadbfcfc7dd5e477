/** H.264: sequence parameter sets (ITU-T H.264, 7.3.2.1.1 and E.1.1). */
import { FormatError } from "../../base/errors.ts";
import type { PacketTrack } from "../packet_file.ts";
import { BitReader } from "./bit_reader.ts";
import {
  agree,
  CHROMA_FORMATS,
  hdrOf,
  readOrNothing,
  type Subsampling,
  type VideoFacts,
  yuvFormat,
} from "./facts.ts";
import { ConfigurationReader, isSame, splitNalUnits, unescape } from "./nal_units.ts";
import { readUsability, type Usability } from "./usability.ts";

/** Types of NAL units (ITU-T H.264, table 7-1). */
const SLICE = 1;
const IDR_SLICE = 5;
const SEQUENCE_PARAMETERS = 7;
const PICTURE_PARAMETERS = 8;

/** Profiles whose parameters name chroma format and depth. */
const HIGH_PROFILES = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 144];

/** Subsampling of the others. */
const MAIN_CHROMA = 1;

/** `num_reorder_frames` at most (ITU-T H.264, E.2.1), as many as a decoder keeps. */
const MAX_REORDERED = 16;

const MACROBLOCK = 16;

/** Facts of a sequence parameter set. */
export interface SequenceParameters extends Usability {
  id: number;
  /** Whether all pictures are whole frames. */
  isProgressive: boolean;
  subsampling: Subsampling;
  /** Bits of a sample. */
  depth: number;
  codedWidth: number;
  codedHeight: number;
  /** Pixels that are not shown. */
  crop: { left: number; right: number; top: number; bottom: number };
  /** `num_reorder_frames`; absent if it is not stated. */
  reordered?: number;
}

/**
 * Describes H.264.
 *
 * @param keyframe the first packet
 * @returns `undefined` if FFmpeg would have to decode
 */
export function describeH264(track: PacketTrack, keyframe: Uint8Array): VideoFacts | undefined {
  return readOrNothing(() => {
    const configuration = readConfiguration(track.extradata);
    const sequence = readSequenceParameters(configuration.sequence);
    if (!isDecodable(keyframe, configuration, sequence.id)) return undefined;
    // Only pictures tell in which order they have fields.
    if (!sequence.isProgressive) return undefined;
    const { reordered, subsampling, depth, codedWidth, codedHeight, sampleAspectRatio } = sequence;
    if (reordered === undefined || subsampling === "400") return undefined;
    const { colorRange = track.colorRange, colorSpace = track.colorSpace } = sequence;
    const range = hdrOf(sequence.colorTransfer === undefined ? track : sequence);
    if (!agree(track, { colorRange, colorSpace, ...range }) || colorSpace === "gbr") {
      return undefined;
    }
    const format = yuvFormat(subsampling, depth);
    const isFull = depth === 8 && colorRange === "pc";
    return {
      ...sizeOf(sequence, track),
      ...{ codedWidth, codedHeight, sampleAspectRatio, colorRange, colorSpace },
      ...range,
      decodeDelay: reordered,
      pixelFormat: isFull ? format.replace("yuv", "yuvj") : format,
    };
  });
}

interface Configuration {
  lengthSize: number;
  sequence: Uint8Array;
  pictures: Uint8Array[];
}

/** Reads an `AVCDecoderConfigurationRecord` with one sequence parameter set. */
function readConfiguration(extradata: Uint8Array): Configuration {
  const reader = new ConfigurationReader(extradata);
  const [version, , , , lengthByte] = reader.take(5);
  const sequences = Array.from({ length: reader.byte() & 31 }, () => reader.unit());
  const pictures = Array.from({ length: reader.byte() }, () => reader.unit());
  if (version !== 1 || sequences.length !== 1) {
    const found = `version ${version} with ${sequences.length} sequences`;
    throw new FormatError(`Cannot read avcC: it is ${found}, expected version 1 with one`);
  }
  return { lengthSize: (lengthByte & 3) + 1, sequence: sequences[0], pictures };
}

/**
 * Reads a sequence parameter set.
 *
 * @param unit the NAL unit
 * @throws {FormatError} if it breaks the format, or has what FFmpeg does not decode
 */
export function readSequenceParameters(unit: Uint8Array): SequenceParameters {
  const reader = new BitReader(unescape(unit));
  const type = reader.bits(8) & 31;
  if (type !== SEQUENCE_PARAMETERS) {
    throw new FormatError(`Cannot read a sequence parameter set: it is a NAL unit of type ${type}`);
  }
  const profile = reader.bits(8);
  reader.skip(16);
  const id = atMost(31, reader.unsigned(), "seq_parameter_set_id");
  const { chroma, depth } = HIGH_PROFILES.includes(profile)
    ? readHighProfile(reader)
    : { chroma: MAIN_CHROMA, depth: 8 };
  readFrameNumbers(reader);
  atMost(MAX_REORDERED, reader.unsigned(), "max_num_ref_frames");
  reader.skip(1);
  const columns = reader.unsigned() + 1;
  const rows = reader.unsigned() + 1;
  const isProgressive = reader.flag();
  if (!isProgressive) reader.skip(1);
  reader.skip(1);
  const fields = isProgressive ? 1 : 2;
  const codedWidth = columns * MACROBLOCK;
  const codedHeight = rows * MACROBLOCK * fields;
  const crop = readCrop(reader, [
    chroma === 1 || chroma === 2 ? 2 : 1,
    (chroma === 1 ? 2 : 1) * fields,
  ]);
  if (crop.left + crop.right >= codedWidth || crop.top + crop.bottom >= codedHeight) {
    throw new FormatError("Cannot read a sequence parameter set: nothing is left by its cropping");
  }
  const usability = reader.flag() ? readVideoUsability(reader) : {};
  const subsampling = CHROMA_FORMATS[chroma];
  return { id, isProgressive, subsampling, depth, codedWidth, codedHeight, crop, ...usability };
}

function readHighProfile(reader: BitReader): { chroma: number; depth: number } {
  const chroma = atMost(3, reader.unsigned(), "chroma_format_idc");
  if (chroma === 3 && reader.flag()) {
    throw new FormatError("Cannot read a sequence parameter set: its planes are separate");
  }
  const depth = reader.unsigned() + 8;
  const chromaDepth = reader.unsigned() + 8;
  if (depth !== chromaDepth || (depth !== 8 && depth !== 10)) {
    throw new FormatError(
      `Cannot read a sequence parameter set: samples have ${depth} and ${chromaDepth} bits`,
    );
  }
  reader.skip(1);
  if (reader.flag()) {
    const count = chroma === 3 ? 12 : 8;
    for (let list = 0; list < count; list++) if (reader.flag()) skipScalingList(reader, list);
  }
  return { chroma, depth };
}

function skipScalingList(reader: BitReader, list: number): void {
  const size = list < 6 ? 16 : 64;
  let last = 8;
  for (let at = 0; at < size; at++) {
    last = (last + reader.signed() + 256) % 256;
    if (last === 0) return;
  }
}

/** Reads how frames are numbered and ordered. */
function readFrameNumbers(reader: BitReader): void {
  atMost(12, reader.unsigned(), "log2_max_frame_num_minus4");
  const type = atMost(2, reader.unsigned(), "pic_order_cnt_type");
  if (type === 0) atMost(12, reader.unsigned(), "log2_max_pic_order_cnt_lsb_minus4");
  if (type !== 1) return;
  reader.skip(1);
  reader.signed();
  reader.signed();
  const count = atMost(255, reader.unsigned(), "num_ref_frames_in_pic_order_cnt_cycle");
  for (let at = 0; at < count; at++) reader.signed();
}

function readCrop(reader: BitReader, [x, y]: [number, number]): SequenceParameters["crop"] {
  if (!reader.flag()) return { left: 0, right: 0, top: 0, bottom: 0 };
  const [left, right, top, bottom] = [x, x, y, y].map((unit) => reader.unsigned() * unit);
  return { left, right, top, bottom };
}

/** Reads the video usability information. */
function readVideoUsability(reader: BitReader): Usability & { reordered?: number } {
  const usability = readUsability(reader);
  if (reader.flag()) {
    reader.unsigned();
    reader.unsigned();
  }
  if (reader.flag()) reader.skip(65);
  const hasNal = reader.flag();
  if (hasNal) skipDecoderModel(reader);
  const hasVcl = reader.flag();
  if (hasVcl) skipDecoderModel(reader);
  if (hasNal || hasVcl) reader.skip(1);
  reader.skip(1);
  if (!reader.flag()) return usability;
  reader.skip(1);
  for (let at = 0; at < 4; at++) reader.unsigned();
  const reordered = atMost(MAX_REORDERED, reader.unsigned(), "max_num_reorder_frames");
  reader.unsigned();
  return { ...usability, reordered };
}

/** Skips `hrd_parameters`. */
function skipDecoderModel(reader: BitReader): void {
  const count = atMost(31, reader.unsigned(), "cpb_cnt_minus1") + 1;
  reader.skip(8);
  for (let at = 0; at < count; at++) {
    reader.unsigned();
    reader.unsigned();
    reader.skip(1);
  }
  reader.skip(20);
}

/**
 * Whether FFmpeg finds a slice in the packet that the configuration describes: only then it knows the
 * pixel format.
 */
function isDecodable(
  packet: Uint8Array,
  { lengthSize, sequence, pictures }: Configuration,
  id: number,
): boolean {
  const units = splitNalUnits(packet, lengthSize);
  const typeOf = (unit: Uint8Array) => unit[0] & 31;
  const sequences = units.filter((unit) => typeOf(unit) === SEQUENCE_PARAMETERS);
  if (!sequences.every((unit) => isSame(unit, sequence))) return false;
  const known = new Map(
    [...pictures, ...units.filter((unit) => typeOf(unit) === PICTURE_PARAMETERS)].map(readPicture),
  );
  const slice = units.find((unit) => typeOf(unit) === SLICE || typeOf(unit) === IDR_SLICE);
  if (slice === undefined) return false;
  const reader = new BitReader(unescape(slice.subarray(0, 32)));
  reader.skip(8);
  const firstMacroblock = reader.unsigned();
  // Intra slices: those of type 2 and 4, and the same for whole pictures.
  const isIntra = [2, 4, 7, 9].includes(reader.unsigned());
  return firstMacroblock === 0 && isIntra && known.get(reader.unsigned()) === id;
}

/** Identifiers of a picture parameter set and of its sequence parameter set. */
function readPicture(unit: Uint8Array): [picture: number, sequence: number] {
  const reader = new BitReader(unescape(unit.subarray(0, 32)));
  reader.skip(8);
  return [reader.unsigned(), reader.unsigned()];
}

/** The size as FFmpeg shows it: the container's, if it crops a part of the last macroblocks. */
function sizeOf(sequence: SequenceParameters, container: PacketTrack) {
  const { codedWidth, codedHeight, crop } = sequence;
  const width = codedWidth - crop.left - crop.right;
  const height = codedHeight - crop.top - crop.bottom;
  const { width: outerWidth = 0, height: outerHeight = 0 } = container;
  const isCroppedFurther = crop.left === 0 && crop.top === 0 &&
    outerWidth > 0 && outerWidth <= width && isSameMacroblock(outerWidth, width) &&
    outerHeight > 0 && outerHeight <= height && isSameMacroblock(outerHeight, height);
  return isCroppedFurther ? { width: outerWidth, height: outerHeight } : { width, height };
}

function isSameMacroblock(a: number, b: number): boolean {
  return Math.ceil(a / MACROBLOCK) === Math.ceil(b / MACROBLOCK);
}

function atMost(limit: number, value: number, name: string): number {
  if (value <= limit) return value;
  throw new FormatError(
    `Cannot read a parameter set: ${name} is ${value}, expected ${limit} at most`,
  );
}
