/** The page of `stream-server --http`, in headless Chromium. */
import { assert, assertEquals } from "@std/assert";
import { Secret } from "../../lib/net/secret.ts";
import { parseLiveSource } from "../../lib/sources/live/source_spec.ts";
import { mediaFolder, pictures, tone } from "../support/media/media_folder.ts";
import { testServer } from "../support/peers/test_server.ts";
import { Chromium, type Page } from "../support/screens/chromium.ts";
import { testWith } from "../support/test_if.ts";

const media = mediaFolder();
const test = testWith("chromium");

const TOKEN = "a-token-that-nobody-guesses";
const VIDEO = "document.querySelector('video')";

/** Checks that a page logged no error but the refusal of the guess, and asked its own server alone. */
function assertNoFaults({ requests, complaints }: Page, url: string): void {
  assertEquals(complaints.filter((text) => !text.includes("status of 403")), []);
  const { host } = new URL(url);
  const foreign = requests.filter((address) =>
    !/^(blob|data):/.test(address) && new URL(address).host !== host
  );
  assertEquals(foreign, []);
  assert(requests.some((address) => address.startsWith("ws:")));
}

/** Waits until an expression holds, in the document that a form leads to. */
async function untilSent(page: Page, expression: string): Promise<void> {
  while (true) {
    try {
      return await page.until(expression);
    } catch (error) {
      if (!(error instanceof Error && error.message.includes("navigated"))) throw error;
    }
  }
}

test("the page of a server takes the token in a form, and plays a file and a camera", async () => {
  const length = { seconds: 4 };
  const coded = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac"];
  await media.make("clip.mp4", [...pictures(length), ...tone(length), ...coded]);
  const live = {
    sources: [parseLiveSource("cam=lavfi:testsrc2=size=160x120:rate=25")],
    linger: 0,
  };
  await using server = await testServer({
    ...{ media: media.path, live, http: { hostname: "127.0.0.1", port: 0 } },
    credentials: { token: new Secret(TOKEN) },
  });
  const url = server.server.page ?? "";
  await using browser = await Chromium.start();
  const page = await browser.open(url);
  const send = async (token: string) => {
    await page.evaluate(`document.querySelector("#token").value = "${token}"`);
    await page.click("button");
  };
  await send("a-guess");
  await untilSent(page, "document.querySelector('[role=alert]')?.textContent.includes('not the')");
  await send(TOKEN);
  await untilSent(page, "document.querySelector('.thumbnail.loaded')");
  assertEquals(await page.evaluate("document.cookie"), "");
  await page.click("a[href='#/play/clip.mp4']");
  await page.until(`${VIDEO}.currentTime > 0.5`);
  await page.press("3");
  await page.until(`${VIDEO}.currentTime >= 1.2 && !${VIDEO}.seeking`);
  await page.evaluate("location.hash = '#/play/cam'");
  await page.until(`${VIDEO}?.currentTime > 0.3 && document.title.startsWith("cam")`);
  assertNoFaults(page, url);
});
