/** Tags: the texts, chapters, cover and languages by which a file describes itself. */

/** A part of a media with a name of its own. */
export interface Chapter {
  /** Seconds in the timestamps of the frames. */
  start: number;
  /** Seconds in the timestamps of the frames. */
  end: number;
  /** Its name. */
  title?: string;
}

/** A picture that stands for the media. */
export interface Cover {
  /** FFmpeg's name of the codec. */
  codec: typeof COVER_CODECS[number];
  /** The bytes of an image file. */
  data: Uint8Array;
}

/** Tags of a file. */
export interface MediaTags {
  /** Texts by FFmpeg's names of them, of {@linkcode METADATA_KEYS}. */
  metadata?: Readonly<Record<string, string>>;
  /** In the order of their starts. */
  chapters?: readonly Chapter[];
  /** The picture of an album, or a poster. */
  cover?: Cover;
}

/** Tags of one stream of a file. */
export interface StreamTags {
  /** Language by ISO 639-2, such as `deu`. */
  language?: string;
  /** Name of the track, such as "Commentary". */
  title?: string;
  /** FFmpeg's words for the use of the stream, of {@linkcode DISPOSITIONS}. */
  disposition?: readonly string[];
  /** FFmpeg's name of the codec in the file, if frames are not sent in it. */
  sourceCodec?: string;
}

/** Names of the fields of {@linkcode StreamTags}. */
export const STREAM_TAGS = ["language", "title", "disposition", "sourceCodec"] as const;

/** Codecs of covers that containers take. */
export const COVER_CODECS = ["mjpeg", "png"] as const;

/** FFmpeg's names of texts that describe the content; what describes the file or a place is left out. */
export const METADATA_KEYS: ReadonlySet<string> = new Set([
  ...[
    "title",
    "artist",
    "album",
    "album_artist",
    "composer",
    "performer",
    "genre",
    "date",
    "track",
  ],
  ...["disc", "comment", "description", "synopsis", "lyrics", "copyright", "publisher", "show"],
  ...["season_number", "episode_id", "episode_sort", "network", "creation_time"],
]);

/** FFmpeg's words for the use of a stream, as NUT has them. */
export const DISPOSITIONS: readonly string[] = ["default", "dub", "original", "comment", "lyrics"];

/** Bytes of a text in UTF-8; FFmpeg's reader of NUT cuts longer ones. */
export const MAX_TAG_LENGTH = 1000;

/** Most chapters. */
export const MAX_CHAPTERS = 1000;

/** Bytes of the largest cover. */
export const MAX_COVER_SIZE = 2 ** 20;

/**
 * Cuts a text at {@linkcode MAX_TAG_LENGTH} bytes, between two characters.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { cutTag, MAX_TAG_LENGTH } from "./tags.ts";
 *
 * assertEquals(cutTag("film"), "film");
 * assertEquals(cutTag("ä".repeat(MAX_TAG_LENGTH)), "ä".repeat(MAX_TAG_LENGTH / 2));
 * ```
 */
export function cutTag(text: string): string {
  const room = new Uint8Array(MAX_TAG_LENGTH);
  return text.slice(0, new TextEncoder().encodeInto(text, room).read);
}

/**
 * The language of a stream as it is described.
 *
 * @param stated by the file, which need not name a language
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { languageTag } from "./tags.ts";
 *
 * assertEquals(languageTag("deu"), "deu");
 * assertEquals(languageTag("und"), undefined);
 * assertEquals(languageTag("English (UK)"), undefined);
 * ```
 */
export function languageTag(stated = "und"): string | undefined {
  return /^[\w-]{2,16}$/.test(stated) && stated !== "und" ? stated : undefined;
}

/**
 * The chapters of a part of a media, in the timestamps of that part.
 *
 * @param start seconds at which the part begins
 * @param duration seconds
 */
export function chaptersWithin(
  chapters: readonly Chapter[],
  { start = 0, duration = Infinity }: { start?: number; duration?: number },
): Chapter[] {
  return chapters.filter((chapter) => chapter.end > start && chapter.start < start + duration)
    .map((chapter) => ({
      ...chapter,
      start: Math.max(0, chapter.start - start),
      end: Math.min(duration, chapter.end - start),
    }));
}
