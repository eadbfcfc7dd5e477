/** The examples of docs/guide/python.md, as users run them. */
import { assert, assertEquals, assertLess, assertMatch } from "@std/assert";
import { parseLiveSource } from "../../lib/sources/live/source_spec.ts";
import { findPython } from "../peers/python.ts";
import { decodedBytes } from "../support/media/reference.ts";
import { mediaFolder, namesIn, pictures } from "../support/media/media_folder.ts";
import { testServer } from "../support/peers/test_server.ts";
import { lacking } from "../support/programs/machine.ts";
import { pathOf, runProgram, startProgram } from "../support/programs/running_program.ts";
import { type ScreenWindow, XScreen } from "../support/screens/x_screen.ts";
import { PATIENCE } from "../support/time/patience.ts";
import { testIf } from "../support/test_if.ts";

const media = mediaFolder();
const python = await findPython(["numpy", "cv2"]);
const example = testIf(python !== undefined, "no python3 with numpy and cv2");
const noScreen = lacking("Xvfb");
const onScreen = testIf(
  python !== undefined && noScreen.length === 0,
  "no python3 with numpy and cv2, or no Xvfb",
);

const EXAMPLES = ["show", "detect", "depth", "every_tenth", "side_by_side"];

/** Lines that an example has less than. */
const MAX_LINES = 25;

/** X symbol of the key (keysymdef.h). */
const Q = 0x71;

/** Milliseconds from one look at a window to the next. */
const LOOK_INTERVAL = 20;

/** Pixels of a screen that has room for the toolbar of OpenCV's windows. */
const [WIDTH, HEIGHT] = [1600, 240];

/** Pixels between points that are looked at: a toolkit puts bars and frames around a picture. */
const GRID = 20;

/** Points that show the picture: it has 48, some of which are under the text. */
const LEAST_POINTS = 20;

/** Levels that a colour may be off, as it comes from YUV. */
const TOLERANCE = 6;

/** Bytes of a bgr24 pixel. */
const PIXEL = 3;

/** Receives the first frame with a message, or any first frame, and writes its bytes to a file. */
const VIEWER = `
import json, sys
from stream_client import Stream
port, name, output, options = sys.argv[1:]
options = json.loads(options)
needs_data = options.pop("needs_data", False)
with Stream("127.0.0.1", name, port=int(port), **options) as stream:
    frame = next(each for each in stream if each.data or not needs_data)
    with open(output, "wb") as file:
        file.write(frame.bytes)
    print(json.dumps({
        "format": frame.stream.pixel_format, "size": stream.get_size(),
        "data": [message.value for message in frame.data],
    }))
`;

/** What {@linkcode VIEWER} prints, and the bytes of the frame. */
interface Seen {
  format: string;
  size: [width: number, height: number];
  data: unknown[];
  bytes: Uint8Array;
}

function environment(more: Record<string, string> = {}) {
  const env = { PYTHONPATH: pathOf("python"), PYTHONDONTWRITEBYTECODE: "1", ...more };
  return { path: python, env };
}

function start(name: string, args: readonly (string | number)[], more?: Record<string, string>) {
  const line = [pathOf(`docs/examples/${name}.py`), ...args.map(String)];
  return startProgram("client", line, environment(more));
}

/** Watches a source until there is a frame. */
async function see(port: number, name: string, options: object = {}): Promise<Seen> {
  const output = media.pathOf(`${name.replaceAll("/", "_")}.raw`);
  const line = ["-c", VIEWER, String(port), name, output, JSON.stringify(options)];
  const { code, stdout, stderr } = await runProgram("client", line, environment());
  assertEquals([code, stderr], [0, ""]);
  return { ...JSON.parse(stdout), bytes: await Deno.readFile(output) };
}

function serverOf(...sources: string[]) {
  const live = { sources: sources.map((source) => parseLiveSource(source)), linger: 0 };
  return testServer({ media: media.path, live });
}

/** Rows of a picture in bgr24. */
function rows(bytes: Uint8Array, width: number): Uint8Array[] {
  const size = width * PIXEL;
  return Array.from(
    { length: bytes.byteLength / size },
    (_, at) => bytes.slice(at * size, (at + 1) * size),
  );
}

/** How many points of a grid on a window have a colour, or nearly so. */
async function pointsOf(screen: XScreen, window: ScreenWindow, colour: number[]) {
  let points = 0;
  for (let y = GRID; y < HEIGHT; y += GRID) {
    for (let x = GRID; x < WIDTH; x += GRID) {
      const found = await screen.colourAt(window, x, y);
      points += Number(colour.every((value, at) => Math.abs(value - found[at]) <= TOLERANCE));
    }
  }
  return points;
}

/** Waits until a window with a title shows a picture of one colour. */
async function untilShown(screen: XScreen, title: string, colour: number[]): Promise<ScreenWindow> {
  const limit = AbortSignal.timeout(PATIENCE);
  while (!limit.aborted) {
    for (const window of await screen.windows()) {
      if (window.title !== title) continue;
      if (await pointsOf(screen, window, colour) >= LEAST_POINTS) return window;
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_INTERVAL));
  }
  throw new Error(`Cannot find the window "${title}" with colour ${colour}`);
}

Deno.test("each example for the Python package is short", async () => {
  for (const name of EXAMPLES) {
    const text = await Deno.readTextFile(pathOf(`docs/examples/${name}.py`));
    assertLess(text.trimEnd().split("\n").length, MAX_LINES, name);
  }
});

onScreen("show.py shows the newest frame in a window, until q is pressed", async () => {
  await using server = await serverOf("cam=lavfi:color=0x4080C0:size=160x120:rate=10");
  await using screen = await XScreen.start({ size: `${WIDTH}x${HEIGHT}` });
  const { display: DISPLAY } = screen;
  const env = { DISPLAY, WAYLAND_DISPLAY: "", QT_QPA_PLATFORM: "xcb", XDG_RUNTIME_DIR: media.path };
  await using program = start("show", ["127.0.0.1", server.address.port, "cam"], env);
  const window = await untilShown(screen, "cam", [0x40, 0x80, 0xc0]);
  await screen.focus(window);
  await screen.press(Q);
  const { code, stderr } = await program.ending();
  assertEquals(code, 0, stderr);
});

example("detect.py publishes the boxes and draws them", async () => {
  const box = "drawbox=x=10:y=12:w=20:h=15:color=white:t=fill";
  await using server = await serverOf(`cam=lavfi:color=black:size=64x48:rate=10,${box}`);
  const { port } = server.address;
  await using _program = start("detect", ["127.0.0.1", port, "cam", "cam/detected"]);
  await server.logged(/request begins.*publish.*cam\/detected/);
  const seen = await see(port, "cam/detected", { needs_data: true });
  assertEquals([seen.format, seen.size], ["bgr24", [64, 48]]);
  assertEquals(seen.data, [{ boxes: [[10, 12, 20, 15]] }]);
  const pixelAt = (x: number, y: number) => {
    const at = (y * 64 + x) * PIXEL;
    return [...seen.bytes.subarray(at, at + PIXEL)];
  };
  assertEquals([pixelAt(10, 12), pixelAt(29, 26)], [[0, 0, 255], [0, 0, 255]]);
  assertEquals([pixelAt(9, 12), pixelAt(30, 27)], [[0, 0, 0], [0, 0, 0]]);
  assert(pixelAt(20, 20).every((value) => value > 200));
});

example("depth.py sends depth in millimetres, and tells the nearest", async () => {
  await using server = await serverOf();
  const { port } = server.address;
  await using _sender = start("depth", ["send", "127.0.0.1", port, "depth"]);
  await server.logged(/request begins.*publish.*depth/);
  await using watcher = start("depth", ["watch", "127.0.0.1", port, "depth"]);
  await watcher.stdout.until(/(.*\n){5}/);
  const lines = watcher.stdout.lines.map((line) => {
    const [, time, metres] = line.match(/^([\d.]+) s: ([\d.]+) m$/) ?? [];
    return { time: Number(time), metres: Number(metres) };
  });
  for (const { metres } of lines) assert(metres >= 1 && metres <= 4, `${metres} m`);
  const times = lines.map(({ time }) => time);
  assertEquals(times, times.toSorted((a, b) => a - b));
  const seen = await see(port, "depth", { needs_data: true });
  assertEquals([seen.format, seen.size, seen.data], ["gray16le", [640, 480], [{ unit: "mm" }]]);
  const samples = new Set(new Uint16Array(seen.bytes.buffer));
  assertEquals(samples.size, 1, "the wall is flat");
});

example("every_tenth.py records each tenth frame as ffmpeg decodes it", async () => {
  const path = await media.make("clip.mkv", [
    ...pictures({ seconds: 1.24 }),
    ...["-c:v", "ffv1", "-pix_fmt", "bgr0"],
  ]);
  const folder = media.pathOf("frames/of the clip");
  await using server = await serverOf();
  await using program = start("every_tenth", [
    ...["127.0.0.1", server.address.port, "clip.mkv", folder],
  ]);
  const { code, stdout, stderr } = await program.ending();
  assertEquals([code, stderr], [0, ""]);
  assertMatch(stdout, /^frame 0 at 0\.00 s\nframe 10 at 0\.40 s\nframe 20 at 0\.80 s\n/);
  const names = ["000000.png", "000010.png", "000020.png", "000030.png"];
  assertEquals(namesIn(folder).sort(), names);
  const raw = ["-pix_fmt", "bgr24", "-f", "rawvideo"];
  const all = await decodedBytes(path, ["-map", "0:V:0", "-fps_mode", "passthrough", ...raw]);
  const size = all.byteLength / 31;
  for (const [at, name] of names.entries()) {
    const expected = all.slice(10 * at * size, (10 * at + 1) * size);
    assertEquals(await decodedBytes(`${folder}/${name}`, raw), expected, name);
  }
});

example("side_by_side.py publishes two sources in one image", async () => {
  const sources = [
    "left=lavfi:smptebars=size=640x480:rate=10",
    "right=lavfi:rgbtestsrc=size=320x240:rate=10",
  ];
  await using server = await serverOf(...sources);
  const { port } = server.address;
  await using _program = start("side_by_side", ["127.0.0.1", port, "left", "right", "both"]);
  await server.logged(/request begins.*publish.*both/);
  const both = await see(port, "both", { needs_data: true });
  assertEquals([both.format, both.size], ["bgr24", [1280, 480]]);
  const [{ captured }] = both.data as [{ captured: number[] }];
  for (const time of captured) assertLess(Math.abs(Date.now() / 1000 - time), 60);
  const options = { pixel_format: "bgr24", size: [640, 480] };
  const [left, right] = [await see(port, "left", options), await see(port, "right", options)];
  const halves = rows(both.bytes, 640);
  assertEquals(halves.filter((_, at) => at % 2 === 0), rows(left.bytes, 640));
  assertEquals(halves.filter((_, at) => at % 2 === 1), rows(right.bytes, 640));
});
