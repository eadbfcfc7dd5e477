/** Finds the parts of a Matroska file before its clusters, and those that its index names. */
import {
  broken,
  elementsIn,
  MAX_HEADER,
  readHeader,
  toText,
  toUint,
  UNKNOWN_SIZE,
} from "./ebml.ts";
import type { ElementHeader } from "./ebml.ts";
import { EBML, SEEK, SEGMENT } from "./ids.ts";
import type { Window } from "./window.ts";

/** Place of the content of an element in the file. */
export interface Place {
  /** Bytes from the beginning of the file. */
  offset: number;
  /** Bytes of the content. */
  size: number;
}

/** The parts of a segment. */
export interface Segment {
  /** Offset of its content, from which positions in the file count. */
  start: number;
  /** Offset of the end of its content, which may be behind the end of a truncated file. */
  end: number;
  /** Offset of the first cluster. */
  firstCluster: number;
  info: Place;
  tracks: Place;
  cues: Place;
  attachments?: Place;
  tags: readonly Place[];
}

/** Elements before the first cluster, and entries of the index, that are read. */
const MAX_PARTS = 256;

/** Bytes of the head of the file and of an index of the parts. */
const MAX_HEAD = 2 ** 16;

const DOC_TYPES = ["matroska", "webm"];

/** Elements that a file has once. */
const SINGLE: readonly number[] = [
  ...[SEGMENT.info, SEGMENT.tracks, SEGMENT.cues, SEGMENT.attachments],
];

/** Elements whose place has to be known. */
const FOUND: readonly number[] = [...SINGLE, SEGMENT.tags];

/** Elements of the head of the file that are numbers. */
const NUMBERS = new Set<number>([
  ...[EBML.readVersion, EBML.maxIdLength, EBML.maxSizeLength, EBML.docTypeReadVersion],
]);

const LEVEL_1 = new Set<number>(Object.values(SEGMENT));

/** Whether an element stands right below the segment, and thus ends a cluster. */
export function isLevel1(id: number): boolean {
  return LEVEL_1.has(id);
}

/**
 * Finds the parts of a file.
 *
 * @throws {FormatError} if it is not understood
 * @throws {TruncatedError} if it ends in a part
 */
export async function readSegment(file: Window): Promise<Segment> {
  const segment = await enterSegment(file);
  const found = new Map<number, Place[]>();
  const firstCluster = await collect(file, segment, found);
  await followIndex(file, segment, found);
  const only = (id: number) => found.get(id)?.[0];
  const [info, tracks] = [only(SEGMENT.info), only(SEGMENT.tracks)];
  if (info === undefined || tracks === undefined) {
    throw broken("segment", `no ${info ? "tracks" : "info"}`, "one");
  }
  const cues = only(SEGMENT.cues);
  if (cues === undefined) throw broken("cues", "none", "an index of the clusters");
  const attachments = only(SEGMENT.attachments);
  return {
    ...segment,
    firstCluster,
    info,
    tracks,
    cues,
    attachments,
    tags: found.get(SEGMENT.tags) ?? [],
  };
}

/**
 * Reads the header of an element of the file.
 *
 * @param end offset of the end of its parent
 */
export async function headerAt(file: Window, offset: number, end: number): Promise<ElementHeader> {
  await file.load(offset, Math.max(2, Math.min(MAX_HEADER, end - offset, file.size - offset)));
  const header = readHeader(file.bytes, offset - file.start, file.bytes.byteLength);
  if (header === undefined) throw broken("element", "it ends in its header", "a whole one");
  if (header.size !== UNKNOWN_SIZE && offset + header.length + header.size > end) {
    throw broken(
      `element 0x${header.id.toString(16)}`,
      `${header.size} bytes`,
      `at most ${end - offset - header.length}`,
    );
  }
  return header;
}

/**
 * Reads the content of an element.
 *
 * @param most bytes that it may have
 */
export async function contentOf(
  file: Window,
  { offset, size }: Place,
  most: number,
): Promise<Uint8Array<ArrayBuffer>> {
  if (size > most) throw broken("element", `${size} bytes`, `at most ${most}`);
  await file.load(offset, size);
  return file.view(offset, size);
}

async function enterSegment(file: Window): Promise<{ start: number; end: number }> {
  const head = await headerAt(file, 0, Infinity);
  if (head.id !== EBML.header) throw broken("EBML", `0x${head.id.toString(16)}`, "0x1a45dfa3");
  checkHead(await contentOf(file, { offset: head.length, size: head.size }, MAX_HEAD));
  const at = head.length + head.size;
  const { id, size, length } = await headerAt(file, at, Infinity);
  if (id !== SEGMENT.segment) throw broken("segment", `0x${id.toString(16)}`, "0x18538067");
  if (size === UNKNOWN_SIZE) throw broken("segment", "of unknown size", "a finished file");
  const start = at + length;
  const end = start + size;
  if (end < file.size) throw broken("segment", `${file.size - end} bytes behind it`, "none");
  return { start, end };
}

function checkHead(body: Uint8Array<ArrayBuffer>): void {
  let docType = "";
  const numbers = new Map<number, number>();
  for (const { id, body: content } of elementsIn(body)) {
    if (id === EBML.docType) docType = toText(content);
    else if (NUMBERS.has(id)) numbers.set(id, toUint(content));
  }
  if (!DOC_TYPES.includes(docType)) {
    throw broken("document type", JSON.stringify(docType.slice(0, 40)), DOC_TYPES.join(" or "));
  }
  const limits: [name: string, id: number, most: number][] = [
    ["EBML version", EBML.readVersion, 1],
    ["identifier length", EBML.maxIdLength, 4],
    ["size length", EBML.maxSizeLength, 8],
    ["document version", EBML.docTypeReadVersion, 3],
  ];
  for (const [name, id, most] of limits) {
    const value = numbers.get(id);
    if (value !== undefined && value > most) throw broken(name, `${value}`, `at most ${most}`);
  }
}

/** Notes the elements up to the first cluster, and gives its place. */
async function collect(
  file: Window,
  { start, end }: { start: number; end: number },
  found: Map<number, Place[]>,
): Promise<number> {
  let at = start;
  for (let count = 0; count < MAX_PARTS && at < end; count++) {
    const { id, size, length } = await headerAt(file, at, end);
    if (id === SEGMENT.cluster) return at;
    if (size === UNKNOWN_SIZE) throw broken("element", "of unknown size", "a known one");
    if (!isLevel1(id) && id !== EBML.void && id !== EBML.crc32) {
      throw broken("segment", `an element 0x${id.toString(16)}`, "a known one");
    }
    note(found, id, { offset: at + length, size });
    at += length + size;
  }
  throw broken("segment", "no cluster", "one");
}

function note(found: Map<number, Place[]>, id: number, place: Place): void {
  const places = found.get(id) ?? [];
  if (places.some(({ offset }) => offset === place.offset)) return;
  if (places.length > 0 && SINGLE.includes(id)) {
    throw broken("segment", `two elements 0x${id.toString(16)}`, "one");
  }
  places.push(place);
  found.set(id, places);
}

/** Notes the elements that the index of the parts names, and those of further indexes. */
async function followIndex(
  file: Window,
  { start, end }: { start: number; end: number },
  found: Map<number, Place[]>,
): Promise<void> {
  let count = 0;
  // Entries of an index may name a further index, which is appended to the list.
  for (const index of found.get(SEGMENT.seekHead) ?? []) {
    for (const { id, position } of seeksIn(await contentOf(file, index, MAX_HEAD))) {
      if (++count > MAX_PARTS) throw broken("seek head", `over ${MAX_PARTS} entries`, "fewer");
      const at = start + position;
      // The end of a truncated file is missing.
      if (at >= file.size || !(FOUND.includes(id) || id === SEGMENT.seekHead)) continue;
      const header = await headerAt(file, at, end);
      if (header.id !== id || header.size === UNKNOWN_SIZE) {
        throw broken("seek head", `0x${header.id.toString(16)}`, `0x${id.toString(16)}`);
      }
      note(found, id, { offset: at + header.length, size: header.size });
    }
  }
}

function seeksIn(body: Uint8Array<ArrayBuffer>): { id: number; position: number }[] {
  const seeks: { id: number; position: number }[] = [];
  for (const entry of elementsIn(body)) {
    if (entry.id !== SEEK.seek) continue;
    const seek = { id: 0, position: -1 };
    for (const { id, body: content } of elementsIn(entry.body)) {
      if (id === SEEK.id) seek.id = toUint(content);
      if (id === SEEK.position) seek.position = toUint(content);
    }
    if (seek.position >= 0) seeks.push(seek);
  }
  return seeks;
}
