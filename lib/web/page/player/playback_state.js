/** How media was left: position and tracks, kept in the browser for each entry. */
import { keep, readKept } from "../storage.js";

/** Entries of which the state is kept: those that were played last. */
const MAX_KEPT = 200;

/** Seconds from the start and from the end within which media plays from the start again. */
const MARGIN = 2;

/**
 * @typedef {object} Kept
 * @property {number} [position] seconds
 * @property {number} [track]
 * @property {number} [subtitles]
 */

/** The state of one entry. Tracks have numbers from 1 on. */
export class PlaybackState {
  /** Seconds at which the entry was left; 0 for the start. */
  position = 0;
  /**
   * Number of the audio track; the server's choice if undefined.
   *
   * @type {number | undefined}
   */
  track;
  /**
   * Number of the subtitles; none if undefined.
   *
   * @type {number | undefined}
   */
  subtitles;
  #key;

  /**
   * Reads what was kept of an entry.
   *
   * @param {string} server host and port
   * @param {string} name
   */
  constructor(server, name) {
    this.#key = JSON.stringify([server, name]);
    const { position, track, subtitles } = readAll()[this.#key] ?? {};
    if (typeof position === "number" && position > 0) this.position = position;
    if (Number.isSafeInteger(track)) this.track = track;
    if (Number.isSafeInteger(subtitles)) this.subtitles = subtitles;
  }

  /** Whether it says anything. */
  get isKnown() {
    return this.position > 0 || this.track !== undefined || this.subtitles !== undefined;
  }

  /**
   * The position to begin at: where the entry was left, unless another one is asked for.
   *
   * @param {number} start position of the command line, seconds; 0 for none
   */
  startFrom(start) {
    // A page that is loaded again goes on, wherever the command line begins.
    const isAsked = start > 0 && !isReload();
    return this.position > 0 && !isAsked ? this.position : start;
  }

  /** Forgets everything. */
  forget() {
    this.position = 0;
    this.track = undefined;
    this.subtitles = undefined;
  }

  /**
   * Keeps the tracks, and a position.
   *
   * @param {number} position seconds
   * @param {number} length seconds; 0 if unknown
   */
  keep(position, length) {
    const { track, subtitles } = this;
    const isWithin = position >= MARGIN && (length === 0 || position <= length - MARGIN);
    const { [this.#key]: _previous, ...others } = readAll();
    const isKept = isWithin || track !== undefined || subtitles !== undefined;
    const state = { position: isWithin ? position : undefined, track, subtitles };
    const all = Object.entries({ ...others, ...(isKept ? { [this.#key]: state } : {}) });
    keep("playback", Object.fromEntries(all.slice(-MAX_KEPT)));
  }
}

/** @returns {Record<string, Kept>} states by their keys, the newest last */
function readAll() {
  const kept = readKept("playback");
  return typeof kept === "object" ? { ...kept } : {};
}

/** Whether the user has loaded the page again. */
function isReload() {
  const [navigation] = performance.getEntriesByType("navigation");
  return navigation instanceof PerformanceNavigationTiming && navigation.type === "reload";
}
