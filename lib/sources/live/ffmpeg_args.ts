/** FFmpeg's arguments for turning a live source into NUT. Pure. */
import { pictureArguments, type Rendition, soundArguments } from "../../ffmpeg/rendition.ts";
import type { FfmpegDialect } from "../../ffmpeg/version.ts";
import { type LiveSource, pathOf } from "./source_spec.ts";
import { SENT_RAW } from "./stream_info.ts";

/** How a source is opened. */
export interface LiveInputOptions {
  /** Begin files again at their end, for ever. */
  loop?: boolean;
  /** Bytes that a growing file has by now. */
  size?: number;
  /** The source's frames come as NUT on the standard input; it is not opened. */
  isFed?: boolean;
  /** How the installed FFmpeg is told to keep the time base of the input. */
  inputTimeBase: FfmpegDialect["inputTimeBase"];
}

/**
 * Formats in which reading may begin anywhere, by the endings of their files: of those, only the
 * end is read. All others are read from their beginning.
 */
const JOINED_ANYWHERE = /\.(ts|m2ts|mts|mpe?g|vob|h26[45]|hevc|mjpe?g|aac|mp3|ac3)$/i;

/** Bytes in front of a growing file's end where reading begins. */
const BACKLOG = 512 * 1024;

/**
 * Microseconds of a stream that FFmpeg looks at before it says what is in it. Of packets that are
 * only copied, the size of the pictures has to be found in that time: in a keyframe.
 */
const ANALYSIS = { decoded: "2000000", copied: "4000000" };

/** Seconds between keyframes, which late joiners wait for. */
const KEYFRAME_INTERVAL = 1;

/** Microseconds that pictures may wait for sound before they are written without it. */
const INTERLEAVE_DELTA = "300000";

/** Arguments that give both streams of a source, as a rendition wants them. */
export function liveArguments(
  source: LiveSource,
  rendition: Rendition,
  options: LiveInputOptions,
): string[] {
  const isGenerated = rendition.encoding === "copy" && source.kind === "generator";
  const isRaw = isGenerated || (rendition.encoding ?? "raw") === "raw";
  // Of raw pictures NUT tells the format by four bytes only, so it has to be one that they tell.
  const filters = isRaw && rendition.pixelFormat === undefined
    ? [`format=${SENT_RAW.join("|")}`]
    : [];
  const pictureSource = {
    filters,
    keyframeInterval: KEYFRAME_INTERVAL,
    restatesColors: restatesColors(source, rendition),
    timeBase: options.inputTimeBase,
    isLive: true,
  };
  // Since 7.0, a generator gives no packets that could be copied into NUT, but FFmpeg's own frames.
  const wanted: Rendition = isGenerated ? { encoding: "raw" } : rendition;
  return [
    ...["-hide_banner", "-nostdin", "-v", "error"],
    ...inputArguments(source, {
      ...options,
      analysis: rendition.encoding === "copy" ? ANALYSIS.copied : ANALYSIS.decoded,
    }),
    ...["-map", "0:V:0?", ...pictureArguments(wanted, pictureSource)],
    ...["-map", "0:a:0?", ...soundArguments(wanted, "pcm_s16le")],
    ...["-max_interleave_delta", INTERLEAVE_DELTA, "-flush_packets", "1"],
    ...["-f", "nut", "pipe:1"],
  ];
}

/**
 * Whether pictures get the matrix and the range that their encoding is described with, whatever
 * they had: of JPEG, which has no other, and of what may be RGB. H.264 of other sources states
 * theirs by itself, and turning all colours takes as long as encoding them.
 */
export function restatesColors({ kind }: LiveSource, { encoding }: Rendition): boolean {
  return encoding === "mjpeg" ||
    (encoding === "h264" && (kind === "device" || kind === "generator"));
}

function inputArguments(
  source: LiveSource,
  { loop, size = 0, isFed, analysis }: LiveInputOptions & { analysis: string },
): string[] {
  // The frame rate, for which FFmpeg would wait for 20 frames, is of no use.
  if (isFed) {
    return ["-fpsprobesize", "0", "-analyzeduration", analysis, "-f", "nut", "-i", "pipe:0"];
  }
  const { kind, format, input } = source;
  const asFormat = format === undefined ? [] : ["-f", format];
  if (kind === "device" || kind === "generator") return [...asFormat, "-i", input];
  if (kind === "network") {
    return [
      ...["-fflags", "nobuffer", "-analyzeduration", analysis],
      // Over UDP, a camera's large pictures come with holes.
      ...(/^rtsps?:/i.test(input) ? ["-rtsp_transport", "tcp"] : []),
      ...asFormat,
      ...["-i", input],
    ];
  }
  const path = pathOf(source);
  if (loop) return ["-stream_loop", "-1", ...asFormat, "-i", `file:${path}`];
  const behind = JOINED_ANYWHERE.test(path) ? Math.max(0, size - BACKLOG) : 0;
  return [
    ...(behind > 0 ? ["-skip_initial_bytes", String(behind)] : []),
    ...["-analyzeduration", analysis],
    ...asFormat,
    // Without seeking: FFmpeg would look for the file's length at its end, which it never reaches.
    ...["-follow", "1", "-seekable", "0", "-i", `file:${path}`],
  ];
}
