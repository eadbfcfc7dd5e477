/** Tags in descriptions: what a file says about itself, on request. */
import {
  type Chapter,
  type Cover,
  COVER_CODECS,
  cutTag,
  MAX_CHAPTERS,
  MAX_COVER_SIZE,
  type MediaTags,
  METADATA_KEYS,
  type StreamTags,
} from "../../media/tags.ts";
import { type JsonObject, optionalNumber, optionalText, toList, toObject } from "./json.ts";

const SECONDS = { min: 0, max: 1e10 };
const WORD = { pattern: /^[\w.-]{1,64}$/, expected: "a word" };
const ANY_TEXT = { pattern: /^[^]{0,65536}$/, expected: "a text" };

/** Words of a disposition to read; further ones are ignored. */
const MAX_WORDS = 16;

/** The field of a description for a cover. */
export function encodeCover(cover: Cover | undefined): JsonObject {
  return cover === undefined ? {} : { cover: { codec: cover.codec, data: cover.data.toBase64() } };
}

/**
 * Reads what a description says about the file. Texts of unknown names, further chapters and covers
 * that are too large or malformed are ignored.
 *
 * @throws {FormatError} for fields of a wrong type
 */
export function readMediaTags(object: JsonObject): MediaTags {
  const { metadata, chapters } = object;
  return {
    ...(metadata === undefined ? {} : { metadata: readMetadata(toObject(metadata, "metadata")) }),
    ...(chapters === undefined ? {} : { chapters: readChapters(toList(chapters, "chapters")) }),
    ...readCover(object),
  };
}

/**
 * Reads what a description says about a stream of a file.
 *
 * @throws {FormatError} for fields of a wrong type
 */
export function readStreamTags(object: JsonObject): StreamTags {
  const { disposition } = object;
  const tags: StreamTags = {
    language: optionalText(object, "language", WORD),
    title: cut(optionalText(object, "title", ANY_TEXT)),
    disposition: disposition === undefined
      ? undefined
      : toList(disposition, "disposition").slice(0, MAX_WORDS).filter((word) =>
        typeof word === "string" && WORD.pattern.test(word)
      ).map(String),
    sourceCodec: optionalText(object, "sourceCodec", WORD),
  };
  return Object.fromEntries(Object.entries(tags).filter(([, value]) => value !== undefined));
}

function readMetadata(object: JsonObject): Record<string, string> {
  const known = Object.entries(object).filter(([key]) => METADATA_KEYS.has(key));
  return Object.fromEntries(
    known.flatMap(([key, value]) => typeof value === "string" ? [[key, cutTag(value)]] : []),
  );
}

function readChapters(list: readonly unknown[]): Chapter[] {
  return list.slice(0, MAX_CHAPTERS).flatMap((item) => {
    const object = toObject(item, "chapter");
    const start = optionalNumber(object, "start", SECONDS);
    const end = optionalNumber(object, "end", SECONDS);
    if (start === undefined || end === undefined || end < start) return [];
    return [{ start, end, title: cut(optionalText(object, "title", ANY_TEXT)) }];
  });
}

function readCover({ cover }: JsonObject): Pick<MediaTags, "cover"> {
  if (cover === undefined) return {};
  const { codec, data } = toObject(cover, "cover");
  const known = COVER_CODECS.find((name) => name === codec);
  if (known === undefined || typeof data !== "string") return {};
  if (data.length > Math.ceil(MAX_COVER_SIZE / 3) * 4) return {};
  try {
    return { cover: { codec: known, data: Uint8Array.fromBase64(data) } };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return {};
  }
}

function cut(text: string | undefined): string | undefined {
  return text === undefined ? undefined : cutTag(text);
}
