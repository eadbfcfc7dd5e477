/** FFmpeg's arguments for reading frames, as NUT on its standard input. Pure. */
import type { StreamDescription, VideoStream } from "../core/frame.ts";

/** FFmpeg's option for a matrix is named unlike what it calls it itself. */
const MATRIX_OPTIONS = new Map([
  ["gbr", "rgb"],
  ...["bt709", "fcc", "bt470bg", "smpte170m", "smpte240m", "bt2020nc", "bt2020c", "ictcp"]
    .map((name): [string, string] => [name, name]),
]);

const RANGE_OPTIONS = new Set(["tv", "pc"]);

/**
 * FFmpeg's arguments that open standard input as the described streams. NUT does not carry the
 * colour range and matrix, so they are named here.
 *
 * @param lead seconds by which the timestamps of the input are too late: those from before the
 * beginning are negative again behind this
 * @param input what is opened instead of standard input
 */
export function nutInputArguments(
  streams: readonly StreamDescription[],
  { lead = 0, input = "pipe:0" }: { lead?: number; input?: string } = {},
): string[] {
  const { colorRange = "", colorSpace = "" } = pictureOf(streams) ?? {};
  const matrix = MATRIX_OPTIONS.get(colorSpace);
  return [
    ...(RANGE_OPTIONS.has(colorRange) ? ["-color_range", colorRange] : []),
    ...(matrix === undefined ? [] : ["-colorspace", matrix]),
    ...(lead === 0 ? [] : ["-copyts", "-itsoffset", `-${lead}`]),
    ...["-f", "nut", "-i", input],
  ];
}

/** The stream of pictures; `undefined` where there is only sound. */
export function pictureOf(streams: readonly StreamDescription[]): VideoStream | undefined {
  return streams.find((stream) => stream.type === "video");
}
