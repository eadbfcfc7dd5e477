/** The page of `--view browser`, in Chromium without a screen. */
import { assert, assertEquals, assertLess, assertMatch } from "@std/assert";
import { parseLiveSource } from "../../lib/sources/live/source_spec.ts";
import { mediaFolder } from "../support/media/media_folder.ts";
import { type TestServer, testServer } from "../support/peers/test_server.ts";
import { at } from "../support/programs/run_inside.ts";
import { type RunningProgram, startProgram } from "../support/programs/running_program.ts";
import { Chromium, type Page } from "../support/screens/chromium.ts";
import { colourAt, isNear, PICTURE } from "../support/screens/page.ts";
import { PATIENCE } from "../support/time/patience.ts";
import { testWith } from "../support/test_if.ts";

const media = mediaFolder();
const test = testWith("chromium");

/** Each second of the clip has the next of these colours. */
const COLOURS = ["red", "lime", "blue", "white"];
const VALUES = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]];

/** Seconds of the clip: far more than a page keeps ready. */
const LENGTH = 100;

/** Keyframes lie elsewhere than where colours begin, and frames are not stored in their order. */
const CLIP = [
  ...COLOURS.flatMap((name) => ["-f", "lavfi", "-i", `color=${name}:size=160x120:rate=10:d=1`]),
  ...["-f", "lavfi", "-i", `sine=440:d=${LENGTH}`],
  "-filter_complex",
  `[0][1][2][3]concat=n=4,loop=${LENGTH / 4 - 1}:40,setpts=N/10/TB,format=yuv420p[v]`,
  ...["-map", "[v]", "-map", "4", "-c:v", "libx264", "-preset", "ultrafast", "-g", "27"],
  ...["-bf", "2", "-c:a", "aac", "-b:a", "32k", "-t", String(LENGTH)],
];

/** Keys that come one upon the other, an even number. */
const HELD = 60;

/** With the two others, more tabs than a browser has connections to one place. */
const MORE_TABS = 5;

/** A movie fragment without its header, and a movie without tracks: no browser takes them. */
const BROKEN = [...[0, 0, 0, 8, 109, 111, 111, 102], ...[0, 0, 0, 8, 109, 111, 111, 118]];

const CAMERA = "cam=lavfi:testsrc2=size=160x120:rate=25[out0];sine=sample_rate=48000[out1]";

/** A server, and a client that serves the page. */
interface Site extends AsyncDisposable {
  server: TestServer;
  client: RunningProgram;
  /** Where the page is. */
  address: string;
}

async function startSite(...args: string[]): Promise<Site> {
  await using started = new AsyncDisposableStack();
  const live = { sources: [parseLiveSource(CAMERA)], linger: 0 };
  const server = started.use(await testServer({ media: media.path, live }));
  const env = { DISPLAY: "", WAYLAND_DISPLAY: "" };
  const client = started.use(
    startProgram("client", ["--view", "browser", "--http", "0", ...args, ...at(server)], { env }),
  );
  const [, address] = await client.stdout.until(/(http:\/\/127\.0\.0\.1:\d+\/)/);
  const kept = started.move();
  return { server, client, address, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

/** A part of the one media element, as JavaScript. */
const VIDEO = "document.querySelector('video')";

/** JavaScript that presses a key, which is an expression. */
function pressing(key: string): string {
  return `document.body.dispatchEvent(new KeyboardEvent("keydown", { key: ${key}, bubbles: true }))`;
}

/** Waits until what is shown, at the middle of the picture, has the colour of a second. */
async function untilColour(page: Page, second: number): Promise<void> {
  const expected = VALUES[second % VALUES.length];
  const { x, y } = await page.evaluate<{ x: number; y: number }>(`(() => {
    const { x, y, width, height } = ${VIDEO}.getBoundingClientRect();
    return { x: Math.round(x + width / 2), y: Math.round(y + height / 2) };
  })()`);
  const limit = AbortSignal.timeout(PATIENCE);
  let seen: number[] = [];
  while (!limit.aborted) {
    seen = await colourAt(page, { x, y, media });
    if (seen.every((value, index) => Math.abs(value - expected[index]) < 40)) return;
  }
  throw new Error(`Cannot see second ${second}: ${seen} is shown, expected ${expected}`);
}

/** Checks that a page asked nobody but its own client for anything, and complained of nothing. */
function assertCalm({ requests, complaints }: Page, { address }: Site): void {
  assertEquals(complaints, []);
  const own = new URL(address).host;
  const foreign = requests.filter((url) => !/^(blob|data):/.test(url) && new URL(url).host !== own);
  assertEquals(foreign, []);
  assert(requests.some((url) => url.startsWith("ws:")));
}

test("the page plays, pauses and seeks to the picture", async () => {
  await media.make("clip.mp4", CLIP);
  await using site = await startSite();
  await using browser = await Chromium.start();
  const page = await browser.open(site.address);
  await page.until("document.querySelector('.thumbnail.loaded')");
  await page.click("a[href='#/play/clip.mp4']");
  await page.until(`${VIDEO}.currentTime > 0.5 && !${VIDEO}.muted`);
  await untilColour(page, 1);
  await page.press(" ");
  await page.until(`${VIDEO}.paused && document.querySelector('#play').ariaLabel === 'Play'`);
  assertEquals(await page.evaluate("document.title"), "clip.mp4 · Stream");

  // Within what is there; then far behind it; then back, where it is no more. The picture before
  // each of these has another colour.
  for (const [key, second] of [["1", 10], ["8", 80], ["ArrowRight", 85], ["0", 0]] as const) {
    await page.press(key);
    await page.until(`${VIDEO}.currentTime === ${second} && !${VIDEO}.seeking`);
    await untilColour(page, second);
  }
  assertEquals(
    await page.evaluate("document.querySelector('#seek').ariaValueText"),
    "0:00 of 1:40",
  );
  // Who comes back at once, to what is still there, stays there.
  let asked = page.requests.length;
  await page.evaluate(`${pressing("'8'")} && ${pressing("'0'")}`);
  while (page.requests.length === asked) await page.evaluate("document.title");
  assertEquals(page.requests.slice(asked).filter((url) => url.includes("start=")), []);
  await page.until(`${VIDEO}.currentTime === 0 && !${VIDEO}.seeking`);
  // A connection that is not wanted any more before it is there.
  await page.evaluate(`{
      const Usual = WebSocket;
      WebSocket = class extends Usual {
        constructor(address) {
          super(address);
          WebSocket = Usual;
          queueMicrotask(() => ${pressing("'5'")});
        }
      };
      ${pressing("'8'")};
    }`);
  await page.until(`${VIDEO}.currentTime === 50 && !${VIDEO}.seeking`);
  await untilColour(page, 50);
  // Who holds a key down asks the server for little of what lies between.
  asked = page.requests.length;
  await page.evaluate(`(async () => {
      for (let count = 0; count < ${HELD}; count++) {
        ${pressing("count % 2 === 0 ? '1' : '8'")};
        await new Promise((resolve) => setTimeout(resolve));
      }
    })()`);
  await page.until(`${VIDEO}.currentTime === 80 && !${VIDEO}.seeking`);
  // Not what is on the screen: Chromium may not draw the last of so many while it pauses.
  await page.until(isNear(PICTURE, VALUES[80 % VALUES.length]));
  assertLess(page.requests.length - asked, HELD / 2);
  await page.press("0");
  await page.until(`${VIDEO}.currentTime === 0 && !${VIDEO}.seeking`);
  await untilColour(page, 0);
  // No more is fetched than is needed soon.
  assertLess(await page.evaluate<number>(`${VIDEO}.buffered.end(0)`), 40);

  await page.press("End");
  await page.press("k");
  await page.until(`${VIDEO}.ended`);
  await page.until("document.querySelector('#play').ariaLabel === 'Play again'");
  await page.click("#play");
  await page.until(`!${VIDEO}.ended && ${VIDEO}.currentTime > 0.2 && ${VIDEO}.currentTime < 20`);
  assertCalm(page, site);
});

test("the page shows what is live near its newest, beside other tabs", async () => {
  await media.make("clip.mp4", CLIP);
  await using site = await startSite("--video", "clip.mp4");
  await using browser = await Chromium.start();
  // Opened by its address, so that the browser allows no sound yet.
  const other = await browser.open(site.address);
  await other.until(`${VIDEO}.currentTime > 0.5`);
  assertEquals(await other.evaluate(`[${VIDEO}.muted, location.hash]`), [
    true,
    "#/play/clip.mp4",
  ]);
  await other.click("#unmute");
  await other.until(`!${VIDEO}.muted && document.querySelector('#unmute').hidden`);

  const page = await browser.open(`${site.address}#/play/cam`);
  const behind = `(${VIDEO}.buffered.end(0) - ${VIDEO}.currentTime)`;
  await page.until(`${VIDEO}.buffered.length > 0 && !${VIDEO}.paused && ${behind} < 1.5`);
  await page.until("document.querySelector('#stats-list dd')?.textContent.endsWith(' ms')");
  assertEquals(
    await page.evaluate(
      "[document.querySelector('#seek').hidden, " +
        "document.querySelector('#live-mark').checkVisibility()]",
    ),
    [true, true],
  );
  await page.press(" ");
  await page.until(`${VIDEO}.paused && ${behind} > 2`);
  await page.evaluate(`(${VIDEO}.onseeking = () => document.body.dataset.jumped = "", 0)`);
  await page.press(" ");
  await page.until(`!${VIDEO}.paused && ${behind} < 1.5 && "jumped" in document.body.dataset`);
  const moment = await page.evaluate<number>(`${VIDEO}.currentTime`);
  await page.until(`${VIDEO}.currentTime > ${moment} + 1 && ${behind} < 1.5`);
  // Nothing is missing between its fragments.
  assertEquals(await page.evaluate(`${VIDEO}.buffered.length`), 1);

  const before = await other.evaluate<number>(`${VIDEO}.currentTime`);
  await other.until(`${VIDEO}.currentTime > ${before} + 0.5`);
  // Browsers open no more than six connections for all tabs together; plays are none of these.
  const more: Page[] = [];
  for (let tab = 0; tab < MORE_TABS; tab++) {
    more.push(await browser.open(site.address));
    await more[tab].until(`${VIDEO}.currentTime > 0.1`);
  }
  for (const tab of [page, other, ...more]) assertCalm(tab, site);
});

/** Twelve seconds of many bytes, with a keyframe each second, and sound in the first two. */
async function makeShortSound(): Promise<void> {
  const second = await media.make("noise.mp4", [
    ...["-f", "lavfi", "-i", "testsrc2=size=640x480:rate=25:d=1,noise=alls=90:allf=t"],
    ...["-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-b:v", "20M"],
  ]);
  await media.make("short sound.mp4", [
    ...["-stream_loop", "11", "-i", second, "-f", "lavfi", "-i", "sine=440:d=2"],
    ...["-map", "0:v", "-map", "1", "-c:v", "copy", "-c:a", "aac"],
  ]);
}

const NOTES = "document.querySelector('#notes').innerText";

test("the page plays on where the sound ends long before the pictures", async () => {
  await makeShortSound();
  await using site = await startSite();
  // As on a small device.
  await using browser = await Chromium.start("--mse-video-buffer-size-limit-mb=6");
  const page = await browser.open(`${site.address}#/play/short%20sound.mp4`);
  await page.until(`!${VIDEO}.paused && ${VIDEO}.currentTime > 3`);
  assertMatch(await page.evaluate(NOTES), /left out/);
  await page.press("0");
  await page.until(`${VIDEO}.currentTime < 1 && !${VIDEO}.seeking && !${VIDEO}.paused`);
  await page.until(`!${VIDEO}.paused && ${VIDEO}.currentTime > 3`);
  assertCalm(page, site);
});

test("the page plays on where the browser has no room from one keyframe to the next", async () => {
  await makeShortSound();
  await using site = await startSite();
  await using browser = await Chromium.start("--mse-video-buffer-size-limit-mb=4");
  const page = await browser.open(`${site.address}#/play/short%20sound.mp4`);
  await page.until(`!${VIDEO}.paused && ${VIDEO}.currentTime > 3`);
  assertMatch(await page.evaluate(NOTES), /cannot play it as it is/);
  assertCalm(page, site);
});

test("the page says what is wrong, and goes on from where it was", async () => {
  await media.make("clip.mp4", CLIP);
  await using site = await startSite();
  await using browser = await Chromium.start();
  const problem = "!document.querySelector('#problem').hidden";
  const text = "document.querySelector('#problem-text').textContent";
  const page = await browser.open(`${site.address}#/play/nothing`);
  await page.until(problem);
  assertMatch(await page.evaluate(text), /"nothing"/);
  assertEquals(
    await page.evaluate("document.querySelector('#problem-button').textContent"),
    "Retry",
  );

  await page.click("a[href='#/play/clip.mp4']");
  await page.until(`${VIDEO}.currentTime > 0.3 && document.querySelector('#problem').hidden`);
  await page.press("1");
  await page.until(`${VIDEO}.currentTime > 10.2`);
  const { port } = site.server.address;
  await site.server[Symbol.asyncDispose]();
  // What is there is played on; elsewhere there is nothing.
  await page.press("8");
  await page.until(problem);
  assertMatch(await page.evaluate(text), /^Cannot /);
  await using _again = await testServer({ media: media.path, port });
  await page.click("#problem-button");
  await page.until(`document.querySelector('#problem').hidden && ${VIDEO}.currentTime > 80.2`);
  assertLess(await page.evaluate<number>(`${VIDEO}.currentTime`), 95);

  // A browser that cannot decode what comes gets something else, from there on.
  await page.evaluate(`(() => {
      const { appendBuffer } = SourceBuffer.prototype;
      SourceBuffer.prototype.appendBuffer = function () {
        SourceBuffer.prototype.appendBuffer = appendBuffer;
        appendBuffer.call(this, new Uint8Array(${JSON.stringify(BROKEN)}));
      };
    })()`);
  await page.press("4");
  await page.until(`${VIDEO}.currentTime > 40.2 && ${VIDEO}.currentTime < 60`);
  assertMatch(await page.evaluate("document.querySelector('#notes').innerText"), /encoded anew/);
  assertCalm(page, site);
});

test("the page is for everybody: names, keys, narrow screens, light and dark", async () => {
  await media.make("clip.mp4", CLIP);
  await media.make("a still.png", [
    ...["-f", "lavfi", "-i", "color=blue:size=320x200:d=1", "-frames:v", "1"],
  ]);
  await media.make("tone.m4a", ["-f", "lavfi", "-i", "sine=440:d=5", "-c:a", "aac"]);
  await using site = await startSite();
  await using browser = await Chromium.start();
  const page = await browser.open(`${site.address}#/image/a%20still.png`);
  await page.until("document.querySelector('#picture img')?.naturalWidth === 320");
  assertEquals(
    await page.evaluate(
      "[document.querySelector('#picture img').alt, " +
        "document.querySelector('#picture a').download]",
    ),
    ["a still.png", "a still.png"],
  );

  await page.click("a[href='#/play/clip.mp4']");
  await page.until(`${VIDEO}.currentTime > 0.2`);
  const { nodes } = await page.send("Accessibility.getFullAXTree") as { nodes: AxNode[] };
  const used = nodes.filter(({ ignored, role }) => !ignored && WITH_NAMES.includes(role.value));
  assert(
    used.length > 8,
    JSON.stringify(used.map(({ role, name }) => [role.value, name?.value])),
  );
  assertEquals(used.filter(({ name }) => !name?.value), []);

  await page.evaluate("location.hash = '#/play/tone.m4a'");
  await page.until(`${VIDEO}.currentTime > 0.2 && ${VIDEO}.duration < 6`);
  assert(await page.evaluate("document.querySelector('#sound-only').checkVisibility()"));
  await page.press("m");
  await page.until(`${VIDEO}.muted && document.querySelector('#mute').ariaLabel === 'Unmute'`);
  await page.press("f");
  await page.until("document.fullscreenElement?.id === 'player'");
  await page.press("f");
  await page.until("document.fullscreenElement === null");

  const wide = "document.documentElement.scrollWidth";
  for (const width of [320, 700, 1400]) {
    await page.resize(width, 700);
    assertEquals(await page.evaluate(wide), await page.evaluate("innerWidth"), `${width} pixels`);
  }
  await page.resize(320, 700);
  await page.evaluate("history.go(-2)");
  await page.until("document.querySelector('#picture img')?.naturalWidth === 320");
  assertEquals(await page.evaluate(wide), 320);

  const brightness: number[] = [];
  for (const scheme of ["light", "dark"] as const) {
    await page.prefer(scheme);
    brightness.push(Math.max(...await colourAt(page, { x: 2, y: 2, media })));
  }
  assert(brightness[0] > 200 && brightness[1] < 60, brightness.join());
  assertCalm(page, site);
});

/** A node of the tree that screen readers get. */
interface AxNode {
  ignored: boolean;
  role: { value: string };
  name?: { value: string };
}

/** Roles of what is used by hand. */
const WITH_NAMES = ["button", "link", "slider", "searchbox", "textbox", "DisclosureTriangle"];
