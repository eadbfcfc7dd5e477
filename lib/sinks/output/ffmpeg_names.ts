/** Checks names of formats and encoders against those of the installed FFmpeg. */
import { messageOf, ProcessError } from "../../base/errors.ts";
import { startProcess } from "../../ffmpeg/process.ts";
import {
  type CodecChoice,
  extensionOf,
  imageEncoder,
  muxerOf,
  typeOf,
  unknownName,
} from "./target.ts";

/** Types that every FFmpeg writes, so that they need no check. */
const USUAL_TYPES = new Set([
  ...["mp4", "m4v", "mov", "mkv", "mka", "webm", "avi", "ts", "m2ts", "flv", "ogg", "ogv", "oga"],
  ...["wav", "mp3", "flac", "opus", "m4a", "aac", "nut", "gif", "3gp", "y4m", "m3u8", "mpd"],
]);

/** FFmpeg's message if an extension has no format; the words changed in version 7. */
const NO_FORMAT = /Unable to (find a suitable|choose an) output format/;

/** Folder that does not exist, so that FFmpeg gets no further than the extension. */
const NO_FOLDER = "/dev/null/x";

/** Parses the format names of `ffmpeg -muxers`: ` E mp4   MP4 (MPEG-4 Part 14)`. */
export function parseMuxers(text: string): string[] {
  return [...text.matchAll(/^ [D ]E[d ]* +(\S+) /gm)].flatMap(([, names]) => names.split(","));
}

/**
 * Parses the encoder names of one kind in `ffmpeg -encoders`, and the names of their codecs: `
 * V....D libx264   H.264 (codec h264)`.
 */
export function parseEncoders(text: string, kind: "video" | "audio"): string[] {
  const letter = kind === "video" ? "V" : "A";
  const lines = text.split("\n").filter((line) => line.startsWith(` ${letter}`));
  return lines.flatMap((line) => {
    const [, name] = line.match(/^ \S{6} (\S+) /) ?? [];
    const [, codec] = line.match(/\(codec (\S+)\)$/) ?? [];
    return [name, codec].filter((found) => found !== undefined && found !== "=");
  });
}

/** @throws {Error} if FFmpeg cannot write this format */
export async function checkFormat(format: string, signal?: AbortSignal): Promise<void> {
  if (imageEncoder(typeOf(format)) !== undefined) return;
  const known = parseMuxers(await listOf("-muxers", signal));
  if (known.includes(muxerOf(format))) return;
  throw new Error(
    `Cannot use --format "${format}": ${unknownName(format, known)}, expected one of ` +
      "ffmpeg -muxers, such as matroska or mpegts",
  );
}

/** @throws {Error} if FFmpeg lacks one of these encoders */
export async function checkCodecs(codec: CodecChoice, signal?: AbortSignal): Promise<void> {
  for (const kind of ["video", "audio"] as const) {
    const chosen = codec[kind];
    if (chosen === undefined || chosen === "copy" || chosen === "none") continue;
    const text = await listOf("-encoders", signal);
    const known = parseEncoders(text, kind);
    if (known.includes(chosen)) continue;
    const other = kind === "video" ? "audio" : "video";
    const why = !parseEncoders(text, other).includes(chosen)
      ? unknownName(chosen, known)
      : kind === "video"
      ? `it is for sound, which stands behind a comma (,${chosen})`
      : "it is for pictures, which stand in front of the comma";
    throw new Error(
      `Cannot use --codec "${chosen}": ${why}, expected one of ffmpeg -encoders, copy or none`,
    );
  }
}

/** Whether FFmpeg has an encoder of audio. */
export async function hasAudioEncoder(name: string, signal?: AbortSignal): Promise<boolean> {
  return parseEncoders(await listOf("-encoders", signal), "audio").includes(name);
}

/** @throws {Error} if FFmpeg has no format for the extension of a file */
export async function checkExtension(path: string, signal?: AbortSignal): Promise<void> {
  const extension = extensionOf(path);
  if (USUAL_TYPES.has(extension) || imageEncoder(extension) !== undefined) return;
  const source = ["-v", "error", "-f", "lavfi", "-i", "anullsrc=d=0.01"];
  const args = [...source, "-t", "0", `file:${NO_FOLDER}.${extension}`];
  await using child = startProcess("ffmpeg", args, { stdout: "null", signal });
  try {
    await child.finished();
  } catch (error) {
    if (!(error instanceof ProcessError) || !NO_FORMAT.test(messageOf(error))) return;
    throw new Error(
      `Cannot write "${path}": FFmpeg knows no type .${extension}, expected one such as .mp4 or ` +
        ".mkv, or --format",
    );
  }
}

async function listOf(what: "-muxers" | "-encoders", signal?: AbortSignal): Promise<string> {
  await using child = startProcess("ffmpeg", ["-v", "error", "-hide_banner", what], { signal });
  const text = await new Response(child.stdout).text();
  await child.finished();
  return text;
}
