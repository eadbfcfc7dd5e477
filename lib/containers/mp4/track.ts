/** The boxes of one track. */
import {
  allowBoxes,
  type Box,
  boxesIn,
  entryCount,
  needBox,
  needBytes,
  onlyBox,
  part,
  printable,
  typeAt,
  UnindexedError,
} from "./boxes.ts";

const PADDING = ["free", "skip", "wide", "uuid", "name"];

const IN_TRACK = new Set([
  ...["tkhd", "mdia", "edts", "tref", "udta", "meta", "load", "clip", "matt", "tapt", ...PADDING],
]);

const IN_MEDIA = new Set(["mdhd", "hdlr", "minf", "elng", "udta", ...PADDING]);

const IN_INFORMATION = new Set([
  ...["vmhd", "smhd", "gmhd", "nmhd", "hmhd", "sthd", "hdlr", "dinf", "stbl", ...PADDING],
]);

/** Handlers of subtitles (ISO/IEC 14496-12, "hdlr", and QuickTime). */
const SUBTITLE_HANDLERS = ["subp", "clcp"];

/** FFmpeg's types of formats that are neither video nor audio. */
const OTHER_FORMATS: Readonly<Record<string, "subtitle" | "data">> = {
  "text": "subtitle",
  "tx3g": "subtitle",
  "c608": "subtitle",
  "tmcd": "data",
  "rtmd": "data",
  "gpmd": "data",
  "fdsc": "data",
  "mebx": "data",
  "camm": "data",
  "mett": "data",
  "rtp ": "data",
};

/** The flag of a data reference to the file itself. */
const SELF_CONTAINED = 1;

/** The flag of a track that is played without a choice. */
const ENABLED = 1;

/** A track as its boxes state it. */
export interface Track {
  /** Number of the stream as FFmpeg counts. */
  index: number;
  /** Number that other boxes refer to. */
  id: number;
  kind: "video" | "audio" | "subtitle" | "data" | "cover";
  /** Ticks a second. */
  timescale: number;
  /** Ticks, without edits; 0 if unknown. */
  duration: number;
  /** Pixels of the picture as it is shown, before rotation. */
  shown: { width: number; height: number };
  /** Nine numbers of the matrix, row by row. */
  matrix: readonly number[];
  edits: readonly Edit[];
  /** `stsd` and the tables of samples. */
  table: readonly Box[];
  /** Language by ISO 639-2, if it is stated. */
  language?: string;
  /** Whether it is among those that are played without a choice. */
  isEnabled: boolean;
  /** Numbers of the tracks that hold chapters. */
  chapters?: readonly number[];
  /** `udta` and `meta`. */
  userData: readonly Box[];
}

/** An entry of the edit list. */
export interface Edit {
  /** Ticks of the movie. */
  duration: number;
  /** Ticks of the track at which it starts; -1 for an empty edit. */
  mediaTime: number;
  /** Speed, times 65,536. */
  rate: number;
}

/**
 * Reads a track.
 *
 * @param index number of the stream
 * @throws {UnindexedError} for what FFmpeg has to read
 * @throws {FormatError} for broken boxes
 */
export function readTrack(body: DataView<ArrayBuffer>, index: number): Track {
  const boxes = boxesIn(body);
  allowBoxes(boxes, "trak", IN_TRACK);
  const header = readTrackHeader(needBox(boxes, "tkhd"));
  const media = boxesIn(needBox(boxes, "mdia"));
  allowBoxes(media, "mdia", IN_MEDIA);
  if (media.findIndex(({ type }) => type === "mdhd") > media.findIndex((b) => b.type === "minf")) {
    throw new UnindexedError("a header follows its samples");
  }
  const information = boxesIn(needBox(media, "minf"));
  allowBoxes(information, "minf", IN_INFORMATION);
  checkReferences(information);
  const table = boxesIn(needBox(information, "stbl"));
  const edits = onlyBox(boxes, "edts");
  const handler = needBox(media, "hdlr");
  needBytes(handler, 12);
  return {
    index,
    ...header,
    ...readMediaHeader(needBox(media, "mdhd")),
    kind: kindOf(typeAt(handler, 8), needBox(table, "stsd")),
    edits: edits ? readEdits(boxesIn(edits)) : [],
    table,
    chapters: chaptersOf(onlyBox(boxes, "tref")),
    userData: boxes.filter(({ type }) => type === "udta" || type === "meta"),
  };
}

/** Reads "tkhd". */
function readTrackHeader(
  body: DataView<ArrayBuffer>,
): Pick<Track, "id" | "isEnabled" | "shown" | "matrix"> {
  needBytes(body, 84);
  const isLong = body.getUint8(0) === 1;
  if (isLong) needBytes(body, 96);
  const rest = part(body, isLong ? 52 : 40);
  return {
    id: body.getInt32(isLong ? 20 : 12),
    isEnabled: (body.getUint32(0) & ENABLED) !== 0,
    matrix: Array.from({ length: 9 }, (_, at) => rest.getInt32(4 * at)),
    shown: { width: rest.getInt32(36) >> 16, height: rest.getInt32(40) >> 16 },
  };
}

/** Reads "mdhd". */
function readMediaHeader(
  body: DataView<ArrayBuffer>,
): Pick<Track, "timescale" | "duration" | "language"> {
  needBytes(body, 24);
  const version = body.getUint8(0);
  if (version > 1) throw new UnindexedError(`a media header has version ${version}`);
  if (version === 1) needBytes(body, 36);
  const timescale = body.getInt32(version === 1 ? 20 : 12);
  if (timescale <= 0) throw new UnindexedError(`a track has ${timescale} ticks a second`);
  const duration = version === 1 ? Number(body.getBigUint64(24)) : body.getUint32(16);
  const isUnknown = version === 1 ? duration >= 2 ** 53 : duration === 2 ** 32 - 1;
  const language = languageOf(body.getUint16(version === 1 ? 32 : 20));
  return { timescale, duration: isUnknown ? 0 : duration, language };
}

/** The language of three letters in five bits each, or one of QuickTime's numbers. */
function languageOf(code: number): string | undefined {
  if (code === 0) return "eng";
  const letters = [code >> 10, code >> 5 & 31, code & 31];
  if (letters.some((letter) => letter < 1 || letter > 26)) return undefined;
  const language = String.fromCharCode(...letters.map((letter) => 0x60 + letter));
  return language === "und" ? undefined : language;
}

/** FFmpeg's type of a track. */
function kindOf(handler: string, description: DataView<ArrayBuffer>): Track["kind"] {
  if (handler === "vide") return "video";
  if (handler === "soun") return "audio";
  const [entry] = boxesIn(description, 8);
  const format = entry?.type ?? "";
  const kind = Object.hasOwn(OTHER_FORMATS, format) ? OTHER_FORMATS[format] : undefined;
  const isOdd = kind === "data" && SUBTITLE_HANDLERS.includes(handler);
  if (kind === undefined || isOdd) {
    throw new UnindexedError(
      `it has a track of type "${printable(handler)}" and format "${printable(format)}"`,
    );
  }
  return kind;
}

/** @throws {UnindexedError} if samples are in other files */
function checkReferences(information: readonly Box[]): void {
  const data = onlyBox(information, "dinf");
  if (data === undefined) return;
  const references = needBox(boxesIn(data), "dref");
  needBytes(references, 8);
  const entries = boxesIn(references, 8);
  // QuickTime's "alis" may have the flag, too.
  const isElsewhere = entries.some(({ body }) =>
    body.byteLength < 4 || (body.getUint32(0) & SELF_CONTAINED) === 0
  );
  if (isElsewhere || entries.length > 1) throw new UnindexedError("its data is in other files");
}

/** Reads "elst". */
function readEdits(boxes: readonly Box[]): Edit[] {
  allowBoxes(boxes, "edts", new Set(["elst", ...PADDING]));
  const body = onlyBox(boxes, "elst");
  if (body === undefined) return [];
  needBytes(body, 8);
  const isLong = body.getUint8(0) === 1;
  const size = isLong ? 20 : 12;
  const count = entryCount(body, 4, size);
  if (count > 2) throw new UnindexedError(`its edit list has ${count} entries`);
  return Array.from({ length: count }, (_, entry) => {
    const at = 8 + size * entry;
    return isLong
      ? {
        duration: Number(body.getBigInt64(at)),
        mediaTime: Number(body.getBigInt64(at + 8)),
        rate: body.getUint32(at + 16),
      }
      : {
        duration: body.getUint32(at),
        mediaTime: body.getInt32(at + 4),
        rate: body.getUint32(at + 8),
      };
  });
}

/** The numbers of the tracks that hold the chapters of a track, from "tref". */
function chaptersOf(reference: DataView<ArrayBuffer> | undefined): number[] | undefined {
  const body = reference && onlyBox(boxesIn(reference), "chap");
  if (body === undefined) return undefined;
  const length = Math.min(body.byteLength >> 2, 64);
  return Array.from({ length }, (_, at) => body.getUint32(4 * at));
}
