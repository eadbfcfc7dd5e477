/** The WebSocket of one playback: fragments of MP4 or WebM, and events about it. */
import { refusalOf } from "../api.js";

/**
 * Describes the media, before its data.
 *
 * @typedef {object} MediaInfo
 * @property {string} type type of the source buffer, such as `video/mp4; codecs="…"`
 * @property {number} begin time of the media at time 0 of the fragments, seconds
 * @property {number} start time of the media to show first, seconds
 * @property {number | null} duration of the whole media, seconds; null if unknown
 * @property {boolean} live
 * @property {string} title
 * @property {string[]} notes differences from the request, one sentence each
 */

/**
 * @typedef {object} Stats
 * @property {number} frames
 * @property {number} audioFrames
 * @property {number} bytes
 * @property {number} dropped frames that the server dropped
 * @property {number} fps
 * @property {{ p50: number, p95: number } | null} latencyMs
 * @property {number} position seconds
 */

/**
 * @typedef {object} PlayEnd
 * @property {number} dropped frames that the server dropped
 * @property {string | null} warning a sentence about damage of the media
 * @property {boolean} [hasChanged] a live source goes on with other streams: another request gets them
 */

/**
 * A part of the response, in order: `begin`, any number of `data`, `end`.
 *
 * @typedef {{ kind: "begin" } & MediaInfo
 *   | { kind: "data", data: ArrayBuffer }
 *   | { kind: "end" } & PlayEnd} Part
 */

/**
 * An event that is passed on as soon as it arrives, whether parts are read or not.
 *
 * @typedef {{ kind: "stats" } & Stats | { kind: "note", message: string } |
 *   { kind: "subtitle" } & import("./subtitles.js").Cue} PlayEvent
 */

/** Kinds of events. */
const EVENTS = ["stats", "note", "subtitle"];

/** The response ended early. The parts before are valid. */
export class CutError extends Error {
  /** @override */
  name = "CutError";
  /** Whether the request cannot be served as it is. */
  isRefused;

  /**
   * @param {string} message
   * @param {string} [code] of the API
   */
  constructor(message, code = "") {
    super(message);
    this.isRefused = ["bad_request", "not_found", "unsupported"].includes(code);
  }
}

/** Bytes that may be unread: more than eight times the credit of the sender. */
const MAX_UNREAD = 16 * 2 ** 20;

/**
 * Requests media, and yields the parts of the response. The sender gets credit for each part when
 * the next one is requested.
 *
 * @param {Record<string, string>} query of `/api/play`
 * @param {{ onEvent: (event: PlayEvent) => void, signal: AbortSignal }} options
 * @returns {AsyncGenerator<Part, void>}
 * @throws {CutError} if the response is refused, fails, or ends early
 */
export async function* openPlay(query, { onEvent, signal }) {
  const path = `/api/play?${new URLSearchParams(query)}`;
  const address = new URL(path, location.href);
  address.protocol = address.protocol.replace("http", "ws");
  const socket = new WebSocket(address);
  socket.binaryType = "arraybuffer";
  const close = () => {
    // Browsers log an error if a socket is closed while it connects.
    if (socket.readyState !== WebSocket.CONNECTING) socket.close();
    else socket.onopen = () => socket.close();
  };
  signal.addEventListener("abort", close);
  try {
    let bytesRead = 0;
    let started = false;
    for await (const part of partsOf(socket, { onEvent, signal })) {
      signal.throwIfAborted();
      if (part.kind === "problem") throw new CutError(part.message, part.code);
      started ||= part.kind === "begin";
      yield part;
      if (part.kind === "end") return;
      if (part.kind !== "data") continue;
      bytesRead += part.data.byteLength;
      if (socket.readyState === WebSocket.OPEN) socket.send(String(bytesRead));
    }
    signal.throwIfAborted();
    throw new CutError(
      started ? "The connection was lost" : await refusalOf(path, signal),
    );
  } finally {
    signal.removeEventListener("abort", close);
    close();
  }
}

/**
 * Yields the messages of a socket until it closes or the signal aborts.
 *
 * @param {WebSocket} socket
 * @param {{ onEvent: (event: PlayEvent) => void, signal: AbortSignal }} options
 * @returns {AsyncGenerator<Part | { kind: "problem", code: string, message: string }, void>}
 */
async function* partsOf(socket, { onEvent, signal }) {
  /** @type {(Part | { kind: "problem", code: string, message: string })[]} */
  const unread = [];
  let bytes = 0;
  let closed = false;
  let wake = () => {};
  socket.onmessage = ({ data }) => {
    if (typeof data === "string") {
      const message = JSON.parse(data);
      if (EVENTS.includes(message.kind)) return onEvent(message);
      unread.push(message);
    } else {
      unread.push({ kind: "data", data });
      bytes += data.byteLength;
    }
    // A sender that ignores its credit would fill the memory.
    if (bytes > MAX_UNREAD) socket.close();
    wake();
  };
  const end = () => {
    closed = true;
    wake();
  };
  socket.onclose = end;
  signal.addEventListener("abort", end, { once: true });
  while (true) {
    const next = unread.shift();
    if (next !== undefined) {
      bytes -= next.kind === "data" ? next.data.byteLength : 0;
      yield next;
    } else if (closed) {
      return;
    } else {
      await /** @type {Promise<void>} */ (new Promise((resolve) => wake = resolve));
    }
  }
}
