import { assert, assertEquals, assertMatch } from "@std/assert";
import { mediaFolder } from "../../support/media/media_folder.ts";
import {
  describe,
  end,
  frame,
  say,
  ScriptedServer,
  signsOfLife,
  stay,
} from "../../support/peers/scripted_server.ts";
import { testServer } from "../../support/peers/test_server.ts";
import { isInstalled } from "../../support/programs/machine.ts";
import { at } from "../../support/programs/run_inside.ts";
import { type Cell, Terminal } from "../../support/screens/tmux.ts";

const media = mediaFolder();
const IGNORED = !isInstalled("tmux");
const WHY = IGNORED ? " (ignored: no tmux)" : "";

const LOOK = ["--video", "--view", "terminal"];

/** A server of grey pictures that stays. */
function greys(...values: number[]): ScriptedServer {
  return new ScriptedServer(async (peer) => {
    await say(peer, describe(), ...values.map((value, index) => frame(index, { value })));
    await stay(peer);
  });
}

/** Columns and rows of the drawn part, by a test of its cells. */
function sizeOf(cells: Cell[][], isDrawn: (cell: Cell) => boolean): number[] {
  const rows = cells.filter((row) => row.some(isDrawn));
  return [rows[0]?.filter(isDrawn).length ?? 0, rows.length];
}

Deno.test({
  name: `TerminalSink uses the nearest of 256 colours if the terminal has no more${WHY}`,
  ignore: IGNORED,
  async fn() {
    await using server = greys(0, 200);
    const env = { COLORTERM: "", TERM: "screen-256color" };
    await using terminal = await Terminal.start([...LOOK, ...at(server)], env);
    // 198 is the nearest grey of 256: 8 + 19 × 10.
    const isGrey = ({ foreground }: Cell) => foreground?.join() === "251";
    const cells = await terminal.untilCells((cells) => `${sizeOf(cells, isGrey)}` === "22,11");
    for (const row of cells.slice(0, 11)) {
      for (const { character, foreground, background } of row) {
        assertEquals([character, foreground, background], ["▀", [251], [251]]);
      }
    }
    assertEquals(sizeOf(cells, ({ character }) => character === "▀"), [22, 11]);
  },
});

for (
  const [why, env] of [
    ["the terminal knows no colours", { COLORTERM: "", TERM: "vt100" }],
    ["no colours are wanted", { NO_COLOR: "1" }],
    ["text is not UTF-8", { LC_ALL: "C" }],
  ] as const
) {
  Deno.test({
    name: `TerminalSink draws plain characters: ${why}${WHY}`,
    ignore: IGNORED,
    async fn() {
      const dark = ["-f", "lavfi", "-i", "color=black:size=16x16:d=1"];
      const bright = ["-f", "lavfi", "-i", "color=white:size=16x16:d=1"];
      await media.make("halves.png", [
        ...dark,
        ...bright,
        "-filter_complex",
        "hstack",
        "-frames:v",
        "1",
      ]);
      await using server = await testServer({ media: media.path });
      const args = ["--image", "halves.png", "--view", "terminal", ...at(server)];
      await using terminal = await Terminal.start(args, env);
      await terminal.over();
      const cells = await terminal.cells();
      const drawn = cells.filter((row) => row.some(({ character }) => character === "@"));
      // 32 × 16 pixels in 80 × 11 cells that are twice as high as wide: 44 of them a row.
      assert(drawn.length > 5);
      for (const row of drawn) {
        const text = row.map(({ character }) => character).join("");
        assertEquals([text.slice(0, 18).trim(), text.slice(-18)], ["", "@".repeat(18)]);
        assertEquals([text.length, row.some(({ foreground }) => foreground !== undefined)], [
          44,
          false,
        ]);
      }
    },
  });
}

Deno.test({
  name: `TerminalSink follows the size of the terminal during playback and pauses${WHY}`,
  ignore: IGNORED,
  async fn() {
    let value = 0;
    let paused = false;
    await using server = new ScriptedServer(async (peer) => {
      await say(peer, describe());
      for (let index = 0; !paused; index++) {
        value = 50 + index % 100;
        await say(peer, frame(index, { value }));
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      await stay(peer);
    });
    await using terminal = await Terminal.start([...LOOK, ...at(server)]);
    const isDrawn = ({ character }: Cell) => character === "▀";
    const is = (columns: number, rows: number) => (cells: Cell[][]) =>
      sizeOf(cells, isDrawn).join() === [columns, rows].join();
    await terminal.untilCells(is(22, 11));
    await terminal.resize(60, 21);
    await terminal.untilCells(is(40, 20));
    paused = true;
    await terminal.resize(30, 9);
    const cells = await terminal.untilCells((cells) =>
      is(16, 8)(cells) && cells[0][0].foreground?.[0] === value
    );
    for (const row of cells.slice(0, 8)) {
      for (const { foreground, background } of row) {
        assertEquals([foreground, background], [[value, value, value], [value, value, value]]);
      }
    }
    assertMatch(await terminal.text(), /\n(space: pause|frame \d+) [^\n]*$/);
  },
});

Deno.test({
  name: `TerminalSink redraws everything if the picture keeps its size${WHY}`,
  ignore: IGNORED,
  async fn() {
    await using server = new ScriptedServer(async (peer) => {
      await say(peer, describe(), frame(0), frame(1));
      await stay(peer);
    });
    await using terminal = await Terminal.start([...LOOK, ...at(server)]);
    /** The rows of the picture, then free ones, then the one for text. */
    const drawnIn = (rows: number) =>
      new RegExp(`^(▀{22} *\n){11}\n{${rows - 12}}(space: pause|frame) [^\n]*$`);
    await terminal.until(drawnIn(12));
    // As wide as the picture, which no other height makes larger.
    await terminal.resize(22, 12);
    for (const rows of [30, 15]) {
      await terminal.resize(22, rows);
      await terminal.until(drawnIn(rows));
    }
  },
});

Deno.test({
  name: `TerminalSink ends at q, and pauses at a space${WHY}`,
  ignore: IGNORED,
  async fn() {
    const read: string[] = [];
    await using server = new ScriptedServer(async (peer) => {
      await say(peer, describe(), frame(0), frame(1));
      using _signs = signsOfLife(peer);
      const bytes = new Uint8Array(4096);
      while (true) {
        const count = await peer.read(bytes);
        if (count === null) return;
        const said = new TextDecoder().decode(bytes.subarray(0, count));
        read.push(...said.match(/"action":"\w+"/g) ?? []);
        if (said.includes('"stop"')) await say(peer, end());
      }
    });
    await using terminal = await Terminal.start([...LOOK, ...at(server)]);
    await terminal.until(/space: pause .* q: quit/);
    await terminal.type(" ");
    await terminal.until(/paused/);
    await terminal.press("Right");
    await terminal.type("q");
    await terminal.over();
    assertEquals(read, ["pause", "seek", "stop"].map((action) => `"action":"${action}"`));
    const lines = (await terminal.text()).split("\n");
    assertEquals([lines[0], lines.at(-1)], ["before", "status 0"]);
    assertEquals(await terminal.state(), { drawing: false, cursor: true });
    assertEquals(await terminal.settings(), { echo: true, lines: true });
  },
});

for (const encoding of ["copy", "raw"]) {
  Deno.test({
    name: `TerminalSink shows the target of a seek in ${encoding} video${WHY}`,
    ignore: IGNORED,
    async fn() {
      const parts = ["red", "blue"].flatMap((colour) => [
        ...["-f", "lavfi", "-i", `color=${colour}:size=32x32:rate=5:d=12`],
      ]);
      // Ten seconds on there is no keyframe.
      const codec = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "1000", "-bf", "2"];
      const path = ["-filter_complex", "concat", ...codec, "-pix_fmt", "yuv420p"];
      await media.make("two.mkv", [...parts, ...path]);
      await using server = await testServer({ media: media.path });
      const args = ["--video", "two.mkv", "--encoding", encoding, "--start", "3"];
      args.push("--speed", "0.25");
      await using terminal = await Terminal.start([...args, "--view", "terminal", ...at(server)]);
      const isOf = (channel: number) => ([[cell]]: Cell[][]) =>
        (cell?.foreground?.[channel] ?? 0) > 200;
      await terminal.untilCells(isOf(0));
      await terminal.press("Right");
      await terminal.untilCells(isOf(2));
      await terminal.press("Left");
      await terminal.untilCells(isOf(0));
      // Nothing comes behind the picture in a pause.
      await terminal.type(" ");
      await terminal.until(/paused/);
      await terminal.press("Right");
      await terminal.untilCells(isOf(2));
      await terminal.type("q");
      await terminal.over();
      assertMatch(await terminal.text(), /^before\n[^]*status 0$/);
    },
  });
}
