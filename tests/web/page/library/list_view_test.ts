/** The library of the page, in headless Chromium. */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { mediaFolder, pictures } from "../../../support/media/media_folder.ts";
import type { Page } from "../../../support/screens/chromium.ts";
import { changeTo, libraryScript } from "../../../support/screens/library_script.ts";
import { assertNoFaults, DRAWN, pageSite, VIDEO } from "../../../support/screens/page_site.ts";
import { testWith } from "../../../support/test_if.ts";

const media = mediaFolder();
const test = testWith("chromium");

const CODED = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"];

/** Names of the cards that can be seen. */
const CARDS = "[...document.querySelectorAll('#cards .name')].map((name) => name.textContent)";

/** The path to the folder that the library is at. */
const PATH = "document.querySelector('.path').innerText.replaceAll(/\\s+/g, ' ')";

const FOLDERS = [
  ...["a.mp4", "cam", "trips/sea.mkv", "trips/2024/one.mkv", "trips/2024/two.mkv"],
].map((name) => ({ name, kind: "audio" as const }));

async function untilCards(page: Page, names: readonly string[]): Promise<void> {
  await page.until(`${CARDS}.join() === ${JSON.stringify(names.join())}`);
  // `innerText` of a card is empty until the browser has drawn it (content-visibility).
  await page.evaluate(DRAWN);
}

test("folders are entered, and left by the path and by the history of the browser", async () => {
  await using site = await pageSite(media.path);
  const page = await site.open("", libraryScript(FOLDERS));
  await untilCards(page, ["a.mp4", "cam"]);
  assertEquals(
    await page.evaluate("document.querySelector('#folders').innerText.split(/\\s+/)"),
    ["trips", "3", "items"],
  );
  await page.click("#folders a");
  await untilCards(page, ["sea.mkv"]);
  await page.click("#folders a");
  await untilCards(page, ["one.mkv", "two.mkv"]);
  assertEquals(await page.evaluate(PATH), "Library trips 2024");
  // The focus is on the heading, and on the way back on the folder.
  assertEquals(await page.evaluate("document.activeElement.textContent"), "2024");
  await page.evaluate("history.back()");
  await untilCards(page, ["sea.mkv"]);
  assertEquals(await page.evaluate("document.activeElement.textContent"), "20242 items");
  await page.evaluate("history.back()");
  await untilCards(page, ["a.mp4", "cam"]);
  await page.evaluate("history.go(2)");
  await untilCards(page, ["one.mkv", "two.mkv"]);
  await page.click("#path a");
  await untilCards(page, ["a.mp4", "cam"]);
  assertEquals(await page.evaluate("location.hash"), "#/");
  await page.evaluate("location.hash = '#/folder/none'");
  await page.until("document.querySelector('#library-state').textContent.includes('is empty')");
  assertNoFaults(page, site);
});

test("another folder is looked into while something plays", async () => {
  await media.make("clip.mp4", [...pictures({ seconds: 20 }), ...CODED]);
  await using site = await pageSite(media.path);
  const page = await site.open(
    "#/play/clip.mp4",
    libraryScript([...FOLDERS, { name: "clip.mp4" }]),
  );
  await page.until(`${VIDEO}.currentTime > 0.2`);
  const count = page.requests.length;
  await page.click("#folders a");
  await untilCards(page, ["sea.mkv"]);
  assertEquals(await page.evaluate("location.hash"), "#/play/clip.mp4?in=trips");
  const time = await page.evaluate<number>(`${VIDEO}.currentTime`);
  await page.until(`${VIDEO}.currentTime > ${time} + 0.1`);
  assertEquals(page.requests.slice(count).filter((url) => url.includes("/api/play")), []);
});

test("the order is chosen, and kept when the page is loaded again", async () => {
  const entries = [
    { name: "b 10", size: 30, duration: 2, modified: 1 },
    { name: "b 9", size: 10, duration: 9, modified: 2 },
    { name: "a", size: 20, duration: 5, modified: 3 },
    { name: "cam", live: true, size: 0, duration: undefined },
  ].map((entry) => ({ ...entry, kind: "audio" as const }));
  await using site = await pageSite(media.path);
  const page = await site.open("", libraryScript(entries));
  await untilCards(page, ["cam", "a", "b 9", "b 10"]);
  for (
    const [order, names] of [
      ["Newest", ["cam", "a", "b 9", "b 10"]],
      ["Largest", ["cam", "b 10", "a", "b 9"]],
      ["Longest", ["cam", "b 9", "a", "b 10"]],
    ] as const
  ) {
    await page.evaluate(`(() => {
      const select = document.querySelector("#order");
      select.value = [...select.options].find(({ text }) => text === "${order}").value;
      select.dispatchEvent(new Event("change"));
    })()`);
    await untilCards(page, names);
  }
  await page.reload();
  await untilCards(page, ["cam", "b 9", "a", "b 10"]);
  assertNoFaults(page, site);
});

test("the filter finds entries in all folders below, and has room around it", async () => {
  await media.make("clip.mp4", [...pictures({ seconds: 20 }), ...CODED]);
  const more = Array.from(
    { length: 7 },
    (_, at) => ({ name: `tone ${at}`, kind: "audio" as const }),
  );
  await using site = await pageSite(media.path);
  const script = libraryScript([...FOLDERS, ...more, { name: "clip.mp4" }]);
  const page = await site.open("#/play/clip.mp4", script);
  await untilCards(page, ["a.mp4", "cam", "clip.mp4", ...more.map(({ name }) => name)]);
  for (const [width, gap] of [[1280, 12], [390, 12]]) {
    await page.resize(width, 800);
    await page.evaluate(DRAWN);
    assert(
      await page.evaluate<number>(
        "document.querySelector('#folders').getBoundingClientRect().top - " +
          "document.querySelector('#filter-label').getBoundingClientRect().bottom",
      ) >= gap,
      `${width} pixels`,
    );
  }
  await page.press("/");
  assertEquals(await page.evaluate("document.activeElement.id"), "filter");
  await page.send("Input.insertText", { text: "trips two" });
  await untilCards(page, ["trips/2024/two.mkv"]);
  // The result is opened beside the results.
  assertEquals(
    await page.evaluate("document.querySelector('#cards a').getAttribute('href')"),
    "#/play/trips/2024/two.mkv?in=",
  );
  await page.send("Input.insertText", { text: " x" });
  await page.until("document.querySelector('#library-state').textContent === 'No matches.'");
  await page.press("Escape");
  await untilCards(page, ["a.mp4", "cam", "clip.mp4", ...more.map(({ name }) => name)]);
  assertEquals(await page.evaluate("document.activeElement.id"), "filter");
});

test("a file that cannot be read is shown with the reason, and cannot be opened", async () => {
  const problem = "it ends in the middle of its index";
  const entries = [{ name: "a.mp4", problem }, { name: "tone", kind: "audio" as const }];
  await using site = await pageSite(media.path);
  const page = await site.open("", libraryScript(entries));
  await untilCards(page, ["a.mp4", "tone"]);
  assertEquals(
    await page.evaluate("document.querySelector('.broken').innerText.trim().split('\\n')"),
    ["a.mp4", "It ends in the middle of its index"],
  );
  assertEquals(await page.evaluate("document.querySelectorAll('.broken a[href]').length"), 0);
  assertEquals(page.requests.filter((url) => url.includes("thumbnail")), []);
  // It can be opened as soon as it is whole.
  await page.evaluate(changeTo([{ name: "a.mp4", kind: "audio" }, entries[1]]));
  await page.until("document.querySelector('#cards a').hash === '#/play/a.mp4'");
  assertNoFaults(page, site);
});

/** Entries enough to scroll. */
const MANY = Array.from({ length: 60 }, (_, at) => ({
  name: `tone ${String(at).padStart(2, "0")}`,
  kind: "audio" as const,
}));

test("files that come, grow and go show at once; what plays, the focus and the view stay", async () => {
  await media.make("clip.mp4", [...pictures({ seconds: 20 }), ...CODED]);
  await using site = await pageSite(media.path);
  const entries = [{ name: "clip.mp4" }, ...MANY];
  const page = await site.open("#/play/clip.mp4", libraryScript(entries));
  await page.resize(1280, 800);
  await page.until(`${VIDEO}.currentTime > 0.2`);
  await page.until(`${CARDS}.length === 61`);
  const focus = "document.activeElement.querySelector('.name')?.textContent";
  const top = "document.activeElement.getBoundingClientRect().top";
  await page.evaluate(`(() => {
    const card = document.querySelector("a[href='#/play/tone%2030']");
    card.focus();
    card.scrollIntoView({ block: "center" });
    card.dataset.same = "";
  })()`);
  await page.evaluate(DRAWN);
  const before = await page.evaluate<number>(top);
  await page.evaluate(changeTo([{ name: "a new one" }, ...entries.slice(0, 60)]));
  await page.until(`${CARDS}[0] === "a new one"`);
  await page.evaluate(DRAWN);
  assertEquals(await page.evaluate(focus), "tone 30");
  assertAlmostEquals(await page.evaluate<number>(top), before, 2);
  // A file that grows keeps its card.
  const grown = entries.map((entry) => entry.name === "tone 30" ? { ...entry, size: 5000 } : entry);
  await page.evaluate(changeTo(grown));
  await page.until("document.activeElement.innerText.includes('5.0')");
  assert(await page.evaluate("'same' in document.activeElement.dataset"));
  // The focus goes to the next card if its own is gone.
  await page.evaluate(changeTo(entries.filter(({ name }) => name !== "tone 30")));
  await page.until(`${focus} === "tone 31"`);
  const time = await page.evaluate<number>(`${VIDEO}.currentTime`);
  await page.until(`${VIDEO}.currentTime > ${time} + 0.1 && !${VIDEO}.paused`);
  assertEquals(page.requests.filter((url) => url.includes("/api/play")).length, 1);
  assertEquals(page.complaints, []);
});

test("a hidden tab does not follow, and catches up when it is seen again", async () => {
  await using site = await pageSite(media.path);
  const page = await site.open("", libraryScript(FOLDERS));
  await untilCards(page, ["a.mp4", "cam"]);
  assertEquals(await page.evaluate("followers.size"), 1);
  await site.browser.open("about:blank");
  await page.until("followers.size === 0");
  await page.evaluate(changeTo(FOLDERS.slice(1)));
  await page.send("Page.bringToFront");
  await untilCards(page, ["cam"]);
  assertEquals(await page.evaluate("followers.size"), 1);
});

test("the entry that plays is scrolled into view, and found again on the way back", async () => {
  await media.make("clip.mp4", [...pictures({ seconds: 20 }), ...CODED]);
  await using site = await pageSite(media.path);
  const entries = [...MANY.map(({ name, kind }) => ({ name: `a ${name}`, kind })), {
    name: "clip.mp4",
  }];
  const page = await site.open("", libraryScript(entries));
  await page.resize(1280, 800);
  await page.until(`${CARDS}.length === 61`);
  const isSeen = `(() => {
    const card = document.querySelector("#cards a[href='#/play/clip.mp4']");
    const { top, bottom } = card.getBoundingClientRect();
    return top >= 0 && bottom <= innerHeight;
  })()`;
  assertEquals(await page.evaluate(isSeen), false);
  await page.evaluate("location.hash = '#/play/clip.mp4'");
  await page.until(`${VIDEO}.currentTime > 0 && ${isSeen}`);
  assertEquals(await page.evaluate("scrollY"), 0);
  await page.evaluate("history.back()");
  await page.until(`document.activeElement.hash === "#/play/clip.mp4" && ${isSeen}`);
});
