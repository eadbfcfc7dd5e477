/** Uncompressed audio of QuickTime. */
import { needBytes, UnindexedError } from "../boxes.ts";

/** FFmpeg's names of codecs by format; those of more than a byte are big-endian. */
const FORMATS: Readonly<Record<string, string>> = {
  "sowt": "pcm_s16le",
  "twos": "pcm_s16be",
  "raw ": "pcm_u8",
  "in24": "pcm_s24be",
  "in32": "pcm_s32be",
  "fl32": "pcm_f32be",
  "fl64": "pcm_f64be",
  "ulaw": "pcm_mulaw",
  "alaw": "pcm_alaw",
};

/** Formats whose bits a sample decide. */
const SIZED = ["sowt", "twos"];

/** Flags of linear PCM (QuickTime File Format Specification, "Sound Sample Description V2"). */
const FLOAT = 1;
const BIG_ENDIAN = 2;
const SIGNED = 4;

/** Layouts of "chan" whose channels are a bitmap, or each described by itself. */
const BY_DESCRIPTION = 0;
const BY_BITMAP = 1 << 16;

/** The fields of an entry that all codecs have. */
export interface SoundFields {
  /** Version of the entry. */
  version: number;
  /** Number of channels. */
  channels: number;
  /** Bits a sample. */
  bits: number;
  /** Samples a second. */
  sampleRate: number;
  /** Samples of a frame, and flags of linear PCM; 0 if the version has none. */
  frameSamples: number;
  flags: number;
}

/**
 * FFmpeg's name of the codec of PCM; `undefined` for other formats.
 *
 * @param isLittle whether a box says that the byte order is little-endian
 * @throws {UnindexedError} for PCM that is not understood
 */
export function pcmCodecOf(
  format: string,
  fields: SoundFields,
  isLittle: boolean,
): string | undefined {
  const { version, bits, frameSamples } = fields;
  const isLinear = format === "lpcm";
  if (!isLinear && !Object.hasOwn(FORMATS, format)) return undefined;
  if (frameSamples > 1 || isLinear !== (version === 2)) {
    throw new UnindexedError("its PCM has frames");
  }
  if (isLinear) return linearCodec(fields);
  const codec = FORMATS[format];
  if (codec === "pcm_u8" && bits !== 8) throw new UnindexedError(`its PCM has ${bits} bits`);
  const isLittleEndian = isLittle || codec.endsWith("le");
  if (!SIZED.includes(format)) return isLittle ? codec.replace(/be$/, "le") : codec;
  if (bits === 8) return "pcm_s8";
  if (![16, 24, 32].includes(bits)) throw new UnindexedError(`its PCM has ${bits} bits`);
  return `pcm_s${bits}${isLittleEndian ? "le" : "be"}`;
}

function linearCodec({ bits, flags }: SoundFields): string {
  const isFloat = (flags & FLOAT) !== 0;
  const order = (flags & BIG_ENDIAN) !== 0 ? "be" : "le";
  const isKnown = isFloat
    ? bits === 32 || bits === 64
    : (flags & SIGNED) !== 0 && [16, 24, 32].includes(bits);
  if (!isKnown) throw new UnindexedError(`its PCM has ${bits} bits and the flags ${flags}`);
  return `pcm_${isFloat ? "f" : "s"}${bits}${order}`;
}

/** Bytes of a sample of one channel. */
export function sampleBytes(codec: string): number {
  return Number(codec.match(/\d+/)?.[0] ?? 8) / 8;
}

/**
 * Checks that a layout of channels has as many as are stated.
 *
 * @param body of "chan"
 * @throws {UnindexedError} if not, since FFmpeg then takes the layout's
 */
export function checkChannelBox(body: DataView<ArrayBuffer> | undefined, channels: number): void {
  if (body === undefined) return;
  needBytes(body, 16);
  const layout = body.getUint32(4);
  const found = layout === BY_DESCRIPTION
    ? body.getUint32(12)
    : layout === BY_BITMAP
    ? body.getUint32(8).toString(2).replaceAll("0", "").length
    : layout & 0xffff;
  if (found !== channels) {
    throw new UnindexedError(`it has ${channels} channels, and a layout of ${found}`);
  }
}
