/** What a terminal is asked about itself, and what its answers say. Pure. */
import type { Size } from "./half_blocks.ts";

/** What a terminal says of itself. */
export interface TerminalAbilities {
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
export const QUESTION = "\x1b[14t\x1b[16t\x1b[?1;1;0S" +
  "\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\\x1b[c\r\x1b[K";

/** All that a terminal may answer to {@linkcode QUESTION}, piece by piece. */
export const ANSWERS = pattern("ESC(?:\\[[46];\\d+;\\d+t|\\[\\?[\\d;]*[Sc]|_G[^ESC]*ESC\\\\)", "g");

/** What the answer ends with, which is what the terminal can do. */
const ATTRIBUTES = pattern("ESC\\[\\?([\\d;]*)c");
const KNOWS_KITTY = pattern("ESC_Gi=31;OKESC\\\\");
const CELL_SIZE = pattern("ESC\\[6;(\\d+);(\\d+)t");
const AREA_SIZE = pattern("ESC\\[4;(\\d+);(\\d+)t");
const REGISTERS = pattern("ESC\\[\\?1;0;(\\d+)S");

/** Whether the answer is complete. */
export function isWholeAnswer(answer: string): boolean {
  return ATTRIBUTES.test(answer);
}

/**
 * Reads the answer, or as much of it as there is.
 *
 * @param size columns and rows of the terminal
 */
export function abilitiesOf(answer: string, { columns, rows }: Grid): TerminalAbilities {
  const [, attributes = ""] = answer.match(ATTRIBUTES) ?? [];
  const isKitty = KNOWS_KITTY.test(answer);
  const isSixel = attributes.split(";").slice(1).includes("4");
  const [, height, width] = answer.match(CELL_SIZE) ?? [];
  const [, areaHeight, areaWidth] = answer.match(AREA_SIZE) ?? [];
  const [, registers] = answer.match(REGISTERS) ?? [];
  const colours = Number(registers ?? COLOURS.usual);
  return {
    graphics: isKitty ? "kitty" : isSixel ? "sixel" : undefined,
    cell: credible({ width: Number(width), height: Number(height) }) ??
      credible({
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
function credible({ width, height }: Size): Size | undefined {
  const { min, max } = CELL_LIMITS;
  const isIn = (pixels: number) => pixels >= min && pixels <= max;
  return isIn(width) && isIn(height) ? { width, height } : undefined;
}

/** A pattern in which \`ESC\` stands for the escape character. */
function pattern(text: string, flags?: string): RegExp {
  return new RegExp(text.replaceAll("ESC", "\x1b"), flags);
}
