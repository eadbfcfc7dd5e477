/** The page: the library, and the entry of it that the part of the address behind `#` names. */
import { fetchLibrary, pageAddress } from "./api.js";
import { announce, find, formatDetails } from "./dom.js";
import { ImageView } from "./image_view.js";
import { ListView } from "./list_view.js";
import { PlayerView } from "./player_view.js";

/** Milliseconds after which a page that becomes visible loads the library again. */
const STALE_AFTER = 10_000;

const stage = find("stage", HTMLElement);
const title = find("stage-title", HTMLElement);
const details = find("stage-details", HTMLElement);
const list = new ListView(load);
const player = new PlayerView(showTitle);
const image = new ImageView();

/** @type {import("./api.js").Library | undefined} */
let library;
let loadedAt = -Infinity;
let route = "";
/** Whether a route has been shown: the ones that follow are navigation by the user. */
let hasRoute = false;

/** Loads the library, and opens the entry that the command line names. */
async function load() {
  loadedAt = performance.now();
  try {
    library = await fetchLibrary();
  } catch (error) {
    return list.fail(error instanceof Error ? error.message : String(error));
  }
  find("server", HTMLElement).textContent = library.server;
  list.show(library);
  const { start } = library;
  if (route === "" && location.hash === "" && start !== null) {
    location.replace(pageAddress({ kind: start.kind, name: start.name ?? "" }));
  } else {
    showDetails();
  }
}

/** Shows the entry that the address names. */
function showRoute() {
  const [, kind, code] = location.hash.match(/^#\/(play|image)\/(.*)$/) ?? [];
  // Other fragments are anchors within the page.
  if (kind === undefined && !/^(#\/)?$/.test(location.hash)) return;
  const previous = route;
  route = location.hash;
  if (route === previous && hasRoute) return;
  const name = decode(code ?? "");
  player.hide();
  image.hide();
  stage.hidden = kind === undefined;
  find("keys", HTMLElement).hidden = kind !== "play";
  document.body.classList.toggle("staged", kind !== undefined);
  showTitle(kind === undefined ? "" : name || (kind === "play" ? "Video" : "Image"));
  if (kind === "play") player.show({ name, ...startOptionsOf(name) });
  if (kind === "image") image.show(name);
  const isFirst = !hasRoute;
  hasRoute = true;
  if (isFirst) return;
  scrollTo({ top: 0 });
  const heading = kind === undefined ? find("library-title", HTMLElement) : title;
  heading.focus({ preventScroll: true });
}

/**
 * Playback options of the command line, if they are for this entry.
 *
 * @param {string} name
 */
function startOptionsOf(name) {
  const start = library?.start;
  const options = start?.kind === "video" && (start.name ?? "") === name ? start : undefined;
  return { start: options?.at ?? 0, loop: options?.loop ?? false, rate: options?.speed || 1 };
}

/** @param {string} text */
function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    // A typed address may contain a bare "%": the text is used as it is.
    return text;
  }
}

/** @param {string} name name of the entry that is shown; empty if none is */
function showTitle(name) {
  if (title.textContent !== name) title.textContent = name;
  document.title = name === "" ? "Stream" : `${name} · Stream`;
  showDetails();
}

/** Marks the entry in the library, and shows its details below the title. */
function showDetails() {
  list.mark(location.hash);
  const entry = library?.entries.find(({ name }) => name === title.textContent);
  details.textContent = entry === undefined ? "" : formatDetails(entry);
}

find("skip", HTMLElement).addEventListener("click", (event) => {
  event.preventDefault();
  find("library-title", HTMLElement).focus();
});
addEventListener("hashchange", showRoute);
addEventListener("visibilitychange", () => {
  const isStale = performance.now() - loadedAt > STALE_AFTER;
  if (document.visibilityState === "visible" && isStale) load();
});
addEventListener("offline", () => announce("This device is offline"));

await load();
showRoute();
