/** The list of what the server has. */
import { pageAddress, thumbnailAddress } from "./api.js";
import { find, findButton, formatDetails, formatTime, make, makeIcon, say } from "./dom.js";

/** Entries from which on a filter helps. */
const MANY = 7;

/** Milliseconds after the last letter at which it is told how many are left. */
const TELL_AFTER = 600;

/** Shows the list. */
export class ListView {
  #cards = find("cards", HTMLElement);
  #state = find("library-state", HTMLElement);
  #retry = findButton("library-retry");
  #filter = find("filter", HTMLInputElement);
  #filterLabel = find("filter-label", HTMLElement);
  /** What is shown now, to be compared with what comes. */
  #shown = "";
  /** @type {number | undefined} */
  #timer;

  /** @param {() => void} onRetry told that the user wants the list again */
  constructor(onRetry) {
    this.#retry.addEventListener("click", onRetry);
    this.#filter.addEventListener("input", () => this.#applyFilter());
  }

  /** @param {import("./api.js").Library} library */
  show({ entries, classic }) {
    this.#retry.hidden = true;
    this.#filterLabel.hidden = entries.length < MANY;
    this.#tell(entries.length === 0 ? "The server has no media." : "");
    const text = JSON.stringify(entries);
    if (text === this.#shown) return;
    this.#shown = text;
    const cards = entries.map((entry) => makeCard(entry, !classic));
    this.#cards.replaceChildren(...cards);
    this.#applyFilter();
  }

  /** @param {string} message why there is no list */
  fail(message) {
    this.#tell(message);
    this.#retry.hidden = false;
  }

  /** @param {string} address that within the page, of what is shown now */
  mark(address) {
    for (const link of this.#cards.querySelectorAll("a")) {
      link.ariaCurrent = link.getAttribute("href") === address ? "page" : null;
    }
  }

  /** @param {string} text */
  #tell(text) {
    this.#state.textContent = text;
    this.#state.hidden = text === "";
  }

  #applyFilter() {
    const words = this.#filter.value.toLowerCase().split(/\s+/);
    let left = 0;
    for (const card of this.#cards.children) {
      const text = card.textContent?.toLowerCase() ?? "";
      const fits = words.every((word) => text.includes(word));
      card.toggleAttribute("hidden", !fits);
      if (fits) left++;
    }
    if (this.#cards.childElementCount === 0) return;
    this.#tell(left === 0 ? "Nothing has such a name." : "");
    clearTimeout(this.#timer);
    if (this.#filter.value === "") return;
    this.#timer = setTimeout(() => say(`${left} shown`), TELL_AFTER);
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
