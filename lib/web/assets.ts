/** The files of the page, embedded in the program. */
import api from "./page/api.js" with { type: "text" };
import dom from "./page/dom.js" with { type: "text" };
import icon from "./page/icon.svg" with { type: "text" };
import imageView from "./page/image_view.js" with { type: "text" };
import index from "./page/index.html" with { type: "text" };
import listView from "./page/list_view.js" with { type: "text" };
import mediaFeed from "./page/media_feed.js" with { type: "text" };
import style from "./page/page.css" with { type: "text" };
import page from "./page/page.js" with { type: "text" };
import playSocket from "./page/play_socket.js" with { type: "text" };
import playerBar from "./page/player_bar.js" with { type: "text" };
import playerView from "./page/player_view.js" with { type: "text" };
import stallWatch from "./page/stall_watch.js" with { type: "text" };

/** A file of the page. */
export interface PageFile {
  text: string;
  /** Media type. */
  type: string;
}

const SCRIPTS: Record<string, string> = {
  "api.js": api,
  "dom.js": dom,
  "image_view.js": imageView,
  "list_view.js": listView,
  "media_feed.js": mediaFeed,
  "page.js": page,
  "play_socket.js": playSocket,
  "player_bar.js": playerBar,
  "player_view.js": playerView,
  "stall_watch.js": stallWatch,
};

/** The files by URL path. */
export const PAGE_FILES: ReadonlyMap<string, PageFile> = new Map([
  ["/", { text: index, type: "text/html; charset=utf-8" }],
  ["/page.css", { text: style, type: "text/css; charset=utf-8" }],
  ["/icon.svg", { text: icon, type: "image/svg+xml" }],
  ...Object.entries(SCRIPTS).map(([name, text]): [string, PageFile] => [
    `/${name}`,
    { text, type: "text/javascript; charset=utf-8" },
  ]),
]);
