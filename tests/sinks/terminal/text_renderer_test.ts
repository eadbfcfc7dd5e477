import { assert, assertEquals } from "@std/assert";
import { fitPicture, renderHalfBlocks } from "../../../lib/sinks/terminal/text_renderer.ts";
import { pureTest } from "../../support/pure_test.ts";

const RED = [255, 0, 0];
const GREEN = [0, 255, 0];
const BLUE = [0, 0, 255];

function picture(...pixels: number[][]): Uint8Array {
  return new Uint8Array(pixels.flat());
}

pureTest(
  "renderHalfBlocks() draws the upper pixel as foreground, the lower one as background",
  () => {
    const pixels = picture(RED, GREEN, BLUE, RED);
    assertEquals(renderHalfBlocks(pixels, { width: 2, height: 2 }), [
      "\x1b[38;2;255;0;0;48;2;0;0;255m▀\x1b[38;2;0;255;0;48;2;255;0;0m▀\x1b[0m",
    ]);
  },
);

pureTest("renderHalfBlocks() names the colours of equal neighbours once a line", () => {
  const pixels = picture(RED, RED, GREEN, GREEN, RED, RED, GREEN, GREEN);
  const line = "\x1b[38;2;255;0;0;48;2;0;255;0m▀▀\x1b[0m";
  assertEquals(renderHalfBlocks(pixels, { width: 2, height: 4 }), [line, line]);
});

pureTest("fitPicture() keeps the aspect within the terminal", () => {
  for (
    const { picture: [width, height], terminal: [columns, rows], size } of [
      { picture: [640, 480], terminal: [80, 24], size: [64, 48] },
      { picture: [1280, 720], terminal: [80, 24], size: [80, 46] },
      { picture: [48, 64], terminal: [80, 24], size: [36, 48] },
      { picture: [4, 4], terminal: [80, 24], size: [48, 48] },
      { picture: [10_000, 1], terminal: [80, 24], size: [80, 2] },
      { picture: [1, 10_000], terminal: [80, 24], size: [1, 48] },
      { picture: [640, 480], terminal: [1, 1], size: [1, 2] },
      { picture: [640, 480], terminal: [0, 0], size: [1, 2] },
      { picture: [640, 480], terminal: [80, -1], size: [3, 2] },
    ]
  ) {
    const fitted = fitPicture({ width, height }, { width: columns, height: rows });
    assertEquals([fitted.width, fitted.height], size, `${width}×${height}`);
  }
});

pureTest("fitPicture() gives whole, even, positive sizes for any picture and terminal", () => {
  for (let width = 1; width < 300; width += 7) {
    for (let height = 1; height < 300; height += 11) {
      for (let columns = 0; columns < 130; columns += 13) {
        const fitted = fitPicture({ width, height }, { width: columns, height: columns >> 1 });
        assert(Number.isInteger(fitted.width) && fitted.width >= 1);
        assert(Number.isInteger(fitted.height) && fitted.height >= 2);
        assertEquals(fitted.height % 2, 0);
        assert(fitted.width <= Math.max(1, columns));
        assert(fitted.height <= Math.max(2, 2 * (columns >> 1)));
      }
    }
  }
});
