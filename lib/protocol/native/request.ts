/** What a client may ask for: requests and controls of the native wire. Pure. */
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

/** What a request can ask for. */
export const COMMANDS = ["get_image", "get_video", "list_media"] as const;

/** What happens to frames that cannot arrive in time. */
export const LATE_POLICIES = ["wait", "drop"] as const;

/** Largest width and height a client may ask for, pixels. */
export const MAX_DIMENSION = 16384;

/** A timestamp of a frame, ticks. */
const TIMESTAMP = {
  min: Number.MIN_SAFE_INTEGER,
  max: Number.MAX_SAFE_INTEGER,
  integer: true,
};

/** What a client may ask for, both ends included. */
export const LIMITS = {
  /** Seconds; more than a year at the most. */
  start: { min: 0, max: 1e8 },
  /** Seconds. */
  duration: { min: 0.001, max: 1e8 },
  /** Playing speed, 1 being real time; 0 stands for no waiting at all. */
  speed: { min: 0, max: 100 },
  /** Frames a second. */
  fps: { min: 0.01, max: 240 },
  /** Bits a second. */
  bitrate: { min: 10_000, max: 1e9, integer: true },
  /** Of JPEG. */
  quality: { min: 1, max: 100, integer: true },
  /** Seconds from one picture of a series to the next. */
  every: { min: 0.01, max: 1e6 },
} as const;

/** Streams of which a request may say how much came. */
export const MAX_RESUMED = 64;

/** How much of one stream came before an answer was cut. At least one of the two moments is there. */
export interface ResumePoint {
  /** The stream's, as it was described. */
  id: number;
  /** Timestamp of the last frame that came, ticks of the stream's time base. */
  after?: number;
  /** Of PCM: the timestamp that follows upon the last sample that came. */
  next?: number;
  /** How many frames came that did not follow upon what was before them; 0 where absent. */
  breaks?: number;
}

/** A request. Fields that are absent leave the choice to the server. */
export interface MediaRequest {
  command: typeof COMMANDS[number];
  /** Name as listed; absent for the server's default image or video. */
  name?: string;
  encoding?: Encoding;
  /** FFmpeg's name of the pixel format for raw frames; absent for the source's own. */
  pixelFormat?: string;
  /** Pixels; where only one of the two is given, the aspect is kept. */
  width?: number;
  /** Pixels. */
  height?: number;
  /** Frames a second; absent for the source's own. */
  fps?: number;
  /** Bits a second of `h264` pictures; absent for whatever a good quality takes. */
  bitrate?: number;
  /** Of `mjpeg` pictures, 1 to 100. */
  quality?: number;
  /** False to leave sound out. */
  audio?: boolean;
  /** Seconds from the beginning. */
  start?: number;
  /** Seconds. */
  duration?: number;
  /** Of an image: seconds after which the next one follows, as a series. */
  every?: number;
  /** Playing speed, 1 being real time; 0 for as fast as possible. */
  speed?: number;
  /** True to begin again at the end. */
  loop?: boolean;
  late?: typeof LATE_POLICIES[number];
  /** What came already of the same request's answer, which was cut: only the rest is wanted. */
  resume?: ResumePoint[];
  token?: string;
}

/** What a client may say of its request, and what the server says back of a seek. */
export interface Control {
  /** `pause`, `resume`, `seek` or `stop`; anything else means nothing yet, and is no mistake. */
  action: unknown;
  /** Of a seek: seconds from the beginning of the media. */
  to?: unknown;
  /** Of a seek: a number that comes back with the answer. */
  id?: unknown;
}

/**
 * Reads the payload of a request.
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
    audio: optionalBoolean(object, "audio"),
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
  };
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

/** @throws {FormatError} that does not quote what it finds, which may be nearly right */
function readToken({ token }: JsonObject): string | undefined {
  if (token === undefined || token === null) return undefined;
  if (typeof token === "string" && token.length <= MAX_TOKEN_LENGTH) return token;
  throw new FormatError(
    `Cannot use token (not shown): expected a text of at most ${MAX_TOKEN_LENGTH} characters`,
  );
}

/** Writes the payload of a request. */
export function encodeRequest(request: MediaRequest): Uint8Array<ArrayBuffer> {
  return encodeJson({ version: PROTOCOL_VERSION, ...request });
}

/**
 * Reads the payload of a control. Its fields are as they came: later versions may say more, and in
 * other ways, than this one knows.
 *
 * @throws {FormatError} where it is no JSON object
 */
export function parseControl(payload: Uint8Array): Control {
  const { action, to, id } = parseJsonObject(payload, "control");
  return { action, to, id };
}

/** Writes the payload of a control. */
export function encodeControl(control: Control): Uint8Array<ArrayBuffer> {
  return encodeJson(control);
}
