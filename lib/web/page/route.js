/** Addresses within the page: what is shown, and which folder the library is at. */

/**
 * @typedef {object} Address
 * @property {"play" | "image" | undefined} view nothing but the library if undefined
 * @property {string} name of the entry that is shown; empty for the server's own choice
 * @property {string} folder of the library; empty for the whole library
 */

/**
 * The folder of a name; empty if it is in none.
 *
 * @param {string} name
 */
export function folderOf(name) {
  return name.slice(0, Math.max(0, name.lastIndexOf("/")));
}

/**
 * Parses the part of an address behind the page's path.
 *
 * @param {string} hash
 * @returns {Address | undefined} undefined for an anchor within the page
 */
export function parseAddress(hash) {
  if (/^(#\/?)?$/.test(hash)) return { view: undefined, name: "", folder: "" };
  const [, kind, path, other] = hash.match(/^#\/(play|image|folder)\/([^?]*)(?:\?in=(.*))?$/s) ??
    [];
  if (path === undefined) return undefined;
  const name = decode(path);
  if (kind === "folder") return { view: undefined, name: "", folder: name };
  const folder = other === undefined ? folderOf(name) : decode(other);
  return { view: kind === "image" ? "image" : "play", name, folder };
}

/**
 * Formats an address; the folder is part of it only if it is not the one of the name.
 *
 * @param {Address} address
 */
export function formatAddress({ view, name, folder }) {
  if (view === undefined) return folder === "" ? "#/" : `#/folder/${encode(folder)}`;
  const other = folder === folderOf(name) ? "" : `?in=${encode(folder)}`;
  return `#/${view}/${encode(name)}${other}`;
}

/**
 * The address of an entry in a folder of the library.
 *
 * @param {Pick<import("./api.js").Entry, "kind" | "name">} entry
 * @param {string} [folder] that the library stays at
 */
export function addressOf({ kind, name }, folder = folderOf(name)) {
  return formatAddress({ view: kind === "image" ? "image" : "play", name, folder });
}

/**
 * Encodes a name for a URL; its slashes stay.
 *
 * @param {string} name
 */
export function encode(name) {
  // A server may send lone surrogates, which encodeURIComponent() refuses.
  return name.toWellFormed().split("/").map(encodeURIComponent).join("/");
}

/** @param {string} text */
function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    // A typed address may contain a bare "%": the text is used as it is.
    return text;
  }
}
