/** The streams that a movie has, and which of them are cover art or chapters. */
import {
  allowBoxes,
  type Box,
  boxesIn,
  needBox,
  needBytes,
  onlyBox,
  part,
  typeAt,
  UnindexedError,
} from "./boxes.ts";
import { readTrack, type Track } from "./track.ts";

/** Tracks of a movie; FFmpeg itself has a limit of 1000 streams. */
const MAX_TRACKS = 64;

/** Boxes that are left alone, in all that hold others. */
const PADDING = ["free", "skip", "wide"];

const IN_MOOV = new Set([
  ...["mvhd", "trak", "udta", "meta", "iods", "ctab", "uuid", "prfl", ...PADDING],
]);

/** The formats of pictures in `covr` that FFmpeg knows: JPEG, PNG and BMP. */
const COVERS = [0xd, 0xe, 0x1b];

/** Bytes of a `data` box before its value. */
const DATA_HEADER = 16;

/** The item of iTunes that states the priming of AAC. */
const PRIMING = "iTunSMPB";

const ARTWORK = "com.apple.quicktime.artwork";

/** A movie (ISO/IEC 14496-12, "moov"). */
export interface Movie {
  /** Ticks a second of the durations of edits. */
  timescale: number;
  /** Ticks. */
  duration: number;
  tracks: Track[];
  /** Number of pictures. */
  covers: number;
  /** Whether an item of iTunes states the priming of the audio. */
  statesPriming: boolean;
}

/**
 * Reads the streams of a movie.
 *
 * @throws {UnindexedError} for what FFmpeg has to read
 * @throws {FormatError} for broken boxes
 */
export function readMovie(moov: DataView<ArrayBuffer>): Movie {
  const boxes = boxesIn(moov);
  allowBoxes(boxes, "moov", IN_MOOV);
  const header = readMovieHeader(needBox(boxes, "mvhd"));
  if (boxes.filter(({ type }) => type === "trak").length > MAX_TRACKS) {
    throw new UnindexedError(`it has more than ${MAX_TRACKS} tracks`);
  }
  const movie: Movie = { ...header, tracks: [], covers: 0, statesPriming: false };
  let chapters: readonly number[] = [];
  for (const { type, body } of boxes) {
    if (type === "udta" || type === "meta") readUserData([{ type, body }], movie);
    if (type !== "trak") continue;
    // Pictures are streams, too, and count from where they stand.
    const track = readTrack(body, movie.tracks.length + movie.covers);
    movie.tracks.push(track);
    if (track.chapters) {
      if (chapters.length > 0 && `${chapters}` !== `${track.chapters}`) {
        throw new UnindexedError("its tracks have different chapters");
      }
      chapters = track.chapters;
    }
    readUserData(track.userData, movie);
  }
  for (const track of movie.tracks) {
    if (!chapters.includes(track.id)) continue;
    if (track.kind === "audio") throw new UnindexedError("its chapters are sounds");
    track.kind = track.kind === "video" ? "cover" : "data";
  }
  if (new Set(movie.tracks.map(({ id }) => id)).size < movie.tracks.length) {
    throw new UnindexedError("two of its tracks have the same number");
  }
  return movie;
}

/** Reads "mvhd". */
function readMovieHeader(body: DataView<ArrayBuffer>): { timescale: number; duration: number } {
  needBytes(body, 100);
  const isLong = body.getUint8(0) === 1;
  if (isLong) needBytes(body, 112);
  const timescale = body.getInt32(isLong ? 20 : 12);
  const duration = isLong ? Number(body.getBigUint64(24)) : body.getUint32(16);
  if (timescale <= 0) throw new UnindexedError(`it has ${timescale} ticks a second`);
  if (duration === 0 || duration >= 2 ** 32 - 1 && (!isLong || duration >= 2 ** 53)) {
    throw new UnindexedError("it does not say how long it is");
  }
  const matrix = part(body, isLong ? 48 : 36, 36);
  const isTurned = [1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30].some((value, at) =>
    matrix.getInt32(4 * at) !== value
  );
  if (isTurned) throw new UnindexedError("it turns the picture as a whole");
  return { timescale, duration };
}

/** Counts the pictures in `udta` and `meta`. */
function readUserData(boxes: readonly Box[], movie: Movie): void {
  for (const { type, body } of boxes) {
    if (type === "udta") {
      const inside = boxesIn(body);
      if (inside.some((box) => box.type === "ilst")) {
        throw new UnindexedError('its metadata is in no "meta"');
      }
      readUserData(inside.filter((box) => box.type === "meta"), movie);
      continue;
    }
    // In ISO files it has a version in front.
    const isFull = body.byteLength >= 12 && typeAt(body, 8) === "hdlr";
    if (!isFull && (body.byteLength < 8 || typeAt(body, 4) !== "hdlr")) {
      if (textOf(body).includes("hdlr")) throw new UnindexedError("its metadata has no order");
      continue;
    }
    const inside = boxesIn(body, isFull ? 4 : 0);
    if (inside.some((box) => ["iloc", "iinf", "iprp", "trak"].includes(box.type))) {
      throw new UnindexedError("its metadata has items");
    }
    const keys = onlyBox(inside, "keys");
    if (keys && textOf(keys).includes(ARTWORK)) {
      throw new UnindexedError("its metadata has artwork");
    }
    for (const list of inside.filter((box) => box.type === "ilst")) readItems(list.body, movie);
  }
}

function readItems(list: DataView<ArrayBuffer>, movie: Movie): void {
  for (const { type, body } of boxesIn(list)) {
    if (type === "----" && textOf(body).includes(PRIMING)) movie.statesPriming = true;
    if (type !== "covr") continue;
    for (let at = 0; at < body.byteLength;) {
      needBytes(body, at + DATA_HEADER);
      const size = body.getUint32(at);
      if (typeAt(body, at + 4) !== "data" || size <= DATA_HEADER || at + size > body.byteLength) {
        throw new UnindexedError("its cover art is not understood");
      }
      if (COVERS.includes(body.getUint32(at + 8))) movie.covers++;
      at += size;
    }
  }
}

/** Characters of a small box, one for each byte. */
function textOf(body: DataView<ArrayBuffer>): string {
  return new TextDecoder("latin1").decode(body);
}
