/** The player of the page: one media at a time. */
import { find, findButton, formatTime } from "../dom.js";
import { canFeed, MediaFeed, playableCodecs } from "./media_feed.js";
import { Messages } from "./messages.js";
import { PlaybackState } from "./playback_state.js";
import { CutError } from "./play_socket.js";
import { PlayerBar } from "./player_bar.js";
import { keptSpeed, SettingsView } from "./settings.js";
import { StatisticsView } from "./statistics.js";
import { Subtitles } from "./subtitles.js";

/**
 * @typedef {object} PlayOptions
 * @property {string} name empty for the server's own choice
 * @property {string} server host and port
 * @property {number} start position, seconds; 0 for where it was left
 * @property {boolean} loop
 * @property {number} rate playback rate; 1 for the one chosen last
 */

/** Seconds before the end that a seek reaches at most, so that a frame is left to show. */
const END_MARGIN = 0.2;

/** Milliseconds of pause after which a live source is no longer received. */
const LIVE_PAUSE = 5000;

/** Seconds behind the live edge that still count as live. */
const LIVE_EDGE = 2;

/** Milliseconds between two updates of the statistics. */
const STATS_INTERVAL = 1000;

/** Milliseconds between two times at which the position is kept. */
const KEEP_INTERVAL = 5000;

/** Shows the player, and connects feed, video element and bar. */
export class PlayerView {
  #player = find("player", HTMLElement);
  #screen = find("screen", HTMLElement);
  #video = find("video", HTMLVideoElement);
  #start = findButton("start");
  #unmute = findButton("unmute");
  #spinner = find("spinner", HTMLElement);
  #messages = new Messages(() => this.#resume());
  #statistics = new StatisticsView(this.#video);
  #subtitles = new Subtitles(this.#video);
  #feed = new MediaFeed(this.#video, {
    info: (info) => this.#onInfo(info),
    event: (event) => this.#onEvent(event),
    data: () => this.#show(),
    end: ({ dropped, warning }) => {
      this.#dropped = dropped;
      if (warning !== null) this.#messages.note(warning);
    },
    changed: () => this.#open(0),
    failed: (error, undecodable) => this.#onFailed(error, undecodable),
    stalled: (time) => {
      this.#video.currentTime = time;
      this.#open(time);
    },
    interrupted: () => this.#play(),
  });
  /** The control bar. */
  bar = new PlayerBar({
    toggle: () => this.#toggle(),
    seek: (seconds) => this.#seek(seconds),
    toLive: () => this.#toLive(),
    length: () => this.#length,
    step: (by) => this.#on.onStep(by),
    changeSpeed: (by) => this.#settings.changeSpeed(by),
    toggleSubtitles: () => this.#settings.toggleSubtitles(),
    isShown: () => !this.#player.hidden,
  });
  #settings = new SettingsView({
    speed: (rate) => this.#setSpeed(rate),
    audio: (track) => this.#choose({ track }),
    subtitles: (track) => this.#choose({ subtitles: track || undefined }),
  });
  #on;
  /** @type {PlayOptions} */
  #options = { name: "", server: "", start: 0, loop: false, rate: 1 };
  #rate = 1;
  #state = new PlaybackState("", "");
  /** @type {import("./play_socket.js").MediaInfo | undefined} */
  #info;
  /** Whether packets are copied if this browser plays their codec, instead of re-encoded. */
  #keep = true;
  #dropped = 0;
  /** @type {number | undefined} */
  #serverLatency;
  /** @type {number | undefined} milliseconds from the capture of a live frame to its display */
  #latency;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #pauseTimer;

  /**
   * @param {{ onTitle: (title: string) => void, onStep: (by: number) => void }} on called with the
   *   title of the media, and for the next entry (1) or the previous one (-1)
   */
  constructor(on) {
    this.#on = on;
    this.#listen();
    setInterval(() => this.#showStatistics(), STATS_INTERVAL);
    setInterval(() => this.#keepState(), KEEP_INTERVAL);
    for (const name of ["pagehide", "visibilitychange"]) {
      addEventListener(name, () => this.#keepState());
    }
  }

  /** @param {PlayOptions} options */
  show(options) {
    this.hide();
    this.#options = options;
    this.#keep = true;
    this.#state = new PlaybackState(options.server, options.name);
    this.#rate = options.rate === 1 ? keptSpeed() : options.rate;
    this.#player.hidden = false;
    this.#statistics.begin({ bytes: this.#feed.bytes, isShown: true });
    this.#showSettings();
    if (!canFeed()) {
      return this.#fail("Cannot play this: the browser has no Media Source Extensions", "");
    }
    const start = this.#state.startFrom(options.start);
    this.#open(start);
    if (start > options.start) this.#messages.note(`Resumed at ${formatTime(start)}`);
    this.#play();
  }

  /** @param {readonly import("../api.js").Track[]} tracks of the media */
  showTracks(tracks) {
    if (!this.#player.hidden) this.#settings.showTracks(tracks);
  }

  /** Stops playback, and hides the player. */
  hide() {
    this.#keepState();
    clearTimeout(this.#pauseTimer);
    this.#feed.clear();
    this.#info = undefined;
    this.#dropped = 0;
    this.#serverLatency = undefined;
    this.#player.hidden = true;
    this.#settings.reset();
    this.#subtitles.begin(false);
    this.#messages.clear();
    this.#start.hidden = this.#unmute.hidden = true;
    find("audio-only", HTMLElement).hidden = true;
    find("live-badge", HTMLElement).hidden = true;
    this.#screen.style.removeProperty("aspect-ratio");
    this.#latency = undefined;
    this.#statistics.begin({ bytes: this.#feed.bytes, isShown: false });
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

  /** Keeps the position and the choice of tracks in the browser. */
  #keepState() {
    if (this.#player.hidden || this.#info === undefined || this.#live) return;
    this.#state.keep(this.#video.currentTime, this.#length);
  }

  /** @param {number} rate */
  #setSpeed(rate) {
    this.#rate = rate;
    this.#feed.setRate(rate);
    this.#showSettings();
  }

  /** @param {{ track?: number, subtitles?: number | undefined }} tracks to play from now on */
  #choose(tracks) {
    Object.assign(this.#state, tracks);
    this.#keepState();
    this.#showSettings();
    // The notes are about the tracks that were sent.
    this.#messages.clear();
    this.#open(this.#live ? 0 : this.#video.currentTime);
  }

  #showSettings() {
    const { track, subtitles } = this.#state;
    this.#settings.show({ live: this.#live, rate: this.#rate, track, subtitles });
  }

  /** @param {number} start seconds */
  #open(start) {
    this.#messages.solve();
    this.#spinner.hidden = false;
    const { track, subtitles } = this.#state;
    const { name } = this.#options;
    const query = {
      ...(name === "" ? {} : { name }),
      ...(start > 0 ? { start: String(start) } : {}),
      ...(track === undefined ? {} : { track: String(track) }),
      ...(subtitles === undefined ? {} : { subtitles: String(subtitles) }),
      can: playableCodecs(),
      keep: this.#keep ? "1" : "0",
    };
    this.#subtitles.begin(subtitles !== undefined);
    this.#feed.open(query, { rate: this.#rate });
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
    this.#info = info;
    this.#showSettings();
    this.#on.onTitle(info.title);
    find("audio-only", HTMLElement).hidden = !info.type.startsWith("audio/");
    find("live-badge", HTMLElement).hidden = !info.live;
    this.#screen.classList.toggle("transparent", info.type.startsWith("video/webm"));
    this.#messages.describe(info.notes);
    this.#show();
  }

  /** @param {import("./play_socket.js").PlayEvent} event */
  #onEvent(event) {
    if (event.kind === "note") return this.#messages.note(event.message);
    if (event.kind === "subtitle") return this.#subtitles.add(event);
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
      this.#messages.note(
        "This browser cannot play the original encoding: the media is re-encoded",
      );
      const start = this.#live ? 0 : this.#video.currentTime;
      this.#feed.clear();
      this.#open(start);
      this.#play();
      return;
    }
    const isRefused = error instanceof CutError && error.isRefused;
    if (isRefused && this.#info === undefined && this.#state.isKnown) {
      // The file may be another one than the one that was left.
      this.#state.forget();
      this.#messages.clear();
      this.#showSettings();
      return this.#open(this.#options.start);
    }
    this.#fail(error.message, this.#info === undefined ? "Retry" : "Resume");
  }

  /**
   * @param {string} message
   * @param {string} action label of the button; empty for none
   */
  #fail(message, action) {
    this.#spinner.hidden = true;
    this.#unmute.hidden ||= this.#info === undefined;
    if (this.#info === undefined) this.#video.pause();
    this.#messages.fail(message, action);
  }

  #resume() {
    findButton("play").focus();
    const { currentTime } = this.#video;
    const first = this.#state.startFrom(this.#options.start);
    this.#open(this.#live ? 0 : this.#info === undefined ? first : currentTime);
    this.#play();
  }

  #listen() {
    const video = this.#video;
    for (const name of ["play", "pause", "ended", "playing", "emptied"]) {
      video.addEventListener(name, () => this.bar.showPlaying());
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
      if (this.#live && !this.#feed.isOpen && !this.#messages.hasProblem) this.#open(0);
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
  }

  #show() {
    const { currentTime, readyState, ended, paused } = this.#video;
    const ahead = Math.max(0, this.#feed.ahead());
    const starved = readyState < HTMLMediaElement.HAVE_FUTURE_DATA && !ended && this.#feed.isOpen;
    this.#spinner.hidden = !starved || (paused && this.#info !== undefined && ahead > 0);
    this.bar.show({
      position: currentTime,
      length: this.#length,
      isDuration: typeof this.#info?.duration === "number",
      bufferedEnd: currentTime + ahead,
      live: this.#live,
      latency: this.#latency,
      atLiveEdge: this.#feed.isOpen && !paused && ahead < LIVE_EDGE,
    });
  }

  #showStatistics() {
    if (this.#player.hidden) return;
    const ahead = Math.max(0, this.#feed.ahead());
    this.#latency = this.#live && this.#serverLatency !== undefined
      ? Math.round(this.#serverLatency + 1000 * ahead)
      : undefined;
    this.#statistics.show({
      hasVideo: this.#info?.type.startsWith("video/") ?? false,
      latency: this.#latency,
      dropped: this.#dropped,
      bytes: this.#feed.bytes,
      ahead,
    });
  }
}
