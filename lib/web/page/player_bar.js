/** The bar below the picture, and the keys that do the same. */
import { find, findButton, formatTime, setFace } from "./dom.js";

/**
 * What the bar steers.
 *
 * @typedef {object} Steered
 * @property {() => void} toggle plays or pauses
 * @property {(seconds: number) => void} seek goes to a moment
 * @property {() => void} toLive goes to the newest
 * @property {() => number} length seconds up to which one can go; 0 where one cannot
 * @property {() => boolean} shown whether there is anything to steer
 */

/**
 * What the bar shows.
 *
 * @typedef {object} BarState
 * @property {number} position seconds
 * @property {number} length seconds up to which one can go; 0 where one cannot
 * @property {boolean} whole the length is that of the whole media
 * @property {number} buffered seconds up to which it is there
 * @property {boolean} live
 * @property {number | undefined} latency milliseconds that what is live needs to be shown
 * @property {boolean} atNewest what is live is shown as it comes
 */

/** Seconds that the arrow keys go, and the keys beside K. */
const STEP = 5;
const LONG_STEP = 10;

/** By how much the arrow keys change the volume. */
const VOLUME_STEP = 0.05;

/** Milliseconds between two seeks while the bar is dragged. */
const DRAG_INTERVAL = 150;

/** Milliseconds after which the bar leaves a full screen on which nothing moves. */
const IDLE = 3000;

/** Seconds between two readings of the position that a screen reader gets. */
const TOLD_EACH = 1;

/** The bar of the one player of the page. */
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
  #steered;
  #dragging = false;
  /** @type {number | undefined} */
  #drag;
  /** @type {number | undefined} */
  #idle;

  /** @param {Steered} steered */
  constructor(steered) {
    this.#steered = steered;
    this.#restoreVolume();
    this.#listen();
    this.showVolume();
  }

  /** @param {BarState} state */
  show({ position, length, whole, buffered, live, latency, atNewest }) {
    const seekable = length > 0 && !live;
    this.#seek.hidden = live;
    this.#seek.disabled = !seekable;
    this.#live.hidden = !live;
    this.#live.ariaPressed = String(atNewest);
    this.#live.ariaLabel = atNewest ? "Live" : "Go to live";
    const of = whole && length > 0 ? ` / ${formatTime(length)}` : "";
    const behind = latency === undefined ? "" : `${latency} ms behind`;
    const text = live ? behind : `${formatTime(this.#dragging ? this.#target : position)}${of}`;
    if (this.#time.textContent !== text) this.#time.textContent = text;
    this.#seek.max = String(length);
    if (!this.#dragging) this.#seek.value = String(seekable ? position : 0);
    this.#showPosition(seekable ? buffered / length : 0);
  }

  /** Shows whether it plays. */
  showPlaying() {
    const { paused, ended } = this.#video;
    if (ended) setFace(this.#play, { icon: "replay", label: "Play again" });
    else if (paused) setFace(this.#play, { icon: "play", label: "Play" });
    else setFace(this.#play, { icon: "pause", label: "Pause" });
    this.#wake();
  }

  /** Shows how loud it is. */
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

  get #target() {
    return this.#seek.valueAsNumber;
  }

  /** @param {number} [buffered] part of the whole that is there */
  #showPosition(buffered) {
    const max = Number(this.#seek.max);
    const share = max > 0 ? this.#target / max : 0;
    this.#seek.style.setProperty("--played", `${share * 100}%`);
    if (buffered !== undefined) {
      this.#seek.style.setProperty("--buffered", `${Math.min(1, buffered) * 100}%`);
    }
    const step = Math.floor(this.#target / TOLD_EACH) * TOLD_EACH;
    const told = `${formatTime(step)} of ${formatTime(max)}`;
    if (this.#seek.ariaValueText !== told) this.#seek.ariaValueText = told;
  }

  #listen() {
    const { toggle, seek, toLive } = this.#steered;
    this.#play.addEventListener("click", toggle);
    this.#live.addEventListener("click", toLive);
    this.#mute.addEventListener("click", () => this.#toggleMute());
    this.#full.addEventListener("click", () => this.#toggleFull());
    this.#volume.addEventListener("input", () => this.#setVolume(this.#volume.valueAsNumber));
    this.#video.addEventListener("volumechange", () => {
      this.showVolume();
      this.#storeVolume();
    });
    this.#seek.addEventListener("input", () => {
      this.#dragging = true;
      this.#showPosition();
      this.#drag ??= setTimeout(() => {
        this.#drag = undefined;
        seek(this.#target);
      }, DRAG_INTERVAL);
    });
    this.#seek.addEventListener("change", () => {
      clearTimeout(this.#drag);
      this.#drag = undefined;
      this.#dragging = false;
      seek(this.#target);
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
    if (ctrlKey || altKey || metaKey || defaultPrevented || !this.#steered.shown()) return;
    if (!(target instanceof Element) || !this.#isOurs(event.key, target)) return;
    const action = this.#actionOf(event.key);
    if (action === undefined) return;
    event.preventDefault();
    this.#wake();
    action();
  }

  /**
   * Whether a key is meant for the player, not for what has the focus.
   *
   * @param {string} key
   * @param {Element} target
   */
  #isOurs(key, target) {
    if (target === this.#seek) return true;
    if (target === this.#volume) return !/^(Arrow|Home|End|Page)/.test(key);
    if (target.matches("input, textarea, select")) return false;
    return key !== " " || !target.matches("button, summary");
  }

  /** @param {string} key */
  #actionOf(key) {
    const { toggle, seek, length } = this.#steered;
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
    // On iPhones pictures alone can have the full screen.
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

  /** Brings the bar back, for a while. */
  #wake() {
    this.#player.classList.remove("idle");
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => {
      if (!this.#video.paused) this.#player.classList.add("idle");
    }, IDLE);
  }

  #storeVolume() {
    try {
      localStorage.setItem("volume", String(this.#video.volume));
    } catch (error) {
      // A browser may forbid it: then it is not kept.
      if (!(error instanceof DOMException)) throw error;
    }
  }

  #restoreVolume() {
    try {
      const kept = Number(localStorage.getItem("volume") ?? 1);
      if (kept > 0 && kept <= 1) this.#video.volume = kept;
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
    }
  }
}
