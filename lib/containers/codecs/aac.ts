/** AAC: its configuration (ISO/IEC 14496-3, 1.6.2.1) and how its first frame begins (4.4.2.1). */
import type { PacketTrack } from "../packet_file.ts";
import { BitReader } from "./bit_reader.ts";
import { type AudioFacts, readOrNothing } from "./facts.ts";

/** Types of objects. */
const LOW_COMPLEXITY = 2;
const SBR = 5;
const PARAMETRIC_STEREO = 29;

/** Samples a second by `samplingFrequencyIndex`. */
const SAMPLE_RATES = [
  ...[96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8000],
  7350,
];

/** `samplingFrequencyIndex` for a frequency that follows. */
const EXPLICIT_RATE = 15;

/** Channels by `channelConfiguration`. */
const CHANNELS: readonly (number | undefined)[] = [undefined, 1, 2, 3, 4, 5, 6, 8];

/** `syncExtensionType` of SBR. */
const SBR_SYNC = 0x2b7;

/** Samples a second up to which SBR may be there without being announced (1.6.5.3). */
const IMPLICIT_SBR = 24_000;

/** Elements of a frame. */
const SINGLE_CHANNEL = 0;
const CHANNEL_PAIR = 1;
const DATA = 4;
const FILL = 6;

/** First value of a fill element that is SBR, and with a checksum. */
const SBR_DATA = [13, 14];

/**
 * Describes AAC.
 *
 * @param frame the first packet
 * @returns `undefined` if FFmpeg would have to decode
 */
export function describeAac(
  { extradata }: Pick<PacketTrack, "extradata">,
  frame: Uint8Array,
): AudioFacts | undefined {
  return readOrNothing(() => {
    const facts = readConfiguration(extradata);
    if (facts === undefined || !agrees(frame, facts.coreChannels)) return undefined;
    const { sampleRate, channels } = facts;
    return { sampleRate, channels, sampleFormat: "fltp" };
  });
}

interface Configuration {
  sampleRate: number;
  channels: number;
  /** Channels before parametric stereo. */
  coreChannels: number;
}

/** Reads `AudioSpecificConfig`. */
function readConfiguration(extradata: Uint8Array): Configuration | undefined {
  const reader = new BitReader(extradata);
  const type = reader.bits(5);
  const coreRate = readRate(reader);
  const channels = CHANNELS[reader.bits(4)];
  if (coreRate === undefined || channels === undefined) return undefined;
  if (type === SBR || type === PARAMETRIC_STEREO) {
    const sampleRate = readRate(reader);
    const isStereo = type === PARAMETRIC_STEREO;
    if (sampleRate !== 2 * coreRate || reader.bits(5) !== LOW_COMPLEXITY) return undefined;
    // Mono may become stereo without being announced.
    if (channels === 1 && !isStereo || isStereo && channels !== 1) return undefined;
    return { sampleRate, channels: isStereo ? 2 : channels, coreChannels: channels };
  }
  // Frames of 960 samples and scalable streams are rare.
  if (type !== LOW_COMPLEXITY || reader.bits(3) !== 0) return undefined;
  const announced = readExtension(reader);
  if (announced === undefined ? coreRate <= IMPLICIT_SBR : announced) return undefined;
  return { sampleRate: coreRate, channels, coreChannels: channels };
}

function readRate(reader: BitReader): number | undefined {
  const index = reader.bits(4);
  return index === EXPLICIT_RATE ? reader.bits(24) : SAMPLE_RATES[index];
}

/** Whether SBR is announced behind the configuration; `undefined` if nothing is said. */
function readExtension(reader: BitReader): boolean | undefined {
  if (reader.left < 16) return undefined;
  // Another extension is looked for by FFmpeg at any bit.
  if (reader.bits(11) !== SBR_SYNC || reader.bits(5) !== SBR) return true;
  return reader.flag();
}

/**
 * Whether a frame begins with the element that the configuration lets expect; otherwise FFmpeg
 * corrects the number of channels. Elements without sound may come before.
 */
function agrees(frame: Uint8Array, channels: number): boolean {
  const reader = new BitReader(frame);
  for (;;) {
    const element = reader.bits(3);
    if (element === FILL) {
      if (isSbr(reader)) return false;
    } else if (element === DATA) {
      skipData(reader);
    } else {
      return element === (channels === 2 ? CHANNEL_PAIR : SINGLE_CHANNEL);
    }
  }
}

function isSbr(reader: BitReader): boolean {
  const count = reader.bits(4);
  const bytes = count === 15 ? count + reader.bits(8) - 1 : count;
  if (bytes === 0) return false;
  const isFound = SBR_DATA.includes(reader.bits(4));
  reader.skip(bytes * 8 - 4);
  return isFound;
}

function skipData(reader: BitReader): void {
  reader.skip(4);
  const isAligned = reader.flag();
  const count = reader.bits(8);
  const bytes = count === 255 ? count + reader.bits(8) : count;
  if (isAligned) reader.skip((8 - reader.position % 8) % 8);
  reader.skip(bytes * 8);
}
