/** The statistics below the player. */
import { find, formatBytes, make } from "../dom.js";

/**
 * @typedef {object} Counters
 * @property {boolean} hasVideo
 * @property {number | undefined} latency from capture to display, milliseconds
 * @property {number} dropped frames that the server dropped
 * @property {number} bytes received since the page was opened
 * @property {number} ahead seconds that are buffered
 */

/** Shows rates and counters. */
export class StatisticsView {
  #element = find("stats", HTMLElement);
  #video;
  /** @type {Map<string, HTMLElement>} */
  #rows = new Map();
  /** Counters at the last update, and its time in milliseconds. */
  #last = { bytes: 0, frames: 0, time: 0 };

  /** @param {HTMLVideoElement} video */
  constructor(video) {
    this.#video = video;
  }

  /**
   * Begins for other media.
   *
   * @param {{ bytes: number, isShown: boolean }} options bytes received since the page was opened
   */
  begin({ bytes, isShown }) {
    this.#element.hidden = !isShown;
    this.#last = { bytes, frames: 0, time: performance.now() };
    this.#showRows(Object.fromEntries([...this.#rows.keys()].map((name) => [name, undefined])));
  }

  /** @param {Counters} counters */
  show({ hasVideo, latency, dropped, bytes, ahead }) {
    const { totalVideoFrames: frames, droppedVideoFrames } = this.#video.getVideoPlaybackQuality();
    const time = performance.now();
    const seconds = Math.max(0.001, (time - this.#last.time) / 1000);
    const frameRate = Math.max(0, frames - this.#last.frames) / seconds;
    const dataRate = (bytes - this.#last.bytes) / seconds;
    this.#last = { bytes, frames, time };
    this.#showRows({
      "Latency": latency === undefined ? undefined : `${latency} ms`,
      "Frame rate": hasVideo ? `${frameRate.toFixed(0)} fps` : undefined,
      "Dropped by server": String(dropped),
      "Dropped by browser": hasVideo ? String(droppedVideoFrames) : undefined,
      "Data rate": `${formatBytes(dataRate)}/s`,
      "Buffered": `${ahead.toFixed(1)} s`,
    });
  }

  /**
   * Updates the rows in place, so that a screen reader keeps its position.
   *
   * @param {Record<string, string | undefined>} rows
   */
  #showRows(rows) {
    for (const [name, value] of Object.entries(rows)) {
      const existing = this.#rows.get(name);
      const row = existing ?? make("div", {}, make("dt", {}, name), make("dd", {}));
      if (existing === undefined) find("stats-list", HTMLElement).append(row);
      this.#rows.set(name, row);
      row.hidden = value === undefined;
      if (row.lastElementChild !== null) row.lastElementChild.textContent = value ?? "";
    }
  }
}
