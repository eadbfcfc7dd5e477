/** The settings of the player: speed, audio track, subtitles. */
import { announce, find, make } from "../dom.js";
import { keep, readKept } from "../storage.js";

/** @typedef {import("../api.js").Track} Track */

/**
 * Called with what the user chooses. Tracks have numbers from 1 on.
 *
 * @typedef {object} Choices
 * @property {(rate: number) => void} speed 1 is real time
 * @property {(track: number) => void} audio
 * @property {(track: number) => void} subtitles 0 for none
 */

/**
 * @typedef {object} Settings
 * @property {boolean} live it has no other speed
 * @property {number} rate
 * @property {number | undefined} track of the audio; the server's choice if undefined
 * @property {number | undefined} subtitles none if undefined
 */

const SPEEDS = [0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2];

/** Codecs of subtitles that are images, which the server does not send. */
const BITMAPS = ["dvb_subtitle", "dvd_subtitle", "hdmv_pgs_subtitle", "xsub"];

/** Names of the usual numbers of channels. */
const CHANNELS = new Map([[1, "mono"], [2, "stereo"], [6, "5.1"], [8, "7.1"]]);

const LANGUAGES = new Intl.DisplayNames("en", { type: "language", fallback: "none" });

/** The panel of settings, which a button opens. */
export class SettingsView {
  #element = find("settings", HTMLDetailsElement);
  #speed = find("speed", HTMLSelectElement);
  #audio = find("audio", HTMLSelectElement);
  #subtitles = find("subtitles", HTMLSelectElement);
  #choices;
  /** @type {readonly Track[]} */
  #tracks = [];
  /** @type {Settings} */
  #settings = { live: false, rate: 1, track: undefined, subtitles: undefined };
  /** Subtitles that the key switches on. */
  #lastSubtitles = 0;

  /** @param {Choices} choices */
  constructor(choices) {
    this.#choices = choices;
    this.#speed.addEventListener("change", () => this.#chooseSpeed(Number(this.#speed.value)));
    this.#audio.addEventListener("change", () => choices.audio(Number(this.#audio.value)));
    this.#subtitles.addEventListener("change", () => this.#chooseSubtitles());
    this.#element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !this.#element.open) return;
      event.preventDefault();
      this.#element.open = false;
      this.#element.querySelector("summary")?.focus();
    });
    for (const name of ["pointerdown", "focusin"]) {
      document.addEventListener(name, ({ target }) => {
        if (target instanceof Node && !this.#element.contains(target)) this.#element.open = false;
      });
    }
  }

  /** @param {readonly Track[]} tracks in the order of their numbers */
  showTracks(tracks) {
    if (JSON.stringify(tracks) === JSON.stringify(this.#tracks)) return;
    this.#tracks = tracks;
    this.#showOptions();
  }

  /** @param {Settings} settings */
  show(settings) {
    this.#settings = settings;
    if (settings.subtitles !== undefined) this.#lastSubtitles = settings.subtitles;
    this.#showOptions();
  }

  /** Closes the panel, and forgets what was chosen for the last media. */
  reset() {
    this.#element.open = false;
    this.#lastSubtitles = 0;
    this.showTracks([]);
  }

  /** @param {number} by 1 for the next higher speed, -1 for the next lower one */
  changeSpeed(by) {
    const { live, rate } = this.#settings;
    const speeds = by > 0 ? SPEEDS : SPEEDS.toReversed();
    const next = speeds.find((speed) => (speed - rate) * by > 0);
    if (live || next === undefined) return;
    this.#chooseSpeed(next);
    announce(`Speed ${formatSpeed(next)}`);
  }

  /** Switches the subtitles on or off. */
  toggleSubtitles() {
    const texts = [...this.#subtitles.options].filter(({ disabled, value }) =>
      !disabled && value !== "0"
    );
    if (texts.length === 0) return;
    const isOn = this.#settings.subtitles !== undefined;
    const last = texts.find(({ value }) => value === String(this.#lastSubtitles)) ?? texts[0];
    this.#subtitles.value = isOn ? "0" : last.value;
    this.#chooseSubtitles();
    announce(isOn ? "Subtitles off" : `Subtitles: ${last.text}`);
  }

  /** @param {number} rate */
  #chooseSpeed(rate) {
    keep("speed", rate);
    this.#choices.speed(rate);
  }

  #chooseSubtitles() {
    this.#choices.subtitles(Number(this.#subtitles.value));
  }

  #showOptions() {
    const { live, rate, track, subtitles } = this.#settings;
    const audio = this.#tracks.filter(({ type }) => type === "audio");
    const texts = this.#tracks.filter(({ type }) => type === "subtitles");
    find("speed-label", HTMLElement).hidden = live;
    find("audio-label", HTMLElement).hidden = audio.length < 2;
    find("subtitles-label", HTMLElement).hidden = texts.length === 0;
    this.#element.hidden = live && audio.length < 2 && texts.length === 0;
    find("speed-shown", HTMLElement).textContent = live || rate === 1 ? "" : formatSpeed(rate);
    const speeds = [...new Set([...SPEEDS, rate])].sort((one, other) => one - other);
    setOptions(this.#speed, speeds.map((speed) => [String(speed), formatSpeed(speed)]), rate);
    setOptions(this.#audio, optionsOf(audio), track ?? usualOf(audio));
    setOptions(this.#subtitles, [["0", "Off"], ...optionsOf(texts)], subtitles ?? 0);
    texts.forEach(({ codec }, at) => {
      this.#subtitles.options[at + 1].disabled = BITMAPS.includes(codec);
    });
  }
}

/** The speed that the user chose last. */
export function keptSpeed() {
  const kept = readKept("speed");
  return typeof kept === "number" && kept > 0 && kept <= Math.max(...SPEEDS) ? kept : 1;
}

/** @param {number} rate */
function formatSpeed(rate) {
  return `${rate}×`;
}

/**
 * The number of the audio track that FFmpeg chooses: a default one, else one with most channels.
 *
 * @param {readonly Track[]} tracks
 */
export function usualOf(tracks) {
  const ranks = tracks.map((track) => (track.default ? 1000 : 0) + (track.channels ?? 0));
  return ranks.indexOf(Math.max(...ranks)) + 1;
}

/**
 * Values and texts of the options of tracks.
 *
 * @param {readonly Track[]} tracks
 * @returns {[value: string, text: string][]}
 */
export function optionsOf(tracks) {
  const texts = tracks.map(describe);
  return texts.map((text, at) => {
    const isOnly = text !== "" && texts.indexOf(text) === texts.lastIndexOf(text);
    return [String(at + 1), isOnly ? text : [`Track ${at + 1}`, text].filter(Boolean).join(" · ")];
  });
}

/** @param {Track} track */
function describe({ language, title, channels }) {
  const name = language === undefined || language === "und" ? "" : nameOf(language);
  const others = [title === name ? "" : title, CHANNELS.get(channels ?? 0)];
  return [name, ...others].filter(Boolean).join(" · ");
}

/** @param {string} language */
function nameOf(language) {
  try {
    return LANGUAGES.of(language) ?? language;
  } catch (error) {
    // The language of a file may be any text.
    if (error instanceof RangeError) return language;
    throw error;
  }
}

/**
 * Sets the options of a select element, unless they are the same already.
 *
 * @param {HTMLSelectElement} select
 * @param {[value: string, text: string][]} options
 * @param {number} value
 */
function setOptions(select, options, value) {
  const isSame = options.length === select.options.length &&
    options.every(([value, text], at) => {
      const option = select.options[at];
      return option.value === value && option.text === text;
    });
  if (!isSame) {
    select.replaceChildren(...options.map(([value, text]) => make("option", { value }, text)));
  }
  select.value = String(value);
}
