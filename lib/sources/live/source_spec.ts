/** Live sources as they are named on the command line: `NAME=[FORMAT:]INPUT`. Pure. */
import { UsageError } from "../../base/errors.ts";
import { nearest } from "../../base/suggest.ts";
import { startProcess } from "../../ffmpeg/process.ts";
import { hideSecrets } from "../../ffmpeg/stderr.ts";

/** Where a live source comes from, which decides how FFmpeg reads it. */
export type LiveKind = "device" | "generator" | "network" | "file";

/** A live source. */
export interface LiveSource {
  /** What viewers call it. */
  name: string;
  kind: LiveKind;
  /** FFmpeg's name of the format or device; absent where FFmpeg finds it out. */
  format?: string;
  /** What FFmpeg opens. May hold a password: see {@linkcode hideSecrets}. */
  input: string;
}

/** Characters of a name at the most, as in a request. */
const LONGEST_NAME = 1024;

/** FFmpeg's devices that pictures or sound are captured with. */
const DEVICES = new Set([
  ...["v4l2", "video4linux2", "x11grab", "kmsgrab", "fbdev", "alsa", "pulse", "oss", "sndio"],
  ...["jack", "openal", "avfoundation", "dshow", "vfwcap", "gdigrab", "decklink", "iec61883"],
  ...["libdc1394", "libcdio", "android_camera", "bktr"],
]);

/** The part of a URL's query by which FFmpeg waits for a connection, in place of making one. */
const LISTENS = /[?&](mode=listener|listen(=[12])?)(&|$)/;

/**
 * Reads one `NAME=[FORMAT:]INPUT`.
 *
 * @throws {UsageError} where it is none
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseLiveSource } from "./live_input.ts";
 *
 * assertEquals(parseLiveSource("cam=v4l2:/dev/video0"), {
 *   name: "cam",
 *   kind: "device",
 *   format: "v4l2",
 *   input: "/dev/video0",
 * });
 * ```
 */
export function parseLiveSource(text: string): LiveSource {
  const at = text.indexOf("=");
  const [name, rest] = [text.slice(0, at), text.slice(at + 1)];
  const reason = at < 0
    ? "there is no ="
    : name === ""
    ? "the name is empty"
    : name.length > LONGEST_NAME
    ? `the name has ${name.length} characters, more than ${LONGEST_NAME}`
    : /\p{Cc}/u.test(name)
    ? "the name has a control character"
    : rest.includes("\0")
    ? "the input has a NUL character"
    : undefined;
  if (reason !== undefined) throw unusable(text, reason);
  const source = { name, ...parseInput(rest) };
  if (source.input === "") throw unusable(text, "the input is empty");
  return source;
}

/** @throws {UsageError} where two sources have the same name */
export function refuseSameNames(sources: readonly LiveSource[]): void {
  const seen = new Set<string>();
  for (const { name } of sources) {
    if (seen.has(name)) {
      throw new UsageError(`Cannot use --live "${name}=…" twice: expected names that differ`);
    }
    seen.add(name);
  }
}

/**
 * Whether an input can be opened once only, as most devices, and a port that others send or connect
 * to. What it gives is then captured once, and everything else made from that.
 */
export function isExclusive({ kind, input }: Pick<LiveSource, "kind" | "input">): boolean {
  return kind === "device" || /^(udp|rtp):/i.test(input) ||
    (kind === "network" && LISTENS.test(input));
}

/** The path that a source of kind `file` stands for: `file:` and `file://` are left out. */
export function pathOf({ input }: LiveSource): string {
  return input.replace(/^file:(\/\/(?=\/))?/i, "");
}

function parseInput(text: string): Omit<LiveSource, "name"> {
  if (isUrl(text)) return { kind: kindOf(text), input: text };
  // Nothing but a format's name may stand before the first colon, so that paths may have colons.
  const [, format, input] = text.match(/^([a-z0-9_]+):([^]*)$/) ?? [];
  if (format === undefined) return { kind: "file", input: text };
  if (format === "file") return { kind: "file", input };
  if (format === "lavfi") return { kind: "generator", format, input };
  if (DEVICES.has(format)) return { kind: "device", format, input };
  return { kind: kindOf(input), format, input };
}

function isUrl(text: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(text);
}

function kindOf(input: string): LiveKind {
  return isUrl(input) && !/^file:/i.test(input) ? "network" : "file";
}

function unusable(text: string, reason: string): UsageError {
  const shown = JSON.stringify(hideSecrets(text).slice(0, 100));
  return new UsageError(
    `Cannot use --live ${shown}: ${reason}, expected NAME=[FORMAT:]INPUT such as ` +
      "cam=v4l2:/dev/video0",
  );
}

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
