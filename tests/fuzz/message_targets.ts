/** The JSON payloads of the native protocol. */
import { RequestError } from "../../lib/base/errors.ts";
import {
  encodeAcceptance,
  encodeDescription,
  encodeEnd,
  encodeError,
  encodeNotice,
  parseAcceptance,
  parseDescription,
  parseEnd,
  parseError,
  parseNotice,
} from "../../lib/protocol/native/response.ts";
import { encodeList, parseList } from "../../lib/protocol/native/list.ts";
import { encodeJson } from "../../lib/protocol/native/json.ts";
import {
  encodeControl,
  encodeRequest,
  type MediaRequest,
  parseControl,
  parseRequest,
} from "../../lib/protocol/native/request.ts";
import { encodeCue, parseCue } from "../../lib/media/subtitles.ts";
import { mutateJson } from "./mutate_json.ts";
import { checkSame, digest, outcomeOf, readOrRefuse } from "./properties.ts";
import type { Target } from "./target.ts";

/** A JSON object. */
type Json = Record<string, unknown>;

const PICTURE = {
  ...{ id: 0, type: "video", codec: "h264", fourcc: "H264", timeBase: [1, 15360] },
  ...{ extradata: "AWQACg==", width: 1920, height: 1080, pixelFormat: "yuv420p" },
  ...{ frameRate: [30, 1], sampleAspectRatio: [4, 3], colorRange: "tv", colorSpace: "bt709" },
  ...{ rotation: 90, decodeDelay: 2 },
};

const SOUND = {
  ...{ id: 1, type: "audio", codec: "pcm_s16le", fourcc: "PSD\u0010", timeBase: [1, 48000] },
  ...{ extradata: "", sampleRate: 48000, channels: 2 },
};

const MESSAGES = {
  ...{ id: 7, type: "data", codec: "json", fourcc: "", timeBase: [1, 1000] },
};

const REQUESTS: Json[] = [
  { version: 1, command: "publish", name: "robot/cam", token: "t", replace: true, onDemand: true },
  { version: 1, command: "get_video", name: "cam", data: "only", redescribe: true, via: ["a-1"] },
  { version: 1, command: "get_video", name: "cam", late: "drop", credit: true },
  { version: 1, command: "list_media", token: "a token" },
  { version: 1, command: "get_image", name: "a b/ü.png", start: 7.5, every: 2, width: 640 },
  {
    ...{ version: 1, command: "get_video", name: "sea.mkv", encoding: "raw", audio: false },
    ...{ pixelFormat: "bgr24", width: 640, height: 480, fps: 29.97, start: 1.5, duration: 3 },
    ...{ speed: 0, loop: true, late: "drop", token: "t" },
    ...{ resume: [{ id: 0, after: -512 }, { id: 1, after: 48_000, next: 49_024 }] },
  },
  { version: 1, command: "get_video", encoding: "h264", bitrate: 2_000_000, late: "wait" },
  { version: 1, command: "get_video", encoding: "mjpeg", quality: 80, speed: 2, colour: [1] },
  { version: 1, command: "get_video", name: "a.mkv", audioTrack: 2, subtitles: "pt-BR" },
];

const CONTROLS: Json[] = [
  { action: "pause" },
  { action: "seek", to: 12.5, id: 7 },
  { action: "stop", more: { to: [] } },
];

/** Descriptions, as JSON has them. */
export const DESCRIPTIONS: readonly Json[] = [
  {
    ...{ version: 1, name: "sea.mkv", live: false, duration: 12.5, etag: "d41d8cd98f00b204-1" },
    ...{ streams: [PICTURE, SOUND], notes: ["sound cannot be copied"] },
  },
  { version: 1, name: "cam", live: true, streams: [{ ...PICTURE, extradata: "" }, MESSAGES] },
];

const ENDS: Json[] = [
  { frames: 300, audioFrames: 470, bytes: 937_000_000, dropped: 0, reason: "end" },
  {
    ...{ frames: 3, audioFrames: 1, bytes: 90, dropped: 7, reason: "stopped", warning: "damaged" },
    ...{ streams: [{ id: 0, frames: 3, bytes: 80 }, { id: 1, frames: 1, bytes: 10 }] },
  },
];

const NOTICES: Json[] = [
  { code: "dropped", message: "12 frames", dropped: 12 },
  { code: "slow_link", message: "slow", needed: 9.5e7, achieved: 1e6 },
  { code: "waiting", message: "in line", position: 3 },
  { code: "viewers", message: "2 viewers watch", viewers: 2 },
];

const ACCEPTANCES: Json[] = [{ name: "robot/cam", watched: true }, { name: "ü" }];

const ERRORS: Json[] = [
  { code: "not_found", message: 'Cannot find "x"' },
  { code: "of_tomorrow", message: "" },
];

const CUES: Json[] = [
  { start: 61.2, end: 63, text: "Good\nmorning" },
  { start: 0, end: 0, text: "ü" },
];

const LISTS: Json[] = [{
  version: 1,
  entries: [
    { name: "cam", kind: "video", live: true, size: 0, codec: "" },
    { name: "cam/objects", kind: "data", live: true, size: 0, codec: "json", published: true },
    {
      ...{ name: "a\n.mp4", kind: "video", live: false, size: 590_514, duration: 10 },
      ...{ codec: "h264+aac", width: 1280, height: 720 },
    },
    { name: "tone.flac", kind: "audio", live: false, size: 5, duration: 0.5, codec: "flac" },
  ],
}, {
  version: 1,
  entries: [
    { name: "b.mkv", kind: "video", live: false, size: 7, codec: "", pending: true },
    { name: "c.mp3", kind: "audio", live: false, size: 0, codec: "", problem: "it is empty" },
    {
      ...{ name: "d.mkv", kind: "video", live: false, size: 8, codec: "vp9", rotation: 90 },
      tracks: [
        { type: "video", codec: "vp9", default: true },
        { type: "audio", codec: "opus", language: "deu", title: "Ton", channels: 2 },
      ],
    },
  ],
  ...{ removed: ["a"], more: true, follow: true },
}];

/**
 * A parser and an encoder of a payload. What is parsed, encoded and parsed again has to be the same.
 */
function payloadTarget<T>(
  name: string,
  examples: readonly Json[],
  { parse, encode }: {
    parse: (payload: Uint8Array) => T;
    encode: (value: T) => Uint8Array;
  },
): Target {
  return {
    name,
    corpus: examples.map(encodeJson),
    mutate: mutateJson,
    check(input) {
      const value = readOrRefuse(() => parse(input));
      if (value === undefined) return "refused";
      const written = encode(value);
      checkSame("what was written twice", digest(encode(parse(written))), digest(written));
      return outcomeOf(value);
    },
  };
}

/** Parses a request, and checks the code of a refusal. */
function parseRequestOnly(payload: Uint8Array): MediaRequest {
  try {
    return parseRequest(payload);
  } catch (error) {
    if (error instanceof RequestError && ["bad_request", "version"].includes(error.code)) {
      throw error;
    }
    throw new Error(`refused with ${error}`, { cause: error });
  }
}

/** All payloads that are JSON. */
export const MESSAGE_TARGETS: readonly Target[] = [
  payloadTarget("parseRequest()", REQUESTS, { parse: parseRequestOnly, encode: encodeRequest }),
  payloadTarget("parseControl()", CONTROLS, { parse: parseControl, encode: encodeControl }),
  payloadTarget("parseDescription()", DESCRIPTIONS, {
    parse: parseDescription,
    encode: encodeDescription,
  }),
  payloadTarget("parseEnd()", ENDS, { parse: parseEnd, encode: encodeEnd }),
  payloadTarget("parseNotice()", NOTICES, { parse: parseNotice, encode: encodeNotice }),
  payloadTarget("parseAcceptance()", ACCEPTANCES, {
    parse: parseAcceptance,
    encode: encodeAcceptance,
  }),
  payloadTarget("parseError()", ERRORS, { parse: parseError, encode: encodeError }),
  payloadTarget("parseCue()", CUES, { parse: parseCue, encode: encodeCue }),
  payloadTarget("parseList()", LISTS, { parse: parseList, encode: encodeList }),
];
