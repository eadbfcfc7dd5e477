/** What a client may ask for: requests and controls of the native wire. Pure. */
import { FormatError, RequestError } from "../core/errors.ts";
import {
  encodeJson,
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

/** How frames travel: pixels and samples, or a compressed form of them. */
export const ENCODINGS = ["raw", "copy", "h264", "mjpeg"] as const;

/** What happens to frames that cannot arrive in time. */
export const LATE_POLICIES = ["wait", "drop"] as const;

/** Largest width and height a client may ask for, pixels. */
export const MAX_DIMENSION = 16384;

/** A request. Fields that are absent leave the choice to the server. */
export interface MediaRequest {
  command: typeof COMMANDS[number];
  /** Name as listed; absent for the server's default image or video. */
  name?: string;
  encoding?: typeof ENCODINGS[number];
  /** FFmpeg's name of the pixel format for raw frames; absent for the source's own. */
  pixelFormat?: string;
  /** Pixels; where only one of the two is given, the aspect is kept. */
  width?: number;
  /** Pixels. */
  height?: number;
  /** False to leave sound out. */
  audio?: boolean;
  /** Seconds from the beginning. */
  start?: number;
  /** Seconds. */
  duration?: number;
  /** Playing speed, 1 being real time; 0 for as fast as possible. */
  speed?: number;
  loop?: boolean;
  late?: typeof LATE_POLICIES[number];
  token?: string;
}

/** What a client may say of its request. */
export interface Control {
  /** `pause`, `resume` or `stop`; anything else means nothing yet, and is no mistake. */
  action: unknown;
}

/** Longest time that can be named, seconds: more than a year. */
const MAX_TIME = 1e8;

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
    start: optionalNumber(object, "start", { min: 0, max: MAX_TIME }),
    duration: optionalNumber(object, "duration", { min: 0.001, max: MAX_TIME }),
    speed: optionalNumber(object, "speed", { min: 0, max: 100 }),
    loop: optionalBoolean(object, "loop"),
    late: optionalWord(object, "late", LATE_POLICIES),
    token: optionalText(object, "token", {
      pattern: /^[^]{0,4096}$/,
      expected: "at most 4096 characters",
    }),
  };
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
  return { action: parseJsonObject(payload, "control").action };
}

/** Writes the payload of a control. */
export function encodeControl(control: Control): Uint8Array<ArrayBuffer> {
  return encodeJson(control);
}
