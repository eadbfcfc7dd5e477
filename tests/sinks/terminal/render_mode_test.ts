import { assert, assertEquals } from "@std/assert";
import { encodeSixel } from "../../../lib/sinks/terminal/graphics_renderer.ts";
import { chooseRenderMode } from "../../../lib/sinks/terminal/render_mode.ts";
import { nearestOf256, renderAscii } from "../../../lib/sinks/terminal/text_renderer.ts";
import { pureTest } from "../../support/pure_test.ts";
import { decodeKitty, decodeSixel } from "../../support/screens/terminal_images.ts";

const ROOM = { width: 80, height: 23 };
const VIDEO = { width: 1280, height: 720 };
const CELL = { width: 10, height: 20 };

function formOf(graphics: "sixel" | "kitty" | undefined, cell = CELL) {
  return chooseRenderMode({ style: "ascii", capabilities: { graphics, cell, colours: 64 }, id: 7 });
}

pureTest(
  "RenderMode.fit() fills the room with the aspect ratio, within the mode's limit",
  async () => {
    const cells = { width: 80, height: 23 };
    const ascii = (await chooseRenderMode({ style: "ascii", id: 1 })).fit(VIDEO, ROOM);
    assertEquals(ascii, { pixels: cells, cells });
    const blocks = (await chooseRenderMode({ style: "truecolour", id: 1 })).fit(VIDEO, ROOM);
    assertEquals(blocks, { pixels: { width: 80, height: 46 }, cells });
    const whole = { pixels: { width: 800, height: 450 }, cells };
    assertEquals((await formOf("sixel")).fit(VIDEO, ROOM), whole);
    assertEquals((await formOf("kitty")).fit(VIDEO, ROOM), whole);
    // On a finer screen sixels stay as many as they are, and kitty stretches what it gets.
    const fine = { width: 20, height: 40 };
    const sixel = (await formOf("sixel", fine)).fit(VIDEO, ROOM);
    assertEquals(sixel, { pixels: whole.pixels, cells: { width: 40, height: 12 } });
    const kitty = (await formOf("kitty", fine)).fit(VIDEO, ROOM);
    assertEquals(kitty, { pixels: VIDEO, cells });
  },
);

pureTest("RenderMode.fit() never exceeds the room, and is never empty", async () => {
  for (const graphics of ["sixel", "kitty", undefined] as const) {
    for (const [width, height] of [[1, 9000], [9000, 1], [7, 13], [1920, 1080]]) {
      for (const room of [{ width: 1, height: 1 }, { width: 3, height: 2 }, ROOM]) {
        const { pixels, cells } = (await formOf(graphics)).fit({ width, height }, room);
        assert(cells.width <= room.width && cells.height <= room.height, `${width}×${height}`);
        assert(pixels.width >= 1 && pixels.height >= 1);
        assert([...Object.values(pixels), ...Object.values(cells)].every(Number.isInteger));
      }
    }
  }
});

pureTest("encodeSixel() draws every pixel once, in its colour, whatever the height", () => {
  for (let height = 1; height < 15; height++) {
    const size = { width: 37, height };
    const picture = new Uint8Array(size.width * height + 1024);
    const numberAt = (x: number, y: number) => (x * 7 + y * y * 5 + (x >> 3)) % 256;
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < size.width; x++) picture[y * size.width + x] = numberAt(x, y);
    }
    for (let colour = 0; colour < 256; colour++) {
      picture.set([255 - colour, 0, colour, 255], size.width * height + 4 * colour);
    }
    const drawing = decodeSixel(encodeSixel(picture, size));
    assertEquals([drawing.width, drawing.height], [size.width, height]);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < size.width; x++) {
        const [red, green, blue] = drawing.colourAt(x, y);
        const wanted = numberAt(x, y);
        assert(Math.abs(red - wanted) < 2 && green === 0, `${x}, ${y}`);
        assert(Math.abs(blue - 255 + wanted) < 2, `${x}, ${y}`);
      }
    }
  }
});

pureTest("encodeSixel() writes repetitions with a count", () => {
  const picture = new Uint8Array(100 * 6 + 1024);
  picture.set([0, 0, 255, 255], 100 * 6);
  const text = encodeSixel(picture, { width: 100, height: 6 });
  assertEquals(text, '\x1bP0;1;0q"1;1;100;6#0;2;100;0;0#0!100~\x1b\\');
});

pureTest("RenderMode.render() gives kitty pixels in chunks, and deletes them", async () => {
  const mode = await formOf("kitty");
  const pixels = { width: 120, height: 60 };
  // Noise does not become smaller, so that there are several pieces.
  let seed = 1;
  const picture = Uint8Array.from(
    { length: mode.bytes(pixels) },
    () => (seed = seed * 16807 % 2147483647) >> 8,
  );
  const [text, ...more] = mode.render(picture, { pixels, cells: { width: 12, height: 3 } });
  assertEquals(more, []);
  assert(text.split("\x1b_G").length > 4);
  const [{ keys, colourAt, ...size }] = await decodeKitty(text);
  assertEquals(size, pixels);
  assertEquals(["i", "c", "r", "C", "q"].map((key) => keys.get(key)), ["7", "12", "3", "1", "2"]);
  for (const [x, y] of [[0, 0], [119, 0], [3, 59], [119, 59]]) {
    const at = (y * 120 + x) * 3;
    assertEquals(colourAt(x, y), [...picture.subarray(at, at + 3)]);
  }
  assertEquals(mode.wipe, "\x1b_Ga=d,d=I,i=7,q=2\x1b\\");
});

pureTest("nearestOf256() finds the nearest colour of the cube or the greys", () => {
  for (
    const [colour, number] of [
      [[0, 0, 0], 16],
      [[255, 255, 255], 231],
      [[255, 0, 0], 196],
      [[0, 255, 0], 46],
      [[0, 0, 255], 21],
      [[95, 135, 175], 67],
      [[8, 8, 8], 232],
      [[238, 238, 238], 255],
      [[120, 121, 119], 243],
      [[130, 10, 200], 92],
    ] as const
  ) {
    const [red, green, blue] = colour;
    assertEquals(nearestOf256(red, green, blue), number, colour.join());
  }
});

pureTest("renderAscii() fills cells by their brightness", () => {
  const pixels = Uint8Array.of(0, 255, 128, 255, 0, 17);
  assertEquals(renderAscii(pixels, { width: 3, height: 2 }), [" @t", "@  "]);
});

pureTest("RenderMode.fit() keeps the aspect ratio with cells of any shape", async () => {
  const square = { width: 100, height: 100 };
  for (
    const [width, height, columns] of [[8, 16, 46], [10, 16, 37], [6, 16, 61]]
  ) {
    const { cells } = (await formOf(undefined, { width, height })).fit(square, ROOM);
    assertEquals(cells, { width: columns, height: 23 }, `${width}×${height}`);
  }
});
