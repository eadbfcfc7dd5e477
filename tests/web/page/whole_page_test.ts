/** The whole page, in headless Chromium: by keyboard alone, on a phone, in both colour schemes. */
import { assert, assertEquals } from "@std/assert";
import { mediaFolder, pictures, tone } from "../../support/media/media_folder.ts";
import type { Page } from "../../support/screens/chromium.ts";
import { libraryScript } from "../../support/screens/library_script.ts";
import { assertNoFaults, DRAWN, pageSite, VIDEO } from "../../support/screens/page_site.ts";
import { testWith } from "../../support/test_if.ts";

const media = mediaFolder();
const test = testWith("chromium");

const CODED = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac"];

/** More focusable elements than the page of these tests has. */
const MANY_TABS = 80;

async function folder(): Promise<string> {
  await media.make("m/clip.mp4", [
    ...pictures({ seconds: 20 }),
    ...tone({ seconds: 20 }),
    ...CODED,
  ]);
  await media.make("m/still.png", [...pictures(), "-frames:v", "1"]);
  return media.pathOf("m");
}

const LIBRARY = libraryScript([
  ...Array.from({ length: 8 }, (_, at) => ({ name: `trips/tone ${at}`, kind: "audio" as const })),
  { name: "clip.mp4" },
  { name: "broken.mp4", problem: "it is empty" },
], { files: true });

/** The focused element, or a complaint if the focus cannot be seen; `""` if there is none. */
const FOCUSED = `(() => {
  const { activeElement } = document;
  if (activeElement === document.body) return "";
  const outlined = [activeElement, activeElement.closest(".field")].some((element) =>
    element !== null && getComputedStyle(element).outlineStyle !== "none");
  if (!outlined) return "no outline: " + activeElement.outerHTML;
  const { id, ariaLabel, textContent } = activeElement;
  return id || ariaLabel || activeElement.getAttribute("href") || textContent.trim();
})()`;

/** Presses Tab until something is focused. */
async function tabTo(page: Page, wanted: string): Promise<void> {
  for (let count = 0; count < MANY_TABS; count++) {
    await page.press("Tab");
    if (await page.evaluate(FOCUSED) === wanted) return;
  }
  throw new Error(`Cannot reach ${wanted} by Tab`);
}

test("the keyboard alone reaches everything, and sees where it is", async () => {
  await using site = await pageSite(await folder());
  const page = await site.open("", LIBRARY);
  await page.until("document.querySelectorAll('#cards li').length === 2");
  await page.press("Tab");
  assertEquals(await page.evaluate(FOCUSED), "skip");
  await tabTo(page, "#/folder/trips");
  await page.press("Enter");
  await page.until("document.querySelectorAll('#cards li').length === 8");
  await tabTo(page, "order");
  await tabTo(page, "filter");
  await page.evaluate("history.back()");
  await page.until("document.querySelectorAll('#cards li').length === 2");
  await tabTo(page, "#/play/clip.mp4");
  await page.press("Enter");
  await page.until(`${VIDEO}.currentTime > 0.2 && document.querySelector('#download').href`);
  await page.evaluate("document.querySelector('#skip').focus()");
  const seen = new Set<string>();
  for (let count = 0; count < MANY_TABS && !seen.has("#/play/clip.mp4"); count++) {
    await page.press("Tab");
    seen.add(await page.evaluate(FOCUSED));
  }
  for (const id of ["seek", "play", "mute", "volume", "Settings", "full", "download"]) {
    assert(seen.has(id), `${id}: ${[...seen].join()}`);
  }
  assertEquals([...seen].filter((what) => what.startsWith("no outline")), []);
  // The settings open, and give the focus back.
  await page.evaluate("document.querySelector('#settings summary').focus()");
  await page.press("Enter");
  await page.until("document.querySelector('#settings').open");
  await page.press("Tab");
  assertEquals(await page.evaluate("document.activeElement.id"), "speed");
  await page.press("Escape");
  assertEquals(
    await page.evaluate(
      "[document.activeElement.localName, document.querySelector('#settings').open]",
    ),
    ["summary", false],
  );
  assertNoFaults(page, site);
});

test("a phone shows everything over the full width, in one row of controls", async () => {
  await using site = await pageSite(await folder());
  const page = await site.browser.open("about:blank", { script: LIBRARY });
  await page.becomePhone();
  await page.goTo(`${site.page.address}#/play/clip.mp4`);
  await page.until(`${VIDEO}.currentTime > 0.2 && document.querySelector('#cards li')`);
  assert(await page.evaluate("navigator.userAgent.includes('Mobile')"));
  const box = (selector: string) =>
    page.evaluate<{ x: number; width: number; height: number }>(
      `document.querySelector("${selector}").getBoundingClientRect().toJSON()`,
    );
  const [player, card, controls] = [
    await box("#player"),
    await box("#cards a"),
    await box(".bar"),
  ];
  assertEquals([player.x, player.width], [0, 390]);
  assertEquals([card.x, card.width], [12, 366]);
  assert(controls.height < 110, `${controls.height} pixels`);
  assertEquals(await page.evaluate("document.documentElement.scrollWidth"), 390);
  await page.evaluate("location.hash = '#/image/still.png'");
  await page.until("document.querySelector('#picture img')?.naturalWidth === 64");
  assertEquals(await page.evaluate("document.documentElement.scrollWidth"), 390);
  assertNoFaults(page, site);
});

/** Contrast of text and its background (WCAG 2.1, section 1.4.3), for each element with text. */
const CONTRASTS = `(() => {
  const luminance = (colour) => {
    const [red, green, blue] = colour.match(/[\\d.]+/g).map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const backOf = (element) => {
    for (let at = element; at !== null; at = at.parentElement) {
      const { backgroundColor } = getComputedStyle(at);
      if (!/, 0\\)|0\\.\\d+\\)$/.test(backgroundColor)) return backgroundColor;
    }
  };
  const texts = [...document.querySelectorAll("h1 a, h2, p, .name, .details, dt, summary, .path a, " +
    ".field span, #download, #problem p, #library-state span")];
  return texts.filter((element) => element.checkVisibility() && element.textContent.trim() !== "")
    .map((element) => {
      const [one, other] = [getComputedStyle(element).color, backOf(element)].map(luminance);
      const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
      return [element.outerHTML.slice(0, 80), ratio];
    }).filter(([, ratio]) => ratio < 4.5);
})()`;

test("light and dark have contrast, and nothing is wider than its window", async () => {
  await using site = await pageSite(await folder());
  const page = await site.open("", LIBRARY);
  await page.until("document.querySelectorAll('#cards li').length === 2");
  for (const hash of ["#/", "#/folder/trips", "#/play/clip.mp4", "#/play/none"]) {
    await page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
    if (hash === "#/play/clip.mp4") await page.until(`${VIDEO}.currentTime > 0.1`);
    if (hash === "#/play/none") await page.until("!document.querySelector('#problem').hidden");
    for (const width of [320, 390, 700, 1280]) {
      await page.resize(width, 800);
      for (const scheme of ["light", "dark"] as const) {
        await page.prefer(scheme);
        await page.evaluate(DRAWN);
        assertEquals(await page.evaluate(CONTRASTS), [], `${hash} ${width} ${scheme}`);
        assertEquals(await page.evaluate("document.documentElement.scrollWidth"), width, hash);
      }
    }
  }
});
