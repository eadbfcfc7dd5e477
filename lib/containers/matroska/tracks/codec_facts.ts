/** Codecs of tracks, and the configuration that FFmpeg's decoders get of them. */
import type { PacketTrack } from "../../packet_file.ts";
import { broken } from "../ebml.ts";
import type { TrackEntry } from "./entries.ts";

/** The meaning of a codec identifier. */
interface CodecRow {
  /** FFmpeg's name. */
  codec: string;
  /**
   * What the configuration of the container has to be: present, of any kind (`any`), or absent. If a
   * decoder needs one that is not there, FFmpeg takes it from the packets.
   */
  configuration: "required" | "any" | "none";
}

/** Codecs by their identifiers (RFC 9559 and its registry of codecs). */
const CODECS: Record<string, CodecRow> = {
  "V_MPEG4/ISO/AVC": { codec: "h264", configuration: "required" },
  "V_MPEGH/ISO/HEVC": { codec: "hevc", configuration: "required" },
  "V_VP8": { codec: "vp8", configuration: "none" },
  "V_VP9": { codec: "vp9", configuration: "any" },
  "V_AV1": { codec: "av1", configuration: "required" },
  "V_MPEG4/ISO/SP": { codec: "mpeg4", configuration: "required" },
  "V_MPEG4/ISO/ASP": { codec: "mpeg4", configuration: "required" },
  "V_MPEG4/ISO/AP": { codec: "mpeg4", configuration: "required" },
  "V_MJPEG": { codec: "mjpeg", configuration: "none" },
  "A_AAC": { codec: "aac", configuration: "required" },
  "A_MPEG/L3": { codec: "mp3", configuration: "none" },
  "A_OPUS": { codec: "opus", configuration: "required" },
  "A_VORBIS": { codec: "vorbis", configuration: "required" },
  "A_FLAC": { codec: "flac", configuration: "required" },
  "A_AC3": { codec: "ac3", configuration: "none" },
  "A_EAC3": { codec: "eac3", configuration: "none" },
  "A_PCM/INT/LIT": { codec: "pcm_s16le", configuration: "none" },
  "A_PCM/INT/BIG": { codec: "pcm_s16be", configuration: "none" },
  "A_PCM/FLOAT/IEEE": { codec: "pcm_f32le", configuration: "none" },
};

/** Codecs of subtitles by their identifiers, as FFmpeg names them. */
const SUBTITLES: Readonly<Record<string, string>> = {
  "S_TEXT/UTF8": "subrip",
  "S_TEXT/ASCII": "subrip",
  "S_TEXT/ASS": "ass",
  "S_TEXT/SSA": "ass",
  "S_ASS": "ass",
  "S_SSA": "ass",
  "D_WEBVTT/SUBTITLES": "webvtt",
  "D_WEBVTT/CAPTIONS": "webvtt",
  "D_WEBVTT/DESCRIPTIONS": "webvtt",
  "D_WEBVTT/METADATA": "webvtt",
  "S_HDMV/PGS": "hdmv_pgs_subtitle",
  "S_VOBSUB": "dvd_subtitle",
  "S_DVBSUB": "dvb_subtitle",
};

/** Codecs of PCM by the number of bits. */
const PCM: Record<string, Record<number, string>> = {
  pcm_s16le: { 8: "pcm_u8", 16: "pcm_s16le", 24: "pcm_s24le", 32: "pcm_s32le" },
  pcm_s16be: { 8: "pcm_u8", 16: "pcm_s16be", 24: "pcm_s24be", 32: "pcm_s32be" },
  pcm_f32le: { 32: "pcm_f32le", 64: "pcm_f64le" },
};

/** Bytes of `fLaC` and the header of the block behind it, and of that block: STREAMINFO. */
const FLAC_HEAD = 8, STREAM_INFO = 34;

/** The object type of AAC-LC, and rates by their number (ISO/IEC 14496-3, 1.6.3). */
const AAC_LC = 2;
const AAC_RATES = [
  96000,
  88200,
  64000,
  48000,
  44100,
  32000,
  24000,
  22050,
  16000,
  12000,
  11025,
  8000,
];

/** Highest rate of AAC in packets that a decoder may find to be half of the rate of the sound. */
const HALVED_RATE = 24_000;

/** The rate that decoders of Opus have for all streams. */
const OPUS_RATE = 48_000;

/** Channels that a track may have. */
const MAX_CHANNELS = 64;

/** @throws {FormatError} if FFmpeg's facts are not known to be the same */
export function codecFacts(track: TrackEntry): Pick<PacketTrack, "codec" | "extradata"> {
  const { codecId, codecPrivate, sound } = track;
  const row = Object.hasOwn(CODECS, codecId) ? CODECS[codecId] : undefined;
  if (row === undefined) throw broken("codec", JSON.stringify(codecId.slice(0, 40)), "a known one");
  const { codec, configuration } = row;
  const hasAny = codecPrivate.byteLength > 0;
  if (configuration !== "any" && hasAny !== (configuration === "required")) {
    throw broken("codec", `${codec} ${hasAny ? "with" : "without"} configuration`, "the contrary");
  }
  const pcm = PCM[codec];
  if (pcm === undefined) return { codec, extradata: extradataOf(codec, codecPrivate).slice() };
  const name = pcm[sound?.bitDepth ?? 0];
  if (name === undefined) throw broken("bit depth", `${sound?.bitDepth}`, "a known one");
  return { codec: name, extradata: new Uint8Array(0) };
}

/** FFmpeg's name of a codec of subtitles; `undefined` if it is not known. */
export function subtitleCodec(codecId: string): string | undefined {
  return Object.hasOwn(SUBTITLES, codecId) ? SUBTITLES[codecId] : undefined;
}

function extradataOf(codec: string, bytes: Uint8Array): Uint8Array {
  switch (codec) {
    case "vp9":
      return new Uint8Array(0);
    case "h264":
    case "hevc":
      // Others begin with start codes, and their packets are cut by them.
      if (bytes[0] !== 1 || bytes.byteLength < 7) throw broken("codec", "a raw stream", "an MP4's");
      return bytes;
    case "flac":
      return streamInfo(bytes);
    default:
      return bytes;
  }
}

function streamInfo(bytes: Uint8Array): Uint8Array {
  const isFlac = new TextDecoder("latin1").decode(bytes.subarray(0, 4)) === "fLaC";
  const isInfo = (bytes[4] & 0x7f) === 0;
  if (!isFlac || !isInfo || bytes.byteLength < FLAC_HEAD + STREAM_INFO) {
    throw broken("codec", "FLAC without STREAMINFO", "it first");
  }
  return bytes.subarray(FLAC_HEAD, FLAC_HEAD + STREAM_INFO);
}

/** Samples a second of a decoder's output. */
export function decoderRate({ codecId, sound }: Pick<TrackEntry, "codecId" | "sound">): number {
  return codecId === "A_OPUS" ? OPUS_RATE : Math.trunc(sound?.outputRate || (sound?.rate ?? 0));
}

/** @throws {FormatError} if FFmpeg's facts are not known to be the same */
export function soundFacts(
  { codecId, sound, codecPrivate }: TrackEntry,
  codec: string,
): Partial<PacketTrack> {
  const { rate = 0, channels = 0 } = sound ?? {};
  const sampleRate = decoderRate({ codecId, sound });
  if (!(sampleRate >= 1 && sampleRate < 2 ** 31)) throw broken("sample rate", `${rate}`, "one");
  if (channels < 1 || channels > MAX_CHANNELS) {
    throw broken("channels", `${channels}`, `1 … ${MAX_CHANNELS}`);
  }
  if (codec === "aac") checkAac(codecPrivate, { sampleRate, channels });
  if (codec === "opus" && codecPrivate[9] !== channels) {
    throw broken("channels", `${channels}`, `${codecPrivate[9]}, as its configuration says`);
  }
  return { sampleRate, channels };
}

/** The header of AAC goes before the container, as in decoders. */
function checkAac(bytes: Uint8Array, stated: { sampleRate: number; channels: number }): void {
  const bits = bytes[0] << 8 | bytes[1];
  const rate = AAC_RATES[bits >> 7 & 15];
  const layout = bits >> 3 & 15;
  const channels = layout === 7 ? 8 : layout;
  const isPlain = bits >> 11 === AAC_LC && rate > HALVED_RATE && channels <= 8;
  if (!isPlain || rate !== stated.sampleRate || channels !== stated.channels) {
    throw broken("codec", "an unusual form of AAC", "AAC-LC as the container says");
  }
}
