/** The width of text on a terminal. */

/** Characters that take two columns (Unicode Standard Annex 11, "W" and "F", and emoji). */
const WIDE = new RegExp(
  "\\p{Emoji_Presentation}|[\\u1100-\\u115f\\u2e80-\\u303e\\u3041-\\u33ff\\u3400-\\u4dbf" +
    "\\u4e00-\\ua4cf\\ua960-\\ua97c\\uac00-\\ud7a3\\uf900-\\ufaff\\ufe30-\\ufe6f\\uff01-\\uff60" +
    "\\uffe0-\\uffe6]|[\\u{16fe0}-\\u{18aff}\\u{1b000}-\\u{1b2fb}\\u{1f200}-\\u{1f265}" +
    "\\u{20000}-\\u{3fffd}]|\\ufe0f",
  "u",
);

/** Characters that take none: marks on others, and joiners. */
const INVISIBLE = /^[\p{Mn}\p{Me}\p{Cf}]*$/u;

/** In place of what is left out. */
const ELLIPSIS = "…";

const SEGMENTER = new Intl.Segmenter();

/**
 * Columns that a text takes on a terminal.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { textWidth } from "./text_width.ts";
 *
 * assertEquals([textWidth("größe"), textWidth("日本"), textWidth("e\u0301")], [5, 4, 1]);
 * ```
 */
export function textWidth(text: string): number {
  // All of ASCII takes one column.
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  return charactersOf(text).reduce((sum, character) => sum + widthOf(character), 0);
}

/** Adds spaces up to a width in columns. */
export function padText(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - textWidth(text)));
}

/** Leaves out the middle of a text that is wider than so many columns. */
export function shortenMiddle(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  const characters = charactersOf(text);
  const room = Math.max(0, width - textWidth(ELLIPSIS));
  const start = takeWidth(characters, Math.ceil(room / 2));
  const end = takeWidth(characters.toReversed(), Math.floor(room / 2)).toReversed();
  return width < 1 ? "" : [...start, ELLIPSIS, ...end].join("");
}

/** Leaves out the end of a text that is wider than so many columns. */
export function shortenEnd(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  const start = takeWidth(charactersOf(text), width - textWidth(ELLIPSIS));
  return width < 1 ? "" : [...start, ELLIPSIS].join("");
}

/** Characters as a reader counts them: with their marks. */
function charactersOf(text: string): string[] {
  return Array.from(SEGMENTER.segment(text), ({ segment }) => segment);
}

function widthOf(character: string): number {
  return INVISIBLE.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
}

/** The first characters that are together no wider than so many columns. */
function takeWidth(characters: readonly string[], width: number): string[] {
  let taken = 0;
  const end = characters.findIndex((character) => (taken += widthOf(character)) > width);
  return characters.slice(0, end < 0 ? characters.length : end);
}
