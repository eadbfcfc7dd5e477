/** Requests of the page to the client that serves it. */

/**
 * An entry of the server's library.
 *
 * @typedef {object} Entry
 * @property {string} name
 * @property {"image" | "video" | "audio"} kind
 * @property {boolean} live
 * @property {number} size of the file, bytes
 * @property {number} [duration] seconds
 * @property {string} codec
 * @property {number} [width] pixels
 * @property {number} [height] pixels
 * @property {boolean} [published] a publisher sends it
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
 * The response of `/api/list`.
 *
 * @typedef {object} Library
 * @property {string} server
 * @property {boolean} classic
 * @property {Start | null} start
 * @property {Entry[]} entries
 */

const UNREACHABLE =
  "Cannot reach stream-client, which serves this page: it has exited, or this device is offline";

/** A failed request; the message is shown to the user. */
export class ApiError extends Error {
  /** @override */
  name = "ApiError";
}

/**
 * Loads the library.
 *
 * @returns {Promise<Library>}
 * @throws {ApiError}
 */
export async function fetchLibrary() {
  return await (await get("/api/list")).json();
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
    return String(JSON.parse(text).message ?? text);
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
 */
export function thumbnailAddress(name) {
  return `/api/thumbnail${queryOf(name)}`;
}

/** @param {string} name */
function queryOf(name) {
  return name === "" ? "" : `?name=${encodeURIComponent(name)}`;
}

/**
 * Address within this page at which an entry is shown.
 *
 * @param {Pick<Entry, "kind" | "name">} entry
 */
export function pageAddress({ kind, name }) {
  return `#/${kind === "image" ? "image" : "play"}/${encodeURIComponent(name)}`;
}
