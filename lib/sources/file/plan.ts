/** Which wishes do not go together. Pure. */

/** What each stream of a file is sent as, and what of that is other than asked for. Pure. */
import { RequestError } from "../../base/errors.ts";
import type { Rendition } from "../../ffmpeg/rendition.ts";
import type { Encoding } from "../../media/frame.ts";
import { isCarried, isLosslessSound } from "../../nut/codecs.ts";
import type { MediaFile } from "./library.ts";
import { isClockless } from "./seek.ts";

/** What is wanted of a file: which part of it, and turned into what. */
export interface MediaOptions extends Rendition {
  /** Only pictures that stand for themselves: one, or a series where `every` is given. */
  still?: boolean;
  /** False to leave pictures out. */
  pictures?: boolean;
  /** Seconds from the beginning. */
  start?: number;
  /** Seconds. */
  duration?: number;
  /** Seconds from one picture of a series to the next; only of stills. */
  every?: number;
}

/** A wish, and the encodings that it makes sense with. */
const MEANT_FOR: readonly (readonly [keyof MediaOptions, readonly string[], string])[] = [
  ["pixelFormat", ["raw"], "pixel format"],
  ["width", ["raw", "h264", "mjpeg"], "size"],
  ["height", ["raw", "h264", "mjpeg"], "size"],
  ["fps", ["raw", "h264", "mjpeg"], "frame rate"],
  ["bitrate", ["h264"], "bitrate"],
  ["quality", ["mjpeg"], "quality"],
];

/**
 * Refuses wishes that contradict each other, rather than leave one of them out.
 *
 * @throws {RequestError} `bad_request`
 */
export function refuseContradictions(options: MediaOptions): void {
  const { encoding = "raw" } = options;
  for (const [field, encodings, name] of MEANT_FOR) {
    if (options[field] === undefined || encodings.includes(encoding)) continue;
    const reason = encoding === "copy" ? "copy changes nothing" : `${encoding} has none`;
    throw new RequestError(
      "bad_request",
      `Cannot send ${encoding} with a ${name}: ${reason}, ask for ${encodings.join(" or ")}`,
    );
  }
}

/**
 * Refuses the copy of a single picture out of a video, whose packet mostly needs those before it.
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

/** What pictures and sound are sent as; both absent where the file has neither. */
export interface TrackPlan {
  pictures?: Encoding;
  /** `pcm` beside raw pictures and JPEG, `flac` in place of lossless codecs that are not carried. */
  sound?: "copy" | "pcm" | "aac" | "flac";
  /** What is other than was asked for, one sentence each. */
  notes: string[];
}

/** Plans what is sent of a file. */
export function planTracks(file: MediaFile, options: MediaOptions): TrackPlan {
  const { encoding = "raw", still, audio } = options;
  const { video, audio: sound } = file.info;
  const notes: string[] = [];
  const pictures = video && (encoding === "copy" ? copiedPictures(file, notes) : encoding);
  const silent = sound === undefined || still || audio === false;
  const plan: TrackPlan = {
    pictures,
    sound: silent ? undefined : soundBeside(encoding, sound.codec, notes),
    notes,
  };
  if (encoding === "copy" && !still) notes.push(...leftOut(file));
  return plan;
}

/** Pictures that cannot be copied are sent as what comes nearest to them. */
function copiedPictures({ info: { kind, format, video } }: MediaFile, notes: string[]): Encoding {
  const { codec, decodeDelay = 0 } = video!;
  // Nothing is lost by unpacking what is raw already, and NUT knows more formats that way.
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

function soundBeside(encoding: Encoding, codec: string, notes: string[]): TrackPlan["sound"] {
  if (encoding === "h264") return "aac";
  if (encoding !== "copy") return "pcm";
  if (isCarried(codec)) return "copy";
  const instead = isLosslessSound(codec) ? "flac" : "aac";
  notes.push(`Sound is sent as ${instead}: NUT carries no ${codec}`);
  return instead;
}

function leftOut({ info: { further = {} } }: MediaFile): string[] {
  const names: Record<string, string> = {
    audio: "sound",
    video: "pictures",
    subtitle: "subtitles",
  };
  const parts = Object.entries(names).flatMap(([type, name]) =>
    further[type] ? [`${further[type]} of ${name}`] : []
  );
  return parts.length === 0 ? [] : [`Further streams are left out: ${parts.join(", ")}`];
}
