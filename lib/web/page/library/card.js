/** One entry of the library as a card, which is kept while the entry changes. */
import { addressOf } from "../route.js";
import { thumbnailAddress } from "../api.js";
import { capitalize, formatDetails, formatTime, make, makeIcon } from "../dom.js";
import { nameIn } from "./contents.js";

/** Milliseconds between two requests for the thumbnail of a file that changes. */
const THUMBNAIL_INTERVAL = 5000;

/** A card: a link with thumbnail, name and details, or the reason why there is nothing to open. */
export class Card {
  /** The item of the list. */
  element = make("li", {});
  #link = make("a", {});
  #thumbnail = make("span", { class: "thumbnail" });
  #badge = make("span", { class: "badge" });
  #name = make("span", { class: "name" });
  #details = make("span", { class: "details" });
  /** The entry and the folder that are shown, as JSON. */
  #shown = "";
  /** Version of the last thumbnail that was requested, and when, milliseconds. */
  #requested = { version: "", at: -Infinity };
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  constructor() {
    const text = make("span", { class: "text" }, this.#name, this.#details);
    this.#link.append(this.#thumbnail, text);
    this.element.append(this.#link);
  }

  /**
   * @param {import("../api.js").Entry} entry
   * @param {{ folder: string, hasThumbnails: boolean }} place the folder that the library is at
   */
  show(entry, { folder, hasThumbnails }) {
    const shown = JSON.stringify([entry, folder]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    const { name, kind, live, duration, problem, pending } = entry;
    const isBroken = problem !== undefined;
    // A link without an address can be neither opened nor focused.
    if (isBroken) this.#link.removeAttribute("href");
    else this.#link.setAttribute("href", addressOf(entry, folder));
    this.element.classList.toggle("broken", isBroken);
    this.#name.textContent = nameIn(name, folder);
    this.#details.textContent = capitalize(problem ?? formatDetails(entry));
    this.#badge.classList.toggle("live", live);
    this.#badge.textContent = live
      ? "LIVE"
      : duration === undefined || kind === "image" || isBroken
      ? ""
      : formatTime(duration);
    this.#badge.hidden = this.#badge.textContent === "";
    const image = this.#thumbnail.querySelector("img");
    const icon = makeIcon(isBroken ? "broken" : kind);
    this.#thumbnail.replaceChildren(icon, ...(image === null ? [] : [image]), this.#badge);
    if (isBroken || kind === "audio" || !hasThumbnails) this.#removeThumbnail();
    else if (!pending) this.#requestThumbnail(entry);
  }

  /** @param {boolean} isCurrent whether its entry is the one beside the library */
  mark(isCurrent) {
    if (isCurrent) this.#link.ariaCurrent = "page";
    else this.#link.removeAttribute("aria-current");
  }

  /** Focuses its link. */
  focus() {
    this.#link.focus({ preventScroll: true });
  }

  /** Requests nothing more: its entry is gone. */
  forget() {
    clearTimeout(this.#timer);
  }

  #removeThumbnail() {
    clearTimeout(this.#timer);
    this.#requested = { version: "", at: -Infinity };
    this.#thumbnail.querySelector("img")?.remove();
    this.#thumbnail.classList.remove("loaded");
  }

  /** @param {import("../api.js").Entry} entry */
  #requestThumbnail({ name, size, modified = 0 }) {
    clearTimeout(this.#timer);
    const version = `${size}-${modified}`;
    if (version === this.#requested.version) return;
    const wait = this.#requested.at + THUMBNAIL_INTERVAL - performance.now();
    if (wait > 0) {
      this.#timer = setTimeout(() => this.#loadThumbnail(name, version), wait);
    } else {
      this.#loadThumbnail(name, version);
    }
  }

  /**
   * @param {string} name
   * @param {string} version
   */
  #loadThumbnail(name, version) {
    this.#requested = { version, at: performance.now() };
    const image = make("img", { alt: "", loading: "lazy", decoding: "async" });
    const previous = this.#thumbnail.querySelector("img");
    image.addEventListener("load", () => {
      previous?.remove();
      this.#thumbnail.classList.add("loaded");
    });
    image.addEventListener("error", () => image.remove());
    image.src = thumbnailAddress(name, version);
    this.#badge.before(image);
  }
}
