/** Responses of the native protocol: descriptions, ends, notices, errors and entries of lists. */
import { ERROR_CODES, FormatError, RequestError } from "../../base/errors.ts";
import {
  type AnyStream,
  DATA_CODECS,
  type DataStream,
  type Description,
  FIELD_ORDERS,
  type MediaTrack,
  type StreamBase,
  type StreamDescription,
  type VideoStream,
} from "../../media/frame.ts";
import { PROTOCOL_VERSION } from "./framing.ts";
import {
  encodeJson,
  type JsonObject,
  optionalBoolean,
  optionalNumber,
  optionalRational,
  optionalText,
  optionalWord,
  parseJsonObject,
  required,
  toList,
  toObject,
} from "./json.ts";
import { encodeCover, readMediaTags, readStreamTags } from "./tags.ts";

/** Counts of one stream. */
export interface StreamTotals {
  id: number;
  /** Frames; of audio, messages and not samples. */
  frames: number;
  /** Bytes of the frames' data, without headers and capture times. */
  bytes: number;
}

/** Totals at the end of a response. */
export interface EndReport {
  /** Sent frames of video. */
  frames: number;
  /** Sent frames of audio. */
  audioFrames: number;
  /** Bytes of the frames' data, without headers. */
  bytes: number;
  /** Frames dropped because they would have been late. */
  dropped: number;
  /** `end` of the media, `stopped` by the client, or `shutdown` of the server. */
  reason: string;
  /** Totals of each described stream; absent if they were not counted. */
  streams?: StreamTotals[];
  /** The decoder's complaint, if the media is damaged. */
  warning?: string;
}

/** Codes of notices. */
export const NOTICE_CODES = [
  /** Frames were dropped: `dropped` since the request. */
  "dropped",
  /** The connection is too slow: `achieved` instead of `needed` bytes per second. */
  "slow_link",
  /** The server cannot decode or encode fast enough. */
  "slow_source",
  /** A live source has failed and is being restarted. */
  "source_lost",
  /** A live source is running again. */
  "source_back",
  /** The response waits for a free decoder: `position` is that in the queue, from 1 on. */
  "waiting",
  /** It takes a while to find the position at which a resumed response continues. */
  "resuming",
  /** To a publisher: `viewers` watch it. */
  "viewers",
] as const;

/** An event of a running response. */
export interface Notice {
  /** One of {@linkcode NOTICE_CODES}, or a code of a later version. */
  code: string;
  /** A sentence for users. */
  message: string;
  /** Frames dropped since the request. */
  dropped?: number;
  /** Bytes per second. */
  needed?: number;
  /** Bytes per second. */
  achieved?: number;
  /** Position in the queue, from 1 on. */
  position?: number;
  /** Viewers of a published source. */
  viewers?: number;
}

/** The reply to a request to publish. */
export interface Acceptance {
  /** Name under which viewers find the source. */
  name: string;
  /** Somebody watches it already. */
  watched: boolean;
}

/** Kinds of media; `data` is listed only if a request asks for it. */
export const LIST_KINDS = ["image", "video", "audio", "data"] as const;

/** One entry of the list of media. */
export interface ListEntry {
  /** Name in requests. */
  name: string;
  /** Kind of the media. */
  kind: typeof LIST_KINDS[number];
  /** Whether it is a live source, and no file. */
  live: boolean;
  /** Bytes of the file. */
  size: number;
  /** When the file was changed, milliseconds since 1970; absent if unknown. */
  modified?: number;
  /** Seconds; absent for images, and if the file does not state it. */
  duration?: number;
  /** FFmpeg's names of the codecs; empty for a live source that has not run yet. */
  codec: string;
  /** Pixels, as displayed; absent for audio and data, and while unknown. */
  width?: number;
  /** Pixels, as displayed; absent for audio and data, and while unknown. */
  height?: number;
  /** A publisher sends it. */
  published?: boolean;
  /** Degrees clockwise that a file asks for; absent for none. */
  rotation?: number;
  /** The tracks of a file, in the order of their numbers. */
  tracks?: readonly MediaTrack[];
  /** Why the file cannot be read. */
  problem?: string;
  /** The file is not looked into yet: only name, size and, by the name, kind are known. */
  pending?: boolean;
  /** It is sent to requests without a name for an image, or a video. */
  defaultFor?: typeof DEFAULT_KINDS[number];
}

/** Kinds of media that requests need no name for. */
export const DEFAULT_KINDS = ["image", "video"] as const;

const ANY_TEXT = { pattern: /^[^]{0,65536}$/, expected: "a text" };
const ETAG = { pattern: /^[\w-]{1,64}$/, expected: "up to 64 letters, digits, _ and -" };
const FOURCC = { pattern: /^([\0-\xff]{4})?$/, expected: "four characters" };
const WORD = { pattern: /^[\w.-]{1,64}$/, expected: "a word" };
const COUNT = { min: 0, max: Number.MAX_SAFE_INTEGER, integer: true };
const STREAM_ID = { min: 0, max: 65535, integer: true };
const SECONDS = { min: 0, max: 1e10 };
const PIXELS = { min: 1, max: 65535, integer: true };

/** Streams of a description to read; further ones are ignored. */
const MAX_STREAMS = 64;

/** Notes of a description to read; further ones are ignored. */
const MAX_NOTES = 16;

/** Frames of decode delay; H.264 and HEVC allow 16. */
const DELAY = { min: 0, max: 64, integer: true };

const BYTES_PER_SECOND = { min: 0, max: Number.MAX_SAFE_INTEGER };

/** Encodes the payload of a description. */
export function encodeDescription(description: Description): Uint8Array<ArrayBuffer> {
  const { data = [], cover, ...rest } = description;
  const streams = [
    ...description.streams.map((stream) => ({
      ...stream,
      extradata: stream.extradata.toBase64(),
    })),
    ...data.map((stream) => ({ ...stream, fourcc: "" })),
  ];
  return encodeJson({ version: PROTOCOL_VERSION, ...rest, ...encodeCover(cover), streams });
}

/**
 * Parses the payload of a description.
 *
 * @param defaults name of a description that states none, as those of publishers
 * @throws {FormatError} for anything malformed
 */
export function parseDescription(
  payload: Uint8Array,
  defaults: { name?: string } = {},
): Description {
  const object = parseJsonObject(payload, "description");
  const all = toList(object.streams, "streams").slice(0, MAX_STREAMS)
    .map((stream) => readStream(toObject(stream, "stream")));
  if (all.length === 0) {
    throw new FormatError("Cannot read the description: it names no stream");
  }
  const streams = all.filter((stream) => stream.type !== "data");
  const data = all.filter((stream) => stream.type === "data");
  return {
    name: required(optionalText(object, "name", ANY_TEXT) ?? defaults.name, "name"),
    live: optionalBoolean(object, "live") ?? false,
    duration: optionalNumber(object, "duration", SECONDS),
    streams,
    data: data.length === 0 ? undefined : data,
    notes: toList(object.notes ?? [], "notes").slice(0, MAX_NOTES)
      .filter((note) => typeof note === "string"),
    etag: optionalText(object, "etag", ETAG),
    ...readMediaTags(object),
  };
}

function readStream(object: JsonObject): AnyStream {
  const type: AnyStream["type"] = required(
    optionalWord(object, "type", ["video", "audio", "data"]),
    "type",
  );
  return type === "data" ? readDataStream(object) : readMediaStream(object, type);
}

function readDataStream(object: JsonObject): DataStream {
  const { language, title } = readStreamTags(object);
  return {
    id: required(optionalNumber(object, "id", STREAM_ID), "id"),
    type: "data",
    codec: required(optionalWord(object, "codec", DATA_CODECS), "codec"),
    timeBase: required(optionalRational(object, "timeBase"), "timeBase"),
    ...(language === undefined ? {} : { language }),
    ...(title === undefined ? {} : { title }),
  };
}

function readMediaStream(object: JsonObject, type: StreamDescription["type"]): StreamDescription {
  const shared = {
    id: required(optionalNumber(object, "id", STREAM_ID), "id"),
    codec: required(optionalText(object, "codec", WORD), "codec"),
    fourcc: optionalText(object, "fourcc", FOURCC) ?? "",
    timeBase: required(optionalRational(object, "timeBase"), "timeBase"),
    extradata: readExtradata(object),
    ...readStreamTags(object),
  };
  if (type === "audio") {
    const rate = optionalNumber(object, "sampleRate", { min: 1, max: 2 ** 31, integer: true });
    const channels = optionalNumber(object, "channels", { min: 1, max: 1024, integer: true });
    return {
      ...shared,
      type,
      sampleRate: required(rate, "sampleRate"),
      channels: required(channels, "channels"),
    };
  }
  return { ...shared, type, ...readVideoFields(object) };
}

type VideoFields = Omit<VideoStream, "type" | keyof StreamBase>;

function readVideoFields(object: JsonObject): VideoFields {
  return {
    width: required(optionalNumber(object, "width", PIXELS), "width"),
    height: required(optionalNumber(object, "height", PIXELS), "height"),
    pixelFormat: optionalText(object, "pixelFormat", WORD),
    frameRate: optionalRational(object, "frameRate"),
    sampleAspectRatio: optionalRational(object, "sampleAspectRatio"),
    colorRange: optionalText(object, "colorRange", WORD),
    colorSpace: optionalText(object, "colorSpace", WORD),
    colorPrimaries: optionalText(object, "colorPrimaries", WORD),
    colorTransfer: optionalText(object, "colorTransfer", WORD),
    fieldOrder: FIELD_ORDERS.find((order) => order === object.fieldOrder),
    alphaDropped: optionalBoolean(object, "alphaDropped") || undefined,
    rotation: readRotation(object),
    decodeDelay: optionalNumber(object, "decodeDelay", DELAY),
  };
}

/** Quarter turns; other values are ignored. */
function readRotation({ rotation }: JsonObject): VideoStream["rotation"] {
  return ([90, 180, 270] as const).find((angle) => angle === rotation);
}

function readExtradata(object: JsonObject): Uint8Array {
  const text = optionalText(object, "extradata", {
    pattern: /^[A-Za-z0-9+/]*={0,2}$/,
    expected: "base64",
  });
  try {
    return Uint8Array.fromBase64(text ?? "");
  } catch (cause) {
    throw new FormatError("Cannot use extradata: expected base64", { cause });
  }
}

/** Encodes the payload of an end. */
export function encodeEnd(end: EndReport): Uint8Array<ArrayBuffer> {
  return encodeJson(end);
}

/**
 * Parses the payload of an end.
 *
 * @throws {FormatError} for anything malformed
 */
export function parseEnd(payload: Uint8Array): EndReport {
  const object = parseJsonObject(payload, "end");
  return {
    frames: optionalNumber(object, "frames", COUNT) ?? 0,
    audioFrames: optionalNumber(object, "audioFrames", COUNT) ?? 0,
    bytes: optionalNumber(object, "bytes", COUNT) ?? 0,
    dropped: optionalNumber(object, "dropped", COUNT) ?? 0,
    reason: optionalText(object, "reason", ANY_TEXT) ?? "end",
    streams: readTotals(object),
    warning: optionalText(object, "warning", ANY_TEXT),
  };
}

function readTotals({ streams }: JsonObject): StreamTotals[] | undefined {
  if (streams === undefined || streams === null) return undefined;
  return toList(streams, "streams").slice(0, MAX_STREAMS).map((value) => {
    const totals = toObject(value, "totals");
    return {
      id: required(optionalNumber(totals, "id", STREAM_ID), "id"),
      frames: required(optionalNumber(totals, "frames", COUNT), "frames"),
      bytes: required(optionalNumber(totals, "bytes", COUNT), "bytes"),
    };
  });
}

/** Encodes the payload of a notice. */
export function encodeNotice(notice: Notice): Uint8Array<ArrayBuffer> {
  return encodeJson(notice);
}

/**
 * Parses the payload of a notice.
 *
 * @throws {FormatError} for anything malformed
 */
export function parseNotice(payload: Uint8Array): Notice {
  const object = parseJsonObject(payload, "notice");
  return {
    code: required(optionalText(object, "code", WORD), "code"),
    message: optionalText(object, "message", ANY_TEXT) ?? "",
    dropped: optionalNumber(object, "dropped", COUNT),
    needed: optionalNumber(object, "needed", BYTES_PER_SECOND),
    achieved: optionalNumber(object, "achieved", BYTES_PER_SECOND),
    position: optionalNumber(object, "position", COUNT),
    viewers: optionalNumber(object, "viewers", COUNT),
  };
}

/** Encodes the payload of an acceptance. */
export function encodeAcceptance(acceptance: Acceptance): Uint8Array<ArrayBuffer> {
  return encodeJson(acceptance);
}

/**
 * Parses the payload of an acceptance.
 *
 * @throws {FormatError} for anything malformed
 */
export function parseAcceptance(payload: Uint8Array): Acceptance {
  const object = parseJsonObject(payload, "acceptance");
  return {
    name: required(optionalText(object, "name", ANY_TEXT), "name"),
    watched: optionalBoolean(object, "watched") ?? false,
  };
}

/** Encodes the payload of an error. */
export function encodeError({ code, message }: RequestError): Uint8Array<ArrayBuffer> {
  return encodeJson({ code, message });
}

/**
 * Parses the payload of an error. Unknown codes become `internal`.
 *
 * @throws {FormatError} for anything malformed
 */
export function parseError(payload: Uint8Array): RequestError {
  const object = parseJsonObject(payload, "error");
  const code = ERROR_CODES.find((candidate) => candidate === object.code) ?? "internal";
  return new RequestError(code, optionalText(object, "message", ANY_TEXT) || code);
}
