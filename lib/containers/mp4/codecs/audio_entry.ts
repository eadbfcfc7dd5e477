/** Sample descriptions of audio. */
import type { PacketTrack } from "../../packet_file.ts";
import {
  allowBoxes,
  type Box,
  boxesIn,
  bytesOf,
  needBox,
  needBytes,
  onlyBox,
  part,
  printable,
  UnindexedError,
} from "../boxes.ts";
import { readAacConfig, readDecoderConfig } from "./descriptors.ts";
import { checkChannelBox, pcmCodecOf, sampleBytes, type SoundFields } from "./pcm.ts";

/** Bytes of an entry before its boxes by version (ISO/IEC 14496-12, 12.2.3, and QuickTime). */
const ENTRY = [28, 44, 64];

/** A box that ends a list of QuickTime. */
const TERMINATOR = "\0\0\0\0";

const IN_ENTRY = new Set([
  ...["esds", "wave", "dOps", "dfLa", "alac", "dac3", "btrt", "chan", "enda", "frma", "mp4a"],
  ...[TERMINATOR, "free", "skip", "wide", "uuid"],
]);

/** FFmpeg's names of codecs of "mp4a" by object type (ISO/IEC 14496-1, table 5). */
const OBJECT_TYPES: Readonly<Record<number, string>> = {
  0x40: "aac",
  0x66: "aac",
  0x67: "aac",
  0x68: "aac",
  0x69: "mp3",
  0x6b: "mp3",
};

/** FFmpeg's names of codecs by format, besides "mp4a" and PCM. */
const FORMATS: Readonly<Record<string, string>> = {
  "Opus": "opus",
  "fLaC": "flac",
  "alac": "alac",
  "ac-3": "ac3",
  ".mp3": "mp3",
  "ms\0U": "mp3",
};

/** Channels by audio coding mode (ETSI TS 102 366, 4.4.2.3). */
const AC3_CHANNELS = [2, 1, 2, 3, 3, 4, 4, 5];

/** Samples a second of the decoder of Opus. */
const OPUS_RATE = 48_000;

/** Bytes of the description of a FLAC stream. */
const STREAM_INFO = 34;

/** Facts of a sample description about audio. */
export type AudioFacts = Pick<PacketTrack, "codec" | "extradata"> & {
  sampleRate: number;
  channels: number;
  /** Bytes of a sample of PCM with all channels. */
  pcmSize?: number;
};

/**
 * Reads the sample description of an audio track.
 *
 * @throws {UnindexedError} for what FFmpeg has to read
 * @throws {FormatError} for broken boxes
 */
export function readAudioEntry({ type, body }: Box): AudioFacts {
  const fields = readFields(body);
  const outside = boxesIn(body, ENTRY[fields.version]);
  const wave = onlyBox(outside, "wave");
  const boxes = [...outside, ...(wave ? boxesIn(wave) : [])];
  allowBoxes(boxes, printable(type), IN_ENTRY);
  const pcm = pcmCodecOf(type, fields, isLittle(boxes));
  if (pcm !== undefined) {
    checkChannelBox(onlyBox(boxes, "chan"), fields.channels);
    const { sampleRate, channels } = checked(fields);
    const pcmSize = sampleBytes(pcm) * channels;
    return { codec: pcm, extradata: new Uint8Array(0), sampleRate, channels, pcmSize };
  }
  const codec = Object.hasOwn(FORMATS, type) ? FORMATS[type] : undefined;
  if (codec === undefined && type !== "mp4a") {
    throw new UnindexedError(`it has audio of type "${printable(type)}"`);
  }
  if (codec !== undefined && onlyBox(boxes, "esds")) {
    throw new UnindexedError(`its ${codec} has the configuration of another codec`);
  }
  switch (codec) {
    case "opus":
      return readOpus(needBox(boxes, "dOps"));
    case "flac":
      return readFlac(needBox(boxes, "dfLa"));
    case "alac":
      return readAlac(needBox(boxes, "alac"));
    case "ac3":
      return { codec, extradata: new Uint8Array(0), ...readAc3(needBox(boxes, "dac3"), fields) };
    case "mp3":
      return { codec, extradata: new Uint8Array(0), ...checked(fields) };
    default:
      return readMpeg4(needBox(boxes, "esds"), fields);
  }
}

function readFields(body: DataView<ArrayBuffer>): SoundFields {
  needBytes(body, ENTRY[0]);
  const version = body.getUint16(8);
  if (version >= ENTRY.length) throw new UnindexedError(`it has audio of version ${version}`);
  needBytes(body, ENTRY[version]);
  const fields = { version, bits: body.getUint16(18), frameSamples: 0, flags: 0 };
  if (version < 2) {
    if (version === 1) fields.frameSamples = body.getUint32(28);
    return { ...fields, channels: body.getUint16(16), sampleRate: body.getUint16(24) };
  }
  const sampleRate = body.getFloat64(32);
  return {
    version,
    sampleRate,
    channels: body.getUint32(40),
    bits: body.getUint32(48),
    flags: body.getUint32(52),
    frameSamples: body.getUint32(60),
  };
}

/** @throws {UnindexedError} if there are no channels, or too many */
function checked(
  { sampleRate, channels }: { sampleRate: number; channels: number },
): { sampleRate: number; channels: number } {
  const isKnown = Number.isInteger(sampleRate) && sampleRate > 0 && sampleRate < 2 ** 24 &&
    channels > 0 && channels <= 64;
  if (!isKnown) {
    throw new UnindexedError(`it has ${channels} channels of ${sampleRate} samples a second`);
  }
  return { sampleRate, channels };
}

/** Reads "enda" of QuickTime. */
function isLittle(boxes: readonly Box[]): boolean {
  const body = onlyBox(boxes, "enda");
  if (body === undefined) return false;
  needBytes(body, 2);
  return body.getUint8(1) === 1;
}

function readMpeg4(body: DataView<ArrayBuffer>, fields: SoundFields): AudioFacts {
  const { objectType, info } = readDecoderConfig(body);
  const codec = OBJECT_TYPES[objectType];
  if (codec === undefined) throw new UnindexedError(`it has audio of object type ${objectType}`);
  if (codec === "mp3") return { codec, extradata: info, ...checked(fields) };
  return { codec, extradata: info, ...checked(readAacConfig(info)) };
}

/** Turns "dOps" into the header of Ogg Opus, whose numbers have the other byte order. */
function readOpus(body: DataView<ArrayBuffer>): AudioFacts {
  needBytes(body, 11);
  if (body.getUint8(0) !== 0) throw new UnindexedError("its Opus has an unknown configuration");
  const extradata = new Uint8Array(8 + body.byteLength);
  extradata.set(new TextEncoder().encode("OpusHead"));
  extradata.set(bytesOf(body), 8);
  const view = new DataView(extradata.buffer);
  view.setUint8(8, 1);
  view.setUint16(10, body.getUint16(2), true);
  view.setUint32(12, body.getUint32(4), true);
  view.setUint16(16, body.getUint16(8), true);
  return {
    codec: "opus",
    extradata,
    ...checked({ sampleRate: OPUS_RATE, channels: body.getUint8(1) }),
  };
}

/** Reads "dfLa": a version, the header of a metadata block, and the stream's description. */
function readFlac(body: DataView<ArrayBuffer>): AudioFacts {
  needBytes(body, 8 + STREAM_INFO);
  if (body.getUint8(0) !== 0 || (body.getUint32(4) & 0x7fff_ffff) !== STREAM_INFO) {
    throw new UnindexedError("its FLAC has an unknown configuration");
  }
  const packed = body.getUint32(18);
  return {
    codec: "flac",
    extradata: bytesOf(part(body, 8, STREAM_INFO)),
    ...checked({ sampleRate: packed >>> 12, channels: (packed >>> 9 & 7) + 1 }),
  };
}

/** Reads "alac", of which FFmpeg's extradata has the header, too. */
function readAlac(body: DataView<ArrayBuffer>): AudioFacts {
  if (body.byteLength !== 28) throw new UnindexedError("its ALAC has an unknown configuration");
  const extradata = new Uint8Array(36);
  new DataView(extradata.buffer).setUint32(0, 36);
  extradata.set(new TextEncoder().encode("alac"), 4);
  extradata.set(bytesOf(body), 8);
  return {
    codec: "alac",
    extradata,
    ...checked({ sampleRate: body.getUint32(24), channels: body.getUint8(13) }),
  };
}

/** Reads "dac3" (ETSI TS 102 366, annex F). */
function readAc3(
  body: DataView<ArrayBuffer>,
  { sampleRate }: SoundFields,
): { sampleRate: number; channels: number } {
  needBytes(body, 3);
  const packed = body.getUint16(0);
  const channels = AC3_CHANNELS[packed >> 3 & 7] + (packed >> 2 & 1);
  return checked({ sampleRate, channels });
}
