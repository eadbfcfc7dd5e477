/** Requests of the page to the program that serves it. */
import { encode } from "./route.js";

/**
 * A track of an entry.
 *
 * @typedef {object} Track
 * @property {"video" | "audio" | "subtitles"} type
 * @property {string} codec
 * @property {string} [language] as ISO 639-2 spells it: `deu`
 * @property {string} [title]
 * @property {boolean} [default]
 * @property {number} [channels]
 */

/**
 * An entry of the server's library.
 *
 * @typedef {object} Entry
 * @property {string} name
 * @property {"image" | "video" | "audio"} kind
 * @property {boolean} live
 * @property {number} size of the file, bytes
 * @property {number} [modified] when the file was changed, milliseconds since 1970
 * @property {number} [duration] seconds
 * @property {string} codec
 * @property {number} [width] pixels
 * @property {number} [height] pixels
 * @property {boolean} [published] a publisher sends it
 * @property {Track[]} [tracks] in the order of their numbers
 * @property {string} [problem] why it cannot be read
 * @property {boolean} [pending] the file is not looked into yet
 */

/**
 * The entry that the command line names, and how to play it.
 *
 * @typedef {object} Start
 * @property {"image" | "video"} kind
 * @property {string | null} name
 * @property {number} at start position, seconds
 * @property {boolean} loop
 * @property {number} speed 1 is real time
 */

/**
 * The response of `/api/info`.
 *
 * @typedef {object} Info
 * @property {string} server host and port
 * @property {boolean} classic the server is a script: no thumbnails, no seeking
 * @property {Start | null} start
 * @property {boolean} files original files can be downloaded
 * @property {boolean} follows `/api/events` reports changes of the library
 */

const UNREACHABLE =
  "Cannot reach the program that serves this page: it has exited, or this device is offline";

/** A failed request; the message is shown to the user. */
export class ApiError extends Error {
  /** @override */
  name = "ApiError";
}

/**
 * Loads the properties of the server.
 *
 * @returns {Promise<Info>}
 * @throws {ApiError}
 */
export async function fetchInfo() {
  return await (await get("/api/info")).json();
}

/**
 * Loads the library.
 *
 * @returns {Promise<Entry[]>}
 * @throws {ApiError}
 */
export async function fetchEntries() {
  return (await (await get("/api/list")).json()).entries;
}

/**
 * Loads an image in full size.
 *
 * @param {string} name empty for the server's own choice
 * @param {AbortSignal} signal
 * @throws {ApiError}
 */
export async function fetchImage(name, signal) {
  return await (await get(imageAddress(name), signal)).blob();
}

/**
 * Finds out why a WebSocket was refused, which browsers do not report, by a plain request for the
 * same path.
 *
 * @param {string} path
 * @param {AbortSignal} signal
 */
export async function refusalOf(path, signal) {
  try {
    const { body } = await get(path, signal);
    await body?.cancel();
  } catch (error) {
    if (error instanceof ApiError) return error.message;
    throw error;
  }
  return "Cannot open the connection";
}

/**
 * @param {string} path
 * @param {AbortSignal} [signal]
 */
async function get(path, signal) {
  const response = await fetch(path, { signal }).catch((error) => {
    if (signal?.aborted) throw error;
    throw new ApiError(UNREACHABLE, { cause: error });
  });
  if (response.ok) return response;
  throw new ApiError(await reasonOf(response));
}

/** @param {Response} response */
async function reasonOf(response) {
  const text = await response.text();
  try {
    return String(JSON.parse(text).detail ?? text);
  } catch {
    // Some refusals are plain text, as from a proxy.
    return text.trim() || `Cannot get this: HTTP status ${response.status}`;
  }
}

/**
 * Address of an image in full size.
 *
 * @param {string} name empty for the server's own choice
 */
export function imageAddress(name) {
  return `/api/image${queryOf(name)}`;
}

/**
 * Address of an entry's thumbnail.
 *
 * @param {string} name
 * @param {string} version differs if the file does
 */
export function thumbnailAddress(name, version) {
  return `/api/thumbnail${queryOf(name)}&version=${version}`;
}

/**
 * Address of the original file of an entry.
 *
 * @param {string} name
 */
export function fileAddress(name) {
  return `/media/${encode(name)}?download`;
}

/** @param {string} name */
function queryOf(name) {
  return name === "" ? "" : `?name=${encodeURIComponent(name.toWellFormed())}`;
}
