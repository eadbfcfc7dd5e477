/** The exact codec names of an MP4, from its header. */
import { FormatError } from "../../base/errors.ts";

/** A box of an MP4 file (ISO/IEC 14496-12, "Object structure"). */
export interface Box {
  type: string;
  body: Uint8Array;
  /** Size with the header, bytes. */
  size: number;
}

/** Bytes of a box header: size and type. */
const HEADER = 8;

/** Bytes of a box header with a size of 64 bits. */
const LARGE_HEADER = 16;

/**
 * Reads the header of the first box.
 *
 * @returns size of the box and of its header in bytes, and its type; `undefined` if the header is
 * incomplete
 * @throws {FormatError} if the size is too small
 */
export function readBoxHeader(
  bytes: Uint8Array,
): { size: number; header: number; type: string } | undefined {
  if (bytes.byteLength < HEADER) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const type = String.fromCharCode(...bytes.subarray(4, 8));
  const short = view.getUint32(0);
  const header = short === 1 ? LARGE_HEADER : HEADER;
  if (bytes.byteLength < header) return undefined;
  const size = short === 1 ? Number(view.getBigUint64(8)) : short;
  if (size < header) {
    throw new FormatError(`Cannot read MP4 "${type}": ${size} bytes, expected ${header} at least`);
  }
  return { size, header, type };
}

/**
 * Reads consecutive boxes.
 *
 * @throws {FormatError} if the last one is incomplete
 */
export function readBoxes(bytes: Uint8Array): Box[] {
  const boxes: Box[] = [];
  for (let at = 0; at < bytes.byteLength;) {
    const found = readBoxHeader(bytes.subarray(at));
    if (found === undefined || at + found.size > bytes.byteLength) {
      throw new FormatError(
        `Cannot read MP4 "${found?.type ?? "box"}": it ends after ${
          bytes.byteLength - at
        } bytes, ` +
          `expected ${found?.size ?? HEADER}`,
      );
    }
    const { size, header, type } = found;
    boxes.push({ type, size, body: bytes.subarray(at + header, at + size) });
    at += size;
  }
  return boxes;
}

/** Body of the first box on a path of types, such as `mdia/minf`. */
export function findBox(bytes: Uint8Array, path: string): Uint8Array | undefined {
  return path.split("/").reduce<Uint8Array | undefined>(
    (body, type) =>
      body === undefined ? undefined : readBoxes(body).find((box) => box.type === type)?.body,
    bytes,
  );
}

/** Bytes of a sample entry before its boxes. */
const VISUAL_ENTRY = 78;
const AUDIO_ENTRY = 28;

/** Bytes of a full box's version and flags. */
const FULL = 4;

/** Tags of the descriptors in `esds` (ISO/IEC 14496-1, section 7.2.6). */
const DESCRIPTOR = { es: 3, config: 4, specific: 5 } as const;

/** MPEG-4 audio, as an object type (ISO/IEC 14496-1, table 5). */
const MPEG4_AUDIO = 0x40;

/** Constraint bytes of HEVC; zeros at their end are omitted. */
const HEVC_CONSTRAINTS = 6;

/**
 * Media type of an MP4 file with exact codecs, as browsers need it (RFC 6381): `video/mp4;
 * codecs="avc1.64001f, mp4a.40.2"`, or `audio/mp4; …` without video.
 *
 * @param moov body of the box "moov"
 * @throws {FormatError} if it cannot be read, or a codec has no such name
 *
 * @example
 * ```ts
 * import { assertThrows } from "@std/assert";
 * import { mimeTypeOf } from "./mp4_codecs.ts";
 *
 * assertThrows(() => mimeTypeOf(new Uint8Array(0)));
 * ```
 */
export function mimeTypeOf(moov: Uint8Array): string {
  const tracks = readBoxes(moov).filter(({ type }) => type === "trak").map(({ body }) => body);
  if (tracks.length === 0) throw new FormatError(`Cannot read MP4 "moov": it has no track`);
  const entries = tracks.map((track) => {
    const descriptions = findBox(track, "mdia/minf/stbl/stsd");
    // Behind version, flags and the number of entries; the first entry counts.
    const [entry] = descriptions === undefined ? [] : readBoxes(descriptions.subarray(8));
    if (entry === undefined) throw new FormatError(`Cannot read MP4 "stsd": it has no entry`);
    return nameOf(entry.type, entry.body);
  });
  const hasPicture = entries.some(({ kind }) => kind === "video");
  const names = entries.map(({ name }) => name).join(", ");
  return `${hasPicture ? "video" : "audio"}/mp4; codecs="${names}"`;
}

interface Entry {
  kind: "video" | "audio";
  name: string;
}

function nameOf(type: string, entry: Uint8Array): Entry {
  const inVideo = (box: string, size: number) => need(entry.subarray(VISUAL_ENTRY), box, size);
  const inAudio = (box: string, size: number) => need(entry.subarray(AUDIO_ENTRY), box, size);
  switch (type) {
    case "avc1":
    case "avc3":
      return { kind: "video", name: `${type}.${hex(inVideo("avcC", 4).subarray(1, 4))}` };
    case "hvc1":
    case "hev1":
      return { kind: "video", name: `${type}.${hevcName(inVideo("hvcC", 13))}` };
    case "vp09":
      return { kind: "video", name: vp9Name(inVideo("vpcC", FULL + 6).subarray(FULL)) };
    case "av01":
      return { kind: "video", name: av1Name(inVideo("av1C", 3)) };
    case "mp4a":
      return { kind: "audio", name: `mp4a.${mpegAudioName(inAudio("esds", FULL).subarray(FULL))}` };
    case "Opus":
      return { kind: "audio", name: "opus" };
    case "fLaC":
      return { kind: "audio", name: "flac" };
    case ".mp3":
      return { kind: "audio", name: "mp4a.6B" };
  }
  throw new FormatError(`Cannot name the codec "${type}": expected one that browsers play`);
}

/** @param size bytes that the box needs at least */
function need(bytes: Uint8Array, type: string, size: number): Uint8Array {
  const found = findBox(bytes, type);
  if (found !== undefined) return atLeast(size, found, type);
  throw new FormatError(`Cannot read MP4 "${type}": it is missing, expected it in "stsd"`);
}

function atLeast(size: number, bytes: Uint8Array, name: string): Uint8Array {
  if (bytes.byteLength >= size) return bytes;
  throw new FormatError(
    `Cannot read MP4 "${name}": ${bytes.byteLength} bytes, expected ${size} at least`,
  );
}

/** HEVC by ISO/IEC 14496-15, annex E.3: profile, compatibility, tier and level, constraints. */
function hevcName(config: Uint8Array): string {
  const [, first] = config;
  const space = ["", "A", "B", "C"][first >> 6];
  const tier = (first & 0x20) === 0 ? "L" : "H";
  const compatible = new DataView(config.buffer, config.byteOffset).getUint32(2);
  const constraints = [...config.subarray(6, 6 + HEVC_CONSTRAINTS)];
  while (constraints.at(-1) === 0) constraints.pop();
  return [
    `${space}${first & 0x1f}`,
    reversed(compatible).toString(16).toUpperCase(),
    `${tier}${config[12]}`,
    ...constraints.map((byte) => byte.toString(16).toUpperCase()),
  ].join(".");
}

function reversed(bits: number): number {
  let result = 0;
  for (let at = 0; at < 32; at++) result = result * 2 + (bits >>> at & 1);
  return result;
}

/** VP9 by "VP Codec ISO Media File Format Binding", with all fields. */
function vp9Name(config: Uint8Array): string {
  const [profile, level, layout, primaries, transfer, matrix] = config;
  const [depth, subsampling, range] = [layout >> 4, layout >> 1 & 7, layout & 1];
  return [
    ...["vp09", twoDigits(profile), twoDigits(level), twoDigits(depth), twoDigits(subsampling)],
    ...[twoDigits(primaries), twoDigits(transfer), twoDigits(matrix), twoDigits(range)],
  ].join(".");
}

/** AV1 by "AV1 Codec ISO Media File Format Binding", without the optional fields. */
function av1Name(config: Uint8Array): string {
  const [, first, second] = config;
  const [profile, level] = [first >> 5, first & 0x1f];
  const [tier, high, twelve] = [second >> 7, second >> 6 & 1, second >> 5 & 1];
  const depth = high === 0 ? 8 : profile === 2 && twelve === 1 ? 12 : 10;
  return `av01.${profile}.${twoDigits(level)}${tier === 0 ? "M" : "H"}.${twoDigits(depth)}`;
}

/** MPEG audio by the descriptors of `esds`: object type, and for MPEG-4 the audio object type. */
function mpegAudioName(esds: Uint8Array): string {
  const es = atLeast(4, readDescriptor(esds, DESCRIPTOR.es), "esds");
  // ID, then flags for optional fields, each with its own size.
  const flags = es[2];
  const skipped = 3 + (flags & 0x80 ? 2 : 0) + (flags & 0x40 ? 1 + es[3] : 0) +
    (flags & 0x20 ? 2 : 0);
  const config = atLeast(1, readDescriptor(es.subarray(skipped), DESCRIPTOR.config), "esds");
  const [objectType] = config;
  if (objectType !== MPEG4_AUDIO) return hex(Uint8Array.of(objectType)).toUpperCase();
  // Object type, stream type, buffer size, two bit rates.
  const specific = readDescriptor(config.subarray(13), DESCRIPTOR.specific);
  const [first, second] = atLeast(2, specific, "esds");
  const kind = first >> 3;
  return `40.${kind === 31 ? 32 + ((first & 7) << 3 | second >> 5) : kind}`;
}

/** Body of a descriptor, whose size is stored in groups of seven bits. */
function readDescriptor(bytes: Uint8Array, tag: number): Uint8Array {
  if (bytes[0] !== tag) {
    throw new FormatError(`Cannot read MP4 "esds": tag ${bytes[0]}, expected ${tag}`);
  }
  let size = 0;
  let at = 1;
  for (let more = true; more; at++) {
    const byte = bytes[at] ?? 0;
    size = size << 7 | byte & 0x7f;
    more = byte >= 0x80 && at < 4;
  }
  return bytes.subarray(at, at + size);
}

function hex(bytes: Uint8Array): string {
  return bytes.toHex();
}

function twoDigits(number: number): string {
  return String(number).padStart(2, "0");
}
