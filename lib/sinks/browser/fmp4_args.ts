/** FFmpeg's arguments for turning frames, as NUT on its standard input, into what browsers play. Pure. */
import { pictureArguments } from "../../ffmpeg/rendition.ts";
import type { FfmpegDialect } from "../../ffmpeg/version.ts";
import type { AudioStream, StreamDescription, VideoStream } from "../../media/frame.ts";
import { audioTrim, nutInputArguments, turned, turnFilters, videoTrim } from "../filters.ts";

/** FFmpeg's names of the codecs that some browsers play in fragmented MP4. */
export const BROWSER_CODECS = [
  ...["h264", "hevc", "vp9", "av1"] as const,
  ...["aac", "mp3", "opus", "flac"] as const,
];

/** Pixel formats that browsers play of H.264, and of everything else that they play. */
const EIGHT_BIT = new Set(["yuv420p", "yuvj420p"]);

/** Those with ten bits, of which H.264's are played by hardly any browser. */
const TEN_BIT = new Set(["yuv420p10le"]);

/**
 * Microseconds of a fragment: playing begins when the first one is there. Of what is live, each
 * packet has one of its own; by FFmpeg's flag for that, timestamps would be wrong where there are
 * two streams.
 */
const FRAGMENT = { file: 200_000, live: 1 };

/** Seconds from one keyframe to the next: of files, and of what is live. */
const KEYFRAMES = { file: 2, live: 1 };

/** Microseconds that a live picture waits for the sound before it, and the other way round. */
const LIVE_PATIENCE = 200_000;

/** Packets that wait until the first of every stream is there; sound may begin late. */
const MAX_QUEUED = 100_000;

/** Bits a second of AAC; enough for stereo. */
const SOUND_BITRATE = "160k";

/**
 * FFmpeg 5 calls FLAC in MP4 experimental; and the length of its packets, which NUT does not tell,
 * is the distance to the one before.
 */
const FLAC_IN_MP4 = ["-strict", "experimental", "-bsf:a", "setts=duration=if(N\\,PTS-PREV_INPTS)"];

/** H.264's levels for 60 pictures a second, by blocks of 16 × 16 pixels (ITU-T H.264, table A-1). */
const LEVELS = [{ largest: 8704, level: "4.2" }, { largest: 36864, level: "5.2" }];

/**
 * A live picture is handed over before the next is there, so that it gets the length of the one
 * before it; a tenth of a second at the most, lest a gap is taken for one.
 */
const LIVE_LENGTHS = "setts=duration=if(N\\,min(PTS-PREV_INPTS\\,0.1/TB)\\,0.04/TB)";

/**
 * Says when the first packets of a stream are decoded, whose pictures are shown in another order:
 * FFmpeg knows that only of those behind them, and what it would guess may be too late.
 */
function firstDecoded({ decodeDelay = 0 }: VideoStream): string[] {
  if (decodeDelay === 0) return [];
  const delay = decodeDelay;
  return ["-bsf:v", `setts=pts=PTS:dts=if(lt(N\\,${delay})\\,STARTPTS-${delay}+N\\,DTS)`];
}

/** What {@linkcode fragmentArguments} has to know besides the streams. */
export interface FragmentOptions {
  /** FFmpeg's names of the codecs that may stay as they are. */
  can: ReadonlySet<string>;
  /** Frames come as they come into being. */
  live: boolean;
  /** Whole seconds by which the timestamps of the input are too late. */
  lead: number;
  /** Some frames are from before the beginning, for decoding only. */
  trims: boolean;
  /** How this FFmpeg is told of a rotation. */
  rotationBy?: FfmpegDialect["rotationBy"];
}

/** Whether a browser that knows some codecs plays a stream's packets as they are. */
export function isPlayable(stream: StreamDescription, can: ReadonlySet<string>): boolean {
  const { codec } = stream;
  if (!BROWSER_CODECS.some((name) => name === codec) || !can.has(codec)) return false;
  if (stream.type === "audio") return true;
  // Of what nobody says it is mostly the usual.
  const { pixelFormat = "yuv420p" } = stream;
  return EIGHT_BIT.has(pixelFormat) || (codec !== "h264" && TEN_BIT.has(pixelFormat));
}

/**
 * What is encoded anew for the browser, one sentence each; nothing where nothing may stay as it is,
 * since whoever wants that knows why.
 */
export function browserNotes(
  streams: readonly StreamDescription[],
  { can }: Pick<FragmentOptions, "can">,
): string[] {
  if (can.size === 0) return [];
  return streams.filter((stream) => !isPlayable(stream, can) && !isRaw(stream)).map((stream) => {
    const format = stream.type === "video" && can.has(stream.codec) ? ` ${stream.pixelFormat}` : "";
    const what = stream.type === "video" ? "pictures are" : "sound is";
    return `${what} encoded anew: this browser does not play ${stream.codec}${format}`;
  });
}

function isRaw({ codec }: StreamDescription): boolean {
  return codec === "rawvideo" || codec.startsWith("pcm_");
}

/**
 * FFmpeg's arguments for fragmented MP4 on standard output, whose timestamps are exactly those of
 * the input: no edit list moves them, and nothing begins at 0 by itself.
 */
export function fragmentArguments(
  streams: readonly StreamDescription[],
  options: FragmentOptions,
): string[] {
  const { live } = options;
  const video = streams.find((stream) => stream.type === "video");
  const audio = streams.find((stream) => stream.type === "audio");
  const flags = ["empty_moov", "delay_moov", "default_base_moof", "frag_discont", "frag_keyframe"];
  return [
    // Without -xerror, so that it goes on behind what is damaged.
    ...["-v", "error", "-nostdin"],
    ...(video === undefined ? [] : rotationOption(video, options)),
    ...["-copyts", "-fpsprobesize", "0", "-analyzeduration", "200000"],
    ...nutInputArguments(streams),
    ...(video === undefined ? [] : ["-map", "0:v:0", ...videoArguments(video, options)]),
    ...(audio === undefined ? [] : ["-map", "0:a:0", ...audioArguments(audio, options)]),
    ...["-max_muxing_queue_size", `${MAX_QUEUED}`],
    ...["-avoid_negative_ts", "disabled", "-use_editlist", "0", "-write_tmcd", "0"],
    ...["-movflags", flags.join("+"), "-frag_duration", `${live ? FRAGMENT.live : FRAGMENT.file}`],
    ...(live ? ["-max_interleave_delta", `${LIVE_PATIENCE}`] : []),
    ...["-flush_packets", "1", "-f", "mp4", "pipe:1"],
  ];
}

function videoArguments(video: VideoStream, options: FragmentOptions): string[] {
  const { can, live, lead, trims, rotationBy } = options;
  if (isPlayable(video, can)) {
    const { rotation } = video;
    const tagged = rotation !== undefined && rotationBy === "tag";
    return [
      ...["-c:v", "copy", ...firstDecoded(video)],
      // Other browsers than Safari know both names of HEVC.
      ...(video.codec === "hevc" ? ["-tag:v", "hvc1"] : []),
      ...(tagged ? ["-metadata:s:v:0", `rotate=${360 - rotation}`] : []),
    ];
  }
  const filters = [
    ...(trims ? videoTrim(lead) : []),
    ...turnFilters(video),
    ...evenFilters(turned(video)),
  ];
  const { pixelFormat, colorSpace, timeBase, frameRate } = video;
  const keyframeInterval = live ? KEYFRAMES.live : KEYFRAMES.file;
  const source = {
    ...{ filters, pixelFormat, colorSpace, timeBase, frameRate },
    ...{ keyframeInterval, isLive: live },
  };
  return [
    ...pictureArguments({ encoding: "h264" }, source),
    ...["-level:v", levelOf(video), ...(live ? ["-bsf:v", LIVE_LENGTHS] : [])],
  ];
}

/**
 * H.264's level, which limits pictures and how many come a second. Where the rate is not known, the
 * encoder would name one that decoders refuse.
 */
function levelOf({ width, height }: VideoStream): string {
  const blocks = Math.ceil(width / 16) * Math.ceil(height / 16);
  return LEVELS.find(({ largest }) => blocks <= largest)?.level ?? "6.2";
}

/** Pictures whose pixels are not square are made wider, since some browsers show them as if. */
function squareFilters({ sampleAspectRatio: ratio }: VideoStream): string[] {
  if (ratio === undefined || ratio[0] <= 0 || ratio[0] === ratio[1]) return [];
  return [`scale=iw*${ratio[0]}/${ratio[1]}:ih`, "setsar=1"];
}

/** The same, with even sizes: rounding them up leaves the pixels a bit less than square. */
function evenFilters(video: VideoStream): string[] {
  const { width, height } = video;
  const square = squareFilters(video);
  const isEven = square.length === 0 && width % 2 === 0 && height % 2 === 0;
  return isEven ? [] : [...square, "scale=ceil(iw/2)*2:ceil(ih/2)*2", "setsar=1"];
}

function audioArguments(audio: AudioStream, options: FragmentOptions): string[] {
  const { can, lead, trims } = options;
  if (isPlayable(audio, can)) {
    return ["-c:a", "copy", ...(audio.codec === "flac" ? FLAC_IN_MP4 : [])];
  }
  return [
    ...(trims ? ["-af", audioTrim(lead).join(",")] : []),
    ...["-c:a", "aac", "-b:a", SOUND_BITRATE],
    ...(audio.channels > 2 ? ["-ac", "2"] : []),
  ];
}

/** Says of an input which way up it is shown; FFmpeg counts against the clock. */
function rotationOption(
  video: VideoStream,
  { can, rotationBy }: FragmentOptions,
): string[] {
  const { rotation } = video;
  const kept = rotation !== undefined && rotationBy === "option" && isPlayable(video, can);
  return kept ? ["-display_rotation:v:0", `${360 - rotation}`] : [];
}

/**
 * FFmpeg's arguments for one picture on standard output, upright and with square pixels.
 *
 * @param format `png`, which keeps everything, or `jpeg`
 */
export function snapshotArguments(
  streams: readonly StreamDescription[],
  format: "png" | "jpeg",
): string[] {
  const video = streams.find((stream) => stream.type === "video");
  const filters = video === undefined
    ? []
    : [...turnFilters(video), ...squareFilters(turned(video))];
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
