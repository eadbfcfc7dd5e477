/** The player of the page, in headless Chromium. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { MediaTrack } from "../../../../lib/media/frame.ts";
import { mediaFolder, pictures, tone } from "../../../support/media/media_folder.ts";
import {
  describe,
  end,
  frame,
  say,
  ScriptedServer,
} from "../../../support/peers/scripted_server.ts";
import { Chromium, type Page } from "../../../support/screens/chromium.ts";
import { libraryScript } from "../../../support/screens/library_script.ts";
import { testPage } from "../../../support/screens/page.ts";
import { assertNoFaults, pageSite, VIDEO } from "../../../support/screens/page_site.ts";
import { testWith } from "../../../support/test_if.ts";
import { PATIENCE } from "../../../support/time/patience.ts";

const media = mediaFolder();
const test = testWith("chromium");

const CODED = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac"];
const NOTES = "document.querySelector('#notes').innerText";

/** Two videos, an image between them, and what is no media. */
async function folder(): Promise<string> {
  await media.make("m/a.mp4", [...pictures({ seconds: 20 }), ...tone({ seconds: 20 }), ...CODED]);
  await media.make("m/b.png", [...pictures(), "-frames:v", "1"]);
  await media.make("m/c.mp4", [...pictures({ seconds: 20 }), ...CODED]);
  return media.pathOf("m");
}

/** Chooses an option of the settings by its text, as a user does. */
async function choose(page: Page, select: string, text: string): Promise<void> {
  await page.until(`[...${select}.options].some((option) => option.text === "${text}")`);
  await page.evaluate(`(() => {
    const select = ${select};
    select.value = [...select.options].find((option) => option.text === "${text}").value;
    select.dispatchEvent(new Event("change"));
  })()`);
}

/** Queries of the plays that the page has requested. */
function playsOf({ requests }: Page): URLSearchParams[] {
  return requests.filter((url) => url.includes("/api/play"))
    .map((url) => new URL(url).searchParams);
}

test("next and previous lead through the folder, by keys and by buttons", async () => {
  await using site = await pageSite(await folder());
  const page = await site.open("#/play/a.mp4");
  await page.until(`${VIDEO}.currentTime > 0 && !document.querySelector('#next').disabled`);
  assertEquals(await page.evaluate("document.querySelector('#previous').disabled"), true);
  await page.click("#next");
  await page.until("document.querySelector('#picture img')?.naturalWidth === 64");
  await page.press("ArrowRight");
  await page.until(`document.title === 'c.mp4 · Stream' && ${VIDEO}.currentTime > 0`);
  assertEquals(await page.evaluate("document.querySelector('#next').disabled"), true);
  await page.press("p");
  await page.until("document.querySelector('#picture img')?.naturalWidth === 64");
  await page.click("#previous-image");
  await page.until(`document.title === 'a.mp4 · Stream' && ${VIDEO}.currentTime > 0`);
  // Two presses in a row are two steps.
  await page.evaluate("document.querySelector('#next').focus()");
  await page.press("n");
  await page.press("n");
  await page.until("document.title === 'c.mp4 · Stream'");
  assertNoFaults(page, site);
});

test("media goes on where it was left, after a reload and after other media", async () => {
  await using site = await pageSite(await folder());
  const page = await site.open("#/play/a.mp4");
  await page.until(`${VIDEO}.currentTime > 0`);
  await page.press("5");
  await page.until(`${VIDEO}.currentTime > 10.1 && !${VIDEO}.seeking`);
  await page.reload();
  await page.until(`${VIDEO}.currentTime > 10.1`);
  assertMatch(await page.evaluate(NOTES), /^Resumed at 0:1\d$/);
  await page.evaluate("location.hash = '#/play/c.mp4'");
  await page.until(`document.title.startsWith('c') && ${VIDEO}.currentTime > 0.1`);
  assert(await page.evaluate<number>(`${VIDEO}.currentTime`) < 10);
  await page.evaluate("history.back()");
  await page.until(`document.title.startsWith('a') && ${VIDEO}.currentTime > 10.1`);
  // Media that has ended begins again.
  await page.press("End");
  await page.until(`${VIDEO}.ended`);
  await page.reload();
  await page.until(`${VIDEO}.currentTime > 0.1`);
  assert(await page.evaluate<number>(`${VIDEO}.currentTime`) < 10);
  // So does another file of the same name that ends before.
  await page.evaluate(`(() => {
    const server = document.querySelector("#server").textContent;
    localStorage.playback = JSON.stringify({
      [JSON.stringify([server, "a.mp4"])]: { position: 500 },
    });
    addEventListener("pagehide", (event) => event.stopImmediatePropagation(), { capture: true });
  })()`);
  await page.goTo("about:blank");
  await page.goTo(`${site.page.address}#/play/a.mp4`);
  await page.until(`${VIDEO}.currentTime > 0.1`);
  assert(await page.evaluate<number>(`${VIDEO}.currentTime`) < 10);
});

test("the speed is chosen in the settings and by keys, and stays", async () => {
  await using site = await pageSite(await folder());
  const page = await site.open("#/play/a.mp4");
  await page.until(`${VIDEO}.currentTime > 0`);
  await page.click("#settings summary");
  await choose(page, "document.querySelector('#speed')", "1.5×");
  await page.until(`${VIDEO}.playbackRate === 1.5`);
  await page.press("Escape");
  assertEquals(await page.evaluate("document.querySelector('#settings').innerText.trim()"), "1.5×");
  await page.evaluate("document.activeElement.blur()");
  await page.press(">");
  await page.until(`${VIDEO}.playbackRate === 1.75`);
  await page.press("<");
  await page.press("<");
  await page.until(`${VIDEO}.playbackRate === 1.25`);
  await page.press("5");
  await page.until(`${VIDEO}.currentTime > 10 && ${VIDEO}.playbackRate === 1.25`);
  await page.reload();
  await page.until(`${VIDEO}.currentTime > 0 && ${VIDEO}.playbackRate === 1.25`);
  assertNoFaults(page, site);
});

const TRACKS: readonly MediaTrack[] = [
  { type: "video", codec: "h264" },
  { type: "audio", codec: "aac", language: "eng", channels: 2, default: true },
  { type: "audio", codec: "aac", language: "deu", title: "Commentary", channels: 2 },
  { type: "subtitles", codec: "subrip", language: "eng" },
  { type: "subtitles", codec: "hdmv_pgs_subtitle", language: "deu" },
];

/** A server whose plays have subtitles: a message after the first bytes of each that wants them. */
const SUBTITLES = `(() => {
  const Original = WebSocket;
  WebSocket = class extends Original {
    constructor(address) {
      super(address);
      if (!new URL(address).searchParams.has("subtitles")) return;
      const say = () => this.dispatchEvent(new MessageEvent("message", {
        data: JSON.stringify({ kind: "subtitle", start: 0, end: 100, text: "1 < 2 & <i>" }),
      }));
      this.addEventListener("message", say, { once: true });
    }
  };
})();`;

/** A video with two audio tracks and subtitles, and another one without. */
async function tracksFolder(): Promise<string> {
  const srt = await media.write("short.txt", "1\n00:00:00,000 --> 00:00:00,100\nHello\n");
  const length = { seconds: 20 };
  await media.make("tracks/a.mp4", [
    ...[...pictures(length), ...tone(length), ...tone(length), "-f", "srt", "-i", srt],
    ...[0, 1, 2, 3].flatMap((at) => ["-map", `${at}`]),
    ...[...CODED, "-c:s", "mov_text"],
  ]);
  await media.make("tracks/c.mp4", [...pictures(length), ...CODED]);
  return media.pathOf("tracks");
}

test("audio track and subtitles are chosen, drawn, and kept for the entry", async () => {
  await using site = await pageSite(await tracksFolder());
  const library = libraryScript([{ name: "a.mp4", tracks: TRACKS }, { name: "c.mp4" }]);
  const page = await site.open("#/play/a.mp4", SUBTITLES + library);
  await page.until(`${VIDEO}.currentTime > 0`);
  assertEquals([...playsOf(page)[0].keys()], ["name", "can", "keep"]);
  assertEquals(
    await page.evaluate("document.querySelector('#audio').selectedOptions[0].text"),
    "English · stereo",
  );
  await page.press("5");
  await page.until(`${VIDEO}.currentTime > 10 && !${VIDEO}.seeking`);
  const count = playsOf(page).length;
  await choose(page, "document.querySelector('#audio')", "German · Commentary · stereo");
  const limit = AbortSignal.timeout(PATIENCE);
  while (playsOf(page).length === count) {
    if (limit.aborted) throw new Error("The choice of a track has asked for nothing");
    await page.evaluate("0");
  }
  await page.until(`${VIDEO}.currentTime > 10 && ${VIDEO}.readyState > 2`);
  const last = playsOf(page).at(-1);
  assertEquals(last?.get("track"), "2");
  assert(Number(last?.get("start")) >= 10);

  const cues = `[...${VIDEO}.textTracks[0].activeCues ?? []]`;
  await choose(page, "document.querySelector('#subtitles')", "English");
  await page.until(`${cues}.length === 1 && ${VIDEO}.textTracks[0].mode === "showing"`);
  assertEquals(await page.evaluate(`${cues}[0].getCueAsHTML().textContent`), "1 < 2 & <i>");
  assertEquals(playsOf(page).at(-1)?.get("subtitles"), "1");
  // Images cannot be chosen.
  assertEquals(
    await page.evaluate(
      "[...document.querySelector('#subtitles').options].map(({ disabled }) => disabled)",
    ),
    [false, false, true],
  );
  await page.press("c");
  await page.until(`${VIDEO}.textTracks[0].cues.length === 0`);
  await page.press("c");
  await page.until(`${cues}.length === 1`);
  await page.reload();
  await page.until(`${cues}.length === 1 && ${VIDEO}.currentTime > 10`);
  assertEquals(playsOf(page).at(-1)?.get("track"), "2");
  // Another entry has its own.
  await page.press("n");
  await page.until(`document.title.startsWith('c') && ${VIDEO}.currentTime > 0`);
  assertEquals(playsOf(page).at(-1)?.has("track"), false);
  assertEquals(
    await page.evaluate(
      "['#audio', '#subtitles'].some((id) => document.querySelector(id).checkVisibility())",
    ),
    false,
  );
  assertNoFaults(page, site);
});

test("the original can be downloaded if the server offers files", async () => {
  const name = "a b/100% #1.mp4";
  await using site = await pageSite(await folder());
  const entries = [{ name, kind: "audio" as const }, { name: "cam", live: true }];
  const page = await site.open(
    `#/play/${name.split("/").map(encodeURIComponent).join("/")}`,
    libraryScript(entries, { files: true }),
  );
  const link = "document.querySelector('#download')";
  await page.until(`${link}.checkVisibility()`);
  assertEquals(
    await page.evaluate(`${link}.getAttribute('href')`),
    "/media/a%20b/100%25%20%231.mp4?download",
  );
  await page.evaluate("location.hash = '#/play/cam'");
  await page.until(`!${link}.checkVisibility()`);
  const other = await site.open("#/play/a.mp4", libraryScript(entries, { files: false }));
  await other.until(`${VIDEO}.currentTime > 0`);
  assertEquals(await other.evaluate(`${link}.checkVisibility()`), false);
});

test("statistics are closed at first", async () => {
  await using site = await pageSite(await folder());
  const page = await site.open("#/play/a.mp4");
  await page.resize(1280, 800);
  await page.until(`${VIDEO}.currentTime > 0.1`);
  assertEquals(await page.evaluate("document.querySelector('#stats').open"), false);
  await page.click("#stats summary");
  await page.until("document.querySelector('#stats-list').innerText.includes('Frame rate')");
});

test("damage is reported once", async () => {
  await using server = new ScriptedServer(async (peer) => {
    const frames = Array.from({ length: 50 }, (_, at) => frame(at));
    await say(peer, describe(), ...frames, end({ warning: "a block is missing" }));
  });
  await using site = await testPage(server);
  await using browser = await Chromium.start();
  const script = libraryScript([{ name: "grey", kind: "audio" }]);
  const page = await browser.open(`${site.address}#/play/grey`, { script });
  await page.until(`${NOTES}.includes("damaged")`);
  const notes = await page.evaluate<string>(NOTES);
  assertEquals(notes.split("\n").filter((note) => note.includes("damaged")), [
    "The media is damaged: a block is missing",
  ]);
});
