/** The connection that one play comes over: media, and news of it, on one socket. */
import { refusalOf } from "./api.js";

/**
 * What is coming.
 *
 * @typedef {object} Beginning
 * @property {string} type as a source buffer takes it: `video/mp4; codecs="…"`
 * @property {number} begin seconds of the media at which time 0 of the MP4 lies
 * @property {number} start seconds of the media from which it is meant to be shown
 * @property {number | null} duration seconds of the whole media, where known
 * @property {boolean} live
 * @property {string} title
 * @property {string[]} notes what is other than was asked for
 */

/**
 * How it goes.
 *
 * @typedef {object} Stats
 * @property {number} frames
 * @property {number} audioFrames
 * @property {number} bytes
 * @property {number} dropped frames that the server left out
 * @property {number} fps
 * @property {{ p50: number, p95: number } | null} latencyMs
 * @property {number} position seconds
 */

/**
 * What comes over the connection.
 *
 * @typedef {{ kind: "begin" } & Beginning
 *   | { kind: "data", data: ArrayBuffer }
 *   | { kind: "end", dropped: number, warning: string | null }} Part
 */

/**
 * What is told meanwhile, whether parts are asked for or not.
 *
 * @typedef {{ kind: "stats" } & Stats | { kind: "note", message: string }} News
 */

/** The media broke off. What was got until then is good. */
export class CutError extends Error {
  /** @override */
  name = "CutError";
}

/** Bytes that may wait to be taken: more than eight times of what the sender has under way. */
const MAX_WAITING = 16 * 2 ** 20;

/**
 * Asks for a media, and gives what comes: first its beginning, then the rest in order. The sender
 * is kept back for as long as the next part is not asked for.
 *
 * @param {Record<string, string>} question the query of the play
 * @param {{ onNews: (news: News) => void, signal: AbortSignal }} options
 * @returns {AsyncGenerator<Part, void>}
 * @throws {CutError} where it ends before its end
 */
export async function* openPlay(question, { onNews, signal }) {
  const path = `/api/play?${new URLSearchParams(question)}`;
  const address = new URL(path, location.href);
  address.protocol = address.protocol.replace("http", "ws");
  const socket = new WebSocket(address);
  socket.binaryType = "arraybuffer";
  const close = () => {
    // A browser complains of one that is closed before it is open.
    if (socket.readyState !== WebSocket.CONNECTING) socket.close();
    else socket.onopen = () => socket.close();
  };
  signal.addEventListener("abort", close);
  try {
    let taken = 0;
    let begun = false;
    for await (const part of partsOf(socket, { onNews, signal })) {
      signal.throwIfAborted();
      if (part.kind === "problem") throw new CutError(part.message);
      begun ||= part.kind === "begin";
      yield part;
      if (part.kind === "end") return;
      if (part.kind !== "data") continue;
      taken += part.data.byteLength;
      if (socket.readyState === WebSocket.OPEN) socket.send(String(taken));
    }
    signal.throwIfAborted();
    throw new CutError(
      begun ? "The connection to stream-client was cut" : await refusalOf(path, signal),
    );
  } finally {
    signal.removeEventListener("abort", close);
    close();
  }
}

/**
 * What comes over a socket, until it is closed, or the signal fires.
 *
 * @param {WebSocket} socket
 * @param {{ onNews: (news: News) => void, signal: AbortSignal }} options
 * @returns {AsyncGenerator<Part | { kind: "problem", message: string }, void>}
 */
async function* partsOf(socket, { onNews, signal }) {
  /** @type {(Part | { kind: "problem", message: string })[]} */
  const waiting = [];
  let bytes = 0;
  let closed = false;
  let wake = () => {};
  socket.onmessage = ({ data }) => {
    if (typeof data === "string") {
      const message = JSON.parse(data);
      if (message.kind === "stats" || message.kind === "note") return onNews(message);
      waiting.push(message);
    } else {
      waiting.push({ kind: "data", data });
      bytes += data.byteLength;
    }
    // A sender that does not wait for its credit would fill the memory.
    if (bytes > MAX_WAITING) socket.close();
    wake();
  };
  const end = () => {
    closed = true;
    wake();
  };
  socket.onclose = end;
  signal.addEventListener("abort", end, { once: true });
  while (true) {
    const next = waiting.shift();
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
