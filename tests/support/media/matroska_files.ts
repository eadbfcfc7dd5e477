/** Matroska files that are put together by hand (RFC 9559), with what FFmpeg does not write. */
import { CLUSTER, CUES, EBML, INFO, SEEK, SEGMENT } from "../../../lib/containers/matroska/ids.ts";
import { concat } from "./bytes.ts";

/** An element with its header; the size has 8 bytes. */
export function element(id: number, ...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const body = concat(...parts);
  return concat(shortest(id), sizeOf(body.byteLength), body);
}

/** An element with an unsigned integer of 8 bytes. */
export function uint(id: number, value: number): Uint8Array<ArrayBuffer> {
  return element(id, integer(value));
}

/** An element with a floating-point number of 8 bytes. */
export function float(id: number, value: number): Uint8Array<ArrayBuffer> {
  const body = new DataView(new ArrayBuffer(8));
  body.setFloat64(0, value);
  return element(id, new Uint8Array(body.buffer));
}

/** An element with a text. */
export function text(id: number, value: string): Uint8Array<ArrayBuffer> {
  return element(id, concat(value));
}

/** A block of the first 126 tracks. */
export interface BlockFields {
  track: number;
  /** Ticks from the time of the cluster. */
  time: number;
  flags: number;
  data: Uint8Array;
}

/** What `SimpleBlock` and `Block` have in common. */
export function blockBody({ track, time, flags, data }: BlockFields): Uint8Array<ArrayBuffer> {
  return concat(Uint8Array.of(0x80 | track, time >> 8 & 255, time & 255, flags), data);
}

/** A cluster that begins with its time in ticks. */
export function cluster(time: number, ...blocks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return element(SEGMENT.cluster, uint(CLUSTER.timestamp, time), ...blocks);
}

/** What {@linkcode matroskaFile} puts together. */
export interface FileParts {
  /** The content of `Tracks`. */
  tracks: Uint8Array;
  clusters: readonly Uint8Array[];
  /** Times in ticks and the numbers of the clusters that have them, by tracks. */
  cues?: readonly { time: number; track: number; cluster: number }[];
  /** Ticks. */
  duration?: number;
  /** Nanoseconds of a tick. */
  scale?: number;
  docType?: string;
  /** Elements between the tracks and the clusters. */
  between?: readonly Uint8Array[];
}

/** A whole file, with the index of clusters at its end. */
export function matroskaFile(parts: FileParts): Uint8Array<ArrayBuffer> {
  const { tracks, clusters, cues, duration = 1000, scale = 1_000_000, between = [] } = parts;
  const info = element(
    SEGMENT.info,
    uint(INFO.timestampScale, scale),
    float(INFO.duration, duration),
  );
  const head = [info, element(SEGMENT.tracks, tracks), ...between];
  // All numbers have 8 bytes, so that the index of parts is as long as it will be.
  const seekLength = seekTo(SEGMENT.cues, 0).byteLength;
  const starts: number[] = [];
  let at = seekLength + concat(...head).byteLength;
  for (const { byteLength } of clusters) {
    starts.push(at);
    at += byteLength;
  }
  const points = (cues ?? []).map((cue) =>
    element(
      CUES.point,
      uint(CUES.time, cue.time),
      element(CUES.positions, uint(CUES.track, cue.track), uint(CUES.cluster, starts[cue.cluster])),
    )
  );
  const index = cues === undefined ? [] : [element(SEGMENT.cues, ...points)];
  const seek = cues === undefined ? new Uint8Array(0) : seekTo(SEGMENT.cues, at);
  return concat(
    element(EBML.header, text(EBML.docType, parts.docType ?? "matroska")),
    element(SEGMENT.segment, seek, ...head, ...clusters, ...index),
  );
}

function seekTo(id: number, position: number): Uint8Array<ArrayBuffer> {
  const entry = element(
    SEEK.seek,
    element(SEEK.id, shortest(id)),
    uint(SEEK.position, position),
  );
  return element(SEGMENT.seekHead, entry);
}

/** A size in 8 bytes. */
function sizeOf(size: number): Uint8Array<ArrayBuffer> {
  const bytes = integer(size);
  bytes[0] = 1;
  return bytes;
}

function integer(value: number): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, BigInt(value));
  return new Uint8Array(view.buffer);
}

function shortest(value: number): Uint8Array<ArrayBuffer> {
  const bytes = integer(value);
  return bytes.slice(bytes.findIndex((byte) => byte !== 0));
}
