/** Parts of a file beside its tracks: cover art, fonts, and tags that turn pictures. */
import { broken, elementsIn, toText, UNKNOWN_SIZE } from "./ebml.ts";
import { ATTACHMENT, TAGS } from "./ids.ts";
import { contentOf, headerAt, type Place } from "./segment.ts";
import type { Window } from "./window.ts";

/** Attachments that a file may have. */
const MAX_FILES = 256;

/** Parts of an attachment. */
const MAX_PARTS = 16;

/** Bytes of a name. */
const MAX_NAME = 2 ** 16;

/** Largest attachment that FFmpeg reads. */
const MAX_DATA = 2 ** 28;

/** Beginnings of types that FFmpeg takes for cover art (libavformat/matroska.c). */
const COVER = /^image\/(gif|jpeg|png|tiff)/;

/**
 * Tells what FFmpeg takes each attachment for, without reading any.
 *
 * @throws {FormatError} if that is not known
 */
export async function readAttachments(
  file: Window,
  place: Place,
): Promise<("cover" | "attachment")[]> {
  const kinds: ("cover" | "attachment")[] = [];
  for await (const { id, ...entry } of placesIn(file, place, MAX_FILES)) {
    if (id !== ATTACHMENT.file) continue;
    const kind = await readAttachment(file, entry);
    if (kind !== undefined) kinds.push(kind);
  }
  return kinds;
}

/** Gives `undefined` for one that FFmpeg ignores. */
async function readAttachment(
  file: Window,
  place: Place,
): Promise<"cover" | "attachment" | undefined> {
  let type: string | undefined;
  let [hasName, size] = [false, 0];
  for await (const { id, ...part } of placesIn(file, place, MAX_PARTS)) {
    if (id === ATTACHMENT.name) hasName = true;
    if (id === ATTACHMENT.type) type = toText(await contentOf(file, part, MAX_NAME));
    if (id === ATTACHMENT.data) size = part.size;
  }
  if (size > MAX_DATA) throw broken("attachment", `${size} bytes`, `at most ${MAX_DATA}`);
  if (!hasName || type === undefined || size === 0) return undefined;
  if (COVER.test(type)) return "cover";
  if (type.startsWith("image/")) throw broken("attachment", type.slice(0, 40), "a known type");
  return "attachment";
}

/** Gives the places of the elements of a content that is not read. */
async function* placesIn(
  file: Window,
  { offset, size }: Place,
  most: number,
): AsyncGenerator<Place & { id: number }> {
  const end = offset + size;
  for (let at = offset, count = 0; at < end; count++) {
    if (count === most) throw broken("attachments", `over ${most} parts`, "fewer");
    const header = await headerAt(file, at, end);
    if (header.size === UNKNOWN_SIZE) throw broken("attachments", "an unknown size", "a size");
    yield { id: header.id, offset: at + header.length, size: header.size };
    at += header.length + header.size;
  }
}

/** Whether a tag tells to rotate pictures, as old files do. */
export function hasRotation(tags: Uint8Array<ArrayBuffer>): boolean {
  return elementsIn(tags).some(({ id, body }) => id === TAGS.tag && isRotation(body));
}

function isRotation(tag: Uint8Array<ArrayBuffer>, depth = 0): boolean {
  if (depth > 2) throw broken("tags", "tags in tags in tags", "fewer levels");
  return elementsIn(tag).some(({ id, body }) =>
    id === TAGS.simple ? isRotation(body, depth + 1) : id === TAGS.name &&
      toText(body).toLowerCase() === "rotate"
  );
}
