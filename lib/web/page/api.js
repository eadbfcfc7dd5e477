/** What the page asks the client that serves it. */

/**
 * One thing that the server has.
 *
 * @typedef {object} Entry
 * @property {string} name
 * @property {"image" | "video" | "audio"} kind
 * @property {boolean} live
 * @property {number} size bytes of the file
 * @property {number} [duration] seconds
 * @property {string} codec
 * @property {number} [width] pixels
 * @property {number} [height] pixels
 */

/**
 * What the command line asked for.
 *
 * @typedef {object} Start
 * @property {"image" | "video"} kind
 * @property {string | null} name
 * @property {number} at seconds
 * @property {boolean} loop
 * @property {number} speed 1 being real time
 */

/**
 * The list of everything.
 *
 * @typedef {object} Library
 * @property {string} server
 * @property {boolean} classic
 * @property {Start | null} start what was asked for
 * @property {Entry[]} entries
 */

/** What is said where nobody answers. */
const NOBODY =
  "Cannot reach stream-client, which serves this page: it has ended, or this device is offline";

/** The refusal of a request, in a sentence for people. */
export class ApiError extends Error {
  /** @override */
  name = "ApiError";
}

/**
 * Asks for the list.
 *
 * @returns {Promise<Library>}
 * @throws {ApiError}
 */
export async function fetchLibrary() {
  return await (await get("/api/list")).json();
}

/**
 * Asks for a picture in full size.
 *
 * @param {string} name empty for the server's own choice
 * @param {AbortSignal} signal
 * @throws {ApiError}
 */
export async function fetchImage(name, signal) {
  return await (await get(imageAddress(name), signal)).blob();
}

/**
 * Finds out why a socket was refused, which the browser does not tell: by asking for the same
 * without one.
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
  return "The connection could not be opened";
}

/**
 * @param {string} path
 * @param {AbortSignal} [signal]
 */
async function get(path, signal) {
  const response = await fetch(path, { signal }).catch((error) => {
    if (signal?.aborted) throw error;
    throw new ApiError(NOBODY, { cause: error });
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
    // Not all refusals come from the API itself.
    return text.trim() || `Cannot get this: status ${response.status}`;
  }
}

/**
 * Address of a picture in full size.
 *
 * @param {string} name empty for the server's own choice
 */
export function imageAddress(name) {
  return `/api/image${queryOf(name)}`;
}

/**
 * Address of a small picture of an entry.
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
