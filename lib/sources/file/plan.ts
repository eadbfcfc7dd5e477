/** Plans which streams of a file are sent, in which encoding, and which options contradict. */
import { RequestError } from "../../base/errors.ts";
import { bitsPerPixel, rawPixelFormat } from "../../ffmpeg/pixel_formats.ts";
import type { Rendition } from "../../ffmpeg/rendition.ts";
import type { Encoding } from "../../media/frame.ts";
import { isCarried, isLosslessSound } from "../../nut/format.ts";
import type { MediaFile } from "./library.ts";
import { isClockless } from "./seek.ts";

/** The part of a file to send, and its rendition. */
export interface MediaOptions extends Rendition {
  /** Single images only: one, or a sequence if `every` is given. */
  still?: boolean;
  /** Whether video is sent. @default true */
  video?: boolean;
  /** Seconds from the beginning. */
  start?: number;
  /** Seconds. */
  duration?: number;
  /** Seconds from one image of a sequence to the next; only with `still`. */
  every?: number;
}

/** Options, the encodings that they make sense with, and their names in messages. */
const ENCODINGS_OF: readonly (readonly [keyof MediaOptions, readonly string[], string])[] = [
  ["pixelFormat", ["raw"], "pixel format"],
  ["width", ["raw", "h264", "mjpeg"], "size"],
  ["height", ["raw", "h264", "mjpeg"], "size"],
  ["fps", ["raw", "h264", "mjpeg"], "frame rate"],
  ["bitrate", ["h264"], "bitrate"],
  ["quality", ["mjpeg"], "quality"],
  ["toneMap", ["raw", "h264", "mjpeg"], "tone mapping"],
  ["deinterlace", ["raw", "h264", "mjpeg"], "deinterlacer"],
];

/**
 * Refuses options that the encoding would ignore.
 *
 * @throws {RequestError} `bad_request`
 */
export function refuseContradictions(options: MediaOptions): void {
  const { encoding = "raw" } = options;
  for (const [field, encodings, name] of ENCODINGS_OF) {
    // False is the same for all encodings.
    if (!options[field] || encodings.includes(encoding)) continue;
    const reason = encoding === "copy" ? "copy changes nothing" : `${encoding} has none`;
    throw new RequestError(
      "bad_request",
      `Cannot send ${encoding} with a ${name}: ${reason}, ask for ${encodings.join(" or ")}`,
    );
  }
}

/**
 * Refuses a copied still of a video, since most packets depend on those before them.
 *
 * @throws {RequestError} `unsupported`
 */
export function refuseCopiedStill(
  { encoding, still }: MediaOptions,
  { name, info }: { name: string; info: { kind: string } },
): void {
  if (encoding !== "copy" || !still || info.kind === "image") return;
  throw new RequestError(
    "unsupported",
    `Cannot copy a picture out of "${name}": it is a video, ask for raw, h264 or mjpeg`,
  );
}

/** Encodings of a file's streams; absent for a stream that the file lacks or that is not sent. */
export interface TrackPlan {
  video?: Encoding;
  /** `pcm` with raw video and JPEG, `flac` for lossless codecs that NUT does not carry. */
  audio?: "copy" | "pcm" | "aac" | "flac";
  /** Differences from the request, one sentence each. */
  notes: string[];
}

/** Plans the encodings of a file's streams. */
export function planTracks(file: MediaFile, options: MediaOptions): TrackPlan {
  const { encoding = "raw", still } = options;
  const { video, audio } = file.info;
  const notes: string[] = [];
  const videoEncoding = video && (encoding === "copy" ? copiedVideo(file, notes) : encoding);
  const isSilent = audio === undefined || still || options.audio === false;
  const plan: TrackPlan = {
    video: videoEncoding,
    audio: isSilent ? undefined : audioFor(encoding, audio.codec, notes),
    notes,
  };
  if (video?.alpha !== undefined && videoEncoding !== "raw") {
    notes.push("Pictures are sent without their transparency: only raw frames have it");
  }
  if (encoding === "copy" && !still) notes.push(...droppedStreams(file));
  return plan;
}

/** The encoding for `copy`: the nearest one if the packets cannot be copied. */
function copiedVideo({ info: { kind, format, video } }: MediaFile, notes: string[]): Encoding {
  const { codec, decodeDelay = 0 } = video!;
  // Unpacking raw video loses nothing, and NUT knows more pixel formats that way.
  if (codec === "rawvideo") return "raw";
  if (!isCarried(codec)) {
    const instead = kind === "image" ? "raw" : "h264";
    notes.push(`Pictures are sent as ${instead}: NUT carries no ${codec}`);
    return instead;
  }
  const isUntimed = isClockless(format) ||
    (format === "avi" && decodeDelay > 0 && (codec === "h264" || codec === "hevc"));
  if (!isUntimed) return "copy";
  notes.push("Pictures are sent as h264: the file does not say when each is shown");
  return "h264";
}

function audioFor(encoding: Encoding, codec: string, notes: string[]): TrackPlan["audio"] {
  if (encoding === "h264") return "aac";
  if (encoding !== "copy") return "pcm";
  if (isCarried(codec)) return "copy";
  const instead = isLosslessSound(codec) ? "flac" : "aac";
  notes.push(`Sound is sent as ${instead}: NUT carries no ${codec}`);
  return instead;
}

function droppedStreams({ info: { further = {} } }: MediaFile): string[] {
  const names: Record<string, string> = {
    audio: "sound",
    video: "pictures",
    subtitle: "subtitles",
  };
  const parts = Object.entries(names).flatMap(([type, name]) =>
    further[type] ? [`${further[type]} of ${name}`] : []
  );
  return parts.length === 0 ? [] : [`Further streams are dropped: ${parts.join(", ")}`];
}

/** Bytes of a raw video frame; 0 without video. */
export function rawFrameSize(
  { info: { video } }: Pick<MediaFile, "info">,
  { width, height, pixelFormat }: MediaOptions,
): number {
  if (video === undefined) return 0;
  // If only one of the two is requested, the aspect ratio is kept.
  const scaledWidth = width ?? Math.round(video.width * (height ?? video.height) / video.height);
  const scaledHeight = height ?? Math.round(video.height * (width ?? video.width) / video.width);
  const source = video.alpha?.pixelFormat ?? video.pixelFormat;
  const bits = bitsPerPixel(pixelFormat ?? rawPixelFormat(source)) ?? 24;
  return scaledWidth * scaledHeight * bits / 8;
}
