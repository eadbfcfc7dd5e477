/** The page: the list, and what is chosen from it, by the address behind `#`. */
import { fetchLibrary, pageAddress } from "./api.js";
import { find, formatDetails, say } from "./dom.js";
import { ImageView } from "./image_view.js";
import { ListView } from "./list_view.js";
import { PlayerView } from "./player_view.js";

/** Milliseconds after which the list may have changed, when somebody looks at it again. */
const STALE = 10_000;

const stage = find("stage", HTMLElement);
const title = find("stage-title", HTMLElement);
const details = find("stage-details", HTMLElement);
const list = new ListView(load);
const player = new PlayerView(showTitle);
const image = new ImageView();

/** @type {import("./api.js").Library | undefined} */
let library;
let loaded = -Infinity;
let route = "";
/** An address has been followed, so that the next is one that the user has chosen here. */
let followed = false;

/** Gets the list anew. */
async function load() {
  loaded = performance.now();
  try {
    library = await fetchLibrary();
  } catch (error) {
    return list.fail(error instanceof Error ? error.message : String(error));
  }
  find("server", HTMLElement).textContent = library.server;
  list.show(library);
  const { start } = library;
  const asked = { kind: start?.kind ?? "video", name: start?.name ?? "" };
  if (route === "" && location.hash === "" && start !== null) {
    location.replace(pageAddress(asked));
  } else {
    describe();
  }
}

/** Shows what the address names. */
function follow() {
  const [, kind, code] = location.hash.match(/^#\/(play|image)\/(.*)$/) ?? [];
  // Other addresses are places in the page.
  if (kind === undefined && !/^(#\/)?$/.test(location.hash)) return;
  const before = route;
  route = location.hash;
  if (route === before && followed) return;
  const name = decode(code ?? "");
  player.hide();
  image.hide();
  stage.hidden = kind === undefined;
  find("keys", HTMLElement).hidden = kind !== "play";
  document.body.classList.toggle("staged", kind !== undefined);
  showTitle(kind === undefined ? "" : name || (kind === "play" ? "Video" : "Image"));
  if (kind === "play") player.show({ name, ...wishOf(name) });
  if (kind === "image") image.show(name);
  const isFirst = !followed;
  followed = true;
  if (isFirst) return;
  scrollTo({ top: 0 });
  const focused = kind === undefined ? find("library-title", HTMLElement) : title;
  focused.focus({ preventScroll: true });
}

/**
 * How the command line wants something to be played.
 *
 * @param {string} name
 */
function wishOf(name) {
  const start = library?.start;
  const asked = start?.kind === "video" && (start.name ?? "") === name ? start : undefined;
  return { at: asked?.at ?? 0, loop: asked?.loop ?? false, rate: asked?.speed || 1 };
}

/** @param {string} text */
function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    // Typed by somebody: it is taken as it stands.
    return text;
  }
}

/** @param {string} name of what is shown; empty for nothing */
function showTitle(name) {
  if (title.textContent !== name) title.textContent = name;
  document.title = name === "" ? "Stream" : `${name} · Stream`;
  describe();
}

/** Tells what is known of what is shown. */
function describe() {
  list.mark(location.hash);
  const entry = library?.entries.find(({ name }) => name === title.textContent);
  details.textContent = entry === undefined ? "" : formatDetails(entry);
}

find("skip", HTMLElement).addEventListener("click", (event) => {
  event.preventDefault();
  find("library-title", HTMLElement).focus();
});
addEventListener("hashchange", follow);
addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible" && performance.now() - loaded > STALE) load();
});
addEventListener("offline", () => say("This device is offline"));

await load();
follow();
