import { assertEquals, assertMatch, assertStrictEquals, assertThrows } from "@std/assert";
import { FormatError } from "../../../lib/base/errors.ts";
import type { PayloadFormat, RawFormatName } from "../../../lib/protocol/script/format.ts";
import { decodePayload } from "../../../lib/protocol/script/payloads.ts";
import { concat, latin1, sample } from "../../support/media/bytes.ts";
import { pureTest } from "../../support/pure_test.ts";

/** A JPEG of 5 × 3 pixels as far as it is looked at. */
const JPEG = concat("\xff\xd8\xff\xc0\x00\x0b\x08\x00\x03\x00\x05\x01\x01\x11\x00\xff\xd9");

/** A .npy file, version 1.0. */
function npy(descr: string, shape: string, data: Uint8Array): Uint8Array {
  const header = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${shape}, }`;
  const padded = `${header.padEnd(117)}\n`;
  return concat("\x93NUMPY\x01\x00", Uint8Array.of(padded.length, 0), padded, data);
}

function imageOf(bytes: Uint8Array, payload: PayloadFormat) {
  const content = decodePayload(bytes, payload);
  if (content.kind !== "image") throw new Error(`expected an image, not ${content.kind}`);
  return content.image;
}

/** Arrays of 2 × 1 pixels: item type, shape, items, and the frame that they become. */
const ARRAYS: [descr: string, shape: string, data: number[], RawFormatName, frame: number[]][] = [
  ["|u1", "(1, 2)", [1, 2], "gray", [1, 2]],
  ["|u1", "(1, 2, 1)", [1, 2], "gray", [1, 2]],
  ["|u1", "(1, 2, 3)", [1, 2, 3, 4, 5, 6], "bgr24", [1, 2, 3, 4, 5, 6]],
  ["|u1", "(1, 2, 4)", [1, 2, 3, 4, 5, 6, 7, 8], "bgra", [1, 2, 3, 4, 5, 6, 7, 8]],
  ["<u2", "(1, 2)", [1, 2, 3, 4], "gray16le", [1, 2, 3, 4]],
  [">u2", "(1, 2)", [1, 2, 3, 4], "gray16le", [2, 1, 4, 3]],
  ["<u2", "(1, 1, 3)", [1, 2, 3, 4, 5, 6], "bgr48le", [1, 2, 3, 4, 5, 6]],
  ["<u2", "(1, 1, 4)", [1, 2, 3, 4, 5, 6, 7, 8], "rgba64le", [5, 6, 3, 4, 1, 2, 7, 8]],
  ["<f4", "(1, 1)", [1, 2, 3, 4], "grayf32le", [1, 2, 3, 4]],
  [">f4", "(1, 1)", [1, 2, 3, 4], "grayf32le", [4, 3, 2, 1]],
];

for (const [descr, shape, data, pixelFormat, frame] of ARRAYS) {
  pureTest(`decodePayload() takes ${descr} of ${shape} for ${pixelFormat}`, () => {
    const image = imageOf(npy(descr, shape, Uint8Array.from(data)), { kind: "npy" });
    assertEquals(image.pixelFormat, pixelFormat);
    assertEquals([...image.data], frame);
  });
}

/** Two pixels of floats: b g r of the first, then of the second. */
const FLOATS = sample(24);

pureTest("decodePayload() separates the planes of floats: green, blue, red", () => {
  const image = imageOf(npy("<f4", "(1, 2, 3)", FLOATS), { kind: "npy" });
  assertEquals(image.pixelFormat, "gbrpf32le");
  assertEquals(
    [...image.data],
    [[4, 16], [0, 12], [8, 20]].flat().flatMap((at) => [at, at + 1, at + 2, at + 3]),
  );
});

pureTest("decodePayload() gives the planes of floats with alpha", () => {
  const image = imageOf(npy("<f4", "(1, 1, 4)", sample(16)), { kind: "npy" });
  assertEquals(image.pixelFormat, "gbrapf32le");
  assertEquals([...image.data], [4, 5, 6, 7, 0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15]);
});

pureTest("decodePayload() leaves the bytes of a JPEG and of plain arrays where they are", () => {
  assertStrictEquals(imageOf(JPEG, { kind: "jpeg" }).data.buffer, JPEG.buffer);
  const array = npy("|u1", "(1, 2, 3)", sample(6));
  assertStrictEquals(imageOf(array, { kind: "npy" }).data.buffer, array.buffer);
});

pureTest("decodePayload() reads base64, with line ends and the head of a data URL", () => {
  const text = JPEG.toBase64();
  for (const form of [text, `${text}\r`, `${text.slice(0, 8)}\n${text.slice(8)}`]) {
    const image = imageOf(latin1(form), { kind: "base64" });
    assertEquals([image.width, image.height, image.data], [5, 3, JPEG]);
  }
  assertEquals(imageOf(latin1(`data:image/jpeg;base64,${text}`), { kind: "base64" }).data, JPEG);
});

pureTest("decodePayload() takes raw frames of exactly their size", () => {
  const payload = { kind: "raw", width: 2, height: 2, pixelFormat: "yuv420p" } as const;
  assertEquals(imageOf(sample(6), payload), { ...payloadImage(payload), data: sample(6) });
  for (const length of [0, 5, 7]) {
    const { message } = assertThrows(() => decodePayload(sample(length), payload), FormatError);
    assertMatch(message, new RegExp(`${length} bytes, expected 6 for 2x2 yuv420p`));
  }
});

function payloadImage({ width, height, pixelFormat }: {
  width: number;
  height: number;
  pixelFormat: RawFormatName;
}) {
  return { width, height, pixelFormat };
}

for (const kind of ["jpeg", "base64", "npy", "pickle"] as const) {
  pureTest(`decodePayload() takes the text "end" for the end, with ${kind}`, () => {
    assertEquals(decodePayload(latin1("end"), { kind }), { kind: "end" });
  });
}

const REFUSED: [what: string, bytes: Uint8Array, kind: "jpeg" | "base64" | "npy", RegExp][] = [
  ["another file", latin1("GIF89a"), "jpeg", /6 bytes "GIF89a", expected a JPEG/],
  ["broken base64", latin1("/9j/**"), "base64", /"\/9j\/\*\*", expected base64 of a JPEG/],
  ["base64 of something else", latin1("AAAA"), "base64", /expected a JPEG/],
  ["two channels", npy("|u1", "(1, 2, 2)", sample(4)), "npy", /uint8 array of shape \(1, 2, 2\)/],
  ["one axis", npy("|u1", "(4,)", sample(4)), "npy", /shape \(4\), expected height × width/],
  ["no pixel", npy("|u1", "(0, 2, 3)", sample(0)), "npy", /shape \(0, 2, 3\)/],
  ["doubles", npy("<f8", "(1, 1)", sample(8)), "npy", /float64 array/],
  ["signed integers", npy("<i2", "(1, 1)", sample(2)), "npy", /int16 array/],
];

for (const [what, bytes, kind, reason] of REFUSED) {
  pureTest(`decodePayload() refuses ${what}`, () => {
    const { message } = assertThrows(() => decodePayload(bytes, { kind }), FormatError);
    assertMatch(message, reason);
  });
}
