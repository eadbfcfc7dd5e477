/** Windows of ffplay, on a screen without a monitor. */
import { assertEquals, assertGreater, assertMatch } from "@std/assert";
import { mediaFolder } from "../../support/media/media_folder.ts";
import { testServer } from "../../support/peers/test_server.ts";
import { at } from "../../support/programs/run_inside.ts";
import {
  type RunningProgram,
  startProgram,
  startServerProgram,
} from "../../support/programs/running_program.ts";
import { type ScreenWindow, XScreen } from "../../support/screens/x_screen.ts";
import { PATIENCE } from "../../support/time/patience.ts";
import { testWith } from "../../support/test_if.ts";

const media = mediaFolder();
const test = testWith("Xvfb", "ffplay");

/** A red and a green quarter above a blue and a white one. */
const QUARTERS = ["red", "lime", "blue", "white"].flatMap((colour) => [
  ...["-f", "lavfi", "-i", `color=${colour}:size=64x48:rate=25:d=30`],
]);
const TONE = ["-f", "lavfi", "-i", "sine=440:d=30"];
const STACKED = ["-filter_complex", "xstack=inputs=4:layout=0_0|w0_0|0_h0|w0_h0,format=gbrp"];
const [RED, GREEN, BLUE, WHITE] = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]];
const PLACES = [[20, 20, RED], [100, 20, GREEN], [20, 70, BLUE], [100, 70, WHITE]] as const;

async function quarters(name: string, ...more: string[]): Promise<void> {
  await media.make(name, [
    ...QUARTERS,
    ...(name.endsWith(".png") ? [] : TONE),
    ...STACKED,
    ...more,
  ]);
}

/** Waits until a window shows the four colours. */
async function untilShown(screen: XScreen, client: RunningProgram): Promise<ScreenWindow> {
  const limit = AbortSignal.timeout(PATIENCE);
  let seen = "no window";
  while (!limit.aborted) {
    const [window] = (await screen.windows()).filter(({ title }) => title !== "");
    if (window === undefined) continue;
    const colours: number[][] = [];
    for (const [x, y] of PLACES) colours.push(await screen.colourAt(window, x, y));
    if (colours.every((colour, index) => isNear(colour, PLACES[index][2]))) return window;
    seen = colours.join("; ");
  }
  throw new Error(`Cannot see the picture: ${seen}, ${client.stderr.text}`);
}

function isNear(colour: readonly number[], expected: readonly number[]): boolean {
  return colour.length > 0 &&
    colour.every((value, index) => Math.abs(value - expected[index]) < 12);
}

function startClient(screen: XScreen, args: readonly string[]): RunningProgram {
  const env = { DISPLAY: screen.display, WAYLAND_DISPLAY: "", SDL_AUDIODRIVER: "dummy" };
  return startProgram("client", args, { env });
}

for (const kind of ["--image", "--video"]) {
  test(`WindowSink shows ${kind}, with its name, until it is closed`, async () => {
    const name = kind === "--image" ? "four colours.png" : "four colours.mkv";
    await quarters(name, ...(kind === "--image" ? ["-frames:v", "1"] : ["-c:v", "ffv1"]));
    await using screen = await XScreen.start();
    const { program: server, port } = await startServerProgram(["--media", media.path]);
    await using _server = server;
    const where = ["--host", "127.0.0.1", "--port", port];
    // A window is the default if there is a screen.
    await using client = startClient(screen, [kind, name, ...where]);
    const window = await untilShown(screen, client);
    assertEquals(window.title, name);
    await screen.close(window);
    const { code, stdout, stderr } = await client.ending();
    assertEquals([code, stdout], [0, ""], stderr);
    assertMatch(stderr, /^Received \d+ frames? in [^\n]+\n$/);
    server.kill("SIGTERM");
    assertEquals((await server.ending()).code, 143);
  });
}

test("WindowSink closes its window when the whole video was shown", async () => {
  await quarters("short.mkv", "-c:v", "ffv1", "-t", "1.2");
  await using screen = await XScreen.start();
  await using server = await testServer({ media: media.path });
  const args = ["--video", "short.mkv", "--view", "window", "--json", ...at(server)];
  await using client = startClient(screen, args);
  await untilShown(screen, client);
  const { code, stdout, stderr } = await client.ending();
  assertEquals([code, stderr, JSON.parse(stdout).frames], [0, "", 30]);
  // The last picture comes after 1.16 seconds, and is shown for a while.
  assertGreater(JSON.parse(stdout).seconds, 1.1);
  assertEquals(await screen.windows(), []);
});

test("WindowSink closes its window at Ctrl-C", async () => {
  await quarters("four colours.png", "-frames:v", "1");
  await using screen = await XScreen.start();
  await using server = await testServer({ media: media.path });
  await using client = startClient(screen, ["--image", "four colours.png", ...at(server)]);
  await untilShown(screen, client);
  client.kill("SIGINT");
  const { code, stderr } = await client.ending();
  assertEquals(code, 130);
  assertMatch(stderr, /^Stopped after 1 frame in [^\n]+\n$/);
  assertEquals(await screen.windows(), []);
});

test("WindowSink does not affect a recording when it is closed", async () => {
  await quarters("short.mkv", "-c:v", "ffv1", "-t", "1.2");
  await using screen = await XScreen.start();
  await using server = await testServer({ media: media.path });
  const path = media.pathOf("beside.mkv");
  const args = ["--video", "short.mkv", "--view", "window", "--output", path, ...at(server)];
  await using client = startClient(screen, args);
  await screen.close(await untilShown(screen, client));
  const { code, stderr } = await client.ending();
  assertEquals(code, 0, stderr);
  assertMatch(
    stderr,
    /^(The (?:view is closed|server makes)[^\n]+\n)*Received 30 frames in [^\n]+; wrote "[^\n]+beside\.mkv"\n$/,
  );
});
