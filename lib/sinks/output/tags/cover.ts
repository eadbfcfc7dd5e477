/** The picture that stands for a recording, as containers store it. */
import type { StreamDescription } from "../../../media/frame.ts";
import type { Cover } from "../../../media/tags.ts";
import { videoOf } from "../../filters.ts";
import type { CodecChoice } from "../target.ts";

/** Types that store a cover as a stream of one picture. */
const AS_STREAM = new Set(["mp4", "m4v", "m4a", "mp3", "flac"]);

/** Those of them that store no other video. */
const SOUND_ONLY = new Set(["m4a", "mp3", "flac"]);

/** Types that store a cover as a file. */
const AS_ATTACHMENT = new Set(["mkv", "mka"]);

/** Media types and file names by codec. */
const KINDS: Record<Cover["codec"], { type: string; extension: string }> = {
  mjpeg: { type: "image/jpeg", extension: "jpg" },
  png: { type: "image/png", extension: "png" },
};

/** A cover in a file, from which FFmpeg takes it. */
export interface CoverFile extends AsyncDisposable {
  path: string;
  codec: Cover["codec"];
}

/** Writes a cover into a temporary file, which is removed when it is disposed. */
export async function writeCover({ codec, data }: Cover): Promise<CoverFile> {
  const path = await Deno.makeTempFile({ prefix: "cover_", suffix: `.${KINDS[codec].extension}` });
  const remove = async () => {
    try {
      await Deno.remove(path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  };
  try {
    await Deno.writeFile(path, data);
  } catch (error) {
    await remove();
    throw error;
  }
  return { path, codec, [Symbol.asyncDispose]: remove };
}

/** FFmpeg's arguments for a cover. */
export interface CoverArguments {
  /** Behind those of the first input. */
  input: readonly string[];
  /** Behind those of the other streams. */
  output: readonly string[];
}

/** Options of {@linkcode coverArguments}. */
export interface CoverOptions {
  streams: readonly StreamDescription[];
  /** Streams that are copied. */
  copied: readonly StreamDescription[];
  codec?: CodecChoice;
  /** Additional output arguments of the user. */
  more?: readonly string[];
}

/** Whether a type stores a cover as a file. */
export function isAttached(type: string): boolean {
  return AS_ATTACHMENT.has(type);
}

/** FFmpeg's output arguments that store a cover as a file. */
export function attachmentArguments(
  { path, codec }: Pick<CoverFile, "path" | "codec">,
): readonly string[] {
  const { type, extension } = KINDS[codec];
  const tags = [`mimetype=${type}`, `filename=cover.${extension}`];
  return ["-attach", path, ...tags.flatMap((tag) => ["-metadata:s:t:0", tag])];
}

/**
 * FFmpeg's arguments that store a cover.
 *
 * @returns `undefined` if the type stores none, or encoded video would be mixed up with it
 */
export function coverArguments(
  { path, codec }: Pick<CoverFile, "path" | "codec">,
  type: string,
  { streams, copied, codec: chosen = {}, more = [] }: CoverOptions,
): CoverArguments | undefined {
  if (isAttached(type)) return { input: [], output: attachmentArguments({ path, codec }) };
  if (!AS_STREAM.has(type) || chosen.video !== undefined || more.includes("-map")) return undefined;
  const video = SOUND_ONLY.has(type) ? undefined : videoOf(streams);
  if (video !== undefined && !copied.includes(video)) return undefined;
  const number = video === undefined ? 0 : 1;
  return {
    input: ["-i", `file:${path}`],
    output: [
      ...(video === undefined ? [] : ["-map", "0:v:0"]),
      ...["-map", "0:a:0?", "-map", "1:v:0"],
      ...[`-c:v:${number}`, "copy", `-disposition:v:${number}`, "attached_pic"],
    ],
  };
}
