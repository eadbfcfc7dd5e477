/** Fields of a request that follow from the values of several flags, or from one that is parsed. */
import { UsageError } from "../base/errors.ts";
import { toNumber } from "../cli/flags.ts";
import { LIMITS, MAX_DIMENSION, type MediaRequest } from "../protocol/native/request.ts";
import { isSubtitleFile, isWatched } from "../sinks/output/create.ts";
import type { ClientFlags } from "./flags.ts";
import { destinationOf } from "./playback/sinks.ts";

/** Slowest and fastest playback speed; 1 is real time. */
const SPEED = { min: 0.25, max: 8, word: "max" };

/** Whether an output takes the tags of a file. */
export function isRecorded(flags: ClientFlags): boolean {
  const destination = destinationOf(flags, { still: false });
  if (destination === undefined || destination.imageSequence) return false;
  return !isWatched(destination) && !isSubtitleFile(destination);
}

/** Whether messages of data streams are wanted, and whether nothing else is. */
export function toData(flags: ClientFlags): MediaRequest["data"] {
  const { data, view } = flags;
  const destination = destinationOf(flags, { still: false });
  const isSeen = view !== undefined && view !== "browser";
  if (destination !== undefined && isSubtitleFile(destination)) return isSeen ? undefined : "only";
  if (data === undefined) return destination?.messages ? true : undefined;
  return isSeen || destination !== undefined ? true : "only";
}

/** By default a view drops late frames, and a recording gets every frame. */
export function toLate(flags: ClientFlags, speed: number): MediaRequest["late"] {
  const { late, view, output } = flags;
  if (late !== undefined) return late;
  if (toData(flags) === "only") return undefined;
  if (output !== undefined && isWatched({ output }) && speed !== 0) return "drop";
  return output === undefined && view !== "none" && speed !== 0 ? "drop" : undefined;
}

/**
 * The playback speed; 0 for as fast as possible. That is the default of a recording without a view,
 * unless it never ends.
 *
 * @throws {UsageError} if it is out of bounds
 */
export function toSpeed({ speed, view, output, loop }: ClientFlags): number {
  if (speed === "max") return 0;
  if (speed !== undefined) return toNumber(speed, "speed", SPEED);
  if (output !== undefined && isWatched({ output })) return 1;
  // The page has requests of its own, and does not show the recording.
  const isUnseen = view === undefined || view === "browser";
  return output !== undefined && isUnseen && !loop ? 0 : 1;
}

/**
 * Parses bits per second; k is a thousand, M a million.
 *
 * @throws {UsageError} for anything else
 */
export function toBitrate(bitrate: string | undefined): number | undefined {
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

/**
 * Parses a size in pixels, of which one side may be absent.
 *
 * @throws {UsageError} for anything else
 */
export function toSize(size: string | undefined): Pick<MediaRequest, "width" | "height"> {
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
