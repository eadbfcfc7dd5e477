/** The files of the page, embedded in the program. */
import route from "./page/route.js" with { type: "text" };
import api from "./page/api.js" with { type: "text" };
import dom from "./page/dom.js" with { type: "text" };
import events from "./page/events.js" with { type: "text" };
import icon from "./page/icon.svg" with { type: "text" };
import imageView from "./page/image_view.js" with { type: "text" };
import index from "./page/index.html" with { type: "text" };
import card from "./page/library/card.js" with { type: "text" };
import contents from "./page/library/contents.js" with { type: "text" };
import libraryStyle from "./page/library/library.css" with { type: "text" };
import listView from "./page/library/list_view.js" with { type: "text" };
import pageStyle from "./page/page.css" with { type: "text" };
import page from "./page/page.js" with { type: "text" };
import mediaFeed from "./page/player/media_feed.js" with { type: "text" };
import messages from "./page/player/messages.js" with { type: "text" };
import playSocket from "./page/player/play_socket.js" with { type: "text" };
import playbackState from "./page/player/playback_state.js" with { type: "text" };
import playerStyle from "./page/player/player.css" with { type: "text" };
import playerBar from "./page/player/player_bar.js" with { type: "text" };
import playerView from "./page/player/player_view.js" with { type: "text" };
import settings from "./page/player/settings.js" with { type: "text" };
import settingsStyle from "./page/player/settings.css" with { type: "text" };
import stageStyle from "./page/stage.css" with { type: "text" };
import stallWatch from "./page/player/stall_watch.js" with { type: "text" };
import statistics from "./page/player/statistics.js" with { type: "text" };
import subtitles from "./page/player/subtitles.js" with { type: "text" };
import storage from "./page/storage.js" with { type: "text" };

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
  "/library/library.css": style(libraryStyle),
  "/page.css": style(pageStyle),
  "/player/player.css": style(playerStyle),
  "/player/settings.css": style(settingsStyle),
  "/stage.css": style(stageStyle),
  "/route.js": script(route),
  "/api.js": script(api),
  "/dom.js": script(dom),
  "/events.js": script(events),
  "/image_view.js": script(imageView),
  "/library/card.js": script(card),
  "/library/contents.js": script(contents),
  "/library/list_view.js": script(listView),
  "/page.js": script(page),
  "/player/media_feed.js": script(mediaFeed),
  "/player/messages.js": script(messages),
  "/player/play_socket.js": script(playSocket),
  "/player/playback_state.js": script(playbackState),
  "/player/player_bar.js": script(playerBar),
  "/player/player_view.js": script(playerView),
  "/player/settings.js": script(settings),
  "/player/stall_watch.js": script(stallWatch),
  "/player/statistics.js": script(statistics),
  "/player/subtitles.js": script(subtitles),
  "/storage.js": script(storage),
}));

function script(text: string): PageFile {
  return { text, type: "text/javascript; charset=utf-8" };
}

function style(text: string): PageFile {
  return { text, type: "text/css; charset=utf-8" };
}
