import { UsageError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import type { LiveSource } from "./live_input.ts";
import { startProcess } from "./process.ts";

/**
 * Checks that FFmpeg knows the formats and devices that live sources name.
 *
 * @throws {UsageError} for the first that it does not
 */
export async function refuseUnknownFormats(sources: readonly LiveSource[]): Promise<void> {
  if (sources.every(({ format }) => format === undefined)) return;
  const known = [...await namesOf("-devices"), ...await namesOf("-demuxers")];
  for (const { name, format } of sources) {
    if (format === undefined || known.includes(format)) continue;
    const near = nearest(format, known);
    const hint = near === undefined ? "" : `, did you mean ${near}?`;
    throw new UsageError(
      `Cannot use --live "${name}=${format}:…": FFmpeg knows no format "${format}"${hint}`,
    );
  }
}

/** Names of what FFmpeg can read: ` D  video4linux2,v4l2 Video4Linux2 device grab`. */
async function namesOf(list: "-devices" | "-demuxers"): Promise<string[]> {
  await using child = startProcess("ffmpeg", ["-hide_banner", list]);
  const output = await new Response(child.stdout).text();
  await child.finished();
  const lines = output.split("\n").map((line) => line.match(/^ D[E ]?[d ]* +(\S+)/)?.[1]);
  return lines.filter((names) => names !== undefined).flatMap((names) => names.split(","));
}
