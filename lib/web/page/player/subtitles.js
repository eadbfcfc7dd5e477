/** The subtitles over the video, drawn by the browser. */
/// <reference lib="dom" />

/**
 * A subtitle.
 *
 * @typedef {object} Cue
 * @property {number} start seconds of the media
 * @property {number} end seconds of the media
 * @property {string} text plain, with line breaks
 */

/** Draws subtitles over a video. */
export class Subtitles {
  #track;

  /** @param {HTMLVideoElement} video */
  constructor(video) {
    // A text track can be added, but not removed.
    this.#track = video.addTextTrack("subtitles");
    this.#track.mode = "hidden";
  }

  /**
   * Removes all of them, before others come.
   *
   * @param {boolean} isShown whether the others are shown
   */
  begin(isShown) {
    this.#track.mode = isShown ? "showing" : "hidden";
    for (const cue of [...this.#track.cues ?? []]) this.#track.removeCue(cue);
  }

  /** @param {Cue} cue */
  add({ start, end, text }) {
    // The text of a cue is markup.
    const plain = text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
    if (end > start) this.#track.addCue(new VTTCue(start, end, plain));
  }
}
