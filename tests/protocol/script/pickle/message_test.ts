import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { FormatError } from "../../../../lib/base/errors.ts";
import { messageOf } from "../../../../lib/protocol/script/pickle/message.ts";
import {
  type NumpyArray,
  type PickledValue,
  readPickle,
} from "../../../../lib/protocol/script/pickle/unpickler.ts";
import { concat, latin1 } from "../../../support/media/bytes.ts";
import { numpyPickle } from "../../../support/media/pickles.ts";
import { pureTest } from "../../../support/pure_test.ts";

const JPEG = latin1("\xff\xd8\xff\xe0 and so on");

const NONE: PickledValue = { kind: "none" };
const TRUE: PickledValue = { kind: "bool", value: true };

function number(value: number | bigint): PickledValue {
  return { kind: "number", value };
}

function text(text: string): PickledValue {
  return { kind: "text", text };
}

function bytes(bytes: Uint8Array): PickledValue {
  return { kind: "bytes", bytes };
}

function list(...items: PickledValue[]): PickledValue {
  return { kind: "list", items };
}

function dict(entries: Record<string, PickledValue>): PickledValue {
  return {
    kind: "dict",
    entries: Object.entries(entries).map(([key, value]) => [text(key), value]),
  };
}

/** An array of items of one byte, which count up, unless its data is given. */
function array(
  shape: number[],
  { dtype = "uint8", data }: { dtype?: string; data?: Uint8Array } = {},
): { kind: "array"; array: NumpyArray } {
  const size = shape.reduce((product, extent) => product * extent, 1);
  const counted = Uint8Array.from({ length: size }, (_, at) => at);
  return { kind: "array", array: { shape, dtype, data: data ?? counted } };
}

const IMAGE = array([2, 3, 3]);

pureTest("messageOf() takes an array alone", () => {
  const message = messageOf(IMAGE);
  assertEquals(message, { image: IMAGE });
  assertStrictEquals(message.image?.kind === "array" && message.image.array, IMAGE.array);
});

pureTest("messageOf() takes a JPEG as bytes, as an array and as imencode() returns it", () => {
  const image = { kind: "jpeg", bytes: JPEG } as const;
  const { byteLength } = JPEG;
  for (const shape of [[byteLength], [byteLength, 1], [1, byteLength]]) {
    const encoded = array(shape, { data: JPEG });
    assertEquals(messageOf(encoded), { image });
    assertEquals(messageOf(list(TRUE, encoded)), { image });
    assertEquals(messageOf(dict({ jpg: list(TRUE, encoded), id: number(1) })), {
      image,
      rest: { id: 1 },
    });
  }
  const message = messageOf(bytes(JPEG));
  assertEquals(message, { image });
  assertStrictEquals(message.image?.kind === "jpeg" && message.image.bytes, JPEG);
});

pureTest("messageOf() takes no picture for a JPEG", () => {
  const data = concat(JPEG, new Uint8Array(24 - JPEG.byteLength));
  const picture = array([2, 4, 3], { data });
  assertEquals(messageOf(picture), { image: picture });
  const other = array([1, 24], { dtype: "int8", data });
  assertEquals(messageOf(other), { image: other });
});

pureTest("messageOf() keeps what is beside the image", () => {
  const around = { id: number(7), label: text("cat"), none: NONE, pair: list(number(1), TRUE) };
  assertEquals(messageOf(dict({ ...around, frame: IMAGE })), {
    image: IMAGE,
    rest: { id: 7, label: "cat", none: null, pair: [1, true] },
  });
  assertEquals(messageOf(list(number(1.5), IMAGE, text("end"))), {
    image: IMAGE,
    rest: [1.5, "end"],
  });
  assertEquals(messageOf(list(IMAGE, NONE)), { image: IMAGE, rest: [null] });
});

pureTest("messageOf() leaves out what held nothing but the image", () => {
  const nested = list(dict({ frame: list(IMAGE) }));
  assertEquals(messageOf(nested), { image: IMAGE });
  assertEquals(messageOf(list(nested, number(1))), { image: IMAGE, rest: [1] });
  assertEquals(messageOf(dict({ frame: nested, boxes: list(), tags: dict({}) })), {
    image: IMAGE,
    rest: { boxes: [], tags: {} },
  });
});

pureTest("messageOf() makes JSON of every value", () => {
  const values = list(
    ...[NaN, Infinity, -Infinity, -0.5, 2n ** 64n, 10n ** 400n].map(number),
    bytes(latin1("\0\xff")),
    array([2, 2], { dtype: ">uint16", data: Uint8Array.of(1, 0, 0, 2, 0, 3, 0, 4) }),
    array([2], { dtype: "bool" }),
    array([], { dtype: "int8", data: Uint8Array.of(255) }),
    array([2], { dtype: "float16", data: Uint8Array.of(0, 0x3c, 0, 0x7c) }),
    array([1], { dtype: "int64", data: new Uint8Array(8).fill(255) }),
    array([3, 0]),
  );
  const message = messageOf(list(values, array([5, 5])));
  assertEquals(message.rest, [[
    ...[null, null, null, -0.5, 2 ** 64, null],
    ...["AP8=", [[256, 2], [3, 4]], [false, true], -1, [1, null], [-1], []],
  ]]);
});

pureTest("messageOf() makes strings of keys", () => {
  const keys = [
    ...[text("a"), number(1), number(2n ** 60n), TRUE, NONE, list(number(1), text("b"))],
    ...[bytes(latin1("c")), bytes(latin1("\xff")), text("__proto__")],
  ];
  const { rest } = messageOf({ kind: "dict", entries: keys.map((key) => [key, NONE]) });
  assertEquals(Object.keys(rest ?? {}), [
    ...["1", "a", "1152921504606846976", "true", "null", '[1,"b"]', "c", "/w==", "__proto__"],
  ]);
});

pureTest("messageOf() takes the image with the most bytes, and keeps small arrays", () => {
  const small = array([1, 2]);
  assertEquals(messageOf(list(small, IMAGE)), { image: IMAGE, rest: [[[0, 1]]] });
  assertEquals(messageOf(dict({ a: IMAGE, b: small })), { image: IMAGE, rest: { b: [[0, 1]] } });
});

pureTest("messageOf() prefers a JPEG to arrays that can be data", () => {
  const boxes = array([64, 64], { dtype: "float32", data: new Uint8Array(4 * 4096) });
  const { image, rest } = messageOf(list(boxes, bytes(JPEG)));
  assertEquals(image, { kind: "jpeg", bytes: JPEG });
  assertEquals(rest, [Array(64).fill(Array(64).fill(0))]);
});

pureTest("messageOf() keeps a JPEG beside a picture as base64", () => {
  const picture = array([50, 90]);
  const jpeg = JPEG.toBase64();
  assertEquals(messageOf(dict({ thumb: bytes(JPEG), frame: picture })), {
    image: picture,
    rest: { thumb: jpeg },
  });
  const encoded = array([JPEG.byteLength], { data: JPEG });
  assertEquals(messageOf(list(encoded, picture)), { image: picture, rest: [jpeg] });
});

pureTest("messageOf() takes arrays of one axis for data, unless they are large", () => {
  assertEquals(messageOf(dict({ angles: array([3]) })), { rest: { angles: [0, 1, 2] } });
  assertEquals(messageOf(array([])), { rest: 0 });
  const flat = array([4097]);
  assertEquals(messageOf(flat), { image: flat });
});

pureTest("messageOf() refuses a second large array", () => {
  const small = list(array([60, 70]), array([1, 4096], { dtype: "int8" }));
  assertEquals(messageOf(small).image, array([60, 70]));
  const large = list(array([60, 70]), array([1, 4097], { dtype: "int8" }));
  assertThrows(() => messageOf(large), FormatError, "int8 array of shape (1, 4097) beside the");
  const complex = array([1], { dtype: "complex64", data: new Uint8Array(8) });
  assertThrows(() => messageOf(list(IMAGE, complex)), FormatError, "complex64 array of shape (1)");
});

pureTest("messageOf() refuses more values than JSON should hold", () => {
  const many = (count: number) => list(IMAGE, ...Array(count).fill(array([4096])));
  assertEquals((messageOf(many(63)).rest as unknown[]).length, 63);
  assertThrows(() => messageOf(many(64)), FormatError, "more than 262144 values beside the image");
  const deep = array([4096, ...Array(31).fill(1)]);
  assertThrows(
    () => messageOf(list(array([90, 90]), deep, deep, deep)),
    FormatError,
    "values beside",
  );
});

pureTest("messageOf() gives a short text that is sent alone", () => {
  for (const word of ["end", "", "x".repeat(64), "~ !"]) {
    assertEquals(messageOf(text(word)), { text: word });
    assertEquals(messageOf(bytes(latin1(word))), { text: word });
  }
  assertEquals(messageOf(text("dé \u{1f600}")), { text: "dé \u{1f600}" });
});

pureTest("messageOf() keeps other texts as data", () => {
  for (const word of ["x".repeat(65), "a\n", "\x1b[2J", "\u202e", "\x7f"]) {
    assertEquals(messageOf(text(word)), { rest: word });
    const encoded = new TextEncoder().encode(word);
    assertEquals(messageOf(bytes(encoded)), { rest: encoded.toBase64() });
  }
  assertEquals(messageOf(list(text("end"))), { rest: ["end"] });
});

pureTest("messageOf() gives values without an image as they are", () => {
  assertEquals(messageOf(NONE), { rest: null });
  assertEquals(messageOf(TRUE), { rest: true });
  assertEquals(messageOf(number(0)), { rest: 0 });
  assertEquals(messageOf(list()), {});
  assertEquals(messageOf(dict({})), {});
  assertEquals(messageOf(dict({ a: list() })), { rest: { a: [] } });
});

pureTest("messageOf() leaves an image out wherever a pickle recalls it", () => {
  const pickled = String.fromCharCode(...numpyPickle({ protocol: 2 }).subarray(2, -1));
  const { image, rest } = messageOf(readPickle(latin1(`\x80\x02](${pickled}q\xffK\x07h\xffe.`)));
  assertEquals(image?.kind, "array");
  assertEquals(rest, [7]);
});
