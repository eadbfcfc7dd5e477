/** What a client may ask for: requests and controls of the native wire. Pure. */
import { FormatError, RequestError } from "../core/errors.ts";
import { type Encoding, ENCODINGS } from "../core/frame.ts";
import {
  encodeJson,
  type JsonObject,
  optionalBoolean,
  optionalNumber,
  optionalText,
  optionalWord,
  parseJsonObject,
  quoteValue,
} from "./fields.ts";
import { PROTOCOL_VERSION } from "./native.ts";

/** What a request can ask for. */
export const COMMANDS = ["get_image", "get_video", "list_media"] as const;

/** What happens to frames that cannot arrive in time. */
export const LATE_POLICIES = ["wait", "drop"] as const;

/** Largest width and height a client may ask for, pixels. */
export const MAX_DIMENSION = 16384;

/** Characters that a token may have. */
export const MAX_TOKEN_LENGTH = 4096;

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
    token: readToken(object),
  };
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
