/** Pictures in a terminal, a real one. */
import { assert, assertAlmostEquals, assertEquals, assertMatch } from "@std/assert";
import { mediaFolder } from "../../support/media/media_folder.ts";
import { describe, frame, say, ScriptedServer, stay } from "../../support/peers/scripted_server.ts";
import { testServer } from "../../support/peers/test_server.ts";
import { at } from "../../support/programs/run_inside.ts";
import { type Cell, Terminal } from "../../support/screens/tmux.ts";
import { testWith } from "../../support/test_if.ts";

const media = mediaFolder();
const test = testWith("tmux");

/** A red and a green quarter above a blue and a white one. */
const QUARTERS = [
  ...["red", "lime", "blue", "white"].flatMap((colour) => [
    ...["-f", "lavfi", "-i", `color=${colour}:size=8x8:rate=25:d=1`],
  ]),
  ...["-filter_complex", "xstack=inputs=4:layout=0_0|w0_0|0_h0|w0_h0,format=gbrp"],
];
const [RED, GREEN, BLUE, WHITE] = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]];

/** Both pixels of the cells in a rectangle have a colour. */
function assertColour(
  cells: readonly (readonly Cell[])[],
  colour: number[],
  { x, y, width, height }: { x: number; y: number; width: number; height: number },
): void {
  for (const [row, line] of cells.slice(y, y + height).entries()) {
    for (let column = x; column < x + width; column++) {
      const { character, foreground = [], background = [] } = line[column] ?? {};
      assertEquals([character, foreground.length], ["▀", 3], `row ${y + row}, column ${column}`);
      [...foreground, ...background].forEach((value, index) =>
        assertAlmostEquals(value, colour[index % 3], 16, `row ${y + row}, column ${column}`)
      );
    }
  }
}

test("TerminalSink leaves an image below the existing text", async () => {
  await media.make("four.png", [...QUARTERS, "-frames:v", "1"]);
  await using server = await testServer({ media: media.path });
  const args = ["--image", "four.png", "--view", "terminal", ...at(server)];
  await using terminal = await Terminal.start(args);
  await terminal.over();
  const text = (await terminal.text()).split("\n");
  assertEquals(text.at(-1), "status 0");
  assertMatch(text.at(-2) ?? "", /^Received 1 picture in /);
  const cells = await terminal.cells();
  const isDrawn = ([cell]: readonly Cell[]) => cell?.character === "▀";
  const first = cells.findIndex(isDrawn);
  // The picture has eleven rows of two pixels, of which the text has pushed some out.
  const rows = cells.filter(isDrawn).length;
  assertEquals(cells[first].length, 22);
  // In between, where the picture is stretched, red becomes blue.
  const below = first + rows - 4;
  assertColour(cells, BLUE, { x: 0, y: below, width: 8, height: 4 });
  assertColour(cells, WHITE, { x: 14, y: below, width: 8, height: 4 });
  assertColour(cells, RED, { x: 0, y: first, width: 8, height: rows - 7 });
  assertColour(cells, GREEN, { x: 14, y: first, width: 8, height: rows - 7 });
  assertEquals(await terminal.state(), { drawing: false, cursor: true });
});

test("TerminalSink plays a video on the alternate screen, and leaves it", async () => {
  await media.make("four.mkv", [...QUARTERS, "-c:v", "ffv1", "-t", "0.4"]);
  await using server = await testServer({ media: media.path });
  // In a terminal without a screen, that is what is chosen.
  const args = ["--video", "four.mkv", ...at(server)];
  await using terminal = await Terminal.start(args, { DISPLAY: "", WAYLAND_DISPLAY: "" });
  await terminal.over();
  const text = await terminal.text();
  const lines = text.split("\n");
  assertEquals([lines[0], lines.at(-1)], ["before", "status 0"]);
  // Behind the notice that the server is slow, on a busy machine.
  assertMatch(text, /^Received 10 frames in /m);
  assertEquals(await terminal.state(), { drawing: false, cursor: true });
});

test("TerminalSink shows the newest picture, and leaves the screen at Ctrl-C", async () => {
  await using server = new ScriptedServer(async (peer) => {
    await say(peer, describe(), frame(0, { value: 20 }), frame(1, { value: 200 }));
    await stay(peer);
  });
  const args = ["--video", "--view", "terminal", ...at(server)];
  await using terminal = await Terminal.start(args);
  await terminal.until(/▀/);
  await terminal.untilCells(([[cell]]) => cell?.foreground?.[0] === 200);
  assertEquals(await terminal.state(), { drawing: true, cursor: false });
  const cells = await terminal.cells();
  assertColour(cells, [200, 200, 200], { x: 0, y: 0, width: 22, height: 11 });
  assertEquals(cells[0].length, 22);
  assert(cells[11].every(({ character }) => character !== "▀"), "the last row is for text");
  await terminal.press("C-c");
  await terminal.over();
  const lines = (await terminal.text()).split("\n");
  assertEquals([lines[0], lines.at(-1)], ["before", "status 130"]);
  assertMatch(lines[1], /^Stopped after 2 frames in /);
  assertEquals(await terminal.state(), { drawing: false, cursor: true });
});

test("TerminalSink leaves the screen when the video is cut", async () => {
  await using server = new ScriptedServer((peer) => say(peer, describe(), frame(0), frame(1)));
  await using terminal = await Terminal.start(["--video", "--view", "terminal", ...at(server)]);
  await terminal.over();
  const [first, ...rest] = (await terminal.text()).split("\n");
  assertEquals([first, rest.at(-1)], ["before", "status 1"]);
  assertMatch(rest.join(""), /^Cannot finish "grey" after 2 frames/);
  assertEquals(await terminal.state(), { drawing: false, cursor: true });
});

test("Progress updates one line of a terminal, and removes it", async () => {
  await using server = new ScriptedServer(async (peer) => {
    await say(peer, describe(), frame(0));
    await stay(peer);
  });
  await using terminal = await Terminal.start(["--video", "--view", "none", ...at(server)]);
  await terminal.until(/^before\nframe 1 {2}00:00\.0 {2}[\d.]+ fps {2}[\d.]+ k?B\/s$/);
  await terminal.press("C-c");
  await terminal.over();
  const text = (await terminal.text()).replaceAll("\n", " ");
  assertMatch(text, /^before Stopped after 1 frame in .* status 130$/);
  assertEquals(text.includes("fps  "), false);
});
