/** FFmpeg's arguments for pictures that are files of their own. Pure. */
import type { Description, StreamDescription } from "../core/frame.ts";
import type { EncoderOptions } from "./encoder_arguments.ts";
import { nutInputArguments, pictureOf } from "./input_arguments.ts";
import { keptStreams } from "./kept_streams.ts";
import { extensionOf, type OutputTarget, pictureEncoder } from "./output_target.ts";
import { pictureTrim, turnFilters } from "./presentation_filters.ts";

/** Still formats that lose detail unless asked not to. */
const LOSSY_STILLS = new Set(["jpg", "jpeg"]);

/** What {@linkcode stillArguments} and {@linkcode seriesArguments} have to know. */
export type StillOptions = Pick<EncoderOptions, "encoded" | "lead" | "codec" | "more">;

/**
 * Arguments for writing a series of pictures, a file each, which appear whole.
 *
 * @param pattern where `%d` or the like stands for the number, which begins with 1
 */
export function seriesArguments(
  { streams }: Pick<Description, "streams">,
  pattern: string,
  options: StillOptions,
): string[] {
  const { lead = 0, more = [] } = options;
  const target = { name: `file:${pattern}`, type: extensionOf(pattern) };
  const kept = keptStreams(streams, target, { ...options, still: true });
  return [
    ...["-v", "error", "-xerror", "-y"],
    ...nutInputArguments(streams, { lead }),
    ...pictureArguments(streams, target, { ...options, kept }),
    ...["-fps_mode", "passthrough", "-f", "image2", "-atomic_writing", "1", ...more, target.name],
  ];
}

/**
 * Arguments for writing one picture into one file, or all that come into a pipe, one behind the
 * other; but for the input and the output's name.
 */
export function stillArguments(
  streams: readonly StreamDescription[],
  target: OutputTarget,
  options: StillOptions & { kept: readonly StreamDescription[] },
): string[] {
  const count = target.muxer === "image2pipe"
    ? ["-fps_mode", "passthrough"]
    : ["-frames:v", "1", "-update", "1"];
  return [...count, ...pictureArguments(streams, target, options)];
}

/** How pictures become files of their own. */
function pictureArguments(
  streams: readonly StreamDescription[],
  { type, muxer }: OutputTarget,
  { kept, lead = 0, codec = {} }: StillOptions & { kept: readonly StreamDescription[] },
): string[] {
  // What lies before the beginning is for decoding only.
  const isLate = lead > 0;
  if (kept.length > 0) {
    // Left to the name, FFmpeg would take writers for some types that change the packets.
    return ["-c:v", "copy", ...(isLate ? ["-copypriorss", "0"] : []), "-f", muxer ?? "image2"];
  }
  const filters = [...(isLate ? pictureTrim(0) : []), ...turnFilters(pictureOf(streams) ?? {})];
  const encoder = codec.video ?? (muxer === undefined ? undefined : pictureEncoder(type));
  return [
    ...(encoder === undefined ? [] : ["-c:v", encoder]),
    ...(filters.length > 0 ? ["-vf", filters.join(",")] : []),
    ...(LOSSY_STILLS.has(type) ? ["-q:v", "2"] : []),
    ...(muxer === undefined ? [] : ["-f", muxer]),
  ];
}
