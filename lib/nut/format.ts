/**
 * Constants of NUT and its checksum, for the demuxer and the muxer.
 *
 * Sources: the NUT specification ("NUT Open Container Format") and, for what it leaves open, the
 * behaviour of libavformat.
 */

/** First bytes of every NUT file, with their terminating zero (section "file_id_string"). */
export const FILE_ID: Uint8Array<ArrayBuffer> = new TextEncoder().encode(
  "nut/multimedia container\0",
);

/** First byte of every start code. Not a valid frame code, which distinguishes packets from frames. */
export const START_BYTE = 0x4e;

/** Bytes of a start code. */
export const START_CODE_SIZE = 8;

/** A start code as two big-endian halves, to avoid 64-bit arithmetic. */
export interface StartCode {
  readonly high: number;
  readonly low: number;
}

/** The start codes of the known packets (section "startcodes"). */
export const START_CODES = {
  main: { high: 0x4e4d7a56, low: 0x1f5f04ad },
  stream: { high: 0x4e531140, low: 0x5bf2f9db },
  syncpoint: { high: 0x4e4be4ad, low: 0xeeca4569 },
  index: { high: 0x4e58dd67, low: 0x2f23e64e },
  info: { high: 0x4e49ab68, low: 0xb596ba78 },
} as const satisfies Record<string, StartCode>;

/** Name of a known packet. */
export type PacketName = keyof typeof START_CODES;

/** Bits of a frame's flags (section "frame_flags"). */
export const FLAGS = {
  key: 1,
  endOfRelevance: 2,
  codedPts: 8,
  streamId: 16,
  sizeMsb: 32,
  checksum: 64,
  reserved: 128,
  sideData: 256,
  headerIndex: 1024,
  matchTime: 2048,
  coded: 4096,
  invalid: 8192,
} as const;

/** Types of streams, by their class in a stream header. */
export const STREAM_CLASSES = ["video", "audio", "subtitle", "data"] as const;

/** Type of a stream. */
export type StreamClass = typeof STREAM_CLASSES[number];

/** A longer packet has a checksum of its header; a longer frame has no elision header. */
export const LONG_PACKET = 4096;

/** Bytes of a checksum. */
export const CHECKSUM_SIZE = 4;

/** Largest `max_distance` in bytes; readers clamp larger ones. */
export const MAX_DISTANCE = 65536;

/** Exclusive limit of counts and of the terms of fractions. */
export const FIELD_LIMIT = 2 ** 31;

/** The only defined flag of the main header: syncpoints have wall-clock times. */
export const MAIN_FLAG_BROADCAST = 1;

const CRC_TABLE = makeCrcTable();

function makeCrcTable(): Int32Array {
  return Int32Array.from({ length: 256 }, (_, index) => {
    let value = index << 24;
    for (let bit = 0; bit < 8; bit++) value = (value << 1) ^ (value < 0 ? 0x04c11db7 : 0);
    return value;
  });
}

/**
 * NUT's checksum of `bytes[start]` … `bytes[end - 1]`: CRC-32 of polynomial 0x04C11DB7, most
 * significant bit first, initial value zero, not inverted. Stored big-endian, so that the checksum of
 * bytes and their checksum is zero.
 *
 * @example
 * ```ts
 * import { checksum } from "./format.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(checksum(new TextEncoder().encode("123456789")), 0x89a1897f);
 * ```
 */
export function checksum(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let crc = 0;
  for (let at = start; at < end; at++) {
    crc = (crc << 8) ^ CRC_TABLE[(crc >>> 24) ^ bytes[at]];
  }
  return crc >>> 0;
}

/** Reads four bytes as an unsigned big-endian number. */
export function readUint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
}

/**
 * FFmpeg's names of the codecs that it copies into NUT and reads back unchanged, found by experiment.
 * Others have no fourcc in NUT (QuickTime animation, ALAC, WebP), come back as another codec
 * (E-AC-3), or without what their decoder needs (Windows Media audio).
 */
const CARRIED = new Set(
  [
    "h264 hevc av1 vp8 vp9 mpeg4 mpeg2video mpeg1video mjpeg theora h261 h263 flv1 dirac snow",
    "msmpeg4v2 msmpeg4v3 wmv1 wmv2 msvideo1 cinepak svq1 asv1 asv2 amv speedhq flashsv zmbv zlib",
    "ffv1 ffvhuff huffyuv utvideo magicyuv png gif jpeg2000 jpegls targa dpx",
    "prores dvvideo cfhd hap cljr r210 r10k v210 v308 v408 v410 ayuv y41p yuv4",
    "aac mp3 mp2 ac3 dts opus vorbis flac wavpack speex g723_1 gsm_ms",
    "adpcm_g722 adpcm_ima_wav adpcm_ms adpcm_swf adpcm_yamaha",
    "pcm_alaw pcm_mulaw pcm_u8 pcm_s8 pcm_s16le pcm_s16be pcm_u16le pcm_u16be pcm_s24le pcm_s24be",
    "pcm_u24le pcm_u24be pcm_s32le pcm_s32be pcm_u32le pcm_u32be pcm_s64le pcm_s64be",
    "pcm_f32le pcm_f32be pcm_f64le pcm_f64be",
    "pcm_s8_planar pcm_s16le_planar pcm_s16be_planar pcm_s24le_planar pcm_s32le_planar",
  ].flatMap((names) => names.split(" ")),
);

/** Lossless audio codecs that NUT does not carry. */
const LOSSLESS_SOUND = /^(alac|ape|tta|mlp|truehd|tak|shorten|als|wmalossless|ralf|pcm_.*)$/;

/**
 * Whether NUT carries packets of a codec unchanged.
 *
 * @param codec FFmpeg's name
 */
export function isCarried(codec: string): boolean {
  return CARRIED.has(codec);
}

/** Whether an audio codec that NUT does not carry is lossless, so that its replacement should be. */
export function isLosslessSound(codec: string): boolean {
  return LOSSLESS_SOUND.test(codec);
}
