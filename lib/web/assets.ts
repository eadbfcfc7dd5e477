/** The files of the page, embedded in the program. */
import api from "./page/api.js" with { type: "text" };
import dom from "./page/dom.js" with { type: "text" };
import icon from "./page/icon.svg" with { type: "text" };
import imageView from "./page/image_view.js" with { type: "text" };
import index from "./page/index.html" with { type: "text" };
import libraryStyle from "./page/library.css" with { type: "text" };
import listView from "./page/list_view.js" with { type: "text" };
import mediaFeed from "./page/media_feed.js" with { type: "text" };
import pageStyle from "./page/page.css" with { type: "text" };
import page from "./page/page.js" with { type: "text" };
import playSocket from "./page/play_socket.js" with { type: "text" };
import playerStyle from "./page/player.css" with { type: "text" };
import playerBar from "./page/player_bar.js" with { type: "text" };
import playerView from "./page/player_view.js" with { type: "text" };
import stallWatch from "./page/stall_watch.js" with { type: "text" };

/** A file of the page. */
export interface PageFile {
  text: string;
  /** Media type. */
  type: string;
}

/** The files by the path of their URL. */
export const PAGE_FILES: ReadonlyMap<string, PageFile> = new Map(Object.entries({
  "/": { text: index, type: "text/html; charset=utf-8" },
  "/icon.svg": { text: icon, type: "image/svg+xml" },
  "/library.css": style(libraryStyle),
  "/page.css": style(pageStyle),
  "/player.css": style(playerStyle),
  "/api.js": script(api),
  "/dom.js": script(dom),
  "/image_view.js": script(imageView),
  "/list_view.js": script(listView),
  "/media_feed.js": script(mediaFeed),
  "/page.js": script(page),
  "/play_socket.js": script(playSocket),
  "/player_bar.js": script(playerBar),
  "/player_view.js": script(playerView),
  "/stall_watch.js": script(stallWatch),
}));

function script(text: string): PageFile {
  return { text, type: "text/javascript; charset=utf-8" };
}

function style(text: string): PageFile {
  return { text, type: "text/css; charset=utf-8" };
}
