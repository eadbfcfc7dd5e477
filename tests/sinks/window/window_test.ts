/** Windows of mpv and ffplay, on a screen without a monitor. */
import { assertEquals, assertGreater, assertMatch } from "@std/assert";
import { mediaFolder, namesIn } from "../../support/media/media_folder.ts";
import {
  describe,
  end,
  frame,
  say,
  ScriptedServer,
  stay,
} from "../../support/peers/scripted_server.ts";
import { testServer } from "../../support/peers/test_server.ts";
import { mediaChildren } from "../../support/programs/machine.ts";
import { at } from "../../support/programs/run_inside.ts";
import {
  assertFailed,
  type RunningProgram,
  runProgram,
  startProgram,
  startServerProgram,
} from "../../support/programs/running_program.ts";
import { environmentOn, type PlayerName, PLAYERS, shownBy } from "../../support/screens/players.ts";
import { type ScreenWindow, XScreen } from "../../support/screens/x_screen.ts";
import { PATIENCE } from "../../support/time/patience.ts";
import { testWith } from "../../support/test_if.ts";

const media = mediaFolder();

/** Milliseconds from one look at a window to the next. */
const LOOK_INTERVAL = 20;

/** A red and a green quarter above a blue and a white one. */
const QUARTERS = ["red", "lime", "blue", "white"].flatMap((colour) => [
  ...["-f", "lavfi", "-i", `color=${colour}:size=64x48:rate=25:d=30`],
]);
const TONE = ["-f", "lavfi", "-i", "sine=440:d=30"];
const STACKED = ["-filter_complex", "xstack=inputs=4:layout=0_0|w0_0|0_h0|w0_h0,format=gbrp"];
/** The same as one large picture. */
const LARGE = "color=white:size=1280x960," +
  "drawbox=0:0:640:480:red:fill,drawbox=640:0:640:480:lime:fill,drawbox=0:480:640:480:blue:fill";
const [RED, GREEN, BLUE, WHITE] = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]];

/** Coordinates in a window, and the colour there. */
type Place = readonly [x: number, y: number, colour: readonly number[]];

const PLACES: readonly Place[] = [
  ...[[20, 20, RED], [100, 20, GREEN], [20, 70, BLUE], [100, 70, WHITE]] as const,
];

async function quarters(name: string, ...more: string[]): Promise<void> {
  await media.make(name, [
    ...QUARTERS,
    ...(name.endsWith(".png") ? [] : TONE),
    ...STACKED,
    ...more,
  ]);
}

/** Waits until a window shows the four colours. */
async function untilShown(
  screen: XScreen,
  client: RunningProgram,
  places: readonly Place[] = PLACES,
): Promise<ScreenWindow> {
  const limit = AbortSignal.timeout(PATIENCE);
  let seen = "no window";
  while (!limit.aborted) {
    // Looking all the time would take the machine from what is looked at.
    await new Promise((resolve) => setTimeout(resolve, LOOK_INTERVAL));
    const [window] = (await screen.windows()).filter(({ title }) => title !== "");
    if (window === undefined) continue;
    const colours: number[][] = [];
    for (const [x, y] of places) colours.push(await screen.colourAt(window, x, y));
    if (colours.every((colour, index) => isNear(colour, places[index][2]))) return window;
    seen = colours.join("; ");
  }
  throw new Error(`Cannot see the picture: ${seen}, ${client.stderr.text}`);
}

function isNear(colour: readonly number[], expected: readonly number[]): boolean {
  return colour.length > 0 &&
    colour.every((value, index) => Math.abs(value - expected[index]) < 12);
}

/** Registers a test for each of the players. */
function test(name: string, fn: (player: PlayerName) => Promise<void>): void {
  for (const player of PLAYERS) {
    testWith("Xvfb", player)(`${name}, with ${player}`, async () => {
      using _player = await shownBy(player);
      await fn(player);
    });
  }
}

function startClient(screen: XScreen, args: readonly string[]): RunningProgram {
  return startProgram("client", args, { env: environmentOn(screen) });
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
    assertMatch(stderr, /^Received (1 picture|\d+ frames?) in [^\n]+\n$/);
    server.kill("SIGTERM");
    assertEquals((await server.ending()).code, 143);
  });
}

test("WindowSink closes its window when the whole video was shown", async () => {
  await quarters("short.mkv", "-c:v", "ffv1", "-t", "10");
  await using screen = await XScreen.start();
  await using server = await testServer({ media: media.path });
  const how = ["--view", "window", "--late", "wait", "--json"];
  const args = ["--video", "short.mkv", ...how, ...at(server)];
  await using client = startClient(screen, args);
  await untilShown(screen, client);
  const { code, stdout, stderr } = await client.ending();
  assertEquals([code, JSON.parse(stdout).frames], [0, 250], stderr);
  // The last picture comes after 9.96 seconds, and is shown for a while.
  assertGreater(JSON.parse(stdout).seconds, 9.9);
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
  assertMatch(stderr, /^Stopped after 1 picture in [^\n]+\n$/);
  assertEquals(await screen.windows(), []);
});

test("WindowSink does not affect a recording when it is closed", async (player) => {
  await quarters("short.mkv", "-c:v", "ffv1", "-t", "10");
  await using screen = await XScreen.start();
  await using server = await testServer({ media: media.path });
  const path = media.pathOf(`beside ${player}.mkv`);
  const args = ["--video", "short.mkv", "--view", "window", "--output", path, ...at(server)];
  await using client = startClient(screen, args);
  await screen.close(await untilShown(screen, client));
  const { code, stderr } = await client.ending();
  assertEquals(code, 0, stderr);
  assertMatch(
    stderr,
    /^(The view is closed[^\n]+\n)*Received 250 frames in [^\n]+; wrote "[^\n]+beside \w+\.mkv"\n$/,
  );
});

test("WindowSink shows a picture that is larger than the screen as large as it fits", async () => {
  const name = "large.png";
  await media.make(name, ["-f", "lavfi", "-i", LARGE, "-frames:v", "1"]);
  await using screen = await XScreen.start({ size: "800x500" });
  await using server = await testServer({ media: media.path });
  await using client = startClient(screen, ["--image", name, ...at(server)]);
  // 667x500 pixels.
  const window = await untilShown(screen, client, [
    ...[[5, 5, RED], [660, 5, GREEN], [5, 495, BLUE], [660, 495, WHITE]] as const,
  ]);
  assertEquals(await screen.colourAt(window, 675, 5), []);
  client.kill("SIGINT");
  assertEquals((await client.ending()).code, 130);
});

test("WindowSink reports a player that is killed, and leaves nothing behind", async (player) => {
  await quarters("four colours.mkv", "-c:v", "ffv1");
  const folder = await media.folder(`private ${player}`);
  await using screen = await XScreen.start();
  await using server = await testServer({ media: media.path });
  const args = ["--video", "four colours.mkv", "--view", "window", ...at(server)];
  const env = { ...environmentOn(screen), TMPDIR: folder };
  await using client = startProgram("client", args, { env });
  await untilShown(screen, client);
  // The folder of its socket is needed only until it has connected.
  assertEquals(namesIn(folder), []);
  for (const pid of await mediaChildren(client.pid)) Deno.kill(pid, "SIGKILL");
  const { code, stderr } = await client.ending();
  assertEquals(code, 1);
  assertMatch(
    stderr,
    /^([^\n]+\n)?Cannot show the video in a window: \w+ was ended by SIGKILL; try --view terminal\n$/,
  );
  assertEquals(namesIn(folder), []);
});

/** What the players say of a screen that does not exist. */
const REASONS = { ffplay: ".*SDL.*", mpv: "couldn't open the X11 display \\(:987654\\)!" };

test("WindowSink reports a screen that cannot be reached", async (player) => {
  await using server = new ScriptedServer(async (peer) => {
    await say(peer, describe(), frame(0), end());
    await stay(peer);
  });
  const args = ["--video", "--view", "window", ...at(server)];
  const env = { DISPLAY: ":987654", WAYLAND_DISPLAY: "" };
  const reason = `^Cannot show the video in a window: ${REASONS[player]}; try --view terminal`;
  assertFailed(await runProgram("client", args, { env }), { code: 1, reason: new RegExp(reason) });
});
