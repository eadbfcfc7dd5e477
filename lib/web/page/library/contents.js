/** Folders, order and search of the library's entries, as pure functions. */
import { formatDetails } from "../dom.js";

/** @typedef {import("../api.js").Entry} Entry */

/**
 * A folder that another one contains.
 *
 * @typedef {object} Folder
 * @property {string} path
 * @property {string} name the last part of the path
 * @property {number} count of the entries in it, at any depth
 */

/**
 * Orders by their labels; `value` is what is greatest in the first entry.
 *
 * @type {Record<string, { label: string, value?: (entry: Entry) => number | undefined }>}
 */
export const ORDERS = {
  name: { label: "Name" },
  modified: { label: "Newest", value: ({ modified }) => modified },
  size: { label: "Largest", value: ({ size }) => size },
  duration: { label: "Longest", value: ({ duration }) => duration },
};

const { compare: compareNames } = new Intl.Collator(undefined, { numeric: true });

/**
 * The folders and entries that a folder contains.
 *
 * @param {readonly Entry[]} entries of the whole library
 * @param {string} path of the folder; empty for the whole library
 * @returns {{ folders: Folder[], items: Entry[] }} the folders in the order of their names
 */
export function contentsOf(entries, path) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  const items = [];
  for (const entry of entriesBelow(entries, path)) {
    const rest = nameIn(entry.name, path);
    const end = rest.indexOf("/");
    if (end > 0) counts.set(rest.slice(0, end), (counts.get(rest.slice(0, end)) ?? 0) + 1);
    else items.push(entry);
  }
  const folders = [...counts].map(([name, count]) => ({ path: join(path, name), name, count }));
  return { folders: folders.sort((one, other) => compareNames(one.name, other.name)), items };
}

/**
 * The entries in a folder at any depth.
 *
 * @param {readonly Entry[]} entries
 * @param {string} path
 */
export function entriesBelow(entries, path) {
  return path === "" ? entries : entries.filter(({ name }) => name.startsWith(`${path}/`));
}

/**
 * A name as it reads in a folder that contains it.
 *
 * @param {string} name
 * @param {string} path
 */
export function nameIn(name, path) {
  return path === "" ? name : name.slice(path.length + 1);
}

/**
 * @param {string} path
 * @param {string} name
 */
function join(path, name) {
  return path === "" ? name : `${path}/${name}`;
}

/**
 * The folders on the way to a folder, which is the last of them.
 *
 * @param {string} path
 * @returns {{ path: string, name: string }[]}
 */
export function pathTo(path) {
  if (path === "") return [];
  const names = path.split("/");
  return names.map((name, at) => ({ path: names.slice(0, at + 1).join("/"), name }));
}

/**
 * The entries whose names or details contain every word of a text.
 *
 * @param {readonly Entry[]} entries
 * @param {string} text
 */
export function search(entries, text) {
  const words = text.toLowerCase().split(/\s+/).filter((word) => word !== "");
  return entries.filter((entry) => {
    const live = entry.live ? "live" : "";
    const known = [entry.name, formatDetails(entry), live].join(" ").toLowerCase();
    return words.every((word) => known.includes(word));
  });
}

/**
 * Entries in an order: live sources first, equal ones by name.
 *
 * @param {readonly Entry[]} entries
 * @param {string} order a key of `ORDERS`
 */
export function sorted(entries, order) {
  const valueOf = ORDERS[order]?.value ?? (() => 0);
  return entries.toSorted((one, other) =>
    Number(other.live) - Number(one.live) ||
    // Entries without such a value come last.
    (valueOf(other) ?? -1) - (valueOf(one) ?? -1) ||
    compareNames(one.name, other.name)
  );
}

/**
 * The entry some steps after, or before, another one; those that cannot be read are passed over.
 *
 * @param {readonly Entry[]} entries
 * @param {string} name
 * @param {number} step 1 or -1
 * @returns {Entry | undefined}
 */
export function neighbour(entries, name, step) {
  const from = entries.findIndex((entry) => entry.name === name);
  if (from < 0) return undefined;
  let at = from + step;
  while (entries[at]?.problem !== undefined) at += step;
  return entries[at];
}
