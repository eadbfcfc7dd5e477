/** Headers of audio frames, which tell their sizes. */

/** Facts in the header of a frame. */
export interface FrameHeader {
  /** Bytes of the frame. */
  size: number;
  sampleRate: number;
  channels: number;
  /** Samples of each channel. */
  samples: number;
}

/** Bytes of a header that are read. */
export const HEADER_BYTES = 8;

/** Samples a second by index (ISO/IEC 11172-3, 2.4.2.3); halves and quarters for later versions. */
const MP3_RATES = [44_100, 48_000, 32_000];

/** Bits a second by index, thousands, for layer III of version 1 and of later ones. */
const MP3_RATES_V1 = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
const MP3_RATES_V2 = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];

/** Bits a second by index, thousands (ETSI TS 102 366, table 4.13). */
const AC3_BITRATES = [
  ...[32, 40, 48, 56, 64, 80, 96, 112, 128, 160],
  ...[192, 224, 256, 320, 384, 448, 512, 576, 640],
];
const AC3_RATES = [48_000, 44_100, 32_000];

/** Samples of a frame of AC-3. */
const AC3_SAMPLES = 1536;

/** Channels by audio coding mode. */
const AC3_CHANNELS = [2, 1, 2, 3, 3, 4, 4, 5];

/** Reads the header of a frame of MP3; `undefined` if there is none. */
export function readMp3Header(bytes: Uint8Array): FrameHeader | undefined {
  const [first, second, third, fourth] = bytes;
  // Layer III; version 2.5 has one more zero.
  if (first !== 0xff || (second & 0xe6) !== 0xe2) return undefined;
  const version = second >> 3 & 3;
  const rate = MP3_RATES[third >> 2 & 3];
  if (version === 1 || rate === undefined) return undefined;
  const isFirst = version === 3;
  const bitrate = (isFirst ? MP3_RATES_V1 : MP3_RATES_V2)[third >> 4];
  if (!bitrate) return undefined;
  const sampleRate = rate / (isFirst ? 1 : version === 2 ? 2 : 4);
  const samples = isFirst ? 1152 : 576;
  const padding = third >> 1 & 1;
  return {
    size: Math.floor(samples / 8 * 1000 * bitrate / sampleRate) + padding,
    sampleRate,
    channels: fourth >> 6 === 3 ? 1 : 2,
    samples,
  };
}

/** Reads the header of a frame of AC-3 (ETSI TS 102 366, 4.3.1); `undefined` if there is none. */
export function readAc3Header(bytes: Uint8Array): FrameHeader | undefined {
  if (bytes.byteLength < HEADER_BYTES || bytes[0] !== 0x0b || bytes[1] !== 0x77) return undefined;
  const sampleRate = AC3_RATES[bytes[4] >> 6];
  const code = bytes[4] & 0x3f;
  const bitrate = AC3_BITRATES[code >> 1];
  if (sampleRate === undefined || bitrate === undefined || bytes[5] >> 3 > 8) return undefined;
  const words = Math.floor(bitrate * 1000 * AC3_SAMPLES / (sampleRate * 16)) +
    (sampleRate === 44_100 ? code & 1 : 0);
  const mode = bytes[6] >> 5;
  // Levels of mixing come before the flag of the channel for low frequencies.
  const skipped = 3 + (mode & 1 && mode !== 1 ? 2 : 0) + (mode & 4 ? 2 : 0) + (mode === 2 ? 2 : 0);
  const hasLow = (bytes[6] << 8 | bytes[7]) >> (15 - skipped) & 1;
  return {
    size: 2 * words,
    sampleRate,
    channels: AC3_CHANNELS[mode] + hasLow,
    samples: AC3_SAMPLES,
  };
}
