/** The descriptions of tracks. */
import { broken, elementsIn, toFloat, toText, toUint } from "../ebml.ts";
import { AUDIO, INFO, TRACK, VIDEO } from "../ids.ts";

/** A track as the file describes it. */
export interface TrackEntry {
  /** The number that blocks name it by. */
  number: number;
  type: "video" | "audio" | "subtitle";
  codecId: string;
  codecPrivate: Uint8Array;
  /** Nanoseconds of a frame; 0 if it is not stated. */
  defaultDuration: number;
  /** Whether a block may hold several frames. */
  isLaced: boolean;
  /** Nanoseconds by which the decoder is late, which FFmpeg subtracts from timestamps. */
  codecDelay: number;
  /** Whether frames are compressed or encrypted by the container. */
  isEncoded: boolean;
  /** Language by ISO 639-2; `und` if it is not known. */
  language: string;
  /** Empty if there is none. */
  title: string;
  /** Whether it is recommended among those of its type. */
  isDefault: boolean;
  picture?: Uint8Array<ArrayBuffer>;
  sound?: SoundEntry;
}

/** The description of sound. */
export interface SoundEntry {
  /** Samples a second. */
  rate: number;
  /** Samples a second of the decoder's output. */
  outputRate: number;
  channels: number;
  /** Bits; 0 if it is not stated. */
  bitDepth: number;
}

/** The timing of a whole file. */
export interface SegmentInfo {
  /** Nanoseconds of a tick. */
  timestampScale: number;
  /** Ticks; 0 if it is not stated. */
  duration: number;
}

/** Tracks that a file may have. */
const MAX_TRACKS = 256;

/** Nanoseconds of a tick: FFmpeg's default, and more than any file has. */
const DEFAULT_SCALE = 1_000_000, MAX_SCALE = 1e9;

const TYPES: Record<number, TrackEntry["type"]> = { 1: "video", 2: "audio", 17: "subtitle" };

/** Elements below `Colour` that are read. */
const COLORS = new Set<number>([VIDEO.matrix, VIDEO.transfer, VIDEO.primaries, VIDEO.range]);

const NUMBERS = new Set<number>(Object.values(VIDEO));

/** Samples a second if a track does not say (RFC 9559, "SamplingFrequency"). */
const DEFAULT_RATE = 8000;

/** @throws {FormatError} if it is not understood */
export function readInfo(body: Uint8Array<ArrayBuffer>): SegmentInfo {
  const info: SegmentInfo = { timestampScale: DEFAULT_SCALE, duration: 0 };
  for (const { id, body: content } of elementsIn(body)) {
    if (id === INFO.timestampScale) info.timestampScale = toUint(content) || DEFAULT_SCALE;
    if (id === INFO.duration) info.duration = toFloat(content);
  }
  if (info.timestampScale > MAX_SCALE) {
    throw broken("timestamp scale", `${info.timestampScale}`, `at most ${MAX_SCALE}`);
  }
  return info;
}

/**
 * Reads all tracks, in the order in which FFmpeg numbers them.
 *
 * @throws {FormatError} if one is not understood
 */
export function readTracks(body: Uint8Array<ArrayBuffer>): TrackEntry[] {
  const tracks: TrackEntry[] = [];
  for (const { id, body: content } of elementsIn(body)) {
    if (id !== TRACK.entry) continue;
    if (tracks.length === MAX_TRACKS) throw broken("tracks", `over ${MAX_TRACKS}`, "fewer");
    const track = readTrack(content);
    if (tracks.some(({ number }) => number === track.number)) {
      throw broken("tracks", `two of number ${track.number}`, "one");
    }
    tracks.push(track);
  }
  return tracks;
}

function readTrack(body: Uint8Array<ArrayBuffer>): TrackEntry {
  const track: TrackEntry = {
    ...{ number: 0, type: "subtitle", codecId: "", codecPrivate: new Uint8Array(0) },
    ...{ defaultDuration: 0, isLaced: true, codecDelay: 0, isEncoded: false },
    // The defaults of RFC 9559, "Language" and "FlagDefault".
    ...{ language: "eng", title: "", isDefault: true },
  };
  let type: TrackEntry["type"] | undefined;
  for (const { id, body: content } of elementsIn(body)) {
    switch (id) {
      case TRACK.number:
        track.number = toUint(content);
        break;
      case TRACK.type:
        type = TYPES[toUint(content)];
        break;
      case TRACK.codecId:
        track.codecId = toText(content);
        break;
      case TRACK.codecPrivate:
        track.codecPrivate = content;
        break;
      case TRACK.defaultDuration:
        track.defaultDuration = toUint(content);
        break;
      case TRACK.lacing:
        track.isLaced = toUint(content) !== 0;
        break;
      case TRACK.codecDelay:
        track.codecDelay = toUint(content);
        break;
      case TRACK.encodings:
        track.isEncoded = true;
        break;
      case TRACK.language:
        track.language = toText(content);
        break;
      case TRACK.name:
        track.title = new TextDecoder().decode(content);
        break;
      case TRACK.isDefault:
        track.isDefault = toUint(content) !== 0;
        break;
      case TRACK.video:
        track.picture = content;
        break;
      case TRACK.audio:
        track.sound = readSound(content);
        break;
      case TRACK.operation:
        throw broken("track", "a combination of others", "a track of its own");
      case TRACK.timestampScale:
        if (toFloat(content) !== 1) throw broken("track", "a scale of its own", "that of the file");
    }
  }
  if (track.number === 0 || type === undefined || track.codecId === "") {
    throw broken("track", "no number, codec, or known type", "all of them");
  }
  if (type === "video" && track.picture === undefined) throw broken("track", "no size", "one");
  if (type === "audio" && track.sound === undefined) throw broken("track", "no rate", "one");
  return { ...track, type };
}

function readSound(body: Uint8Array<ArrayBuffer>): SoundEntry {
  const sound: SoundEntry = { rate: DEFAULT_RATE, outputRate: 0, channels: 1, bitDepth: 0 };
  for (const { id, body: content } of elementsIn(body)) {
    if (id === AUDIO.rate) sound.rate = toFloat(content);
    if (id === AUDIO.outputRate) sound.outputRate = toFloat(content);
    if (id === AUDIO.channels) sound.channels = toUint(content);
    if (id === AUDIO.bitDepth) sound.bitDepth = toUint(content);
  }
  return sound;
}

/** The numbers below `Video`, and those below `Colour` in it, by their identifiers. */
export function readPicture(body: Uint8Array<ArrayBuffer>): ReadonlyMap<number, number> {
  const numbers = new Map<number, number>();
  for (const { id, body: content } of elementsIn(body)) {
    if (id === VIDEO.projection || id === VIDEO.frameRate) {
      throw broken("picture", `an element 0x${id.toString(16)}`, "a known one");
    }
    if (id === VIDEO.colour) {
      for (const colour of elementsIn(content)) {
        if (COLORS.has(colour.id)) numbers.set(colour.id, toUint(colour.body));
      }
    } else if (NUMBERS.has(id)) {
      numbers.set(id, toUint(content));
    }
  }
  return numbers;
}
