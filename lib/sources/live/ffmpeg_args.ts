/** FFmpeg's arguments for converting a live source to NUT. */
import { demosaicFilters } from "../../ffmpeg/raw_fourccs.ts";
import { decodingArguments, type Hardware, SOFTWARE } from "../../ffmpeg/encoders.ts";
import { pictureArguments, type Rendition, soundArguments } from "../../ffmpeg/rendition.ts";
import type { FfmpegDialect } from "../../ffmpeg/version.ts";
import { type LiveSource, pathOf } from "./source_spec.ts";
import { SENT_RAW } from "./stream_info.ts";

/** Options of {@linkcode liveArguments}. */
export interface LiveInputOptions {
  /** Read files again from their beginning at their end. */
  loop?: boolean;
  /** Bytes of a growing file now. */
  size?: number;
  /** Frames are read as NUT from the standard input in place of the source. */
  fed?: {
    /** Pixels of the largest picture. @default Infinity */
    maxPixels?: number;
    /** FFmpeg's name of the pixel format of those frames, if they are raw. */
    rawFormat?: string;
  };
  /** FFmpeg's arguments that open the source, in place of those that follow from its kind. */
  opened?: readonly string[];
  /** Leave out the audio. */
  isSilent?: boolean;
  /** The value by which the installed FFmpeg keeps the time base of the input. */
  inputTimeBase: FfmpegDialect["inputTimeBase"];
  /** How video is decoded and encoded. @default SOFTWARE */
  hardware?: Hardware;
}

/**
 * Extensions of formats that can be read from any byte on: of growing files, only the end is read. All
 * others are read from their beginning.
 */
const READABLE_ANYWHERE = /\.(ts|m2ts|mts|mpe?g|vob|h26[45]|hevc|mjpe?g|aac|mp3|ac3)$/i;

/** Bytes before the end of a growing file at which reading begins. */
const BACKLOG = 512 * 1024;

/**
 * Microseconds of a stream that FFmpeg analyses before it writes headers. If packets are copied, that
 * time has to contain a keyframe, which holds the size of the video.
 */
const ANALYSIS = { decoded: "2000000", copied: "4000000" };

/** Keyframe interval in seconds; the longest that a late joiner waits. */
const KEYFRAME_INTERVAL = 1;

/** Microseconds that video waits for audio before it is written without it. */
const INTERLEAVE_DELTA = "300000";

/** Formats of frames out of hardware, which the processor decodes into others. */
const HARDWARE_FORMATS = new Set(["nv12"]);

/** Arguments for both streams of a source in a rendition. */
export function liveArguments(
  source: LiveSource,
  rendition: Rendition,
  options: LiveInputOptions,
): string[] {
  const isGenerated = rendition.encoding === "copy" && source.kind === "generator";
  const isRaw = isGenerated || (rendition.encoding ?? "raw") === "raw";
  const hardware = decodes(source, rendition, options)
    ? options.hardware
    : withoutDecoding(options);
  const sentRaw = hardware?.hwaccel === undefined
    ? SENT_RAW
    : SENT_RAW.filter((format) => !HARDWARE_FORMATS.has(format));
  // The four bytes of NUT have to identify the pixel format of raw video.
  const filters = [
    ...demosaicFilters(options.fed?.rawFormat),
    ...(isRaw && rendition.pixelFormat === undefined ? [`format=${sentRaw.join("|")}`] : []),
  ];
  const pictureSource = {
    filters,
    keyframeInterval: KEYFRAME_INTERVAL,
    restatesColors: restatesColors(source, rendition, {
      isRaw: options.fed?.rawFormat !== undefined,
    }),
    // Nothing is known of a source beforehand, so that only what is marked is deinterlaced.
    fieldOrder: rendition.deinterlace ? "tt" as const : undefined,
    timeBase: options.inputTimeBase,
    hardware,
    isLive: true,
  };
  // Since 7.0, generators give FFmpeg's own frames, which cannot be copied into NUT.
  const wanted: Rendition = isGenerated ? { encoding: "raw" } : rendition;
  return [
    ...["-hide_banner", "-nostdin", "-v", "error"],
    ...decodingArguments(hardware),
    ...options.opened ?? inputArguments(source, {
      ...options,
      analysis: rendition.encoding === "copy" ? ANALYSIS.copied : ANALYSIS.decoded,
    }),
    ...["-map", "0:V:0?", ...pictureArguments(wanted, pictureSource)],
    ...(options.isSilent ? [] : ["-map", "0:a:0?", ...soundArguments(wanted, "pcm_s16le")]),
    ...["-max_interleave_delta", INTERLEAVE_DELTA, "-flush_packets", "1"],
    ...["-f", "nut", "pipe:1"],
  ];
}

/** Whether there is video to decode: neither raw frames, nor packets that are copied. */
function decodes(
  { kind }: LiveSource,
  { encoding }: Rendition,
  { fed }: Pick<LiveInputOptions, "fed">,
): boolean {
  return kind !== "generator" && encoding !== "copy" && fed?.rawFormat === undefined;
}

function withoutDecoding({ hardware = SOFTWARE }: Pick<LiveInputOptions, "hardware">): Hardware {
  return { encoder: hardware.encoder };
}

/**
 * Whether video is converted to the default matrix and range of its encoding: JPEG, which has no
 * other, and sources that may give RGB, or that give raw pictures. Other H.264 states its own;
 * conversion takes as long as encoding.
 */
export function restatesColors(
  { kind }: LiveSource,
  { encoding }: Rendition,
  { isRaw = false }: { isRaw?: boolean } = {},
): boolean {
  return encoding === "mjpeg" ||
    (encoding === "h264" && (isRaw || kind === "device" || kind === "generator"));
}

function inputArguments(
  source: LiveSource,
  { loop, size = 0, fed, analysis }: LiveInputOptions & { analysis: string },
): string[] {
  // The frame rate is not needed; FFmpeg would wait for 20 frames to find it.
  if (fed !== undefined) {
    const { maxPixels } = fed;
    return [
      ...["-fpsprobesize", "0", "-analyzeduration", analysis],
      ...(maxPixels === undefined ? [] : ["-max_pixels", String(maxPixels)]),
      ...["-f", "nut", "-i", "pipe:0"],
    ];
  }
  const { kind, format, input } = source;
  const asFormat = format === undefined ? [] : ["-f", format];
  if (kind === "device" || kind === "generator") return [...asFormat, "-i", input];
  if (kind === "network") {
    return [
      ...["-fflags", "nobuffer", "-analyzeduration", analysis],
      // Over UDP, large frames lose packets.
      ...(/^rtsps?:/i.test(input) ? ["-rtsp_transport", "tcp"] : []),
      ...asFormat,
      ...["-i", input],
    ];
  }
  const path = pathOf(source);
  if (loop) return ["-stream_loop", "-1", ...asFormat, "-i", `file:${path}`];
  const behind = READABLE_ANYWHERE.test(path) ? Math.max(0, size - BACKLOG) : 0;
  return [
    ...(behind > 0 ? ["-skip_initial_bytes", String(behind)] : []),
    ...["-analyzeduration", analysis],
    ...asFormat,
    // Not seekable: FFmpeg would search the end of the file, which it never reaches.
    ...["-follow", "1", "-seekable", "0", "-i", `file:${path}`],
  ];
}
