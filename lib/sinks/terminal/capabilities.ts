/** Capabilities of a terminal, from its replies and its environment. */
import type { Size } from "./text_renderer.ts";

/** Keyboard of a terminal, which also delivers the terminal's replies. */
export interface TerminalKeyboard {
  /**
   * Sends a query to the terminal. Keys pressed meanwhile are kept.
   *
   * @returns the replies that came within `patience`, milliseconds, and before `signal` aborted
   */
  ask(
    ask: () => void,
    options: {
      isWhole: (reply: string) => boolean;
      replies: RegExp;
      patience: number;
      signal?: AbortSignal;
    },
  ): Promise<string>;
  /** Restores the terminal's settings for keys until disposed. */
  rest(): Disposable;
}

/** Terminal that pictures are drawn on. */
export interface Terminal {
  /** Writes text in order; resolves when the terminal has taken it. */
  write: (text: string) => Promise<void>;
  /** Writes text synchronously. */
  writeNow?: (text: string) => void;
  size: () => Grid;
  /** Style of text pictures. @default truecolour */
  style?: TerminalStyle;
  /** It is a terminal and no pipe or file. */
  isTerminal?: boolean;
  /** Unknown queries print nothing, see {@linkcode canBeQueried}. */
  canBeQueried?: boolean;
  /**
   * Checks whether sixels reach the screen: tmux reports them whatever terminal it is drawn in.
   *
   * @default they do
   */
  passesSixel?: () => Promise<boolean>;
  /** Opens the keyboard, if there is one. */
  keyboard?: () => Promise<TerminalKeyboard | undefined>;
  /** Original settings of the terminal, as `stty -g` prints them. */
  settings?: () => string | undefined;
  forced?: AbortSignal;
  /** The user quits. */
  signal?: AbortSignal;
}

/** Capabilities that a terminal reports. */
export interface TerminalCapabilities {
  /** Best supported graphics protocol; `undefined` if it draws only text. */
  graphics?: "kitty" | "sixel";
  /** Size of a cell in pixels. */
  cell: Size;
  /** Colours of a sixel picture at most. */
  colours: number;
}

/** Size of a cell in pixels, if the terminal does not report it. */
export const USUAL_CELL: Size = { width: 8, height: 16 };

/**
 * Colours of sixel pictures: the most that are useful, the default, and the least that terminals
 * have.
 */
const COLOURS = { most: 256, usual: 256, least: 2 };

/** Plausible pixels of a cell. */
const CELL_LIMITS = { min: 2, max: 200 };

/**
 * Query of the size of the text area and of a cell in pixels, the colours of sixel pictures (all of
 * them xterm's), kitty's graphics (kitty's graphics protocol, "Querying support"), and last the
 * primary device attributes, to which nearly every terminal replies. Whatever a terminal prints of it is
 * wiped.
 */
export const QUERY = "\x1b[14t\x1b[16t\x1b[?1;1;0S" +
  "\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\\x1b[c\r\x1b[K";

/** Matches each reply to {@linkcode QUERY}. */
export const REPLIES = pattern("ESC(?:\\[[46];\\d+;\\d+t|\\[\\?[\\d;]*[Sc]|_G[^ESC]*ESC\\\\)", "g");

/** The last reply. */
const ATTRIBUTES = pattern("ESC\\[\\?([\\d;]*)c");
const KNOWS_KITTY = pattern("ESC_Gi=31;OKESC\\\\");
const CELL_SIZE = pattern("ESC\\[6;(\\d+);(\\d+)t");
const AREA_SIZE = pattern("ESC\\[4;(\\d+);(\\d+)t");
const REGISTERS = pattern("ESC\\[\\?1;0;(\\d+)S");

/** Whether all replies have come. */
export function isCompleteReply(reply: string): boolean {
  return ATTRIBUTES.test(reply);
}

/**
 * Parses replies, complete or not.
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

/** Size of a terminal in cells. */
export interface Grid {
  columns: number;
  rows: number;
}

/** A cell size if it is plausible; some terminals reply with zeros. */
function plausibleSize({ width, height }: Size): Size | undefined {
  const { min, max } = CELL_LIMITS;
  const isIn = (pixels: number) => pixels >= min && pixels <= max;
  return isIn(width) && isIn(height) ? { width, height } : undefined;
}

/** Builds a pattern in which `ESC` stands for the escape character. */
function pattern(text: string, flags?: string): RegExp {
  return new RegExp(text.replaceAll("ESC", "\x1b"), flags);
}

/** How pictures are drawn as text: half blocks in any colour or one of 256, or characters. */
export type TerminalStyle = "truecolour" | "256 colours" | "ascii";

/** Terminals with true colour that report it in TERM alone, which is what ssh forwards. */
const TRUE_COLOUR = /-direct\d*$|^(xterm-)?(kitty|ghostty)$|^(alacritty|foot|wezterm|contour)(-|$)/;

/** Terminals that would print queries they do not understand. */
const MUTE = /^(|dumb|unknown|linux|cons25|emacs|eterm.*)$/;

/** Terminals, or what they emulate, with one colour and no graphics. */
const COLOURLESS = /^vt(52|1\d\d|2[02]0|320|4[02]0|5[12]0)\b|-(m|mono)$/;

/** Reads an environment variable. */
export type EnvironmentReader = (name: string) => string | undefined;

/** Best style of a terminal, by the environment. */
export function terminalStyle(variable: EnvironmentReader): TerminalStyle {
  const term = variable("TERM") ?? "";
  if (!isColoured(variable) || !isUnicode(variable)) return "ascii";
  if (/^(truecolor|24bit)$/i.test(variable("COLORTERM") ?? "")) return "truecolour";
  if (TRUE_COLOUR.test(term)) return "truecolour";
  return /256colou?r/.test(term) ? "256 colours" : "ascii";
}

/** Whether the terminal may be queried: one that does not understand the query prints nothing. */
export function canBeQueried(variable: EnvironmentReader): boolean {
  return isColoured(variable) && !MUTE.test(variable("TERM") ?? "");
}

/**
 * Whether the terminal that tmux is drawn in supports sixels.
 *
 * @param features as tmux prints `#{client_termfeatures}`: `256,RGB,sixel`
 */
export function knowsSixel(features: string): boolean {
  return features.trim().split(",").includes("sixel");
}

/** Whether to use colours. The user's wish outranks the terminal's own capabilities. */
function isColoured(variable: EnvironmentReader): boolean {
  const term = variable("TERM") ?? "";
  // See https://no-color.org
  return !variable("NO_COLOR") && term !== "dumb" && !COLOURLESS.test(term);
}

/** Whether text is UTF-8, as in most terminals and if no locale is set. */
function isUnicode(variable: EnvironmentReader): boolean {
  const locale = ["LC_ALL", "LC_CTYPE", "LANG"].map(variable).find((value) => value);
  return locale === undefined || /utf-?8/i.test(locale);
}
