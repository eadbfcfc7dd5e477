/** What a terminal is asked about itself, and what its answers say. Pure. */
import type { Size } from "./text_renderer.ts";

/** What a terminal says of itself. */
export interface TerminalCapabilities {
  /** The best way to draw pixels that it knows; nothing where it draws characters alone. */
  graphics?: "kitty" | "sixel";
  /** Pixels of a cell. */
  cell: Size;
  /** Colours that a sixel picture may have. */
  colours: number;
}

/** Pixels of a cell, where the terminal does not say. */
export const USUAL_CELL: Size = { width: 8, height: 16 };

/** Colours of sixel pictures: the most that are of use, and what the first terminals had. */
const COLOURS = { most: 256, usual: 256, least: 2 };

/** Pixels of a cell that can be true. */
const CELL_LIMITS = { min: 2, max: 200 };

/**
 * The question: size of the text area and of a cell in pixels, colours of sixel pictures (all of
 * them xterm's), whether kitty's graphics are known (kitty's graphics protocol, "Querying
 * support"), and the primary device attributes, which every terminal answers, and so last. What a
 * terminal prints of it all the same is wiped.
 */
export const QUERY = "\x1b[14t\x1b[16t\x1b[?1;1;0S" +
  "\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\\x1b[c\r\x1b[K";

/** All that a terminal may answer to {@linkcode QUESTION}, piece by piece. */
export const REPLIES = pattern("ESC(?:\\[[46];\\d+;\\d+t|\\[\\?[\\d;]*[Sc]|_G[^ESC]*ESC\\\\)", "g");

/** What the answer ends with, which is what the terminal can do. */
const ATTRIBUTES = pattern("ESC\\[\\?([\\d;]*)c");
const KNOWS_KITTY = pattern("ESC_Gi=31;OKESC\\\\");
const CELL_SIZE = pattern("ESC\\[6;(\\d+);(\\d+)t");
const AREA_SIZE = pattern("ESC\\[4;(\\d+);(\\d+)t");
const REGISTERS = pattern("ESC\\[\\?1;0;(\\d+)S");

/** Whether the answer is complete. */
export function isCompleteReply(reply: string): boolean {
  return ATTRIBUTES.test(reply);
}

/**
 * Reads the answer, or as much of it as there is.
 *
 * @param size columns and rows of the terminal
 */
export function parseReplies(reply: string, { columns, rows }: Grid): TerminalCapabilities {
  const [, attributes = ""] = reply.match(ATTRIBUTES) ?? [];
  const isKitty = KNOWS_KITTY.test(reply);
  const isSixel = attributes.split(";").slice(1).includes("4");
  const [, height, width] = reply.match(CELL_SIZE) ?? [];
  const [, areaHeight, areaWidth] = reply.match(AREA_SIZE) ?? [];
  const [, registers] = reply.match(REGISTERS) ?? [];
  const colours = Number(registers ?? COLOURS.usual);
  return {
    graphics: isKitty ? "kitty" : isSixel ? "sixel" : undefined,
    cell: plausibleSize({ width: Number(width), height: Number(height) }) ??
      plausibleSize({
        width: Math.floor(Number(areaWidth) / columns),
        height: Math.floor(Number(areaHeight) / rows),
      }) ?? USUAL_CELL,
    colours: Math.min(COLOURS.most, Math.max(COLOURS.least, colours)),
  };
}

/** Columns and rows of a terminal. */
export interface Grid {
  columns: number;
  rows: number;
}

/** A size that a cell may have; some terminals answer with zeros. */
function plausibleSize({ width, height }: Size): Size | undefined {
  const { min, max } = CELL_LIMITS;
  const isIn = (pixels: number) => pixels >= min && pixels <= max;
  return isIn(width) && isIn(height) ? { width, height } : undefined;
}

/** A pattern in which \`ESC\` stands for the escape character. */
function pattern(text: string, flags?: string): RegExp {
  return new RegExp(text.replaceAll("ESC", "\x1b"), flags);
}

/** What a terminal can show, by what the environment says of it. Pure. */

/** How pictures are put into cells: half blocks in any colour, in one of 256, or characters. */
export type TerminalStyle = "truecolour" | "256 colours" | "ascii";

/** Terminals that show any colour and say so in TERM alone, which is what ssh hands on. */
const TRUE_COLOUR = /-direct\d*$|^(xterm-)?(kitty|ghostty)$|^(alacritty|foot|wezterm|contour)(-|$)/;

/** Terminals that would print what they do not understand, instead of leaving it out. */
const MUTE = /^(|dumb|unknown|linux|cons25|emacs|eterm.*)$/;

/** Terminals, or those they stand in for, that show one colour and no pixels. */
const COLOURLESS = /^vt(52|1\d\d|2[02]0|320|4[02]0|5[12]0)\b|-(m|mono)$/;

/** Reads a variable of the environment. */
export type EnvironmentReader = (name: string) => string | undefined;

/** How pictures look best in the terminal. */
export function terminalStyle(variable: EnvironmentReader): TerminalStyle {
  const term = variable("TERM") ?? "";
  if (!isColoured(variable) || !isUnicode(variable)) return "ascii";
  if (/^(truecolor|24bit)$/i.test(variable("COLORTERM") ?? "")) return "truecolour";
  if (TRUE_COLOUR.test(term)) return "truecolour";
  return /256colou?r/.test(term) ? "256 colours" : "ascii";
}

/** Whether the terminal can be asked what it is: one that does not know the question is silent. */
export function canBeAsked(variable: EnvironmentReader): boolean {
  return isColoured(variable) && !MUTE.test(variable("TERM") ?? "");
}

/**
 * Whether the features of tmux's client, the terminal that tmux itself is drawn in, have sixels.
 *
 * @param features as tmux prints `#{client_termfeatures}`: `256,RGB,sixel`
 */
export function knowsSixel(features: string): boolean {
  return features.trim().split(",").includes("sixel");
}

/** What the user says of the terminal counts more than what it says of itself. */
function isColoured(variable: EnvironmentReader): boolean {
  const term = variable("TERM") ?? "";
  // See https://no-color.org
  return !variable("NO_COLOR") && term !== "dumb" && !COLOURLESS.test(term);
}

/** Whether text is UTF-8: what is not set says nothing, and most terminals are. */
function isUnicode(variable: EnvironmentReader): boolean {
  const locale = ["LC_ALL", "LC_CTYPE", "LANG"].map(variable).find((value) => value);
  return locale === undefined || /utf-?8/i.test(locale);
}
