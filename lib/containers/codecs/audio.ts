/**
 * Audio whose headers state all: MP3, AC-3, Opus, FLAC, ALAC and PCM. FFmpeg refuses Vorbis if
 * anything is wrong in its long headers, so it has to look at them.
 */
import type { PacketTrack } from "../packet_file.ts";
import { describeAac } from "./aac.ts";
import { BitReader } from "./bit_reader.ts";
import { type AudioFacts, readOrNothing } from "./facts.ts";

/** Describes a codec by its configuration and its first packet. */
type Describe = (track: PacketTrack, packet: Uint8Array) => AudioFacts | undefined;

/** Channels at most: not all of FFmpeg's decoders take more. */
const MAX_CHANNELS = 8;

/** Samples a second of Opus, always. */
const OPUS_RATE = 48_000;

/** FFmpeg's sample formats of PCM by its names of the codecs, without byte order. */
const PCM_FORMATS: Readonly<Record<string, string>> = {
  pcm_u8: "u8",
  pcm_s8: "u8",
  pcm_s16: "s16",
  pcm_s24: "s32",
  pcm_s32: "s32",
  pcm_f32: "flt",
  pcm_f64: "dbl",
  pcm_mulaw: "s16",
  pcm_alaw: "s16",
};

const DESCRIPTIONS: Readonly<Record<string, Describe>> = {
  aac: describeAac,
  mp3: describeMp3,
  ac3: describeAc3,
  opus: describeOpus,
  flac: describeFlac,
  alac: describeAlac,
};

/**
 * Describes audio as ffprobe does.
 *
 * @param packet the first one
 * @returns `undefined` if FFmpeg would have to decode, or the codec is not known here
 */
export function describeAudio(track: PacketTrack, packet: Uint8Array): AudioFacts | undefined {
  const describe = Object.hasOwn(DESCRIPTIONS, track.codec)
    ? DESCRIPTIONS[track.codec]
    : describePcm;
  const facts = readOrNothing(() => describe(track, packet));
  if (facts === undefined || facts.sampleRate === 0) return undefined;
  return facts.channels > 0 && facts.channels <= MAX_CHANNELS ? facts : undefined;
}

function describePcm({ codec, sampleRate, channels }: PacketTrack): AudioFacts | undefined {
  const name = codec.replace(/[lb]e$/, "");
  if (!Object.hasOwn(PCM_FORMATS, name) || !sampleRate || !channels) return undefined;
  return { sampleRate, channels, sampleFormat: PCM_FORMATS[name] };
}

/** Samples a second of MPEG-1; MPEG-2 has half of them, MPEG-2.5 a quarter. */
const MPEG_RATES = [44_100, 48_000, 32_000];

/** The same divisors by the version in the header. */
const MPEG_DIVISORS: Readonly<Record<number, number>> = { 3: 1, 2: 2, 0: 4 };

/** Reads the header of an MPEG audio frame (ISO/IEC 11172-3, 2.4.1.3), layer III. */
function describeMp3(track: PacketTrack, packet: Uint8Array): AudioFacts | undefined {
  const reader = new BitReader(packet);
  const sync = reader.bits(11);
  const divisor = MPEG_DIVISORS[reader.bits(2)];
  const layer = 4 - reader.bits(2);
  reader.skip(1);
  const bitrate = reader.bits(4);
  const rate = MPEG_RATES[reader.bits(2)];
  if (sync !== 0x7ff || divisor === undefined || layer !== 3 || rate === undefined) {
    return undefined;
  }
  if (bitrate === 0 || bitrate === 15) return undefined;
  reader.skip(2);
  const channels = reader.bits(2) === 3 ? 1 : 2;
  return agreed(track, { sampleRate: rate / divisor, channels, sampleFormat: "fltp" });
}

/** Samples a second by `fscod`. */
const AC3_RATES = [48_000, 44_100, 32_000];

/** Channels by `acmod`, without that of low frequencies. */
const AC3_CHANNELS = [2, 1, 2, 3, 3, 4, 4, 5];

/** `bsid` of AC-3; above are its variants. */
const AC3_VERSION = 8;

/** Reads `syncinfo` and `bsi` of AC-3 (ATSC A/52, 5.3). */
function describeAc3(track: PacketTrack, packet: Uint8Array): AudioFacts | undefined {
  const reader = new BitReader(packet);
  const sync = reader.bits(16);
  reader.skip(16);
  const sampleRate = AC3_RATES[reader.bits(2)];
  const sizeCode = reader.bits(6);
  const version = reader.bits(5);
  reader.skip(3);
  const mode = reader.bits(3);
  if (sync !== 0x0b77 || sampleRate === undefined || sizeCode > 37 || version > AC3_VERSION) {
    return undefined;
  }
  // Mix levels of centre and surround, or the mode of Dolby Surround.
  if (mode === 2) reader.skip(2);
  else reader.skip((mode > 1 && mode % 2 === 1 ? 2 : 0) + (mode > 3 ? 2 : 0));
  const channels = AC3_CHANNELS[mode] + reader.bits(1);
  return agreed(track, { sampleRate, channels, sampleFormat: "fltp" });
}

/** Reads `OpusHead` (RFC 7845, 5.1). */
function describeOpus({ extradata }: PacketTrack): AudioFacts | undefined {
  if (textAt(extradata, 0, 8) !== "OpusHead" || extradata.byteLength < 19) return undefined;
  const [channels, family] = [extradata[9], extradata[18]];
  const limit = [2, 8][family] ?? 0;
  if (channels > limit) return undefined;
  return { sampleRate: OPUS_RATE, channels, sampleFormat: "fltp" };
}

/** Reads STREAMINFO of FLAC (RFC 9639, 8.2), alone or behind the head of a file. */
function describeFlac({ extradata }: PacketTrack): AudioFacts | undefined {
  const body = textAt(extradata, 0, 4) === "fLaC" ? extradata.subarray(8) : extradata;
  const reader = new BitReader(body);
  reader.skip(80);
  const sampleRate = reader.bits(20);
  const channels = reader.bits(3) + 1;
  const depth = reader.bits(5) + 1;
  if (body.byteLength < 34 || depth < 4) return undefined;
  return { sampleRate, channels, sampleFormat: depth <= 16 ? "s16" : "s32" };
}

/** Reads the box `alac` (Apple Lossless Format, magic cookie). */
function describeAlac(track: PacketTrack): AudioFacts | undefined {
  const { extradata } = track;
  if (extradata.byteLength !== 36 || textAt(extradata, 4, 4) !== "alac") return undefined;
  const view = new DataView(extradata.buffer, extradata.byteOffset);
  const depth = view.getUint8(17);
  if (depth !== 16 && depth !== 24 && depth !== 20 && depth !== 32) return undefined;
  const sampleFormat = depth === 16 ? "s16p" : "s32p";
  return agreed(track, {
    sampleRate: view.getUint32(32),
    channels: view.getUint8(21),
    sampleFormat,
  });
}

/** Facts that the container does not contradict: FFmpeg keeps its numbers if it need not decode. */
function agreed(track: PacketTrack, facts: AudioFacts): AudioFacts | undefined {
  const { sampleRate = facts.sampleRate, channels = facts.channels } = track;
  return sampleRate === facts.sampleRate && channels === facts.channels ? facts : undefined;
}

function textAt(bytes: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + length));
}
