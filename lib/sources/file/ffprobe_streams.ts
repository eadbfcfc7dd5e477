/** The streams of a file as ffprobe describes them. */
import { isHdr } from "../../ffmpeg/tone_map.ts";
import {
  FIELD_ORDERS,
  type FieldOrder,
  type MediaTrack,
  type Rational,
} from "../../media/frame.ts";
import type { Extent } from "./formats.ts";

/** A file's video stream. */
export interface VideoInfo {
  codec: string;
  /** Number among the video streams of the file, without cover art. @default 0 */
  number?: number;
  /** Pixels, as shown: rotation applied. */
  width: number;
  /** Pixels, as shown: rotation applied. */
  height: number;
  pixelFormat: string;
  /** Seconds a tick of the container's timestamps. */
  timeBase: Rational;
  /** Frames a second, as the container states it. */
  frameRate?: Rational;
  /** Width : height of one pixel, as the container states it, or the packets. */
  sampleAspectRatio?: Rational;
  /** Degrees clockwise that the container asks for: 0, 90, 180 or 270. */
  rotation: number;
  colorRange?: string;
  colorSpace?: string;
  /** Present with `colorTransfer`, if it is known. */
  colorPrimaries?: string;
  /** Present for a high dynamic range only. */
  colorTransfer?: string;
  /** Absent for progressive video. */
  fieldOrder?: FieldOrder;
  /** Frames by which decode order and presentation order differ; absent for none. */
  decodeDelay?: number;
  /** How its transparency is decoded, which FFmpeg's own decoder drops; absent for none. */
  alpha?: AlphaDecoding;
}

/** A decoder that keeps transparency. */
export interface AlphaDecoding {
  /** FFmpeg's name of the decoder. */
  decoder: string;
  /** FFmpeg's name of the pixel format that it gives. */
  pixelFormat: string;
}

/** A file's audio stream. */
export interface AudioInfo {
  codec: string;
  /** Number among the audio streams of the file. @default 0 */
  number?: number;
  sampleRate: number;
  channels: number;
  /** FFmpeg's name of the decoder's sample format, such as `fltp`. */
  sampleFormat: string;
}

/** The part of ffprobe's JSON that is used; every field may be missing. */
export interface ProbeOutput {
  error?: { code?: number };
  format?: {
    format_name?: string;
    /** FFmpeg's certainty, of 100. */
    probe_score?: number;
    start_time?: string;
    duration?: string;
    tags?: { major_brand?: string };
  };
  streams?: ProbeStream[];
}

/** A stream in it. */
export interface ProbeStream {
  codec_type?: string;
  codec_name?: string;
  width?: number;
  height?: number;
  pix_fmt?: string;
  time_base?: string;
  start_time?: string;
  duration?: string;
  avg_frame_rate?: string;
  r_frame_rate?: string;
  sample_aspect_ratio?: string;
  color_range?: string;
  color_space?: string;
  color_primaries?: string;
  color_transfer?: string;
  field_order?: string;
  has_b_frames?: number;
  nb_read_packets?: string;
  sample_rate?: string;
  channels?: number;
  sample_fmt?: string;
  disposition?: { attached_pic?: number; default?: number };
  tags?: { rotate?: string; language?: string; title?: string };
  side_data_list?: { rotation?: number }[];
}

/** Describes a video stream; `undefined` if its pictures cannot be decoded. */
export function toVideo(stream: ProbeStream, number: number): VideoInfo | undefined {
  const { width, height, pix_fmt: pixelFormat } = stream;
  const timeBase = toRational(stream.time_base);
  if (!width || !height || pixelFormat === undefined || timeBase === undefined) return undefined;
  const rotation = toRotation(stream);
  const turned = rotation === 90 || rotation === 270;
  return {
    codec: stream.codec_name ?? "unknown",
    ...numbered(number),
    width: turned ? height : width,
    height: turned ? width : height,
    pixelFormat,
    timeBase,
    frameRate: toRational(stream.avg_frame_rate) ?? toRational(stream.r_frame_rate),
    sampleAspectRatio: toRational(stream.sample_aspect_ratio?.replace(":", "/")),
    rotation,
    colorRange: stream.color_range,
    colorSpace: stream.color_space,
    ...hdrOf(stream),
    ...fieldsOf(stream),
    decodeDelay: stream.has_b_frames || undefined,
  };
}

function hdrOf(
  { color_transfer: colorTransfer, color_primaries: colorPrimaries }: ProbeStream,
): Pick<VideoInfo, "colorTransfer" | "colorPrimaries"> {
  if (!isHdr({ colorTransfer })) return {};
  return colorPrimaries === undefined ? { colorTransfer } : { colorTransfer, colorPrimaries };
}

function fieldsOf({ field_order: stated }: ProbeStream): Pick<VideoInfo, "fieldOrder"> {
  const fieldOrder = FIELD_ORDERS.find((order) => order === stated);
  return fieldOrder === undefined ? {} : { fieldOrder };
}

/** Decoders by codec that keep the transparency of WebM. */
const ALPHA_DECODERS: Readonly<Record<string, string>> = { vp8: "libvpx", vp9: "libvpx-vp9" };

/**
 * FFmpeg's name of the decoder that keeps the transparency of a stream.
 *
 * @returns `undefined` if it has none, or the usual decoder keeps it
 */
export function alphaDecoder(
  { codec_name: codec = "", pix_fmt: pixelFormat = "", tags = {} }: ProbeStream,
): string | undefined {
  const isMarked = Object.entries(tags)
    .some(([name, value]) => name.toLowerCase() === "alpha_mode" && value === "1");
  if (!isMarked || pixelFormat.startsWith("yuva")) return undefined;
  return Object.hasOwn(ALPHA_DECODERS, codec) ? ALPHA_DECODERS[codec] : undefined;
}

/** Describes an audio stream; `undefined` if its samples cannot be decoded. */
export function toAudio(stream: ProbeStream, number: number): AudioInfo | undefined {
  const sampleRate = toPositive(stream.sample_rate);
  if (sampleRate === undefined || !stream.channels) return undefined;
  return {
    codec: stream.codec_name ?? "unknown",
    ...numbered(number),
    sampleRate,
    channels: stream.channels,
    sampleFormat: stream.sample_fmt ?? "s16",
  };
}

const TYPES: Readonly<Record<string, MediaTrack["type"]>> = {
  video: "video",
  audio: "audio",
  subtitle: "subtitles",
};

/** Describes the streams among which viewers choose: those of video, audio and subtitles. */
export function toMediaTracks(streams: readonly ProbeStream[]): MediaTrack[] {
  return streams.flatMap((stream) => {
    const type = TYPES[stream.codec_type ?? ""];
    if (type === undefined || isCover(stream)) return [];
    const { codec_name: codec = "unknown", tags = {}, disposition, channels } = stream;
    return [{
      ...{ type, codec },
      language: tags.language === "und" ? undefined : tags.language,
      title: tags.title,
      default: disposition?.default === 1 || undefined,
      channels: type === "audio" ? channels : undefined,
    }];
  });
}

/** Whether a stream of video is cover art. */
export function isCover({ disposition }: ProbeStream): boolean {
  return disposition?.attached_pic === 1;
}

/** The number of a stream; left out for the first one. */
export function numbered(number: number): { number?: number } {
  return number > 0 ? { number } : {};
}

/** The angle of the display matrix is counter-clockwise, that of the old tag clockwise. */
function toRotation(stream: ProbeStream): number {
  const matrix = stream.side_data_list?.find((data) => typeof data.rotation === "number");
  const clockwise = matrix ? -(matrix.rotation ?? 0) : Number(stream.tags?.rotate ?? 0);
  return Number.isFinite(clockwise) ? ((Math.round(clockwise / 90) * 90) % 360 + 360) % 360 : 0;
}

/** Reads `30000/1001`; `undefined` for `0/0` and the like, which mean unknown. */
function toRational(text: string | undefined): Rational | undefined {
  const [numerator, denominator] = (text ?? "").split("/").map(Number);
  return numerator > 0 && denominator > 0 ? [numerator, denominator] : undefined;
}

/** Start and duration in seconds. */
export function toExtent(
  { start_time: text, duration }: { start_time?: string; duration?: string },
): Extent {
  const start = Number(text);
  return { start: Number.isFinite(start) ? start : undefined, duration: toPositive(duration) };
}

function toPositive(text: string | undefined): number | undefined {
  const value = Number(text);
  return value > 0 && Number.isFinite(value) ? value : undefined;
}

/** Points that FFmpeg gives a stream that the file recommends (fftools, `map_auto_video`). */
const DEFAULT_POINTS = 5_000_000;

/** Properties by which FFmpeg compares streams. */
export interface Preference {
  /** Pixels of a picture, or channels of audio. */
  size: number;
  /** Whether the file recommends it among those of its type. */
  isDefault: boolean;
}

/** The stream that FFmpeg would choose among those of a type, without cover art. */
export function preferred<T>(
  streams: readonly T[],
  preferenceOf: (stream: T) => Preference,
): T | undefined {
  let [best, highest]: [T | undefined, number] = [undefined, -1];
  for (const stream of streams) {
    const { size, isDefault } = preferenceOf(stream);
    const points = size + (isDefault ? DEFAULT_POINTS : 0);
    if (points > highest) [best, highest] = [stream, points];
  }
  return best;
}
