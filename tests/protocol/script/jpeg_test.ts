import { assertEquals, assertThrows } from "@std/assert";
import { FormatError } from "../../../lib/base/errors.ts";
import { isJpeg, JpegScanner, jpegSize } from "../../../lib/protocol/script/jpeg.ts";
import { concat, STEPS } from "../../support/media/bytes.ts";
import { mediaFolder, pictures } from "../../support/media/media_folder.ts";
import { pureTest } from "../../support/pure_test.ts";

const media = mediaFolder();

/** Real JPEGs: sizes, chroma, progressive or not, grey, restart markers. */
const KINDS: [name: string, size: string, args: string[]][] = [
  ["4:2:0", "64x48", ["-pix_fmt", "yuvj420p"]],
  ["4:4:4", "33x17", ["-pix_fmt", "yuvj444p"]],
  ["with default tables", "640x360", ["-huffman", "default"]],
];

for (const [name, size, args] of KINDS) {
  Deno.test(`jpegSize() and JpegScanner read a JPEG of FFmpeg, ${name}`, async () => {
    const path = await media.make(`${size}.jpg`, [
      ...pictures({ size }),
      "-frames:v",
      "1",
      ...args,
    ]);
    const jpeg = await Deno.readFile(path);
    const [width, height] = size.split("x").map(Number);
    assertEquals(jpegSize(jpeg), { width, height, components: 3 });
    for (const step of STEPS) {
      const scanner = new JpegScanner();
      const twice = concat(jpeg, jpeg);
      let end: number | undefined;
      let have = 0;
      while (end === undefined && have < twice.byteLength) {
        have = Math.min(twice.byteLength, have + step);
        end = scanner.scan(twice.subarray(0, have));
      }
      assertEquals(end, jpeg.byteLength);
    }
  });
}

/** A header with a thumbnail inside: a JPEG in a segment of another. */
const SEGMENT = [0xff, 0xe1, 0, 8, 0xff, 0xd8, 0xff, 0xd9, 0xff, 0xd9];
const FRAME_HEADER = [0xff, 0xc2, 0, 11, 8, 0, 3, 0, 5, 1, 1, 0x11, 0];
const SCAN = [0xff, 0xda, 0, 2, 1, 0xff, 0, 2, 0xff, 0xd0, 3, 0xff, 0xff, 0xd9];
const MADE = Uint8Array.of(0xff, 0xd8, ...SEGMENT, 0xff, ...FRAME_HEADER, ...SCAN);

pureTest("JpegScanner passes thumbnails, stuffed bytes, restarts and fill bytes", () => {
  assertEquals(new JpegScanner().scan(concat(MADE, MADE)), MADE.byteLength);
  assertEquals(jpegSize(MADE), { width: 5, height: 3, components: 1 });
  assertEquals(isJpeg(MADE), true);
});

pureTest("jpegSize() refuses what ends before its frame header", () => {
  const end = MADE.byteLength - SCAN.length - 4;
  for (let length = 0; length < end; length++) {
    assertThrows(() => jpegSize(MADE.subarray(0, length)), FormatError);
  }
});

const BROKEN: [what: string, bytes: number[]][] = [
  ["no start", [1, 2, 3, 4, 5, 6]],
  ["text behind the start", [0xff, 0xd8, 0xff, 0x20, 0x20]],
  ["no size", [0xff, 0xd8, ...FRAME_HEADER.with(6, 0), 0xff, 0xd9]],
  ["data without a frame header", [0xff, 0xd8, ...SCAN]],
];

for (const [what, bytes] of BROKEN) {
  pureTest(`jpegSize() refuses a JPEG with ${what}`, () => {
    assertThrows(() => jpegSize(Uint8Array.from(bytes)), FormatError, "Cannot read a JPEG");
  });
}

pureTest("JpegScanner refuses what is no JPEG", () => {
  for (const bytes of [[1, 2, 3], [0xff, 0xd9, 0], [0xff, 0xd8, 0xff, 0xe0, 0, 0]]) {
    assertThrows(() => new JpegScanner().scan(Uint8Array.from(bytes)), FormatError);
  }
});
