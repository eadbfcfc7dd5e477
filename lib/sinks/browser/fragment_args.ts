/** FFmpeg's arguments for fragments as browsers play them: of MP4, or of WebM if transparent. */
import { pictureArguments } from "../../ffmpeg/rendition.ts";
import type { FfmpegDialect } from "../../ffmpeg/version.ts";
import type { AudioStream, StreamDescription, VideoStream } from "../../media/frame.ts";
import {
  audioOf,
  audioTrim,
  FLAC_DURATIONS,
  FLAC_IN_MP4,
  nutInputArguments,
  rotationOption,
  rotationTag,
  shownFilters,
  turned,
  turnFilters,
  videoOf,
  videoTrim,
} from "../filters.ts";

/** Name for VP9 with transparency, and Opus, in WebM. FFmpeg has none. */
const TRANSPARENT_VP9 = "vp9-alpha";

/** Codecs that some browsers play: by FFmpeg's names, and {@linkcode TRANSPARENT_VP9}. */
export const BROWSER_CODECS = [
  ...["h264", "hevc", "vp9", "av1", TRANSPARENT_VP9] as const,
  ...["aac", "mp3", "opus", "flac"] as const,
];

/** FFmpeg's encoders of transparent fragments: of pictures, and of sound. */
export const TRANSPARENT_ENCODERS = ["libvpx-vp9", "libopus"] as const;

/** Raw pixels that transparent fragments are made of. */
export const TRANSPARENT_FORMAT = "yuva420p";

/** Pixel formats that browsers play in all codecs. */
const EIGHT_BIT = new Set(["yuv420p", "yuvj420p"]);

/** Pixel formats with ten bits, which hardly any browser plays as H.264. */
const TEN_BIT = new Set(["yuv420p10le"]);

/**
 * Microseconds of a fragment; playback begins after the first one. Live packets get one each, since
 * FFmpeg's flag for that makes wrong timestamps with two streams.
 */
const FRAGMENT = { file: 200_000, live: 1 };

/** Keyframe interval in seconds. */
const KEYFRAMES = { file: 2, live: 1 };

/** Microseconds that live video waits for earlier audio, and the reverse. */
const LIVE_PATIENCE = 200_000;

/** Packets that wait for the first of every stream; audio may begin late. */
const MAX_QUEUED = 100_000;

/** Bit rate of AAC and Opus; enough for stereo. */
const SOUND_BITRATE = "160k";

/** Quality of VP9, from 0 (best) to 63. */
const VP9_QUALITY = "28";

/**
 * H.264 levels for 60 frames a second, by macroblocks of 16 × 16 pixels (ITU-T H.264, table A-1).
 */
const LEVELS = [{ largest: 8704, level: "4.2" }, { largest: 36864, level: "5.2" }];

/**
 * A live packet is written before the next one comes, so it gets the duration of the one before; at
 * most 0.1 s, so that gaps do not count.
 */
const LIVE_LENGTHS = "setts=duration=if(N\\,min(PTS-PREV_INPTS\\,0.1/TB)\\,0.04/TB)";

/**
 * Sets the decode times of the first packets of a stream with reordered frames: FFmpeg knows only
 * later ones, and may guess too late.
 */
function firstDecoded({ decodeDelay = 0 }: VideoStream): string[] {
  if (decodeDelay === 0) return [];
  const delay = decodeDelay;
  return ["-bsf:v", `setts=pts=PTS:dts=if(lt(N\\,${delay})\\,STARTPTS-${delay}+N\\,DTS)`];
}

/** Options of {@linkcode fragmentArguments}. */
export interface FragmentOptions {
  /** Codecs that the browser plays, by FFmpeg's names. */
  can: ReadonlySet<string>;
  live: boolean;
  /** Whole seconds by which the input timestamps are shifted. */
  lead: number;
  /** Frames before the beginning are only decoded. */
  trims: boolean;
  /** Raw pictures become transparent ones. @default false */
  isTransparent?: boolean;
  /** False to show a high dynamic range as it is. @default true */
  toneMap?: boolean;
  /** How this FFmpeg takes a rotation. */
  rotationBy?: FfmpegDialect["rotationBy"];
}

/** Whether a browser with certain codecs plays a stream's packets unchanged. */
export function isPlayable(stream: StreamDescription, can: ReadonlySet<string>): boolean {
  const { codec } = stream;
  if (!BROWSER_CODECS.some((name) => name === codec) || !can.has(codec)) return false;
  if (stream.type === "audio") return true;
  // Browsers show both fields of a frame at once.
  if (stream.fieldOrder !== undefined) return false;
  // Most streams without a pixel format are 4:2:0.
  const { pixelFormat = "yuv420p" } = stream;
  return EIGHT_BIT.has(pixelFormat) || (codec !== "h264" && TEN_BIT.has(pixelFormat));
}

/** Whether pictures are transparent in their file, but not in their stream. */
export function lacksTransparency(streams: readonly StreamDescription[]): boolean {
  return videoOf(streams)?.alphaDropped === true;
}

/** Whether a browser shows transparent pictures. */
export function showsTransparency(can: ReadonlySet<string>): boolean {
  return can.has(TRANSPARENT_VP9);
}

/** Whether the fragments of some streams are WebM, and not MP4. */
export function isWebm(
  streams: readonly StreamDescription[],
  { isTransparent }: Pick<FragmentOptions, "isTransparent">,
): boolean {
  return isTransparent === true && videoOf(streams) !== undefined;
}

/**
 * Sentences about the streams that are re-encoded; none if no codec may be copied, since the user
 * chose that.
 */
export function browserNotes(
  streams: readonly StreamDescription[],
  { can }: Pick<FragmentOptions, "can">,
): string[] {
  if (can.size === 0) return [];
  return streams.filter((stream) => !isPlayable(stream, can) && !isRaw(stream)).map((stream) => {
    if (stream.type === "video" && stream.fieldOrder !== undefined) {
      return "pictures are re-encoded: browsers do not show interlaced ones right";
    }
    const format = stream.type === "video" && can.has(stream.codec) ? ` ${stream.pixelFormat}` : "";
    const what = stream.type === "video" ? "pictures are" : "sound is";
    return `${what} re-encoded: this browser does not play ${stream.codec}${format}`;
  });
}

function isRaw({ codec }: StreamDescription): boolean {
  return codec === "rawvideo" || codec.startsWith("pcm_");
}

/**
 * FFmpeg's arguments for fragments on standard output, with the timestamps of the input: without an
 * edit list and without a shift to 0.
 */
export function fragmentArguments(
  streams: readonly StreamDescription[],
  options: FragmentOptions,
): string[] {
  const { can, rotationBy } = options;
  const [video, audio] = [videoOf(streams), audioOf(streams)];
  const webm = isWebm(streams, options);
  const encoder = webm ? TRANSPARENT_ENCODERS[1] : "aac";
  return [
    // Without -xerror, so that it continues after damaged data.
    ...["-v", "error", "-nostdin"],
    ...(video !== undefined && isPlayable(video, can) ? rotationOption(video, rotationBy) : []),
    ...["-copyts", "-fpsprobesize", "0", "-analyzeduration", "200000"],
    ...nutInputArguments(streams),
    ...(video === undefined ? [] : ["-map", "0:v:0", ...videoArguments(video, options)]),
    ...(audio === undefined
      ? []
      : ["-map", "0:a:0", ...audioArguments(audio, { ...options, encoder })]),
    ...["-max_muxing_queue_size", `${MAX_QUEUED}`],
    ...["-avoid_negative_ts", "disabled", "-flush_packets", "1"],
    ...(webm ? webmArguments() : mp4Arguments(options)),
    "pipe:1",
  ];
}

function mp4Arguments({ live }: FragmentOptions): string[] {
  const flags = ["empty_moov", "delay_moov", "default_base_moof", "frag_discont", "frag_keyframe"];
  return [
    ...["-use_editlist", "0", "-write_tmcd", "0"],
    ...["-movflags", flags.join("+"), "-frag_duration", `${live ? FRAGMENT.live : FRAGMENT.file}`],
    ...(live ? ["-max_interleave_delta", `${LIVE_PATIENCE}`] : []),
    ...["-f", "mp4"],
  ];
}

/** Without a length or an index, which are known at the end only. */
function webmArguments(): string[] {
  return ["-live", "1", "-cluster_time_limit", `${FRAGMENT.file / 1000}`, "-f", "webm"];
}

function videoArguments(video: VideoStream, options: FragmentOptions): string[] {
  const { can, live, lead, trims, toneMap, rotationBy } = options;
  if (isWebm([video], options)) return transparentArguments(video, options);
  if (isPlayable(video, can)) {
    return [
      ...["-c:v", "copy", ...firstDecoded(video)],
      // Safari requires this tag for HEVC; other browsers accept it.
      ...(video.codec === "hevc" ? ["-tag:v", "hvc1"] : []),
      ...rotationTag(video, rotationBy),
    ];
  }
  const filters = [
    ...(trims ? videoTrim(lead) : []),
    ...turnFilters(video),
    ...evenFilters(turned(video)),
  ];
  const { pixelFormat, colorSpace, timeBase, frameRate, fieldOrder } = video;
  const { colorRange, colorPrimaries, colorTransfer } = video;
  const keyframeInterval = live ? KEYFRAMES.live : KEYFRAMES.file;
  const source = {
    ...{ filters, pixelFormat, colorSpace, timeBase, frameRate, fieldOrder },
    ...{ colorRange, colorPrimaries, colorTransfer, keyframeInterval, isLive: live },
  };
  return [
    ...pictureArguments({ encoding: "h264", toneMap }, source),
    ...["-level:v", levelOf(video), ...(live ? ["-bsf:v", LIVE_LENGTHS] : [])],
  ];
}

function transparentArguments(video: VideoStream, { lead, trims }: FragmentOptions): string[] {
  const filters = [
    ...(trims ? videoTrim(lead) : []),
    ...turnFilters(video),
    ...squareFilters(turned(video)),
    `format=${TRANSPARENT_FORMAT}`,
  ];
  return [
    ...[
      "-vf",
      filters.join(","),
      "-c:v",
      TRANSPARENT_ENCODERS[0],
      "-crf",
      VP9_QUALITY,
      "-b:v",
      "0",
    ],
    // As fast as the encoder can, without frames that wait for later ones.
    ...["-deadline", "realtime", "-cpu-used", "8", "-row-mt", "1"],
    ...["-auto-alt-ref", "0", "-lag-in-frames", "0"],
    ...["-force_key_frames", `expr:gte(t,n_forced*${KEYFRAMES.file})`],
  ];
}

/**
 * Level of H.264 by size. Without a frame rate, the encoder would choose one that decoders refuse.
 */
function levelOf({ width, height }: VideoStream): string {
  const blocks = Math.ceil(width / 16) * Math.ceil(height / 16);
  return LEVELS.find(({ largest }) => blocks <= largest)?.level ?? "6.2";
}

/** Filters that make pixels square, since some browsers ignore their aspect ratio. */
function squareFilters({ sampleAspectRatio: ratio }: VideoStream): string[] {
  if (ratio === undefined || ratio[0] <= 0 || ratio[0] === ratio[1]) return [];
  return [`scale=iw*${ratio[0]}/${ratio[1]}:ih`, "setsar=1"];
}

/** Same, with even sizes; rounding up leaves pixels slightly less than square. */
function evenFilters(video: VideoStream): string[] {
  const { width, height } = video;
  const square = squareFilters(video);
  const isEven = square.length === 0 && width % 2 === 0 && height % 2 === 0;
  return isEven ? [] : [...square, "scale=ceil(iw/2)*2:ceil(ih/2)*2", "setsar=1"];
}

function audioArguments(
  audio: AudioStream,
  { encoder, ...options }: FragmentOptions & { encoder: "aac" | "libopus" },
): string[] {
  const { can, lead, trims } = options;
  if (isPlayable(audio, can) && encoder === "aac") {
    return ["-c:a", "copy", ...(audio.codec === "flac" ? [...FLAC_IN_MP4, ...FLAC_DURATIONS] : [])];
  }
  return [
    ...(trims ? ["-af", audioTrim(lead).join(",")] : []),
    ...["-c:a", encoder, "-b:a", SOUND_BITRATE],
    ...(audio.channels > 2 ? ["-ac", "2"] : []),
  ];
}

/**
 * FFmpeg's arguments for one image on standard output, upright and with square pixels.
 *
 * @param format `png` is lossless, `jpeg` small
 */
export function snapshotArguments(
  streams: readonly StreamDescription[],
  format: "png" | "jpeg",
): string[] {
  const video = videoOf(streams);
  const filters = video === undefined
    ? []
    : [...shownFilters(video), ...squareFilters(turned(video))];
  return [
    ...["-v", "error", "-xerror", "-nostdin"],
    ...nutInputArguments(streams),
    ...["-frames:v", "1", ...(filters.length === 0 ? [] : ["-vf", filters.join(",")])],
    ...(format === "png"
      ? ["-c:v", "png"]
      : ["-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-q:v", "5"]),
    ...["-f", "image2pipe", "pipe:1"],
  ];
}
