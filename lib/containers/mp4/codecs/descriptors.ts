/** Descriptors of MPEG-4 systems, and the configuration of AAC. */
import { BitReader } from "./bits.ts";
import { bytesOf, needBytes, part, UnindexedError } from "../boxes.ts";

/** Tags of descriptors (ISO/IEC 14496-1, table 1). */
const ELEMENTARY_STREAM = 3;
const DECODER_CONFIG = 4;
const DECODER_INFO = 5;

/** A decoder as an elementary stream descriptor states it. */
export interface DecoderConfig {
  /** Object type indication (ISO/IEC 14496-1, table 5). */
  objectType: number;
  /** Configuration of the decoder; empty if there is none. */
  info: Uint8Array<ArrayBuffer>;
}

/**
 * Reads "esds" (ISO/IEC 14496-1, 7.2.6.5).
 *
 * @throws {UnindexedError} if its descriptors are others
 * @throws {FormatError} if they are incomplete
 */
export function readDecoderConfig(body: DataView<ArrayBuffer>): DecoderConfig {
  needBytes(body, 4);
  const stream = descriptor(part(body, 4), ELEMENTARY_STREAM);
  needBytes(stream, 3);
  const flags = stream.getUint8(2);
  // Names of other streams, which FFmpeg passes over as well, do not occur in files.
  if (flags & 0xe0) throw new UnindexedError("its decoder depends on another stream");
  const config = descriptor(part(stream, 3), DECODER_CONFIG);
  needBytes(config, 13);
  const objectType = config.getUint8(0);
  if (config.byteLength === 13) return { objectType, info: new Uint8Array(0) };
  const info = bytesOf(descriptor(part(config, 13), DECODER_INFO));
  if (info.byteLength === 0) throw new UnindexedError("its decoder has an empty configuration");
  return { objectType, info };
}

/** Reads the first descriptor. */
function descriptor(body: DataView<ArrayBuffer>, tag: number): DataView<ArrayBuffer> {
  needBytes(body, 2);
  if (body.getUint8(0) !== tag) {
    throw new UnindexedError(`it has a descriptor ${body.getUint8(0)}, expected ${tag}`);
  }
  let size = 0;
  for (let at = 1; at <= 4; at++) {
    needBytes(body, at + 1);
    const byte = body.getUint8(at);
    size = size * 128 + (byte & 0x7f);
    if (byte < 0x80) {
      needBytes(body, at + 1 + size);
      return part(body, at + 1, size);
    }
  }
  throw new UnindexedError("it has a descriptor without an end");
}

/** Samples a second by index (ISO/IEC 14496-3, table 1.18). */
const RATES = [
  ...[96_000, 88_200, 64_000, 48_000, 44_100, 32_000],
  ...[24_000, 22_050, 16_000, 12_000, 11_025, 8000, 7350],
];

/** Channels by configuration (ISO/IEC 14496-3, table 1.19). */
const CHANNELS = [0, 1, 2, 3, 4, 5, 6, 8];

/** Audio object types (ISO/IEC 14496-3, table 1.17). */
const LOW_COMPLEXITY = 2;
const SPECTRAL_REPLICATION = 5;

/** The words before later additions to the configuration. */
const SYNC_EXTENSION = 0x2b7;
const SYNC_STEREO = 0x548;

/** Samples a second up to which a decoder has to look for spectral band replication. */
const MAX_HIDDEN_RATE = 24_000;

/**
 * Reads the configuration of AAC (ISO/IEC 14496-3, 1.6.2.1).
 *
 * @returns what the decoder puts out
 * @throws {UnindexedError} if only its frames tell, and for all but low complexity
 */
export function readAacConfig(
  info: Uint8Array<ArrayBuffer>,
): { sampleRate: number; channels: number } {
  const bits = new BitReader(info);
  let type = bits.read(5);
  let sampleRate = readRate(bits);
  const channels = CHANNELS[bits.read(4)];
  let isDoubled: boolean | undefined;
  if (type === SPECTRAL_REPLICATION) {
    isDoubled = true;
    sampleRate = readRate(bits);
    type = bits.read(5);
  }
  if (type !== LOW_COMPLEXITY || !channels || !sampleRate) {
    throw new UnindexedError(`its AAC has the type ${type} and an unknown form`);
  }
  // Frame length, core coder, extension.
  if (bits.read(3) !== 0) throw new UnindexedError("its AAC has frames of another length");
  let hasStereo = false;
  while (isDoubled === undefined && bits.left > 15) {
    if (bits.peek(11) !== SYNC_EXTENSION) {
      bits.read(1);
      continue;
    }
    bits.read(11);
    if (bits.read(5) !== SPECTRAL_REPLICATION) throw new UnindexedError("its AAC has extensions");
    isDoubled = bits.read(1) === 1;
    if (isDoubled) {
      const doubled = readRate(bits);
      if (doubled === sampleRate) throw new UnindexedError("its AAC has extensions");
      sampleRate = doubled;
    }
    hasStereo = bits.left > 11 && bits.read(11) === SYNC_STEREO && bits.read(1) === 1;
    break;
  }
  const isHidden = isDoubled === undefined && sampleRate <= MAX_HIDDEN_RATE;
  if (isHidden || hasStereo || isDoubled && channels === 1) {
    throw new UnindexedError("only the frames of its AAC tell what it is");
  }
  return { sampleRate, channels };
}

function readRate(bits: BitReader): number {
  const index = bits.read(4);
  return index === 15 ? bits.read(24) : RATES[index] ?? 0;
}
