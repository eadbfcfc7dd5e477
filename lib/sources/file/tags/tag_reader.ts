/** Reads what a file says about itself: title, chapters, cover, languages. */
import { deadline, Semaphore } from "../../../base/async.ts";
import { MissingProgramError, ProcessError } from "../../../base/errors.ts";
import { readBytes } from "../../../ffmpeg/process.ts";
import { type Confinement, startConfined } from "../../../ffmpeg/sandbox.ts";
import type { StreamDescription } from "../../../media/frame.ts";
import {
  type Chapter,
  chaptersWithin,
  type Cover,
  COVER_CODECS,
  cutTag,
  DISPOSITIONS,
  languageTag,
  MAX_CHAPTERS,
  MAX_COVER_SIZE,
  type MediaTags,
  METADATA_KEYS,
  type StreamTags,
} from "../../../media/tags.ts";
import { isCover } from "../ffprobe_streams.ts";
import type { FileState } from "../file_state.ts";
import { inputArguments, type KnownFormat } from "../formats.ts";

/** A file whose tags are read. */
export interface TaggedFile extends Pick<Confinement, "folder" | "maxMemory"> {
  path: string;
  /** Absent if it is not remembered. */
  state?: FileState;
  info: KnownFormat;
}

/** Tags of a file, and of its streams of each type in their order. */
export interface FileTags extends MediaTags {
  streams: { video: readonly StreamTags[]; audio: readonly StreamTags[] };
}

/** The streams of a file that are sent, by their numbers among those of their type. */
interface SentStreams {
  video?: { number?: number };
  audio?: { number?: number };
}

/** Milliseconds for each program; the file may be on a slow disk. */
const TIMEOUT = 10_000;

/** Programs that run at once. */
const MAX_READS = 2;

/** Files whose tags are remembered. */
const MAX_KNOWN = 32;

/** Bytes of ffprobe's output at most: thousands of chapters. */
const MAX_OUTPUT = 4 * 2 ** 20;

/** Entries of ffprobe's output. */
const ENTRIES = "format=format_name,start_time:format_tags:chapter=start_time,end_time:" +
  "chapter_tags=title:stream=index,codec_type,codec_name:stream_tags:stream_disposition";

/** Reads tags, and remembers those of the latest files. */
export class TagReader {
  #reads = new Semaphore(MAX_READS);
  /** By path, the oldest first. */
  #known = new Map<string, { stamp: string | undefined; tags: FileTags }>();

  /**
   * Reads the tags of a file.
   *
   * @returns `undefined` if that fails: they are an extra
   * @throws the signal's reason if it aborts
   */
  async read(file: TaggedFile, signal: AbortSignal): Promise<FileTags | undefined> {
    return await this.#reads.take(async () => {
      const stamp = file.state?.stamp;
      const known = this.#known.get(file.path);
      if (known !== undefined && known.stamp === stamp) return known.tags;
      const tags = await readTags(file, signal);
      if (tags === undefined || stamp === undefined) return tags;
      const [oldest] = this.#known.keys();
      if (this.#known.size >= MAX_KNOWN) this.#known.delete(oldest);
      this.#known.set(file.path, { stamp, tags });
      return tags;
    }, { signal });
  }
}

/** The fields of a description for tags; chapters count from the requested start. */
export function withTags(
  streams: readonly StreamDescription[],
  tags: FileTags | undefined,
  { info, start, duration, loop = false }: {
    info: SentStreams;
    start?: number;
    duration?: number;
    loop?: boolean;
  },
): MediaTags & { streams?: StreamDescription[] } {
  if (tags === undefined) return {};
  const { metadata, chapters = [], cover } = tags;
  return {
    ...{ metadata, cover },
    chapters: loop ? undefined : chaptersWithin(chapters, { start, duration }),
    streams: streams.map((stream) => {
      const { number = 0 } = info[stream.type] ?? {};
      const { sourceCodec, ...own } = tags.streams[stream.type][number] ?? {};
      return { ...stream, ...own, ...(sourceCodec === stream.codec ? {} : { sourceCodec }) };
    }),
  };
}

async function readTags(file: TaggedFile, signal: AbortSignal): Promise<FileTags | undefined> {
  const output = await runOn(file, "ffprobe", {
    args: [
      ...["-v", "error", "-show_entries", ENTRIES, "-show_chapters", "-of", "json"],
      ...inputArguments(file.path, file.info),
    ],
    limit: MAX_OUTPUT,
    signal,
  });
  const probed = output && parseProbed(output);
  if (probed === undefined) return undefined;
  const { tags, coverAt } = probed;
  return coverAt === undefined ? tags : { ...tags, cover: await readCover(file, coverAt, signal) };
}

async function readCover(
  file: TaggedFile,
  { index, codec }: CoverPlace,
  signal: AbortSignal,
): Promise<Cover | undefined> {
  const data = await runOn(file, "ffmpeg", {
    args: [
      ...["-nostdin", "-v", "error", ...inputArguments(file.path, file.info)],
      ...["-map", `0:${index}`, "-c", "copy", "-frames:v", "1", "-f", "image2pipe", "pipe:1"],
    ],
    limit: MAX_COVER_SIZE,
    signal,
  });
  return data && data.byteLength > 0 ? { codec, data } : undefined;
}

/** Place of a cover in a file. */
interface CoverPlace {
  /** Number of the stream. */
  index: number;
  codec: Cover["codec"];
}

/** The part of ffprobe's JSON that is used; every field may be missing. */
interface ProbedTags {
  format?: { format_name?: string; start_time?: string; tags?: Record<string, string> };
  chapters?: { start_time?: string; end_time?: string; tags?: { title?: string } }[];
  streams?: ProbedStream[];
}

interface ProbedStream {
  index?: number;
  codec_type?: string;
  codec_name?: string;
  disposition?: Record<string, number>;
  tags?: Record<string, string>;
}

/** @returns `undefined` if it is not the output of ffprobe */
function parseProbed(
  output: Uint8Array,
): { tags: FileTags; coverAt: CoverPlace | undefined } | undefined {
  let parsed: ProbedTags;
  try {
    parsed = JSON.parse(new TextDecoder().decode(output));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
  const { format = {}, chapters = [], streams = [] } = parsed;
  const allOf = (type: string) =>
    streams.filter((stream) => stream.codec_type === type && !isCover(stream));
  const audio = allOf("audio");
  // In Ogg, what is said about the file stands in its stream.
  const isOgg = format.format_name === "ogg";
  const metadata = toMetadata(isOgg ? audio[0]?.tags : format.tags);
  const tags: FileTags = {
    metadata: Object.keys(metadata).length === 0 ? undefined : metadata,
    chapters: toChapters(chapters, Number(format.start_time) || 0),
    streams: {
      video: allOf("video").map(toStreamTags),
      audio: audio.map((stream) => toStreamTags(isOgg ? { ...stream, tags: {} } : stream)),
    },
  };
  const { index, codec_name: name } = streams.find(isCover) ?? {};
  const codec = COVER_CODECS.find((codec) => codec === name);
  const coverAt = index === undefined || codec === undefined ? undefined : { index, codec };
  return { tags, coverAt };
}

/** Matroska and Vorbis comments have names in upper case. */
function toMetadata(tags: Record<string, string> = {}): Record<string, string> {
  return Object.fromEntries(
    Object.entries(tags).map(([name, text]) => [name.toLowerCase(), cutTag(String(text))])
      .filter(([name, text]) => METADATA_KEYS.has(name) && text !== ""),
  );
}

function toChapters(
  chapters: NonNullable<ProbedTags["chapters"]>,
  beginning: number,
): Chapter[] {
  return chapters.slice(0, MAX_CHAPTERS).flatMap(({ start_time, end_time, tags }) => {
    const [start, end] = [start_time, end_time].map((time) =>
      Math.max(0, Number(time) - beginning)
    );
    if (!(start <= end && end < Infinity)) return [];
    return [{ start, end, title: tags?.title === undefined ? undefined : cutTag(tags.title) }];
  });
}

function toStreamTags(stream: ProbedStream): StreamTags {
  const { tags = {}, disposition = {}, codec_name: sourceCodec } = stream;
  const language = languageTag(tags.language);
  const uses = DISPOSITIONS.filter((use) => disposition[use] === 1);
  return {
    ...(language === undefined ? {} : { language }),
    ...(tags.title ? { title: cutTag(tags.title) } : {}),
    ...(uses.length > 0 ? { disposition: uses } : {}),
    sourceCodec,
  };
}

/** Runs one of FFmpeg's programs on a file; `undefined` if it fails, or writes more than the limit. */
async function runOn(
  { path, folder, maxMemory }: TaggedFile,
  program: "ffmpeg" | "ffprobe",
  { args, limit, signal }: { args: readonly string[]; limit: number; signal: AbortSignal },
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const late = new AbortController();
  using _limit = deadline(TIMEOUT, () => late.abort());
  const either = AbortSignal.any([signal, late.signal]);
  try {
    await using child = startConfined(program, args, { path, folder, maxMemory, signal: either });
    const bytes = await readBytes(child, { max: limit, signal: either });
    await child.finished();
    return bytes;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof ProcessError || error instanceof MissingProgramError) return undefined;
    throw error;
  }
}
