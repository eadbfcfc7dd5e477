/** Requests and controls of the native protocol. */
import { FormatError, RequestError } from "../../base/errors.ts";
import { type Encoding, ENCODINGS } from "../../media/frame.ts";
import { MAX_TOKEN_LENGTH } from "../../net/secret.ts";
import { PROTOCOL_VERSION } from "./framing.ts";
import {
  encodeJson,
  type JsonObject,
  optionalBoolean,
  optionalNumber,
  optionalText,
  optionalWord,
  parseJsonObject,
  quoteValue,
  required,
  toList,
  toObject,
} from "./json.ts";

/** Commands of requests. */
export const COMMANDS = ["get_image", "get_video", "list_media", "publish"] as const;

/** How to handle frames that cannot arrive in time. */
export const LATE_POLICIES = ["wait", "drop"] as const;

/** One of {@linkcode LATE_POLICIES}. */
export type LatePolicy = typeof LATE_POLICIES[number];

/** Largest requested width and height in pixels. */
export const MAX_DIMENSION = 16384;

/** Timestamps of frames in ticks. */
const TIMESTAMP = {
  min: Number.MIN_SAFE_INTEGER,
  max: Number.MAX_SAFE_INTEGER,
  integer: true,
};

/** Inclusive bounds of a request's fields. */
export const LIMITS = {
  /** Seconds. */
  start: { min: 0, max: 1e8 },
  /** Seconds. */
  duration: { min: 0.001, max: 1e8 },
  /** Playback speed, 1 for real time; 0 never waits. */
  speed: { min: 0, max: 100 },
  /** Frames per second. */
  fps: { min: 0.01, max: 240 },
  /** Bits per second. */
  bitrate: { min: 10_000, max: 1e9, integer: true },
  /** JPEG quality. */
  quality: { min: 1, max: 100, integer: true },
  /** Seconds between the images of a sequence. */
  every: { min: 0.01, max: 1e6 },
} as const;

/** Characters of the name of a published source, which stands in log lines. */
export const MAX_PUBLISHED_NAME = 255;

/** Highest number of a track. */
export const MAX_TRACK = 1000;

/** A language by ISO 639, perhaps with its region. */
export const LANGUAGE = /^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8}){0,3}$/;

/** Most relays that a request names. */
export const MAX_RELAYS = 16;

/** Most resume points of a request. */
export const MAX_RESUMED = 64;

/** How much of a stream was received before its response broke off: `after`, `next` or both. */
export interface ResumePoint {
  /** Id of the stream. */
  id: number;
  /** Timestamp of the last received frame, ticks of the stream's time base. */
  after?: number;
  /** Of PCM: timestamp after the last received sample. */
  next?: number;
  /** Received frames with a discontinuity. @default 0 */
  breaks?: number;
}

/** How images are sent. */
export interface ImageFields {
  /** `raw` pixels, a `copy` of the file's packets, `h264` or `mjpeg`. @default "raw" */
  encoding?: Encoding;
  /** FFmpeg's name of the pixel format of `raw` frames. @default the source's own */
  pixelFormat?: string;
  /** Pixels. If only one of width and height is given, the aspect ratio is kept. */
  width?: number;
  /** Pixels. */
  height?: number;
  /** Quality of `mjpeg` images, 1 to 100. @default 75 */
  quality?: number;
  /**
   * Whether pictures with a high dynamic range (PQ, HLG) get the usual one. @default for `h264` and
   * `mjpeg`
   */
  toneMap?: boolean;
  /** Whether interlaced video becomes progressive. @default not for video as `raw` in its own size */
  deinterlace?: boolean;
}

/** How video and audio are sent, and which part of them. */
export interface VideoFields extends ImageFields {
  /** Frames per second, 0.01 to 240. @default the source's own */
  fps?: number;
  /** Bits per second of `h264` video. @default constant quality */
  bitrate?: number;
  /** False to drop audio. @default true */
  audio?: boolean;
  /**
   * Number of the audio track of a file, from 1 on, or its language, by ISO 639-2.
   *
   * @default the one that FFmpeg would choose
   */
  audioTrack?: number | string;
  /**
   * Subtitles of a file, by number or language like the audio; true for those that it recommends.
   *
   * @default none
   */
  subtitles?: true | number | string;
  /** Seconds from the beginning of a file. @default 0 */
  start?: number;
  /** Seconds from `start`. @default all */
  duration?: number;
  /** Playback speed, 1 for real time; 0 for as fast as possible. @default 1 */
  speed?: number;
  /** True to start a file again at its end, until stopped. @default false */
  loop?: boolean;
  /** Whether late frames are dropped, or all of a file wait. @default "wait" */
  late?: LatePolicy;
  /**
   * True for data streams of live sources, too; `only` for nothing else. In a request for the list,
   * for sources of data, too.
   *
   * @default false
   */
  data?: boolean | "only";
}

/** A request. The server chooses the values of absent fields. */
export interface MediaRequest extends VideoFields {
  command: typeof COMMANDS[number];
  /** Name as listed; absent for the server's default image or video. */
  name?: string;
  /** Of an image: seconds until the next one, for an image sequence. */
  every?: number;
  /** The received part of an earlier response to the same request; only the rest is sent. */
  resume?: ResumePoint[];
  token?: string;
  /**
   * With `late: "drop"` on a live source: the client tells by the control `taken` what it has read.
   */
  credit?: boolean;
  /** The description of a file names what the file says about itself: title, chapters, cover. */
  metadata?: boolean;
  /** A further description may follow when the streams of a live source change. */
  redescribe?: boolean;
  /** Ids of the relays that the request came through, the last one first. */
  via?: string[];
  /** Of `list_media`: the list may come in several messages, with all fields of entries. */
  more?: boolean;
  /** Of `list_media`: changes of the list follow, until stopped. Implies `more`. */
  follow?: boolean;
  /** Of `list_media`: only what requests without a name get. */
  defaults?: boolean;
  /** Of `publish`: take the name from another publisher. */
  replace?: boolean;
  /** Of `publish`: frames are sent only while somebody watches. */
  onDemand?: boolean;
}

/**
 * A client's control of its running response, the server's reply to a seek, and what a server asks
 * of a publisher.
 */
export interface Control {
  /** `pause`, `resume`, `seek`, `stop`, `keyframe` or `taken`; unknown actions are ignored. */
  action: unknown;
  /** Of a seek: seconds from the beginning of the media. */
  to?: unknown;
  /** Of a seek: a number that the reply repeats. */
  id?: unknown;
  /** Of `taken`: frames of video of the response that were read so far. */
  frames?: unknown;
  /** Of `taken`: milliseconds of the shortest round trip so far. */
  roundTrip?: unknown;
}

/**
 * Parses the payload of a request.
 *
 * @throws {RequestError} `bad_request` for anything malformed, `version` for another version
 */
export function parseRequest(payload: Uint8Array): MediaRequest {
  try {
    return readRequest(payload);
  } catch (cause) {
    if (!(cause instanceof FormatError)) throw cause;
    throw new RequestError("bad_request", cause.message, { cause });
  }
}

function readRequest(payload: Uint8Array): MediaRequest {
  const object = parseJsonObject(payload, "request");
  const { version } = object;
  if (version !== PROTOCOL_VERSION) {
    throw new RequestError(
      "version",
      `Cannot serve the request: protocol version ${quoteValue(version)}, ` +
        `expected ${PROTOCOL_VERSION}`,
    );
  }
  const command = optionalWord(object, "command", COMMANDS);
  if (command === undefined) {
    throw new FormatError(`Cannot read the request: no command, expected ${COMMANDS.join(", ")}`);
  }
  const size = { min: 1, max: MAX_DIMENSION, integer: true };
  return {
    command,
    name: optionalText(object, "name", {
      pattern: /^[^\0]{1,1024}$/su,
      expected: "1 to 1024 characters",
    }),
    encoding: optionalWord(object, "encoding", ENCODINGS),
    pixelFormat: optionalText(object, "pixelFormat", {
      pattern: /^[a-z0-9_]{1,32}$/,
      expected: "the name of a pixel format such as bgr24",
    }),
    width: optionalNumber(object, "width", size),
    height: optionalNumber(object, "height", size),
    toneMap: optionalBoolean(object, "toneMap"),
    deinterlace: optionalBoolean(object, "deinterlace"),
    audio: optionalBoolean(object, "audio"),
    audioTrack: readTrack(object, "audioTrack"),
    subtitles: object.subtitles === true ? true : readTrack(object, "subtitles"),
    fps: optionalNumber(object, "fps", LIMITS.fps),
    bitrate: optionalNumber(object, "bitrate", LIMITS.bitrate),
    quality: optionalNumber(object, "quality", LIMITS.quality),
    start: optionalNumber(object, "start", LIMITS.start),
    duration: optionalNumber(object, "duration", LIMITS.duration),
    every: optionalNumber(object, "every", LIMITS.every),
    speed: optionalNumber(object, "speed", LIMITS.speed),
    loop: optionalBoolean(object, "loop"),
    late: optionalWord(object, "late", LATE_POLICIES),
    resume: readResume(object),
    token: readToken(object),
    data: readData(object),
    credit: optionalBoolean(object, "credit"),
    metadata: optionalBoolean(object, "metadata"),
    redescribe: optionalBoolean(object, "redescribe"),
    via: readVia(object),
    more: optionalBoolean(object, "more"),
    follow: optionalBoolean(object, "follow"),
    defaults: optionalBoolean(object, "defaults"),
    replace: optionalBoolean(object, "replace"),
    onDemand: optionalBoolean(object, "onDemand"),
  };
}

function readData({ data }: JsonObject): MediaRequest["data"] {
  if (data === undefined || data === null || data === false) return undefined;
  if (data === true || data === "only") return data;
  throw new FormatError(`Cannot use data ${quoteValue(data)}: expected true, false or only`);
}

/** Reads the number or the language of a track. */
function readTrack(object: JsonObject, field: string): number | string | undefined {
  const value = object[field];
  if (value === undefined || value === null || value === false) return undefined;
  if (typeof value === "string" && LANGUAGE.test(value)) return value;
  if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= MAX_TRACK) {
    return value;
  }
  throw new FormatError(
    `Cannot use ${field} ${quoteValue(value)}: expected a number from 1 to ${MAX_TRACK}, or a ` +
      "language such as deu",
  );
}

function readVia({ via }: JsonObject): string[] | undefined {
  if (via === undefined || via === null) return undefined;
  const ids = toList(via, "via");
  const isId = (id: unknown) => typeof id === "string" && /^[\w-]{1,64}$/.test(id);
  if (ids.length <= MAX_RELAYS && ids.every(isId)) return ids.map(String);
  throw new FormatError(
    `Cannot use via ${
      quoteValue(via)
    }: expected at most ${MAX_RELAYS} ids of up to 64 letters, digits, _ and -`,
  );
}

function readResume({ resume }: JsonObject): ResumePoint[] | undefined {
  if (resume === undefined || resume === null) return undefined;
  const entries = toList(resume, "resume");
  if (entries.length > MAX_RESUMED) {
    throw new FormatError(
      `Cannot use resume: ${entries.length} streams, expected at most ${MAX_RESUMED}`,
    );
  }
  const points = entries.map((entry) => readPoint(toObject(entry, "resume")));
  const ids = new Set(points.map(({ id }) => id));
  if (ids.size === points.length) return points;
  throw new FormatError("Cannot use resume: a stream stands there twice, expected each once");
}

function readPoint(object: JsonObject): ResumePoint {
  const point = {
    id: required(optionalNumber(object, "id", { min: 0, max: 65535, integer: true }), "id"),
    after: optionalNumber(object, "after", TIMESTAMP),
    next: optionalNumber(object, "next", TIMESTAMP),
    breaks: optionalNumber(object, "breaks", { ...TIMESTAMP, min: 0 }),
  };
  if (point.after !== undefined || point.next !== undefined) return point;
  throw new FormatError(`Cannot resume stream ${point.id}: expected after or next`);
}

/** @throws {FormatError} that does not quote the token, which may be nearly right */
function readToken({ token }: JsonObject): string | undefined {
  if (token === undefined || token === null) return undefined;
  if (typeof token === "string" && token.length <= MAX_TOKEN_LENGTH) return token;
  throw new FormatError(
    `Cannot use token (not shown): expected a text of at most ${MAX_TOKEN_LENGTH} characters`,
  );
}

/** Encodes the payload of a request. */
export function encodeRequest(request: MediaRequest): Uint8Array<ArrayBuffer> {
  return encodeJson({ version: PROTOCOL_VERSION, ...request });
}

/**
 * Parses the payload of a control. Does not check its fields, since later versions may extend them.
 *
 * @throws {FormatError} if it is not a JSON object
 */
export function parseControl(payload: Uint8Array): Control {
  const { action, to, id, frames, roundTrip } = parseJsonObject(payload, "control");
  return { action, to, id, frames, roundTrip };
}

/** Encodes the payload of a control. */
export function encodeControl(control: Control): Uint8Array<ArrayBuffer> {
  return encodeJson(control);
}
