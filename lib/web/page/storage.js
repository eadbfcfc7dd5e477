/** Values that the page keeps in the storage of the browser. */
/// <reference lib="dom" />

/**
 * Reads a kept value.
 *
 * @param {string} name
 * @returns {unknown} undefined if there is none
 */
export function readKept(name) {
  try {
    return JSON.parse(localStorage.getItem(name) ?? "null") ?? undefined;
  } catch (error) {
    // Browsers may forbid storage, and its text may be of others.
    if (error instanceof DOMException || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/**
 * Keeps a value; if the browser forbids that, it does nothing.
 *
 * @param {string} name
 * @param {unknown} value as JSON
 */
export function keep(name, value) {
  try {
    localStorage.setItem(name, JSON.stringify(value));
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
  }
}
