/** Info packets of NUT: what a file says about itself, its streams and chapters. */
import type { StreamDescription } from "../media/frame.ts";
import { type Chapter, cutTag, DISPOSITIONS, type MediaTags } from "../media/tags.ts";
import { FieldWriter } from "./fields.ts";

/** Type of a text (specification, section "info packet"). */
const UTF8 = -1;

/** Name and value of a text. */
type Text = readonly [name: string, value: string];

/** The subject of an info packet: the file by default. */
interface Subject {
  /** Number of the stream. */
  stream?: number;
  /** Number of the chapter, from 1 on. */
  chapter?: number;
  /** Ticks of the time bases, numbered by the index of theirs. */
  start?: number;
  /** Ticks of the same time base. */
  length?: number;
}

/** Body of the packet with the texts of the file; `undefined` if there are none. */
export function metadataInfo(metadata: MediaTags["metadata"] = {}): Uint8Array | undefined {
  return infoPacket({}, Object.entries(metadata));
}

/** Body of the packet with the frame rate and the tags of a stream, as libavformat names them. */
export function streamInfo(stream: StreamDescription, index: number): Uint8Array | undefined {
  const { language, title, disposition = [] } = stream;
  const rate = stream.type === "video" ? stream.frameRate : undefined;
  const uses = disposition.filter((use) => DISPOSITIONS.includes(use));
  return infoPacket({ stream: index }, [
    ...(rate === undefined ? [] : [["r_frame_rate", rate.join("/")] as const]),
    ...(language === undefined ? [] : [["language", language] as const]),
    ...(title === undefined ? [] : [["title", title] as const]),
    ...uses.map((use) => ["Disposition", use] as const),
  ]);
}

/**
 * Body of the packet of a chapter.
 *
 * @param index from 0 on
 * @param timeBases index of milliseconds among the time bases of the file, and their count
 */
export function chapterInfo(
  { start, end, title }: Chapter,
  index: number,
  { milliseconds, count }: { milliseconds: number; count: number },
): Uint8Array | undefined {
  const [from, to] = [start, end].map((seconds) => Math.round(seconds * 1000));
  return infoPacket(
    { chapter: index + 1, start: from * count + milliseconds, length: to - from },
    title === undefined ? [] : [["title", title]],
  );
}

function infoPacket(
  { stream, chapter = 0, start = 0, length = 0 }: Subject,
  texts: readonly Text[],
): Uint8Array | undefined {
  if (texts.length === 0 && chapter === 0) return undefined;
  const body = new FieldWriter();
  body.varint(stream === undefined ? 0 : stream + 1);
  body.signed(chapter);
  body.varint(start);
  body.varint(length);
  body.varint(texts.length);
  const encoder = new TextEncoder();
  for (const [name, value] of texts) {
    body.string(encoder.encode(name));
    body.signed(UTF8);
    body.string(encoder.encode(cutTag(value)));
  }
  return body.finish();
}
