/** The files of the page, carried in the program. Pure. */
import api from "../../viewers/browser/page/api.js" with { type: "text" };
import elements from "../../viewers/browser/page/elements.js" with { type: "text" };
import format from "../../viewers/browser/page/format.js" with { type: "text" };
import icon from "../../viewers/browser/page/icon.svg" with { type: "text" };
import imageView from "../../viewers/browser/page/image_view.js" with { type: "text" };
import index from "../../viewers/browser/page/index.html" with { type: "text" };
import listView from "../../viewers/browser/page/list_view.js" with { type: "text" };
import mediaFeed from "../../viewers/browser/page/media_feed.js" with { type: "text" };
import mediaSource from "../../viewers/browser/page/media_source.js" with { type: "text" };
import style from "../../viewers/browser/page/page.css" with { type: "text" };
import page from "../../viewers/browser/page/page.js" with { type: "text" };
import playLink from "../../viewers/browser/page/play_link.js" with { type: "text" };
import playerBar from "../../viewers/browser/page/player_bar.js" with { type: "text" };
import playerView from "../../viewers/browser/page/player_view.js" with { type: "text" };
import stallWatch from "../../viewers/browser/page/stall_watch.js" with { type: "text" };

/** A file of the page. */
export interface PageFile {
  text: string;
  /** Its media type. */
  type: string;
}

const SCRIPTS: Record<string, string> = {
  "api.js": api,
  "elements.js": elements,
  "format.js": format,
  "image_view.js": imageView,
  "list_view.js": listView,
  "media_feed.js": mediaFeed,
  "media_source.js": mediaSource,
  "page.js": page,
  "play_link.js": playLink,
  "stall_watch.js": stallWatch,
  "player_bar.js": playerBar,
  "player_view.js": playerView,
};

/** The files by their paths. */
export const PAGE_FILES: ReadonlyMap<string, PageFile> = new Map([
  ["/", { text: index, type: "text/html; charset=utf-8" }],
  ["/page.css", { text: style, type: "text/css; charset=utf-8" }],
  ["/icon.svg", { text: icon, type: "image/svg+xml" }],
  ...Object.entries(SCRIPTS).map(([name, text]): [string, PageFile] => [
    `/${name}`,
    { text, type: "text/javascript; charset=utf-8" },
  ]),
]);
