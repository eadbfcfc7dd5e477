/** The fields of native messages in words, for people who learn the protocol. */
import { FormatError, messageOf, RequestError } from "../base/errors.ts";
import { allStreams, type AnyStream, type Rational, toSeconds } from "../media/frame.ts";
import { CAPTURE_LENGTH, type Header, parseCapture } from "./native/framing.ts";
import { quoteValue } from "./native/json.ts";
import { type MediaRequest, parseControl, parseRequest } from "./native/request.ts";
import {
  parseAcceptance,
  parseDescription,
  parseEnd,
  parseError,
  parseNotice,
} from "./native/response.ts";
import { parseList } from "./native/list.ts";

/** Characters of the longest words of a message. */
const MAX_WORDS = 600;

/** Entries of a list that are named. */
const MAX_NAMED = 3;

/** Milliseconds of a day. */
const DAY = 86_400_000;

/** Words for the messages of one conversation. Remembers the streams that were described last. */
export class MessageWords {
  #streams = new Map<number, AnyStream>();

  /** The fields of a message. A token is mentioned, and never shown. */
  of(header: Header, payload: Uint8Array): string {
    try {
      const words = this.#render(header, payload);
      return words.length <= MAX_WORDS ? words : `${words.slice(0, MAX_WORDS)}…`;
    } catch (error) {
      if (!(error instanceof FormatError || error instanceof RequestError)) throw error;
      return messageOf(error);
    }
  }

  #render(header: Header, payload: Uint8Array): string {
    switch (header.kind) {
      case "request":
        return renderRequest(parseRequest(payload));
      case "describe":
        return this.#describe(payload);
      case "frame":
        return this.#renderFrame(header, payload);
      case "end":
        return renderEnd(payload);
      case "error": {
        const { code, message } = parseError(payload);
        return `${code}: ${message}`;
      }
      case "control":
        return renderControl(payload);
      case "list":
        return renderList(payload);
      case "notice": {
        const { code, message } = parseNotice(payload);
        return message === "" ? code : `${code}: ${message}`;
      }
      case "accept": {
        const { name, watched } = parseAcceptance(payload);
        return `"${name}", ${watched ? "watched already" : "nobody watches yet"}`;
      }
      case "ping":
      case "pong":
        return renderClock(header, payload);
    }
  }

  #describe(payload: Uint8Array): string {
    const description = parseDescription(payload, { name: "" });
    const { name, live, duration, notes = [], etag } = description;
    const streams = allStreams(description);
    this.#streams = new Map(streams.map((stream) => [stream.id, stream]));
    return join([
      name !== "" && `"${name}"`,
      live && "live",
      duration !== undefined && `${duration} s`,
      ...streams.map(renderStream),
      etag !== undefined && `etag ${etag}`,
      ...notes.map((note) => `note "${note}"`),
    ], "; ");
  }

  #renderFrame(header: Header, payload: Uint8Array): string {
    const { streamId, timestamp, keyframe, dropped, discontinuity, captured } = header;
    const stream = this.#streams.get(streamId);
    const size = payload.byteLength - (captured ? CAPTURE_LENGTH : 0);
    return join([
      `stream ${streamId}`,
      stream === undefined
        ? `tick ${timestamp}`
        : `${stream.type} at ${toSeconds(timestamp, stream.timeBase).toFixed(3)} s`,
      keyframe && "keyframe",
      dropped && "frames dropped before it",
      discontinuity && "discontinuity",
      captured && `captured ${timeOfDay(parseCapture(payload))}`,
      `${size} bytes`,
    ]);
  }
}

function renderRequest(request: MediaRequest): string {
  const { command, name, encoding, pixelFormat, quality, fps, bitrate, audio, data } = request;
  const { start, duration, every, speed, loop, late, credit, resume = [], redescribe } = request;
  const { toneMap, deinterlace, metadata, via = [], defaults, replace, onDemand } = request;
  const { more, follow, token } = request;
  const { audioTrack, subtitles } = request;
  const isMedia = command === "get_image" || command === "get_video";
  const what = name === undefined ? (isMedia ? " of the default" : "") : ` "${name}"`;
  return join([
    `${command}${what}`,
    isMedia && `encoding ${encoding ?? "raw"}`,
    pixelFormat !== undefined && `pixel format ${pixelFormat}`,
    sizeOf(request),
    quality !== undefined && `quality ${quality}`,
    toneMap !== undefined && (toneMap ? "tone mapping" : "no tone mapping"),
    deinterlace !== undefined && (deinterlace ? "deinterlaced" : "fields as they are"),
    fps !== undefined && `${fps} fps`,
    bitrate !== undefined && `${bitrate} bits/s`,
    audio === false && "no audio",
    audioTrack !== undefined && `audio track ${audioTrack}`,
    subtitles !== undefined && (subtitles === true ? "subtitles" : `subtitles ${subtitles}`),
    data !== undefined && (data === "only" ? "data only" : "with data"),
    start !== undefined && `from ${start} s`,
    duration !== undefined && `for ${duration} s`,
    every !== undefined && `one every ${every} s`,
    speed !== undefined && (speed === 0 ? "as fast as possible" : `speed ${speed}`),
    loop && "loop",
    late !== undefined && `late ${late}`,
    credit && "credit",
    ...resume.map(({ id, after, next }) => `resume stream ${id} after tick ${after ?? next}`),
    metadata && "metadata",
    redescribe && "redescribe",
    via.length > 0 && `via ${via.length} ${via.length === 1 ? "relay" : "relays"}`,
    defaults && "defaults",
    replace && "replace",
    onDemand && "on demand",
    more && "in pieces",
    follow && "follow",
    token !== undefined && "with a token",
  ]);
}

function sizeOf({ width, height }: MediaRequest): string | false {
  if (width !== undefined && height !== undefined) return `${width}x${height}`;
  if (width !== undefined) return `width ${width}`;
  return height !== undefined && `height ${height}`;
}

function renderStream(stream: AnyStream): string {
  const { id, type, codec, timeBase } = stream;
  return join([
    `stream ${id} ${type} ${codec}`,
    type === "video" && `${stream.width}x${stream.height}`,
    type === "video" && stream.pixelFormat,
    type === "video" && stream.frameRate !== undefined && `${ratio(stream.frameRate)} fps`,
    type === "audio" && `${stream.sampleRate} Hz`,
    type === "audio" && `${stream.channels} ${stream.channels === 1 ? "channel" : "channels"}`,
    `ticks of ${timeBase[0]}/${timeBase[1]} s`,
  ]);
}

function renderEnd(payload: Uint8Array): string {
  const { reason, frames, audioFrames, bytes, dropped, streams = [], warning } = parseEnd(payload);
  return join([
    join([
      `reason ${reason}`,
      `${frames} frames of video`,
      `${audioFrames} of audio`,
      `${bytes} bytes of data`,
      `${dropped} dropped`,
    ]),
    ...streams.map(({ id, frames, bytes }) => `stream ${id}: ${frames} frames, ${bytes} bytes`),
    warning !== undefined && `warning "${warning}"`,
  ], "; ");
}

function renderControl(payload: Uint8Array): string {
  const { action, to, id, frames } = parseControl(payload);
  return join([
    typeof action === "string" ? action : `action ${quoteValue(action)}`,
    to !== undefined && `to ${typeof to === "number" ? to : quoteValue(to)} s`,
    id !== undefined && `id ${typeof id === "number" ? id : quoteValue(id)}`,
    frames !== undefined && `${typeof frames === "number" ? frames : quoteValue(frames)} frames`,
  ]);
}

function renderList(payload: Uint8Array): string {
  const { entries, removed = [], more } = parseList(payload);
  const rest = entries.length - MAX_NAMED;
  return join([
    `${entries.length} ${entries.length === 1 ? "entry" : "entries"}`,
    ...entries.slice(0, MAX_NAMED).map(({ name, kind, live }) =>
      `${live ? "live " : ""}${kind} "${name}"`
    ),
    rest > 0 && `${rest} more`,
    removed.length > 0 && `${removed.length} removed`,
    more && "further ones follow",
  ]);
}

function renderClock({ timestamp }: Header, { byteLength }: Uint8Array): string {
  return join([
    timestamp === 0 ? "no clock" : `clock ${timeOfDay(timestamp)}`,
    byteLength > 0 && `${byteLength} bytes of payload`,
  ]);
}

/**
 * Renders a time of day: `11:48:26.123 UTC`.
 *
 * @param microseconds since 1970
 */
function timeOfDay(microseconds: number): string {
  const milliseconds = ((Math.floor(microseconds / 1000) % DAY) + DAY) % DAY;
  const two = (number: number) => String(Math.floor(number)).padStart(2, "0");
  const seconds = (milliseconds % 60_000 / 1000).toFixed(3).padStart(6, "0");
  return `${two(milliseconds / 3_600_000)}:${two(milliseconds / 60_000 % 60)}:${seconds} UTC`;
}

function ratio([numerator, denominator]: Rational): string {
  return String(Number((numerator / denominator).toFixed(3)));
}

function join(parts: readonly (string | false | undefined)[], separator = ", "): string {
  return parts.filter((part) => part !== undefined && part !== false).join(separator);
}
