/** Samples of the packets of audio codecs, as FFmpeg counts them when it copies packets. */
import type { PacketTrack } from "../../../containers/packet_file.ts";
import type { AudioInfo } from "../ffprobe_streams.ts";

/** Sample rates of AAC by their number (ISO/IEC 14496-3, table 1.18). */
const AAC_RATES = [
  ...[96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350],
];

/** The highest sample rate of MPEG-2's short frames of MP3. */
const LOW_RATE = 24_000;

/** Codecs whose packets FFmpeg knows no number of samples for. */
const UNCOUNTED = new Set(["opus", "vorbis", "flac"]);

/** Samples of a packet of so many bytes; 0 if FFmpeg does not know. */
export type SampleCounter = (bytes: number) => number;

/** Counts none. */
export const NONE: SampleCounter = () => 0;

/**
 * Counts samples as FFmpeg does.
 *
 * @returns `undefined` if it is not known how FFmpeg does
 */
export function sampleCounter(
  { codec, extradata }: PacketTrack,
  { sampleRate, channels }: AudioInfo,
): SampleCounter | undefined {
  const bits = codec.match(/^pcm_[suf](\d+)/)?.[1];
  if (bits !== undefined) return (bytes) => Math.floor(bytes * 8 / (Number(bits) * channels));
  if (UNCOUNTED.has(codec)) return NONE;
  const samples = codec === "aac"
    ? aacSamples(extradata, sampleRate)
    : codec === "mp3"
    ? sampleRate <= LOW_RATE ? 576 : 1152
    : codec === "ac3"
    ? 1536
    : undefined;
  return samples === undefined ? undefined : () => samples;
}

/** @param rate samples a second of what the decoder gives */
function aacSamples(extradata: Uint8Array, rate: number): number | undefined {
  if (extradata.length < 2) return undefined;
  const number = (extradata[0] & 7) << 1 | extradata[1] >> 7;
  const core = AAC_RATES[number];
  if (core === undefined) return undefined;
  // Spectral band replication doubles both.
  const isShort = (extradata[1] >> 2 & 1) === 1;
  return (isShort ? 960 : 1024) * rate / core;
}
