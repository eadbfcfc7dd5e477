/** The input and the encoding of a publication, from the flags. */
import { UsageError } from "../../base/errors.ts";
import type { WantedHardware } from "../../ffmpeg/hardware_search.ts";
import type { Rendition } from "../../ffmpeg/rendition.ts";
import { hideSecrets } from "../../ffmpeg/stderr.ts";
import { MAX_PUBLISHED_NAME } from "../../protocol/native/request.ts";
import type { OpenedInput } from "../../sources/live/feed.ts";
import { type LiveSource, parseLiveInput, pathOf } from "../../sources/live/source_spec.ts";
import { SENT_RAW } from "../../sources/live/stream_info.ts";
import type { ClientFlags } from "../flags.ts";

/** A publication: its input and its encoding. */
export interface PublishPlan {
  /** Name under which it is watched. */
  name: string;
  /** The input, under the name that messages call it by. */
  source: LiveSource;
  /** How FFmpeg opens a file or the standard input. Absent for live inputs. */
  opened?: OpenedInput;
  rendition: Rendition;
  hardware: WantedHardware;
  /** Leave out the audio. */
  isSilent: boolean;
  /** The input runs only while somebody watches. */
  onDemand: boolean;
  /** Take the name from another publisher. */
  replace: boolean;
}

/** The encoding of what is published, unless `--encoding` names another. */
export const DEFAULT_ENCODING = "h264";

/** `--input` of the standard input. */
const STDIN = "-";

/** Flags that are about what the server sends, or the destination of that. */
export const RECEIVING_FLAGS = [
  ...[
    "image",
    "video",
    "list",
    "long",
    "follow",
    "view",
    "http",
    "output",
    "data",
    "overwrite",
    "codec",
  ] as const,
  ...["no-tone-map", "deinterlace", "start", "duration", "every", "speed", "late"] as const,
  ...["classic", "framing", "request", "ack", "listen", "probe"] as const,
  ...["audio-track", "subtitles"] as const,
];

/** Flags that are for publishing alone. */
export const PUBLISHING_FLAGS = ["input", "on-demand", "replace", "encoder", "hwaccel"] as const;

/** FFmpeg's demuxers that number the frames, and take the frame rate from the command line. */
const WITHOUT_TIMES =
  /^(rawvideo|mjpeg(_2000)?|h26[134]|hevc|vvc|av1|obu|m4v|mpegvideo|dirac|vc1|cavsvideo|image2pipe|\w+_pipe)$/;

/** The rendition that the encoding flags ask for; its size and rate may describe the input. */
export type WantedRendition = Rendition & { audio?: boolean };

/**
 * Checks the flags that publishing depends on.
 *
 * @throws {UsageError} if they contradict each other
 */
export function checkPublishing(flags: ClientFlags): void {
  const { publish: name, input } = flags;
  const isGiven = (flag: keyof ClientFlags) => flags[flag] !== undefined && flags[flag] !== false;
  if (name === undefined) {
    const alone = PUBLISHING_FLAGS.find(isGiven);
    if (alone === undefined) return;
    throw new UsageError(`Cannot use --${alone} alone: expected --publish NAME with it`);
  }
  const unfit = RECEIVING_FLAGS.find(isGiven);
  if (unfit !== undefined) {
    throw new UsageError(
      `Cannot use --${unfit} with --publish: the client either sends or receives`,
    );
  }
  const shown = JSON.stringify(name.slice(0, 100));
  const reason = input === undefined
    ? `Cannot use --publish ${shown} alone: expected --input with it, such as v4l2:/dev/video0`
    : flags.ffmpeg.length > 0
    ? "Cannot use -- with --publish: what follows it is for FFmpeg's output"
    : flags.encoder !== undefined && (flags.encoding ?? DEFAULT_ENCODING) !== "h264"
    ? `Cannot use --encoder with --encoding ${flags.encoding}: it encodes h264`
    : flags.hwaccel !== undefined && flags.encoding === "copy"
    ? "Cannot use --hwaccel with --encoding copy: nothing is decoded"
    : name.length > MAX_PUBLISHED_NAME || /\p{Cc}/u.test(name)
    ? `Cannot use --publish ${shown}: expected a name of at most ${MAX_PUBLISHED_NAME} characters ` +
      "without control characters"
    : undefined;
  if (reason !== undefined) throw new UsageError(reason);
}

/** Whether size, rate and pixel format describe the standard input, by the flags. */
export function describesInput({ input, format }: ClientFlags): Record<DescribingFlag, boolean> {
  const isStdin = input === STDIN;
  const isRaw = isStdin && format === "rawvideo";
  return {
    "size": isRaw,
    "pixel-format": isRaw,
    "fps": isStdin && format !== undefined && WITHOUT_TIMES.test(format),
  };
}

type DescribingFlag = "size" | "pixel-format" | "fps";

/**
 * Makes the plan.
 *
 * @param wanted the rendition of all encoding flags, those that describe the input included
 * @throws {UsageError} if the input cannot be one
 */
export function toPublishPlan(flags: ClientFlags, wanted: WantedRendition): PublishPlan {
  const { publish: name = "", input = "", loop, format } = flags;
  const { audio, ...rendition } = wanted;
  const shared = {
    name,
    isSilent: audio === false,
    onDemand: flags["on-demand"],
    replace: flags.replace,
    hardware: { encoder: flags.encoder, hwaccel: flags.hwaccel },
  };
  if (input === STDIN) {
    if (loop) throw new UsageError("Cannot use --loop with --input -: it is for files");
    return { ...shared, ...fromStdin(flags, rendition) };
  }
  if (format !== undefined) {
    throw new UsageError(
      `Cannot use --format with --input ${quoted(input)}: it is for --input -, expected ` +
        "--input FORMAT:INPUT",
    );
  }
  const parsed = parseLiveInput(input);
  if (parsed.input === "" || input.includes("\0")) {
    throw new UsageError(
      `Cannot use --input ${quoted(input)}: expected [FORMAT:]INPUT such as v4l2:/dev/video0`,
    );
  }
  if (parsed.kind === "relay" || /^streams?:\/\//i.test(parsed.input)) {
    throw new UsageError(
      `Cannot use --input ${quoted(input)}: a stream-server gets it from another one by --live`,
    );
  }
  const source = { ...parsed, name: hideSecrets(parsed.input) };
  if (parsed.kind !== "file") {
    if (!loop) return { ...shared, source, rendition };
    throw new UsageError(`Cannot use --loop with --input ${quoted(input)}: it is for files`);
  }
  const opened = [
    ...(loop ? ["-stream_loop", "-1"] : []),
    ...(parsed.format === undefined ? [] : ["-f", parsed.format]),
    ...["-i", `file:${pathOf(source)}`],
  ];
  return { ...shared, source, rendition, opened: { arguments: opened, isStdin: false } };
}

function fromStdin(
  flags: ClientFlags,
  wanted: Rendition,
): Pick<PublishPlan, "source" | "opened" | "rendition"> {
  const { format = "nut", fps } = flags;
  const describing = describesInput(flags);
  const rendition = { ...wanted };
  const described: string[] = [];
  if (describing.size) {
    described.push(...rawArguments(wanted));
    rendition.width = rendition.height = rendition.pixelFormat = undefined;
    // Its packets are the pixels.
    if (wanted.encoding === "copy") rendition.encoding = "raw";
  }
  if (describing.fps) {
    if (fps !== undefined) described.push("-framerate", String(fps));
    rendition.fps = undefined;
  }
  // NUT and raw frames may be RGB, as those of some devices.
  const kind = format === "nut" || format === "rawvideo" ? "device" : "file";
  return {
    source: { name: "standard input", kind, format, input: "pipe:0" },
    rendition,
    opened: {
      isStdin: true,
      // FFmpeg would wait for 20 frames to find the frame rate.
      arguments: ["-fpsprobesize", "0", "-f", format, ...described, "-i", "pipe:0"],
    },
  };
}

/** @throws {UsageError} if the size or the pixel format is missing, or cannot be sent raw */
function rawArguments({ width, height, pixelFormat, encoding }: Rendition): string[] {
  const missing = pixelFormat === undefined
    ? "--pixel-format"
    : width === undefined || height === undefined
    ? "--size WIDTHxHEIGHT"
    : undefined;
  if (missing !== undefined || pixelFormat === undefined) {
    throw new UsageError(
      `Cannot use --format rawvideo alone: expected ${missing}, which describes the input`,
    );
  }
  if ((encoding === "raw" || encoding === "copy") && !SENT_RAW.includes(pixelFormat)) {
    throw new UsageError(
      `Cannot use --pixel-format "${pixelFormat}" with --encoding ${encoding}: expected one that ` +
        `can be sent raw (${SENT_RAW.join(", ")}), or --encoding h264`,
    );
  }
  return ["-pixel_format", pixelFormat, "-video_size", `${width}x${height}`];
}

function quoted(input: string): string {
  return JSON.stringify(hideSecrets(input).slice(0, 100));
}
