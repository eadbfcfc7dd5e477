/** The control bar below the video, and the keyboard shortcuts. */
import { find, findButton, formatTime, setFace } from "../dom.js";
import { keep, readKept } from "../storage.js";

/**
 * The player, as the bar controls it.
 *
 * @typedef {object} Controls
 * @property {() => void} toggle plays or pauses
 * @property {(seconds: number) => void} seek
 * @property {() => void} toLive seeks to the live edge
 * @property {(by: number) => void} step shows the next entry (1) or the previous one (-1)
 * @property {(by: number) => void} changeSpeed to the next higher one (1) or lower one (-1)
 * @property {() => void} toggleSubtitles
 * @property {() => number} length seekable length, seconds; 0 if not seekable
 * @property {() => boolean} isShown whether the player is shown
 */

/**
 * The values that the bar shows.
 *
 * @typedef {object} BarState
 * @property {number} position seconds
 * @property {number} length seekable length, seconds; 0 if not seekable
 * @property {boolean} isDuration whether `length` is the duration of the media
 * @property {number} bufferedEnd end of the buffered range at the position, seconds
 * @property {boolean} live
 * @property {number | undefined} latency from capture to display, milliseconds
 * @property {boolean} atLiveEdge
 */

/** Seconds by which the arrow keys seek, and J and L. */
const STEP = 5;
const LONG_STEP = 10;

/** Part of the full volume by which the arrow keys change it. */
const VOLUME_STEP = 0.05;

/** Milliseconds between two seeks while the slider is dragged. */
const DRAG_INTERVAL = 150;

/** Milliseconds without input after which the bar hides in full screen. */
const IDLE_AFTER = 3000;

/** Resolution of the position that screen readers get, seconds. */
const ARIA_STEP = 1;

/** The control bar. */
export class PlayerBar {
  #player = find("player", HTMLElement);
  #video = find("video", HTMLVideoElement);
  #seek = find("seek", HTMLInputElement);
  #volume = find("volume", HTMLInputElement);
  #play = findButton("play");
  #mute = findButton("mute");
  #full = findButton("full");
  #live = findButton("to-live");
  #time = find("time", HTMLElement);
  #controls;
  #dragging = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #dragTimer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #idleTimer;

  /** @param {Controls} controls */
  constructor(controls) {
    this.#controls = controls;
    this.#restoreVolume();
    this.#listen();
    this.showVolume();
  }

  /** @param {BarState} state */
  show({ position, length, isDuration, bufferedEnd, live, latency, atLiveEdge }) {
    const seekable = length > 0 && !live;
    this.#seek.hidden = live;
    this.#seek.disabled = !seekable;
    this.#live.hidden = !live;
    this.#live.ariaPressed = String(atLiveEdge);
    this.#live.ariaLabel = atLiveEdge ? "Live" : "Go to live";
    const of = isDuration && length > 0 ? ` / ${formatTime(length)}` : "";
    const behind = latency === undefined ? "" : `${latency} ms behind`;
    const text = live
      ? behind
      : `${formatTime(this.#dragging ? this.#sliderPosition : position)}${of}`;
    if (this.#time.textContent !== text) this.#time.textContent = text;
    this.#seek.max = String(length);
    if (!this.#dragging) this.#seek.value = String(seekable ? position : 0);
    this.#showPosition(seekable ? bufferedEnd / length : 0);
  }

  /** @param {{ previous: boolean, next: boolean }} steps whether there are such entries */
  showSteps({ previous, next }) {
    findButton("previous").disabled = !previous;
    findButton("next").disabled = !next;
  }

  /** Shows whether the video plays. */
  showPlaying() {
    const { paused, ended } = this.#video;
    if (ended) setFace(this.#play, { icon: "replay", label: "Play again" });
    else if (paused) setFace(this.#play, { icon: "play", label: "Play" });
    else setFace(this.#play, { icon: "pause", label: "Pause" });
    this.#wake();
  }

  showVolume() {
    const { muted, volume } = this.#video;
    const silent = muted || volume === 0;
    setFace(
      this.#mute,
      silent ? { icon: "muted", label: "Unmute" } : { icon: "loud", label: "Mute" },
    );
    const level = muted ? 0 : volume;
    this.#volume.value = String(level);
    this.#volume.ariaValueText = `${Math.round(level * 100)} %`;
    this.#volume.style.setProperty("--played", `${level * 100}%`);
  }

  get #sliderPosition() {
    return this.#seek.valueAsNumber;
  }

  /** @param {number} [buffered] buffered part of the length, 0 … 1 */
  #showPosition(buffered) {
    const max = Number(this.#seek.max);
    const share = max > 0 ? this.#sliderPosition / max : 0;
    this.#seek.style.setProperty("--played", `${share * 100}%`);
    if (buffered !== undefined) {
      this.#seek.style.setProperty("--buffered", `${Math.min(1, buffered) * 100}%`);
    }
    const step = Math.floor(this.#sliderPosition / ARIA_STEP) * ARIA_STEP;
    const text = `${formatTime(step)} of ${formatTime(max)}`;
    if (this.#seek.ariaValueText !== text) this.#seek.ariaValueText = text;
  }

  #listen() {
    const { toggle, seek, toLive, step } = this.#controls;
    findButton("previous").addEventListener("click", () => step(-1));
    findButton("next").addEventListener("click", () => step(1));
    this.#play.addEventListener("click", toggle);
    this.#live.addEventListener("click", toLive);
    this.#mute.addEventListener("click", () => this.#toggleMute());
    this.#full.addEventListener("click", () => this.#toggleFull());
    this.#volume.addEventListener("input", () => this.#setVolume(this.#volume.valueAsNumber));
    this.#video.addEventListener("volumechange", () => {
      this.showVolume();
      keep("volume", this.#video.volume);
    });
    this.#seek.addEventListener("input", () => {
      this.#dragging = true;
      this.#showPosition();
      this.#dragTimer ??= setTimeout(() => {
        this.#dragTimer = undefined;
        seek(this.#sliderPosition);
      }, DRAG_INTERVAL);
    });
    this.#seek.addEventListener("change", () => {
      clearTimeout(this.#dragTimer);
      this.#dragTimer = undefined;
      this.#dragging = false;
      seek(this.#sliderPosition);
    });
    document.addEventListener("fullscreenchange", () => this.#showFull());
    document.addEventListener("keydown", (event) => this.#onKey(event));
    for (const name of ["pointermove", "pointerdown", "focusin"]) {
      this.#player.addEventListener(name, () => this.#wake());
    }
    this.#video.addEventListener("dblclick", () => this.#toggleFull());
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const { ctrlKey, altKey, metaKey, defaultPrevented, target } = event;
    if (ctrlKey || altKey || metaKey || defaultPrevented || !this.#controls.isShown()) return;
    if (!(target instanceof Element) || !this.#isShortcut(event.key, target)) return;
    const action = this.#actionOf(event.key);
    if (action === undefined) return;
    event.preventDefault();
    this.#wake();
    action();
  }

  /**
   * Whether a key is a shortcut of the player, not input for the focused element.
   *
   * @param {string} key
   * @param {Element} target
   */
  #isShortcut(key, target) {
    if (target === this.#seek) return true;
    if (target === this.#volume) return !/^(Arrow|Home|End|Page)/.test(key);
    if (target.matches("input, textarea, select")) return false;
    return key !== " " || !target.matches("button, summary");
  }

  /** @param {string} key */
  #actionOf(key) {
    const { toggle, seek, length, step, changeSpeed, toggleSubtitles } = this.#controls;
    const by = (/** @type {number} */ seconds) => () => seek(this.#video.currentTime + seconds);
    const louder = (/** @type {number} */ step) => () => this.#setVolume(this.#level + step);
    if (/^\d$/.test(key)) return () => seek(length() * Number(key) / 10);
    return {
      " ": toggle,
      k: toggle,
      ArrowLeft: by(-STEP),
      ArrowRight: by(STEP),
      j: by(-LONG_STEP),
      l: by(LONG_STEP),
      PageUp: by(-6 * LONG_STEP),
      PageDown: by(6 * LONG_STEP),
      Home: () => seek(0),
      End: () => seek(length()),
      ArrowUp: louder(VOLUME_STEP),
      ArrowDown: louder(-VOLUME_STEP),
      p: () => step(-1),
      n: () => step(1),
      "<": () => changeSpeed(-1),
      ">": () => changeSpeed(1),
      c: toggleSubtitles,
      m: () => this.#toggleMute(),
      f: () => this.#toggleFull(),
    }[key.length === 1 ? key.toLowerCase() : key];
  }

  get #level() {
    return this.#video.muted ? 0 : this.#video.volume;
  }

  /** @param {number} level 0 … 1 */
  #setVolume(level) {
    this.#video.volume = Math.min(1, Math.max(0, Math.round(level * 100) / 100));
    this.#video.muted = this.#video.volume === 0;
  }

  #toggleMute() {
    const silent = this.#video.muted || this.#video.volume === 0;
    if (silent && this.#video.volume === 0) this.#video.volume = 0.5;
    this.#video.muted = !silent;
  }

  #toggleFull() {
    if (document.fullscreenElement !== null) return void document.exitFullscreen();
    if (this.#player.requestFullscreen !== undefined) return void this.#player.requestFullscreen();
    // iPhones allow full screen for video elements only.
    Reflect.get(this.#video, "webkitEnterFullscreen")?.call(this.#video);
  }

  #showFull() {
    const full = document.fullscreenElement !== null;
    setFace(
      this.#full,
      full ? { icon: "small", label: "Leave full screen" } : { icon: "full", label: "Full screen" },
    );
    this.#wake();
  }

  /** Shows the bar, and hides it again after some idle time. */
  #wake() {
    this.#player.classList.remove("idle");
    clearTimeout(this.#idleTimer);
    this.#idleTimer = setTimeout(() => {
      if (!this.#video.paused) this.#player.classList.add("idle");
    }, IDLE_AFTER);
  }

  #restoreVolume() {
    const kept = readKept("volume");
    if (typeof kept === "number" && kept > 0 && kept <= 1) this.#video.volume = kept;
  }
}
