/** The player of the page: one media at a time. */
import { announce, find, findButton, formatBytes, make } from "./dom.js";
import { canFeed, MediaFeed, playableCodecs } from "./media_feed.js";
import { PlayerBar } from "./player_bar.js";

/**
 * @typedef {object} PlayOptions
 * @property {string} name empty for the server's own choice
 * @property {number} start position, seconds
 * @property {boolean} loop
 * @property {number} rate playback rate, 1 is real time
 */

/** Seconds before the end that a seek reaches at most, so that a frame is left to show. */
const END_MARGIN = 0.2;

/** Milliseconds of pause after which a live source is no longer received. */
const LIVE_PAUSE = 5000;

/** Seconds behind the live edge that still count as live. */
const LIVE_EDGE = 2;

/** Milliseconds between two updates of the statistics. */
const STATS_INTERVAL = 1000;

/** Windows that are wide enough to show the statistics at once. */
const WIDE = "(min-width: 880px)";

/** Notes that are shown at most. */
const MAX_NOTES = 4;

/** Shows the player, and connects feed, video element and bar. */
export class PlayerView {
  #player = find("player", HTMLElement);
  #screen = find("screen", HTMLElement);
  #video = find("video", HTMLVideoElement);
  #start = findButton("start");
  #unmute = findButton("unmute");
  #spinner = find("spinner", HTMLElement);
  #problem = find("problem", HTMLElement);
  #notes = find("notes", HTMLElement);
  #stats = find("stats", HTMLDetailsElement);
  #feed = new MediaFeed(this.#video, {
    info: (info) => this.#onInfo(info),
    event: (event) => this.#onEvent(event),
    data: () => this.#show(),
    end: ({ dropped, warning }) => {
      this.#dropped = dropped;
      if (warning !== null) this.#note(`The media is damaged: ${warning}`);
    },
    changed: () => this.#open(0),
    failed: (error, undecodable) => this.#onFailed(error, undecodable),
    stalled: (time) => this.#skipTo(time),
    interrupted: () => this.#play(),
  });
  #bar = new PlayerBar({
    toggle: () => this.#toggle(),
    seek: (seconds) => this.#seek(seconds),
    toLive: () => this.#toLive(),
    length: () => this.#length,
    isShown: () => !this.#player.hidden,
  });
  #onTitle;
  /** @type {PlayOptions} */
  #options = { name: "", start: 0, loop: false, rate: 1 };
  /** @type {import("./play_socket.js").MediaInfo | undefined} */
  #info;
  /** Whether packets are copied if this browser plays their codec, instead of re-encoded. */
  #keep = true;
  #dropped = 0;
  /** @type {number | undefined} */
  #serverLatency;
  /**
   * Milliseconds from the capture of a live frame to its display.
   *
   * @type {number | undefined}
   */
  #latency;
  /** @type {Map<string, HTMLElement>} */
  #rows = new Map();
  /** Counters at the last update of the statistics, and its time in milliseconds. */
  #last = { bytes: 0, frames: 0, time: 0 };
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #pauseTimer;

  /** @param {(title: string) => void} onTitle called with the title of the media */
  constructor(onTitle) {
    this.#onTitle = onTitle;
    this.#listen();
    this.#stats.open = matchMedia(WIDE).matches;
    setInterval(() => this.#showStats(), STATS_INTERVAL);
  }

  /** @param {PlayOptions} options */
  show(options) {
    this.hide();
    this.#options = options;
    this.#keep = true;
    this.#player.hidden = false;
    this.#stats.hidden = false;
    if (!canFeed()) {
      return this.#fail("Cannot play this: the browser has no Media Source Extensions", "");
    }
    this.#open(options.start);
    this.#play();
  }

  /** Stops playback, and hides the player. */
  hide() {
    clearTimeout(this.#pauseTimer);
    this.#feed.clear();
    this.#info = undefined;
    this.#dropped = 0;
    this.#serverLatency = undefined;
    this.#player.hidden = true;
    this.#stats.hidden = true;
    this.#notes.hidden = true;
    this.#notes.replaceChildren();
    this.#problem.hidden = true;
    this.#start.hidden = true;
    this.#unmute.hidden = true;
    find("audio-only", HTMLElement).hidden = true;
    find("live-badge", HTMLElement).hidden = true;
    this.#screen.style.removeProperty("aspect-ratio");
    this.#latency = undefined;
    this.#showRows(Object.fromEntries([...this.#rows.keys()].map((name) => [name, undefined])));
    this.#last = { bytes: this.#feed.bytes, frames: 0, time: performance.now() };
    this.#show();
  }

  get #live() {
    return this.#info?.live ?? false;
  }

  /** Seekable length, seconds; 0 if not seekable. */
  get #length() {
    if (this.#live) return 0;
    const { buffered } = this.#video;
    return this.#info?.duration ?? (buffered.length === 0 ? 0 : buffered.end(buffered.length - 1));
  }

  /** @param {number} start seconds */
  #open(start) {
    this.#problem.hidden = true;
    this.#spinner.hidden = false;
    const { name, rate } = this.#options;
    const query = {
      ...(name === "" ? {} : { name }),
      ...(start > 0 ? { start: String(start) } : {}),
      can: playableCodecs(),
      keep: this.#keep ? "1" : "0",
    };
    this.#feed.open(query, { rate });
  }

  /** Plays, muted if the browser does not allow sound yet. */
  async #play() {
    this.#start.hidden = true;
    try {
      await this.#video.play();
    } catch (error) {
      if (!(error instanceof DOMException) || error.name !== "NotAllowedError") return;
      if (this.#video.muted) return void (this.#start.hidden = false);
      this.#video.muted = true;
      this.#unmute.hidden = false;
      await this.#play();
    }
  }

  #toggle() {
    const { paused, ended } = this.#video;
    if (ended) this.#replay();
    else if (!paused) this.#video.pause();
    else if (this.#live) this.#toLive();
    else this.#play();
  }

  #replay() {
    this.#seek(0);
    this.#play();
  }

  /** Plays from the live edge. */
  #toLive() {
    if (this.#feed.isOpen) this.#feed.toLiveEdge();
    else if (!this.#video.paused) this.#open(0);
    this.#play();
  }

  /** @param {number} position seconds */
  #seek(position) {
    if (this.#live || this.#info === undefined) return;
    const last = Math.max(0, this.#length - END_MARGIN);
    const target = Math.min(Math.max(0, position), last);
    this.#video.currentTime = target;
    const ahead = this.#feed.ahead(target);
    const isBuffered = ahead > END_MARGIN / 2 ||
      (ahead >= 0 && !this.#feed.isOpen && target === last);
    if (!isBuffered || this.#feed.isPending) this.#open(target);
    this.#show();
  }

  /** @param {import("./play_socket.js").MediaInfo} info */
  #onInfo(info) {
    const shown = this.#info?.notes ?? [];
    this.#info = info;
    this.#onTitle(info.title);
    find("audio-only", HTMLElement).hidden = !info.type.startsWith("audio/");
    find("live-badge", HTMLElement).hidden = !info.live;
    info.notes.filter((note) => !shown.includes(note)).forEach((note) => this.#note(note));
    this.#show();
  }

  /** @param {import("./play_socket.js").PlayEvent} event */
  #onEvent(event) {
    if (event.kind === "note") return this.#note(event.message);
    this.#dropped = event.dropped;
    this.#serverLatency = event.latencyMs?.p50;
  }

  /**
   * @param {Error} error
   * @param {boolean} undecodable
   */
  #onFailed(error, undecodable) {
    if (undecodable && this.#keep) {
      this.#keep = false;
      this.#note("This browser cannot play the original encoding: the media is re-encoded");
      const start = this.#live ? 0 : this.#video.currentTime;
      this.#feed.clear();
      this.#open(start);
      this.#play();
      return;
    }
    this.#fail(error.message, this.#info === undefined ? "Retry" : "Resume");
  }

  /**
   * @param {string} message
   * @param {string} action label of the button; empty for none
   */
  #fail(message, action) {
    this.#spinner.hidden = true;
    if (this.#info === undefined) this.#video.pause();
    const button = findButton("problem-button");
    find("problem-text", HTMLElement).textContent = message;
    button.textContent = action;
    button.hidden = action === "";
    this.#problem.hidden = false;
  }

  /** @param {number} time seconds from which the media is requested again */
  #skipTo(time) {
    this.#video.currentTime = time;
    this.#open(time);
  }

  #resume() {
    const start = this.#info === undefined ? this.#options.start : this.#video.currentTime;
    this.#open(this.#live ? 0 : start);
    this.#play();
  }

  /** @param {string} note */
  #note(note) {
    const text = note.charAt(0).toUpperCase() + note.slice(1);
    // A repeated note moves to the end.
    [...this.#notes.children].find(({ textContent }) => textContent === text)?.remove();
    this.#notes.append(make("li", {}, text));
    while (this.#notes.childElementCount > MAX_NOTES) this.#notes.firstElementChild?.remove();
    this.#notes.hidden = false;
    announce(text);
  }

  #listen() {
    const video = this.#video;
    for (const name of ["play", "pause", "ended", "playing", "emptied"]) {
      video.addEventListener(name, () => this.#bar.showPlaying());
    }
    for (
      const name of ["timeupdate", "durationchange", "progress", "seeking", "waiting", "playing"]
    ) {
      video.addEventListener(name, () => this.#show());
    }
    video.addEventListener("resize", () => {
      const { videoWidth, videoHeight } = video;
      if (videoWidth > 0) this.#screen.style.aspectRatio = `${videoWidth} / ${videoHeight}`;
    });
    video.addEventListener("ended", () => this.#options.loop && this.#replay());
    video.addEventListener("pause", () => {
      if (!this.#live) return;
      this.#pauseTimer = setTimeout(() => this.#feed.close(), LIVE_PAUSE);
    });
    video.addEventListener("play", () => {
      clearTimeout(this.#pauseTimer);
      this.#start.hidden = true;
      // Browsers pause hidden videos, and resume them later.
      if (this.#live && !this.#feed.isOpen && this.#problem.hidden) this.#open(0);
    });
    video.addEventListener("error", () => {
      // While the feed is open, it fails for the same reason, and reports it.
      if (video.error !== null && !this.#feed.isOpen && !this.#player.hidden) {
        this.#onFailed(
          new Error(`Cannot decode this media in this browser: ${video.error.message}`),
          true,
        );
      }
    });
    video.addEventListener("click", () => this.#toggle());
    video.addEventListener("volumechange", () => {
      if (!video.muted) this.#unmute.hidden = true;
    });
    this.#unmute.addEventListener("click", () => {
      video.muted = false;
      findButton("mute").focus();
    });
    this.#start.addEventListener("click", () => this.#toggle());
    findButton("problem-button").addEventListener("click", () => {
      findButton("play").focus();
      this.#resume();
    });
  }

  #show() {
    const { currentTime, readyState, ended, paused } = this.#video;
    const ahead = Math.max(0, this.#feed.ahead());
    const starved = readyState < HTMLMediaElement.HAVE_FUTURE_DATA && !ended && this.#feed.isOpen;
    this.#spinner.hidden = !starved || (paused && this.#info !== undefined && ahead > 0);
    this.#bar.show({
      position: currentTime,
      length: this.#length,
      isDuration: typeof this.#info?.duration === "number",
      bufferedEnd: currentTime + ahead,
      live: this.#live,
      latency: this.#latency,
      atLiveEdge: this.#feed.isOpen && !paused && ahead < LIVE_EDGE,
    });
  }

  #showStats() {
    if (this.#player.hidden) return;
    const video = this.#video;
    const { totalVideoFrames: frames, droppedVideoFrames } = video.getVideoPlaybackQuality();
    const [time, bytes] = [performance.now(), this.#feed.bytes];
    const seconds = Math.max(0.001, (time - this.#last.time) / 1000);
    const frameRate = Math.max(0, frames - this.#last.frames) / seconds;
    const dataRate = (bytes - this.#last.bytes) / seconds;
    this.#last = { bytes, frames, time };
    const ahead = Math.max(0, this.#feed.ahead());
    const hasVideo = this.#info?.type.startsWith("video/") ?? false;
    this.#latency = this.#live && this.#serverLatency !== undefined
      ? Math.round(this.#serverLatency + 1000 * ahead)
      : undefined;
    this.#showRows({
      "Latency": this.#latency === undefined ? undefined : `${this.#latency} ms`,
      "Frame rate": hasVideo ? `${frameRate.toFixed(0)} fps` : undefined,
      "Dropped by server": String(this.#dropped),
      "Dropped by browser": hasVideo ? String(droppedVideoFrames) : undefined,
      "Data rate": `${formatBytes(dataRate)}/s`,
      "Buffered": `${ahead.toFixed(1)} s`,
    });
  }

  /**
   * Updates the rows of the statistics in place, so that a screen reader keeps its position.
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
