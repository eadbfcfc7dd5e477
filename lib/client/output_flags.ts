import { UsageError } from "../core/errors.ts";
import { checkWording } from "../viewers/output/output.ts";
import { destinationOf } from "./choose_viewers.ts";
import type { ClientFlags } from "./flags.ts";

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
