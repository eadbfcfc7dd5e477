import type { Rendition } from "./rendition.ts";

/** What is wanted of a file: which part of it, and turned into what. */
export interface MediaOptions extends Rendition {
  /** Only pictures that stand for themselves: one, or a series where `every` is given. */
  still?: boolean;
  /** False to leave pictures out. */
  pictures?: boolean;
  /** Seconds from the beginning. */
  start?: number;
  /** Seconds. */
  duration?: number;
  /** Seconds from one picture of a series to the next; only of stills. */
  every?: number;
}
