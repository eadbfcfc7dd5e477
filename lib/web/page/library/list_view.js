/** The library: the folder that it is at, its folders and entries, their order and the filter. */
import { folderOf, formatAddress } from "../route.js";
import { announce, find, findButton, make, makeIcon } from "../dom.js";
import { keep, readKept } from "../storage.js";
import { Card } from "./card.js";
import { contentsOf, entriesBelow, neighbour, ORDERS, pathTo, search, sorted } from "./contents.js";

/** Number of entries from which the filter is shown, and the choice of their order. */
const MIN_FILTERED = 7;
const MIN_ORDERED = 3;

/** Milliseconds from the last key in the filter to the announcement of the number of matches. */
const ANNOUNCE_DELAY = 600;

/** Shows one folder of the library at a time. */
export class ListView {
  #library = find("library", HTMLElement);
  #path = find("path", HTMLElement);
  #title = find("library-title", HTMLElement);
  #folders = find("folders", HTMLElement);
  #list = find("cards", HTMLElement);
  #state = find("library-state", HTMLElement);
  #retry = findButton("library-retry");
  #filter = find("filter", HTMLInputElement);
  #order = find("order", HTMLSelectElement);
  /** @type {Map<string, Card>} cards that have been shown, by the names of their entries */
  #cards = new Map();
  /** @type {readonly import("../api.js").Entry[]} */
  #entries = [];
  /** @type {ReadonlySet<string>} */
  #names = new Set();
  /** The entries that are shown, in their order. */
  #visible = this.#entries;
  /** @type {import("../route.js").Address} */
  #address = { view: undefined, name: "", folder: "" };
  #hasThumbnails = true;
  #isLoaded = false;
  /** Name of the entry that is shown beside the library; empty for none. */
  #current = "";
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #announceTimer;

  /**
   * @param {{ onRetry: () => void, onOrder: () => void }} on called when the user asks for the
   *   library again, and when other entries or another order are shown
   */
  constructor({ onRetry, onOrder }) {
    this.#retry.addEventListener("click", onRetry);
    this.#filter.addEventListener("input", () => this.#onFilter(onOrder));
    this.#filter.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || this.#filter.value === "") return;
      event.preventDefault();
      this.#filter.value = "";
      this.#onFilter(onOrder);
    });
    for (const [value, { label }] of Object.entries(ORDERS)) {
      this.#order.append(make("option", { value }, label));
    }
    const kept = readKept("order");
    if (typeof kept === "string" && Object.hasOwn(ORDERS, kept)) this.#order.value = kept;
    this.#order.addEventListener("change", () => {
      keep("order", this.#order.value);
      this.#render();
      onOrder();
    });
  }

  /**
   * @param {readonly import("../api.js").Entry[]} entries
   * @param {{ hasThumbnails: boolean }} options
   */
  show(entries, { hasThumbnails }) {
    const isFirst = !this.#isLoaded;
    this.#isLoaded = true;
    this.#entries = entries;
    this.#names = new Set(entries.map(({ name }) => name));
    this.#hasThumbnails = hasThumbnails;
    this.#retry.hidden = true;
    this.#render();
    if (isFirst) this.#scrollToCurrent();
  }

  /** @param {string} message why the library cannot be loaded */
  fail(message) {
    this.#showState(message, "broken");
    this.#retry.hidden = false;
  }

  /** @param {import("../route.js").Address} address that the page is at */
  enter(address) {
    if (address.folder !== this.#address.folder) this.#filter.value = "";
    this.#address = address;
    this.#render();
  }

  /** @param {string} name of the entry that is shown beside the library; empty for none */
  mark(name) {
    if (name === this.#current) return;
    this.#current = name;
    for (const [key, card] of this.#cards) card.mark(key === name);
    this.#scrollToCurrent();
  }

  /**
   * Focuses an entry or a folder, or the heading if neither is shown.
   *
   * @param {string} name
   */
  focus(name) {
    const at = this.#visible.findIndex((entry) => entry.name === name);
    const item = this.#list.children[at] ??
      [...this.#folders.children].find((folder) => folder.getAttribute("data-path") === name);
    if (item === undefined) {
      this.#library.scrollTo({ top: 0 });
      scrollTo({ top: 0 });
      return this.#title.focus({ preventScroll: true });
    }
    item.scrollIntoView({ block: "center" });
    item.querySelector("a")?.focus({ preventScroll: true });
  }

  /** Focuses the filter, if there is one. */
  focusFilter() {
    if (this.#filter.getClientRects().length > 0) this.#filter.select();
  }

  /**
   * The entry before or after another one: of those that are shown, or of its folder.
   *
   * @param {string} name
   * @param {number} step 1 or -1
   */
  neighbour(name, step) {
    if (this.#visible.some((entry) => entry.name === name)) {
      return neighbour(this.#visible, name, step);
    }
    const { items } = contentsOf(this.#entries, folderOf(name));
    return neighbour(sorted(items, this.#order.value), name, step);
  }

  #render() {
    const { folder } = this.#address;
    const below = entriesBelow(this.#entries, folder);
    const { folders, items } = contentsOf(this.#entries, folder);
    const text = this.#filter.value.trim();
    const found = text === "" ? items : search(below, text);
    this.#visible = sorted(found, this.#order.value);
    find("filter-label", HTMLElement).hidden = below.length < MIN_FILTERED && text === "";
    find("order-label", HTMLElement).hidden = items.length < MIN_ORDERED && text === "";
    this.#showPath(folder);
    this.#showFolders(text === "" ? folders : []);
    this.#showCards();
    if (!this.#isLoaded) return;
    const isEmpty = this.#visible.length + (text === "" ? folders.length : 0) === 0;
    if (!isEmpty) this.#showState("");
    else if (text !== "") this.#showState("No matches.", "search");
    else if (folder !== "") this.#showState("This folder is empty.", "folder");
    else this.#showState("The server has no media.", "folder");
  }

  /** @param {string} folder */
  #showPath(folder) {
    const path = [{ path: "", name: "Library" }, ...pathTo(folder)];
    const { name } = path.at(-1) ?? path[0];
    if (this.#title.textContent !== name) this.#title.textContent = name;
    const links = path.slice(0, -1).map(({ path, name }) =>
      make("li", {}, make("a", { href: this.#addressOf(path) }, name))
    );
    replaceIfChanged(find("path-list", HTMLElement), links);
    this.#path.hidden = links.length === 0;
  }

  /** @param {import("./contents.js").Folder[]} folders */
  #showFolders(folders) {
    const items = folders.map(({ path, name, count }) =>
      make(
        "li",
        { "data-path": path },
        make(
          "a",
          { href: this.#addressOf(path) },
          makeIcon("folder"),
          make("span", { class: "name" }, name),
          make("span", { class: "details" }, `${count} ${count === 1 ? "item" : "items"}`),
        ),
      )
    );
    replaceIfChanged(this.#folders, items);
    this.#folders.hidden = folders.length === 0;
  }

  /**
   * The address of a folder, beside which the same entry is shown.
   *
   * @param {string} folder
   */
  #addressOf(folder) {
    return formatAddress({ ...this.#address, folder });
  }

  /** Shows the visible entries; the cards that stay are kept, with the focus of the user. */
  #showCards() {
    const focused = document.activeElement;
    const index = [...this.#list.children].findIndex((item) => item.contains(focused));
    const cards = this.#visible.map(({ name }) => {
      const card = this.#cards.get(name) ?? new Card();
      this.#cards.set(name, card);
      return card;
    });
    const visible = new Set(cards);
    for (const [name, card] of this.#cards) {
      if (visible.has(card)) continue;
      card.element.remove();
      if (this.#names.has(name)) continue;
      card.forget();
      this.#cards.delete(name);
    }
    const place = { folder: this.#address.folder, hasThumbnails: this.#hasThumbnails };
    let next = this.#list.firstElementChild;
    for (const [at, card] of cards.entries()) {
      const entry = this.#visible[at];
      card.show(entry, place);
      card.mark(entry.name === this.#current);
      if (card.element === next) next = next.nextElementSibling;
      else this.#list.insertBefore(card.element, next);
    }
    this.#list.hidden = cards.length === 0;
    if (index < 0 || document.activeElement === focused) return;
    // A card that was moved, or the one that took the place of a card that is gone.
    const moved = cards.find(({ element }) => element.contains(focused));
    const heir = moved ?? cards[Math.min(index, cards.length - 1)];
    if (heir === undefined) this.#title.focus({ preventScroll: true });
    else heir.focus();
  }

  /** Scrolls the list so that the current entry can be seen, if the list scrolls by itself. */
  #scrollToCurrent() {
    const card = this.#cards.get(this.#current)?.element;
    if (!card?.isConnected || getComputedStyle(this.#library).overflowY !== "auto") return;
    const [item, view] = [card.getBoundingClientRect(), this.#library.getBoundingClientRect()];
    const head = find("library-head", HTMLElement).getBoundingClientRect().height;
    if (item.top >= view.top + head && item.bottom <= view.bottom) return;
    this.#library.scrollTop += item.top - view.top - head - (view.height - head) / 3;
  }

  /** @param {() => void} onOrder */
  #onFilter(onOrder) {
    this.#render();
    onOrder();
    clearTimeout(this.#announceTimer);
    if (this.#filter.value === "") return;
    const matches = this.#visible.length;
    const text = `${matches} ${matches === 1 ? "match" : "matches"}`;
    this.#announceTimer = setTimeout(() => announce(text), ANNOUNCE_DELAY);
  }

  /**
   * @param {string} text empty to show the entries alone
   * @param {string} [icon]
   */
  #showState(text, icon = "folder") {
    this.#state.hidden = text === "";
    if (this.#state.textContent === text) return;
    this.#state.replaceChildren(makeIcon(icon), make("span", {}, text));
  }
}

/**
 * Replaces the items of a list of links, unless they are the same already; the focus stays.
 *
 * @param {HTMLElement} list
 * @param {HTMLElement[]} items
 */
function replaceIfChanged(list, items) {
  const html = items.map(({ outerHTML }) => outerHTML).join("");
  if (list.innerHTML === html) return;
  const index = [...list.children].findIndex((item) => item.contains(document.activeElement));
  list.replaceChildren(...items);
  items[index]?.querySelector("a")?.focus({ preventScroll: true });
}
