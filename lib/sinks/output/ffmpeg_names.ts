/** What the installed FFmpeg has: formats and encoders by their names. */
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

/** Types that every FFmpeg writes, so that it need not be asked. */
const USUAL_TYPES = new Set([
  ...["mp4", "m4v", "mov", "mkv", "mka", "webm", "avi", "ts", "m2ts", "flv", "ogg", "ogv", "oga"],
  ...["wav", "mp3", "flac", "opus", "m4a", "aac", "nut", "gif", "3gp", "y4m", "m3u8", "mpd"],
]);

/** Words by which FFmpeg says, since version 7 with others, that a name tells it no format. */
const NO_FORMAT = /Unable to (find a suitable|choose an) output format/;

/** What comes where a file's folder should be, so that FFmpeg gets no further than its name. */
const NO_FOLDER = "/dev/null/x";

/**
 * Names of formats in what `ffmpeg -muxers` prints: ` E mp4   MP4 (MPEG-4 Part 14)`.
 */
export function parseMuxers(text: string): string[] {
  return [...text.matchAll(/^ [D ]E[d ]* +(\S+) /gm)].flatMap(([, names]) => names.split(","));
}

/**
 * Names of encoders of one kind in what `ffmpeg -encoders` prints, and of the codecs that they are
 * for: ` V....D libx264   H.264 (codec h264)`.
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

/** @throws {Error} where FFmpeg writes no such format */
export async function checkFormat(format: string, signal?: AbortSignal): Promise<void> {
  if (imageEncoder(typeOf(format)) !== undefined) return;
  const known = parseMuxers(await listOf("-muxers", signal));
  if (known.includes(muxerOf(format))) return;
  throw new Error(
    `Cannot use --format "${format}": ${unknownName(format, known)}, expected one of ` +
      "ffmpeg -muxers, such as matroska or mpegts",
  );
}

/** @throws {Error} where FFmpeg has no such encoders */
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

/** @throws {Error} where FFmpeg does not know what type a file of this name is */
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
