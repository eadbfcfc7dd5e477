/** The page of `--view browser` while a live source changes its streams, in headless Chromium. */
import { assertEquals } from "@std/assert";
import { Camera } from "../support/peers/camera.ts";
import { LiveServer } from "../support/peers/changing_source.ts";
import { rawStream } from "../support/peers/test_publisher.ts";
import { Chromium, type Page } from "../support/screens/chromium.ts";
import { isNear, PICTURE, testPage } from "../support/screens/page.ts";
import { testWith } from "../support/test_if.ts";

const test = testWith("chromium");

/** Size and blue, green and red of each run of the source. */
const RUNS = [
  { width: 64, height: 48, colour: [30, 30, 200] },
  { width: 128, height: 96, colour: [30, 200, 30] },
  // Of the same codec and level as the one before.
  { width: 160, height: 96, colour: [200, 30, 30] },
];

test("the page goes on by itself when a live source changes its size", async () => {
  await using browser = await Chromium.start();
  await using source = await LiveServer.start();
  await using site = await testPage(source.server);
  let page: Page | undefined;
  let from = 0;
  for (const { width, height, colour } of RUNS) {
    await source.publisher.describe(rawStream(width, height, "bgr24"));
    const data = new Uint8Array(width * height * 3).map((_, index) => colour[index % 3]);
    const camera = new Camera(source.publisher, () => ({ data }), { from });
    await using _camera = camera;
    // The page waits for its first frame for a few seconds, some of which it loads.
    page ??= await browser.open(`${site.address}#/play/cam`);
    const [blue, green, red] = colour;
    await page.until(
      `document.querySelector("video").videoWidth === ${width} &&
       !document.querySelector("video").paused && ${isNear(PICTURE, [red, green, blue])}`,
    );
    from = await camera.stop();
  }
  assertEquals(await page?.evaluate("document.querySelector('#problem').checkVisibility()"), false);
});
