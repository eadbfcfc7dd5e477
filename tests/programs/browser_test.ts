/** The page of `--view browser`, in headless Chromium. */
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

/** The clip shows each colour for a second, in turn. */
const COLOURS = ["red", "lime", "blue", "white"];
const VALUES = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]];

/** Seconds of the clip: far more than the page buffers. */
const LENGTH = 100;

/** Keyframes do not coincide with changes of colour, and B-frames make the decode order differ. */
const CLIP = [
  ...COLOURS.flatMap((name) => ["-f", "lavfi", "-i", `color=${name}:size=160x120:rate=10:d=1`]),
  ...["-f", "lavfi", "-i", `sine=440:d=${LENGTH}`],
  "-filter_complex",
  `[0][1][2][3]concat=n=4,loop=${LENGTH / 4 - 1}:40,setpts=N/10/TB,format=yuv420p[v]`,
  ...["-map", "[v]", "-map", "4", "-c:v", "libx264", "-preset", "ultrafast", "-g", "27"],
  ...["-bf", "2", "-c:a", "aac", "-b:a", "32k", "-t", String(LENGTH)],
];

/** Key presses in quick succession; an even number. */
const HELD = 60;

/** Together with two others, more tabs than a browser opens connections to a host. */
const MORE_TABS = 5;

/** A movie fragment without its header, and a movie without tracks: no browser decodes them. */
const BROKEN = [...[0, 0, 0, 8, 109, 111, 111, 102], ...[0, 0, 0, 8, 109, 111, 111, 118]];

const CAMERA = "cam=lavfi:testsrc2=size=160x120:rate=25[out0];sine=sample_rate=48000[out1]";

/** A server, and a client that serves the page. */
interface Site extends AsyncDisposable {
  server: TestServer;
  client: RunningProgram;
  /** URL of the page. */
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

/** The media element of the page, as JavaScript. */
const VIDEO = "document.querySelector('video')";

/** An expression that presses a key; the key is an expression, too. */
function pressing(key: string): string {
  return `document.body.dispatchEvent(new KeyboardEvent("keydown", { key: ${key}, bubbles: true }))`;
}

/** Waits until the middle of the video, on the screen, has the colour of a second. */
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

/** Whether an expression comes to hold within so many seconds. */
async function holdsWithin(page: Page, seconds: number, expression: string): Promise<boolean> {
  const end = performance.now() + 1000 * seconds;
  const look = `new Promise((done) => setTimeout(() => done(${expression}), 50))`;
  while (performance.now() < end) if (await page.evaluate(look)) return true;
  return false;
}

/** Checks that a page logged no error, and sent requests to its own client only. */
function assertNoFaults({ requests, complaints }: Page, { address }: Site): void {
  assertEquals(complaints, []);
  const { host } = new URL(address);
  const foreign = requests.filter((url) =>
    !/^(blob|data):/.test(url) && new URL(url).host !== host
  );
  assertEquals(foreign, []);
  assert(requests.some((url) => url.startsWith("ws:")));
}

test("the page plays, pauses and seeks exactly", async () => {
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

  // Within the buffer; far behind it; then back, to what was removed. The frame before each of
  // these has another colour.
  for (const [key, second] of [["1", 10], ["8", 80], ["ArrowRight", 85], ["0", 0]] as const) {
    await page.press(key);
    await page.until(`${VIDEO}.currentTime === ${second} && !${VIDEO}.seeking`);
    await untilColour(page, second);
  }
  assertEquals(
    await page.evaluate("document.querySelector('#seek').ariaValueText"),
    "0:00 of 1:40",
  );
  // A seek and a quick return to the buffered range need no request.
  let count = page.requests.length;
  await page.evaluate(`${pressing("'8'")} && ${pressing("'0'")}`);
  while (page.requests.length === count) await page.evaluate("document.title");
  assertEquals(page.requests.slice(count).filter((url) => url.includes("start=")), []);
  await page.until(`${VIDEO}.currentTime === 0 && !${VIDEO}.seeking`);
  // A connection that is aborted while it connects.
  await page.evaluate(`{
      const Original = WebSocket;
      WebSocket = class extends Original {
        constructor(address) {
          super(address);
          WebSocket = Original;
          queueMicrotask(() => ${pressing("'5'")});
        }
      };
      ${pressing("'8'")};
    }`);
  await page.until(`${VIDEO}.currentTime === 50 && !${VIDEO}.seeking`);
  await untilColour(page, 50);
  // While a key is held down, few of its seeks become requests.
  count = page.requests.length;
  const elapsed = await page.evaluate<number>(`(async () => {
      const begin = Date.now();
      for (let count = 0; count < ${HELD}; count++) {
        ${pressing("count % 2 === 0 ? '1' : '8'")};
        await new Promise((resolve) => setTimeout(resolve));
      }
      return Date.now() - begin;
    })()`);
  await page.until(`${VIDEO}.currentTime === 80 && !${VIDEO}.seeking`);
  // Of the video, not of the screen: a paused Chromium may not draw the last of so many seeks.
  await page.until(isNear(PICTURE, VALUES[80 % VALUES.length]));
  // On a slow machine the presses are rarer than the requests may be.
  assertLess(page.requests.length - count, Math.max(HELD / 2, elapsed / 200 + 5));
  await page.press("0");
  await page.until(`${VIDEO}.currentTime === 0 && !${VIDEO}.seeking`);
  await untilColour(page, 0);
  // The page buffers no more than it needs soon.
  assertLess(await page.evaluate<number>(`${VIDEO}.buffered.end(0)`), 40);

  await page.press("End");
  await page.press("k");
  await page.until(`${VIDEO}.ended`);
  await page.until("document.querySelector('#play').ariaLabel === 'Play again'");
  await page.click("#play");
  await page.until(`!${VIDEO}.ended && ${VIDEO}.currentTime > 0.2 && ${VIDEO}.currentTime < 20`);
  assertNoFaults(page, site);
});

test("the page plays a live source near its live edge, beside other tabs", async () => {
  await media.make("clip.mp4", CLIP);
  await using site = await startSite("--video", "clip.mp4");
  await using browser = await Chromium.start();
  // Opened without a click, so that the browser allows no sound yet.
  const other = await browser.open(site.address);
  await other.until(`${VIDEO}.currentTime > 0.5`);
  assertEquals(await other.evaluate(`[${VIDEO}.muted, location.hash]`), [
    true,
    "#/play/clip.mp4",
  ]);
  await other.click("#unmute");
  await other.until(`!${VIDEO}.muted && document.querySelector('#unmute').hidden`);

  const page = await browser.open(`${site.address}#/play/cam`);
  const behind = `((ranges) => ranges.length === 0 ? NaN :
    ranges.end(ranges.length - 1) - ${VIDEO}.currentTime)(${VIDEO}.buffered)`;
  await page.until(`!${VIDEO}.paused && ${behind} < 1.5`);
  await page.until("document.querySelector('#stats-list dd')?.textContent.endsWith(' ms')");
  assertEquals(
    await page.evaluate(
      "[document.querySelector('#seek').hidden, " +
        "document.querySelector('#live-badge').checkVisibility()]",
    ),
    [true, true],
  );
  await page.press(" ");
  // Within the time for which the page goes on receiving: otherwise once more.
  for (let left = 5; !await holdsWithin(page, 4, `${VIDEO}.paused && ${behind} > 2`); left--) {
    assert(left > 0, "the page receives nothing while it pauses");
    await page.press(" ");
    await page.until(`!${VIDEO}.paused && ${behind} < 1.5`);
    await page.press(" ");
  }
  await page.evaluate(`(${VIDEO}.onseeking = () => document.body.dataset.jumped = "", 0)`);
  await page.press(" ");
  await page.until(`!${VIDEO}.paused && ${behind} < 1.5 && "jumped" in document.body.dataset`);
  const time = await page.evaluate<number>(`${VIDEO}.currentTime`);
  await page.until(`${VIDEO}.currentTime > ${time} + 1 && ${behind} < 1.5`);
  // There is no gap between fragments, unless the browser stands still for a while.
  let ranges = await page.evaluate<number>(`${VIDEO}.buffered.length`);
  for (let left = 5; left > 0 && ranges !== 1; left--) {
    await page.reload();
    await page.until(`${VIDEO}.currentTime > 1 && ${behind} < 1.5`);
    ranges = await page.evaluate<number>(`${VIDEO}.buffered.length`);
  }
  assertEquals(ranges, 1);

  const before = await other.evaluate<number>(`${VIDEO}.currentTime`);
  await other.until(`${VIDEO}.currentTime > ${before} + 0.5`);
  // Browsers open at most six HTTP connections to a host over all tabs; WebSockets do not count.
  const more: Page[] = [];
  for (let tab = 0; tab < MORE_TABS; tab++) {
    more.push(await browser.open(site.address));
    await more[tab].until(`${VIDEO}.currentTime > 0.1`);
  }
  for (const tab of [page, other, ...more]) assertNoFaults(tab, site);
});

/** Twelve seconds at a high bitrate, with a keyframe each second, and audio in the first two. */
async function makeShortAudio(): Promise<void> {
  const second = await media.make("noise.mp4", [
    ...["-f", "lavfi", "-i", "testsrc2=size=640x480:rate=25:d=1,noise=alls=90:allf=t"],
    ...["-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-b:v", "20M"],
  ]);
  await media.make("short audio.mp4", [
    ...["-stream_loop", "11", "-i", second, "-f", "lavfi", "-i", "sine=440:d=2"],
    ...["-map", "0:v", "-map", "1", "-c:v", "copy", "-c:a", "aac"],
  ]);
}

const NOTES = "document.querySelector('#notes').innerText";

test("the page plays on if the audio ends long before the video", async () => {
  await makeShortAudio();
  await using site = await startSite();
  // A small buffer, as on a small device.
  await using browser = await Chromium.start("--mse-video-buffer-size-limit-mb=6");
  const page = await browser.open(`${site.address}#/play/short%20audio.mp4`);
  await page.until(`!${VIDEO}.paused && ${VIDEO}.currentTime > 3`);
  assertMatch(await page.evaluate(NOTES), /is dropped/);
  await page.press("0");
  await page.until(`${VIDEO}.currentTime < 1 && !${VIDEO}.seeking && !${VIDEO}.paused`);
  await page.until(`!${VIDEO}.paused && ${VIDEO}.currentTime > 3`);
  assertNoFaults(page, site);
});

test("the page plays on if the buffer is smaller than the distance of two keyframes", async () => {
  await makeShortAudio();
  await using site = await startSite();
  await using browser = await Chromium.start("--mse-video-buffer-size-limit-mb=4");
  const page = await browser.open(`${site.address}#/play/short%20audio.mp4`);
  await page.until(`!${VIDEO}.paused && ${VIDEO}.currentTime > 3`);
  assertMatch(await page.evaluate(NOTES), /cannot play the original encoding/);
  assertNoFaults(page, site);
});

test("the page reports errors, and resumes at its position", async () => {
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

  await page.until("document.querySelector('#cards a')");
  await page.click("a[href='#/play/clip.mp4']");
  await page.until(`${VIDEO}.currentTime > 0.3 && document.querySelector('#problem').hidden`);
  await page.press("1");
  await page.until(`${VIDEO}.currentTime > 10.2`);
  // None of these has to fail.
  await page.until(
    "[...document.querySelectorAll('.thumbnail img')].every((image) => image.complete)",
  );
  const { port } = site.server.address;
  await site.server[Symbol.asyncDispose]();
  // The buffered range still plays; other positions fail.
  await page.press("8");
  await page.until(problem);
  assertMatch(await page.evaluate(text), /^Cannot /);
  await using _restarted = await testServer({ media: media.path, port });
  await page.click("#problem-button");
  await page.until(`document.querySelector('#problem').hidden && ${VIDEO}.currentTime > 80.2`);
  assertLess(await page.evaluate<number>(`${VIDEO}.currentTime`), 95);

  // A browser that cannot decode the data gets another encoding, from the same position.
  await page.evaluate(`(() => {
      const { appendBuffer } = SourceBuffer.prototype;
      SourceBuffer.prototype.appendBuffer = function () {
        SourceBuffer.prototype.appendBuffer = appendBuffer;
        appendBuffer.call(this, new Uint8Array(${JSON.stringify(BROKEN)}));
      };
    })()`);
  await page.press("4");
  await page.until(`${VIDEO}.currentTime > 40.2 && ${VIDEO}.currentTime < 60`);
  assertMatch(await page.evaluate("document.querySelector('#notes').innerText"), /re-encoded/);
  assertNoFaults(page, site);
});

test("the page is accessible: names, keys, narrow screens, light and dark", async () => {
  await media.make("clip.mp4", CLIP);
  await media.make("a still.png", [
    ...["-f", "lavfi", "-i", "color=blue:size=320x200:d=1", "-frames:v", "1"],
  ]);
  await media.make("tone.m4a", ["-f", "lavfi", "-i", "sine=440:d=5", "-c:a", "aac"]);
  await using site = await startSite();
  await using browser = await Chromium.start();
  const page = await browser.open(`${site.address}#/image/a%20still.png`);
  await page.until("document.querySelector('#image img')?.naturalWidth === 320");
  assertEquals(
    await page.evaluate(
      "[document.querySelector('#image img').alt, " +
        "document.querySelector('#image a').download]",
    ),
    ["a still.png", "a still.png"],
  );

  await page.until("document.querySelector('#cards a')");
  await page.click("a[href='#/play/clip.mp4']");
  await page.until(`${VIDEO}.currentTime > 0.2`);
  const { nodes } = await page.send("Accessibility.getFullAXTree") as { nodes: AxNode[] };
  const controls = nodes.filter(({ ignored, role }) =>
    !ignored && CONTROL_ROLES.includes(role.value)
  );
  assert(
    controls.length > 8,
    JSON.stringify(controls.map(({ role, name }) => [role.value, name?.value])),
  );
  assertEquals(controls.filter(({ name }) => !name?.value), []);

  await page.evaluate("location.hash = '#/play/tone.m4a'");
  await page.until(`${VIDEO}.currentTime > 0.2 && ${VIDEO}.duration < 6`);
  assert(await page.evaluate("document.querySelector('#audio-only').checkVisibility()"));
  await page.press("m");
  await page.until(`${VIDEO}.muted && document.querySelector('#mute').ariaLabel === 'Unmute'`);
  await page.press("f");
  await page.until("document.fullscreenElement?.id === 'player'");
  await page.press("f");
  await page.until("document.fullscreenElement === null");

  const pageWidth = "document.documentElement.scrollWidth";
  for (const width of [320, 700, 1400]) {
    await page.resize(width, 700);
    assertEquals(
      await page.evaluate(pageWidth),
      await page.evaluate("innerWidth"),
      `${width} pixels`,
    );
  }
  await page.resize(320, 700);
  await page.evaluate("history.go(-2)");
  await page.until("document.querySelector('#image img')?.naturalWidth === 320");
  assertEquals(await page.evaluate(pageWidth), 320);

  const brightness: number[] = [];
  for (const scheme of ["light", "dark"] as const) {
    await page.prefer(scheme);
    brightness.push(Math.max(...await colourAt(page, { x: 2, y: 2, media })));
  }
  assert(brightness[0] > 200 && brightness[1] < 60, brightness.join());
  assertNoFaults(page, site);
});

/** A node of the accessibility tree. */
interface AxNode {
  ignored: boolean;
  role: { value: string };
  name?: { value: string };
}

/** Roles of controls, which need a name. */
const CONTROL_ROLES = ["button", "link", "slider", "searchbox", "textbox", "DisclosureTriangle"];
