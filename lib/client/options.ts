import { UsageError } from "../base/errors.ts";
import { toNumber } from "../cli/flags.ts";
import { LIMITS, MAX_DIMENSION, type MediaRequest } from "../protocol/native/request.ts";
import { checkWording, isWatched } from "../sinks/output/create.ts";
import type { ClientFlags } from "./flags.ts";
import { destinationOf } from "./playback/sinks.ts";

/** Slowest and fastest playing that can still be followed, 1 being real time. */
const SPEED = { min: 0.25, max: 8 };

/**
 * The request that the flags describe.
 *
 * @throws {UsageError} for values that mean nothing
 */
export function toRequest(flags: ClientFlags, kind: "image" | "video"): MediaRequest {
  const name = kind === "image" ? flags.image : flags.video;
  const common = {
    name: name || undefined,
    encoding: flags.encoding,
    bitrate: toBitrate(flags.bitrate),
    quality: flags.quality,
    pixelFormat: flags["pixel-format"],
    ...toSize(flags.size),
    audio: flags["no-audio"] ? false : undefined,
    start: flags.start,
    duration: flags.duration,
    speed: toSpeed(flags),
  };
  if (kind === "image") return { command: "get_image", ...common, every: flags.every };
  return {
    command: "get_video",
    ...common,
    fps: flags.fps,
    loop: flags.loop || undefined,
    late: toLate(flags, common.speed),
  };
}

/** Who looks at a video wants the newest picture, wherever that is, who records it every one. */
function toLate({ late, view, output }: ClientFlags, speed: number): MediaRequest["late"] {
  if (late !== undefined) return late;
  if (output !== undefined && isWatched({ output }) && speed !== 0) return "drop";
  return output === undefined && view !== "none" && speed !== 0 ? "drop" : undefined;
}

/** A recording that nobody looks at has no reason to wait for real time, unless it never ends. */
function toSpeed({ speed, view, output, loop }: ClientFlags): number {
  if (speed === "max") return 0;
  if (speed !== undefined) return toNumber(speed, "speed", SPEED);
  if (output !== undefined && isWatched({ output })) return 1;
  // A browser asks for itself: nobody looks at what is recorded beside it.
  const unseen = view === undefined || view === "browser";
  return output !== undefined && unseen && !loop ? 0 : 1;
}

/** Bits a second, with k for a thousand and M for a million. */
function toBitrate(bitrate: string | undefined): number | undefined {
  if (bitrate === undefined) return undefined;
  const [, digits, unit] = bitrate.match(/^(\d+(?:\.\d+)?)([kKmM]?)$/) ?? [];
  const factor = unit === "" ? 1 : unit?.toLowerCase() === "k" ? 1e3 : 1e6;
  const found = Math.round(Number(digits) * factor);
  const { min, max } = LIMITS.bitrate;
  if (found >= min && found <= max) return found;
  throw new UsageError(
    `Cannot use --bitrate "${bitrate}": expected bits a second from ${min / 1e3}k to ` +
      `${max / 1e6}M, such as 800k or 2M`,
  );
}

function toSize(size: string | undefined): Pick<MediaRequest, "width" | "height"> {
  if (size === undefined) return {};
  const [, width, height] = size.match(/^(\d*)x(\d*)$/i) ?? [];
  if (!width && !height) {
    throw new UsageError(`Cannot use --size "${size}": expected WIDTHxHEIGHT in pixels`);
  }
  const bounds = { min: 1, max: MAX_DIMENSION, integer: true };
  return {
    width: width ? toNumber(width, "size", bounds) : undefined,
    height: height ? toNumber(height, "size", bounds) : undefined,
  };
}

/**
 * Finds what contradicts itself in where, and how, something is to be written.
 *
 * @throws {UsageError} where something does
 */
export function checkOutput(flags: ClientFlags): void {
  const { image, output, overwrite, format, codec, ffmpeg, encoding = "raw" } = flags;
  if (output === undefined) {
    const alone = format !== undefined
      ? "--format"
      : codec !== undefined
      ? "--codec"
      : ffmpeg.length > 0
      ? "-- and what follows it"
      : overwrite
      ? "--overwrite"
      : undefined;
    if (alone === undefined) return;
    throw new UsageError(`Cannot use ${alone} without --output: it says how that is written`);
  }
  const destination = destinationOf(flags, { still: image !== undefined });
  if (destination !== undefined) checkWording(destination);
  if (encoding !== "raw" || codec === undefined || !codec.split(",").includes("copy")) return;
  throw new UsageError(
    "Cannot use --codec copy with raw frames, which are no packets: expected --encoding copy as " +
      "well",
  );
}
