/** The page: the library, and the entry of it that the part of the address behind `#` names. */
import { addressOf, parseAddress } from "./route.js";
import { fetchEntries, fetchInfo, fileAddress } from "./api.js";
import { announce, find, formatDetails, make } from "./dom.js";
import { followLibrary } from "./events.js";
import { ImageView } from "./image_view.js";
import { ListView } from "./library/list_view.js";
import { PlayerView } from "./player/player_view.js";

/** Milliseconds after which a page that becomes visible loads the library again. */
const STALE_AFTER = 10_000;

/** Between two loads of a library that changes: milliseconds, and the time that a load took. */
const LOAD_INTERVAL = 500;
const LOAD_PAUSES = 2;

const stage = find("stage", HTMLElement);
const title = find("stage-title", HTMLElement);
const list = new ListView({
  onRetry: () => info === undefined ? start() : load(),
  onOrder: showSteps,
});
const player = new PlayerView({ onTitle: showTitle, onStep: step });
const image = new ImageView(step);

/** @type {import("./api.js").Info | undefined} */
let info;
/** @type {import("./api.js").Entry[]} */
let entries = [];
let loadedAt = -Infinity;
/** Whether the library is being loaded, and whether it has changed since. */
const loads = { isRunning: false, isDue: false };
/** @type {import("./route.js").Address | undefined} */
let address;
/** Name of the entry that is shown; empty for none. */
let shownName = "";

/** Opens the entry that the address or the command line names, and loads the library. */
async function start() {
  try {
    info = await fetchInfo();
  } catch (error) {
    return list.fail(messageOf(error));
  }
  find("server", HTMLElement).textContent = info.server;
  const { start: wanted, follows } = info;
  if (location.hash === "" && wanted !== null) {
    const { kind, name } = wanted;
    history.replaceState(null, "", addressOf({ kind, name: name ?? "" }));
  }
  showRoute();
  if (follows) return followLibrary(load);
  load();
  addEventListener("visibilitychange", () => {
    const isStale = performance.now() - loadedAt > STALE_AFTER;
    if (document.visibilityState === "visible" && isStale) load();
  });
}

/** Loads the library, once at a time. */
async function load() {
  loads.isDue = true;
  if (loads.isRunning) return;
  loads.isRunning = true;
  while (loads.isDue) {
    loads.isDue = false;
    loadedAt = performance.now();
    try {
      entries = await fetchEntries();
      list.show(entries, { hasThumbnails: !info?.classic });
      showDetails();
    } catch (error) {
      list.fail(messageOf(error));
    }
    // A library of thousands takes long to show.
    const wait = Math.max(LOAD_INTERVAL, LOAD_PAUSES * (performance.now() - loadedAt));
    if (loads.isDue) await new Promise((resolve) => setTimeout(resolve, wait));
  }
  loads.isRunning = false;
}

/** Shows the folder and the entry that the address names. */
function showRoute() {
  const next = parseAddress(location.hash);
  // Other fragments are anchors within the page.
  if (next === undefined) return;
  const previous = address;
  address = next;
  list.enter(next);
  const isSameEntry = previous?.view === next.view && previous?.name === next.name;
  if (isSameEntry && previous?.folder === next.folder) return;
  if (!isSameEntry) showEntry(next);
  // Routes after the first one are navigation by the user.
  if (previous === undefined) return;
  if (isSameEntry) return list.focus(previous.folder);
  if (next.view === undefined) return list.focus(previous.name);
  scrollTo({ top: 0 });
  const { activeElement } = document;
  // A button of the player keeps the focus, so that it can be pressed again.
  const isVisible = (activeElement?.getClientRects().length ?? 0) > 0;
  if (!isVisible || !stage.contains(activeElement)) title.focus({ preventScroll: true });
}

/** @param {import("./route.js").Address} address */
function showEntry({ view, name }) {
  player.hide();
  image.hide();
  stage.hidden = view === undefined;
  find("keys", HTMLElement).hidden = view !== "play";
  document.body.classList.toggle("staged", view !== undefined);
  showTitle(view === undefined ? "" : name || (view === "play" ? "Video" : "Image"));
  if (view === "play") player.show({ ...startOptionsOf(name), name, server: info?.server ?? "" });
  if (view === "image") image.show(name);
}

/**
 * Playback options of the command line, if they are for this entry.
 *
 * @param {string} name
 */
function startOptionsOf(name) {
  const start = info?.start;
  const options = start?.kind === "video" && (start.name ?? "") === name ? start : undefined;
  return { start: options?.at ?? 0, loop: options?.loop ?? false, rate: options?.speed ?? 1 };
}

/** @param {string} name name of the entry that is shown; empty if none is */
function showTitle(name) {
  shownName = name;
  if (title.textContent !== name) {
    const from = name.lastIndexOf("/") + 1;
    const folder = from === 0 ? [] : [make("span", { class: "folder" }, name.slice(0, from))];
    title.replaceChildren(...folder, name.slice(from));
  }
  document.title = name === "" ? "Stream" : `${name} · Stream`;
  showDetails();
}

/** Marks the entry in the library, and shows its details below the title. */
function showDetails() {
  list.mark(address?.view === undefined ? "" : shownName);
  const entry = entries.find(({ name }) => name === shownName);
  find("stage-details", HTMLElement).textContent = entry === undefined ? "" : formatDetails(entry);
  player.showTracks(entry?.tracks ?? []);
  const download = find("download", HTMLAnchorElement);
  download.hidden = entry === undefined || entry.live || !info?.files;
  if (entry !== undefined) download.href = fileAddress(entry.name);
  showSteps();
}

/** Shows whether there are entries before and after the one that is shown. */
function showSteps() {
  const steps = {
    previous: list.neighbour(shownName, -1) !== undefined,
    next: list.neighbour(shownName, 1) !== undefined,
  };
  player.bar.showSteps(steps);
  image.showSteps(steps);
}

/** @param {number} by 1 for the next entry, -1 for the previous one */
function step(by) {
  const entry = list.neighbour(shownName, by);
  if (entry === undefined) return;
  location.hash = addressOf(entry, address?.folder);
  // The event comes later: another key may come before.
  showRoute();
}

/** @param {unknown} error */
function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}

find("skip", HTMLElement).addEventListener("click", (event) => {
  event.preventDefault();
  find("library-title", HTMLElement).focus();
});
document.addEventListener("keydown", (event) => {
  const { key, target, ctrlKey, altKey, metaKey } = event;
  if (key !== "/" || ctrlKey || altKey || metaKey) return;
  if (target instanceof Element && target.matches("input, select")) return;
  event.preventDefault();
  list.focusFilter();
});
addEventListener("hashchange", showRoute);
addEventListener("offline", () => announce("This device is offline"));

await start();
