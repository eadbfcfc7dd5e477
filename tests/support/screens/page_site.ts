/** A server, its page and a browser, for tests of what the page shows. */
import { assertEquals } from "@std/assert";
import { testServer } from "../peers/test_server.ts";
import { Chromium, type Page } from "./chromium.ts";
import { type TestPage, testPage } from "./page.ts";

/** The video of the page, as JavaScript. */
export const VIDEO = "document.querySelector('video')";

/** A page that is served, and a browser to open it in. */
export interface PageSite extends AsyncDisposable {
  page: TestPage;
  browser: Chromium;
  /**
   * Opens the page.
   *
   * @param hash what it shows, from `#` on
   * @param script runs before those of the page
   */
  open(hash?: string, script?: string): Promise<Page>;
}

/** Starts a server of a folder of media, its page and a browser. */
export async function pageSite(media: string, flags: readonly string[] = []): Promise<PageSite> {
  await using started = new AsyncDisposableStack();
  const server = started.use(await testServer({ media }));
  const page = started.use(await testPage(server, flags));
  const browser = started.use(await Chromium.start());
  const kept = started.move();
  return {
    page,
    browser,
    open: (hash = "", script) => browser.open(`${page.address}${hash}`, { script }),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** Checks that a tab logged no error, and sent requests to its own site only. */
export function assertNoFaults({ requests, complaints }: Page, { page: { host } }: PageSite): void {
  assertEquals(complaints, []);
  const others = requests.filter((url) => !/^(blob|data):/.test(url) && new URL(url).host !== host);
  assertEquals(others, []);
}

/** An expression that waits until the page has been drawn again. */
export const DRAWN =
  "new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))";
