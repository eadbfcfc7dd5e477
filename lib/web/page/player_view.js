/** The player of the page: one media at a time. */
import { find, findButton, formatBytes, make, say } from "./dom.js";
import { canFeed, MediaFeed, playableCodecs } from "./media_feed.js";
import { PlayerBar } from "./player_bar.js";

/**
 * What is to be played, and how.
 *
 * @typedef {object} Wish
 * @property {string} name empty for the server's own choice
 * @property {number} at seconds from which on
 * @property {boolean} loop begin again at the end
 * @property {number} rate speed, 1 being real time
 */

/** Seconds before the end that one gets to at the most, so that there is something to see. */
const LAST = 0.2;

/** Milliseconds of a pause after which what is live is not fetched any more. */
const LIVE_PAUSE = 5000;

/** Seconds behind the newest that still count as live. */
const NEWEST = 2;

/** Milliseconds between two statistics. */
const INTERVAL = 1000;

/** Windows in which statistics take no room from anything else. */
const ROOMY = "(min-width: 880px)";

/** Notes that are kept in sight. */
const MAX_NOTES = 4;

/** Plays. */
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
    begin: (begin) => this.#onBegin(begin),
    news: (news) => this.#onNews(news),
    data: () => this.#show(),
    end: ({ dropped, warning }) => {
      this.#dropped = dropped;
      if (warning !== null) this.#note(`The media is damaged: ${warning}`);
    },
    failed: (error, undecodable) => this.#onFailed(error, undecodable),
    stuck: (moment) => this.#goOver(moment),
    interrupted: () => this.#play(),
  });
  #bar = new PlayerBar({
    toggle: () => this.#toggle(),
    seek: (seconds) => this.#seek(seconds),
    toLive: () => this.#toLive(),
    length: () => this.#length,
    shown: () => !this.#player.hidden,
  });
  #onTitle;
  /** @type {Wish} */
  #wish = { name: "", at: 0, loop: false, rate: 1 };
  /** @type {import("./play_socket.js").Beginning | undefined} */
  #begin;
  /** Packets are taken as they are, where their codec can be played. */
  #keep = true;
  #dropped = 0;
  /** @type {number | undefined} */
  #serverLatency;
  /**
   * Milliseconds from a live picture's capture to its showing.
   *
   * @type {number | undefined}
   */
  #latency;
  /** @type {Map<string, HTMLElement>} */
  #rows = new Map();
  /** What the statistics were when they were last looked at. */
  #last = { bytes: 0, pictures: 0, time: 0 };
  /** @type {number | undefined} */
  #pauseTimer;

  /** @param {(title: string) => void} onTitle told the name of what plays */
  constructor(onTitle) {
    this.#onTitle = onTitle;
    this.#listen();
    this.#stats.open = matchMedia(ROOMY).matches;
    setInterval(() => this.#showStats(), INTERVAL);
  }

  /** @param {Wish} wish */
  show(wish) {
    this.hide();
    this.#wish = wish;
    this.#keep = true;
    this.#player.hidden = false;
    this.#stats.hidden = false;
    if (!canFeed()) {
      return this.#fail("This browser cannot play: it has no Media Source Extensions", "");
    }
    this.#open(wish.at);
    this.#play();
  }

  /** Ends what plays. */
  hide() {
    clearTimeout(this.#pauseTimer);
    this.#feed.clear();
    this.#begin = undefined;
    this.#dropped = 0;
    this.#serverLatency = undefined;
    this.#player.hidden = true;
    this.#stats.hidden = true;
    this.#notes.hidden = true;
    this.#notes.replaceChildren();
    this.#problem.hidden = true;
    this.#start.hidden = true;
    this.#unmute.hidden = true;
    find("sound-only", HTMLElement).hidden = true;
    find("live-mark", HTMLElement).hidden = true;
    this.#screen.style.removeProperty("aspect-ratio");
    this.#latency = undefined;
    this.#showRows(Object.fromEntries([...this.#rows.keys()].map((name) => [name, undefined])));
    this.#last = { bytes: this.#feed.bytes, pictures: 0, time: performance.now() };
    this.#show();
  }

  get #live() {
    return this.#begin?.live ?? false;
  }

  /** Seconds up to which one can go; 0 where one cannot. */
  get #length() {
    if (this.#live) return 0;
    const { buffered } = this.#video;
    return this.#begin?.duration ?? (buffered.length === 0 ? 0 : buffered.end(buffered.length - 1));
  }

  /** @param {number} start seconds */
  #open(start) {
    this.#problem.hidden = true;
    this.#spinner.hidden = false;
    const { name, rate } = this.#wish;
    const question = {
      ...(name === "" ? {} : { name }),
      ...(start > 0 ? { start: String(start) } : {}),
      can: playableCodecs(),
      keep: this.#keep ? "1" : "0",
    };
    this.#feed.open(question, { rate });
  }

  /** Plays, without sound where the browser wants it so. */
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
    if (ended) this.#again();
    else if (!paused) this.#video.pause();
    else if (this.#live) this.#toLive();
    else this.#play();
  }

  #again() {
    this.#seek(0);
    this.#play();
  }

  /** Plays the newest of what is live. */
  #toLive() {
    if (this.#feed.isOpen) this.#feed.toNewest();
    else if (!this.#video.paused) this.#open(0);
    this.#play();
  }

  /** @param {number} wanted seconds */
  #seek(wanted) {
    if (this.#live || this.#begin === undefined) return;
    const last = Math.max(0, this.#length - LAST);
    const to = Math.min(Math.max(0, wanted), last);
    this.#video.currentTime = to;
    const ahead = this.#feed.ahead(to);
    const there = ahead > LAST / 2 || (ahead >= 0 && !this.#feed.isOpen && to === last);
    if (!there || this.#feed.isLeaving) this.#open(to);
    this.#show();
  }

  /** @param {import("./play_socket.js").Beginning} begin */
  #onBegin(begin) {
    const known = this.#begin?.notes ?? [];
    this.#begin = begin;
    this.#onTitle(begin.title);
    find("sound-only", HTMLElement).hidden = !begin.type.startsWith("audio/");
    find("live-mark", HTMLElement).hidden = !begin.live;
    begin.notes.filter((note) => !known.includes(note)).forEach((note) => this.#note(note));
    this.#show();
  }

  /** @param {import("./play_socket.js").News} news */
  #onNews(news) {
    if (news.kind === "note") return this.#note(news.message);
    this.#dropped = news.dropped;
    this.#serverLatency = news.latencyMs?.p50;
  }

  /**
   * @param {Error} error
   * @param {boolean} undecodable
   */
  #onFailed(error, undecodable) {
    if (undecodable && this.#keep) {
      this.#keep = false;
      this.#note("This browser cannot play it as it is, so that it is encoded anew");
      const moment = this.#live ? 0 : this.#video.currentTime;
      this.#feed.clear();
      this.#open(moment);
      this.#play();
      return;
    }
    this.#fail(error.message, this.#begin === undefined ? "Retry" : "Go on");
  }

  /**
   * @param {string} message
   * @param {string} way what the button says; none where it is empty
   */
  #fail(message, way) {
    this.#spinner.hidden = true;
    if (this.#begin === undefined) this.#video.pause();
    const button = findButton("problem-button");
    find("problem-text", HTMLElement).textContent = message;
    button.textContent = way;
    button.hidden = way === "";
    this.#problem.hidden = false;
  }

  /** @param {number} moment seconds at which it cannot go on as it is */
  #goOver(moment) {
    this.#video.currentTime = moment;
    this.#open(moment);
  }

  #goOn() {
    const at = this.#begin === undefined ? this.#wish.at : this.#video.currentTime;
    this.#open(this.#live ? 0 : at);
    this.#play();
  }

  /** @param {string} note */
  #note(note) {
    const text = note.charAt(0).toUpperCase() + note.slice(1);
    // What is said again takes the place of what was said.
    [...this.#notes.children].find(({ textContent }) => textContent === text)?.remove();
    this.#notes.append(make("li", {}, text));
    while (this.#notes.childElementCount > MAX_NOTES) this.#notes.firstElementChild?.remove();
    this.#notes.hidden = false;
    say(text);
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
    video.addEventListener("ended", () => this.#wish.loop && this.#again());
    video.addEventListener("pause", () => {
      if (!this.#live) return;
      this.#pauseTimer = setTimeout(() => this.#feed.close(), LIVE_PAUSE);
    });
    video.addEventListener("play", () => {
      clearTimeout(this.#pauseTimer);
      this.#start.hidden = true;
      // Browsers themselves pause what is out of sight, and let it go on.
      if (this.#live && !this.#feed.isOpen && this.#problem.hidden) this.#open(0);
    });
    video.addEventListener("error", () => {
      // While it is fed, the feed fails by this, too, and tells.
      if (video.error !== null && !this.#feed.isOpen && !this.#player.hidden) {
        this.#onFailed(new Error(`This browser cannot decode it: ${video.error.message}`), true);
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
      this.#goOn();
    });
  }

  #show() {
    const { currentTime, readyState, ended, paused } = this.#video;
    const ahead = Math.max(0, this.#feed.ahead());
    const starved = readyState < HTMLMediaElement.HAVE_FUTURE_DATA && !ended && this.#feed.isOpen;
    this.#spinner.hidden = !starved || (paused && this.#begin !== undefined && ahead > 0);
    this.#bar.show({
      position: currentTime,
      length: this.#length,
      whole: typeof this.#begin?.duration === "number",
      buffered: currentTime + ahead,
      live: this.#live,
      latency: this.#latency,
      atNewest: this.#feed.isOpen && !paused && ahead < NEWEST,
    });
  }

  #showStats() {
    if (this.#player.hidden) return;
    const video = this.#video;
    const { totalVideoFrames: pictures, droppedVideoFrames } = video.getVideoPlaybackQuality();
    const [time, bytes] = [performance.now(), this.#feed.bytes];
    const seconds = Math.max(0.001, (time - this.#last.time) / 1000);
    const shown = Math.max(0, pictures - this.#last.pictures) / seconds;
    const rate = (bytes - this.#last.bytes) / seconds;
    this.#last = { bytes, pictures, time };
    const ahead = Math.max(0, this.#feed.ahead());
    const hasPicture = this.#begin?.type.startsWith("video/") ?? false;
    this.#latency = this.#live && this.#serverLatency !== undefined
      ? Math.round(this.#serverLatency + 1000 * ahead)
      : undefined;
    this.#showRows({
      "Latency": this.#latency === undefined ? undefined : `${this.#latency} ms`,
      "Pictures a second": hasPicture ? shown.toFixed(0) : undefined,
      "Left out by the server": String(this.#dropped),
      "Left out by the browser": hasPicture ? String(droppedVideoFrames) : undefined,
      "Arriving": `${formatBytes(rate)}/s`,
      "Ready to play": `${ahead.toFixed(1)} s`,
    });
  }

  /**
   * Shows statistics in the places of those before, where a screen reader may be.
   *
   * @param {Record<string, string | undefined>} rows
   */
  #showRows(rows) {
    for (const [name, value] of Object.entries(rows)) {
      const known = this.#rows.get(name);
      const row = known ?? make("div", {}, make("dt", {}, name), make("dd", {}));
      if (known === undefined) find("stats-list", HTMLElement).append(row);
      this.#rows.set(name, row);
      row.hidden = value === undefined;
      if (row.lastElementChild !== null) row.lastElementChild.textContent = value ?? "";
    }
  }
}
