/** The list of the library. */
import { pageAddress, thumbnailAddress } from "./api.js";
import { announce, find, findButton, formatDetails, formatTime, make, makeIcon } from "./dom.js";

/** Number of entries from which the filter is shown. */
const MIN_FILTERED = 7;

/** Milliseconds from the last key in the filter to the announcement of the number of matches. */
const ANNOUNCE_DELAY = 600;

/** Shows the entries of the library, and filters them. */
export class ListView {
  #cards = find("cards", HTMLElement);
  #state = find("library-state", HTMLElement);
  #retry = findButton("library-retry");
  #filter = find("filter", HTMLInputElement);
  #filterLabel = find("filter-label", HTMLElement);
  /** The entries that are shown, as JSON: equal ones are not built again. */
  #shown = "";
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #announceTimer;

  /** @param {() => void} onRetry called when the user asks for the library again */
  constructor(onRetry) {
    this.#retry.addEventListener("click", onRetry);
    this.#filter.addEventListener("input", () => this.#applyFilter());
  }

  /** @param {import("./api.js").Library} library */
  show({ entries, classic }) {
    this.#retry.hidden = true;
    this.#filterLabel.hidden = entries.length < MIN_FILTERED;
    this.#showState(entries.length === 0 ? "The server has no media." : "");
    const text = JSON.stringify(entries);
    if (text === this.#shown) return;
    this.#shown = text;
    const cards = entries.map((entry) => makeCard(entry, !classic));
    this.#cards.replaceChildren(...cards);
    this.#applyFilter();
  }

  /** @param {string} message why the library cannot be loaded */
  fail(message) {
    this.#showState(message);
    this.#retry.hidden = false;
  }

  /** @param {string} address of the entry that is shown, as `pageAddress()` makes it */
  mark(address) {
    for (const link of this.#cards.querySelectorAll("a")) {
      link.ariaCurrent = link.getAttribute("href") === address ? "page" : null;
    }
  }

  /** @param {string} text */
  #showState(text) {
    this.#state.textContent = text;
    this.#state.hidden = text === "";
  }

  #applyFilter() {
    const words = this.#filter.value.toLowerCase().split(/\s+/);
    let matches = 0;
    for (const card of this.#cards.children) {
      const text = card.textContent?.toLowerCase() ?? "";
      const isMatch = words.every((word) => text.includes(word));
      card.toggleAttribute("hidden", !isMatch);
      if (isMatch) matches++;
    }
    if (this.#cards.childElementCount === 0) return;
    this.#showState(matches === 0 ? "No matches." : "");
    clearTimeout(this.#announceTimer);
    if (this.#filter.value === "") return;
    const text = `${matches} ${matches === 1 ? "match" : "matches"}`;
    this.#announceTimer = setTimeout(() => announce(text), ANNOUNCE_DELAY);
  }
}

/**
 * @param {import("./api.js").Entry} entry
 * @param {boolean} hasThumbnail
 */
function makeCard(entry, hasThumbnail) {
  const { name, kind, live, duration } = entry;
  const thumbnail = make("span", { class: "thumbnail" }, makeIcon(kind));
  if (hasThumbnail && kind !== "audio") {
    const image = make("img", { alt: "", loading: "lazy", decoding: "async" });
    image.addEventListener("load", () => thumbnail.classList.add("loaded"));
    image.addEventListener("error", () => image.remove());
    image.src = thumbnailAddress(name);
    thumbnail.append(image);
  }
  if (live) thumbnail.append(make("span", { class: "badge live", "aria-hidden": "true" }, "LIVE"));
  else if (duration !== undefined && kind !== "image") {
    const length = { class: "badge", "aria-hidden": "true" };
    thumbnail.append(make("span", length, formatTime(duration)));
  }
  return make(
    "li",
    {},
    make(
      "a",
      { href: pageAddress(entry) },
      thumbnail,
      make(
        "span",
        { class: "text" },
        make("span", { class: "name" }, name),
        make("span", { class: "details" }, formatDetails(entry)),
      ),
    ),
  );
}
