import { assertEquals, assertMatch, assertStrictEquals, assertThrows } from "@std/assert";
import { FormatError } from "../../../lib/base/errors.ts";
import {
  encodeJson,
  type JsonObject,
  optionalBoolean,
  optionalNumber,
  optionalRational,
  optionalText,
  optionalWord,
  parseJsonObject,
  quoteValue,
  required,
  toList,
  toObject,
} from "../../../lib/protocol/native/json.ts";
import { pureTest } from "../../support/pure_test.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** One of each type of JSON value. */
const VALUES: readonly unknown[] = [0, 1, -1, 1.5, 1e300, "", "x", true, false, [], [1], {}];

/** Values of VALUES that a reader takes. */
function taken(read: (object: JsonObject) => unknown): unknown[] {
  return VALUES.filter((value) => {
    try {
      return read({ field: value }) !== undefined;
    } catch (error) {
      if (error instanceof FormatError) return false;
      throw error;
    }
  });
}

pureTest("parseJsonObject() reads objects", () => {
  assertEquals(parseJsonObject(bytes('{"a":[1,"ü😀"]}'), "request"), { a: [1, "ü😀"] });
  assertEquals(parseJsonObject(encodeJson({ a: 1, b: undefined }), "request"), { a: 1 });
});

pureTest("parseJsonObject() refuses all other values", () => {
  for (const text of ["[]", "1", '"a"', "null", "true"]) {
    assertThrows(
      () => parseJsonObject(bytes(text), "request"),
      FormatError,
      `Cannot use request ${text}: expected an object`,
    );
  }
});

pureTest("parseJsonObject() refuses what is no JSON in UTF-8", () => {
  const texts = ["", "{", "{'a':1}", '{"a":NaN}', '{"a":1}}', "{".repeat(1000), "\u0000{}"];
  const invalid = [[0x7b, 0xff, 0x7d], [0xc3], [0x22, 0xed, 0xa0, 0x80, 0x22], [
    0xff,
    0xfe,
    0x7b,
    0,
  ]];
  for (const payload of [...texts.map(bytes), ...invalid.map((list) => Uint8Array.from(list))]) {
    assertThrows(
      () => parseJsonObject(payload, "request"),
      FormatError,
      "Cannot read the request: no JSON in UTF-8",
    );
  }
});

pureTest("parseJsonObject() stands deep nesting", () => {
  const depth = 30_000;
  const nested = `{"a":${"[".repeat(depth)}${"]".repeat(depth)}}`;
  const object = parseJsonObject(bytes(nested), "request");
  const error = assertThrows(() => optionalBoolean(object, "a"), FormatError);
  assertStrictEquals(error.message.length < 120, true);
});

pureTest("parseJsonObject() does not let peers change the prototype", () => {
  const object = parseJsonObject(bytes('{"__proto__":{"name":"x"}}'), "request");
  assertStrictEquals(object.name, undefined);
  assertStrictEquals(({} as JsonObject).name, undefined);
});

pureTest("optionalNumber() takes numbers within the bounds", () => {
  assertEquals(taken((o) => optionalNumber(o, "field", { min: 0, max: 10 })), [0, 1, 1.5]);
  const whole = { min: -1, max: Infinity, integer: true };
  assertEquals(taken((o) => optionalNumber(o, "field", whole)), [0, 1, -1, 1e300]);
  const huge = parseJsonObject(bytes('{"field":1e400}'), "request");
  assertThrows(
    () => optionalNumber(huge, "field", { min: 0, max: 1e9 }),
    FormatError,
    "Cannot use field Infinity: expected a number from 0 to 1000000000",
  );
});

pureTest("optionalText() takes texts that match", () => {
  const any = { pattern: /^[^]*$/, expected: "a text" };
  assertEquals(taken((o) => optionalText(o, "field", any)), ["", "x"]);
  assertEquals(taken((o) => optionalText(o, "field", { ...any, pattern: /^.$/ })), ["x"]);
});

pureTest("optionalBoolean() takes true and false", () => {
  assertEquals(taken((o) => optionalBoolean(o, "field")), [true, false]);
});

pureTest("optionalWord() takes the given words", () => {
  assertEquals(taken((o) => optionalWord(o, "field", ["x", "y"])), ["x"]);
  assertThrows(
    () => optionalWord({ field: "X" }, "field", ["x", "y"]),
    FormatError,
    'Cannot use field "X": expected one of x, y',
  );
});

pureTest("optionalRational() takes two whole numbers above zero", () => {
  assertEquals(taken((o) => optionalRational(o, "field")), []);
  assertEquals(optionalRational({ field: [1001, 30_000] }, "field"), [1001, 30_000]);
  for (const field of [[0, 1], [1, 0], [1, -1], [1, 1.5], ["1", 1], [1, 2, 3], [1, 2 ** 31]]) {
    assertThrows(() => optionalRational({ field }, "field"), FormatError);
  }
});

pureTest("missing fields and null are undefined", () => {
  for (const object of [{}, { field: null }] as JsonObject[]) {
    assertStrictEquals(optionalNumber(object, "field", { min: 0, max: 1 }), undefined);
    assertStrictEquals(optionalText(object, "field", { pattern: /x/, expected: "" }), undefined);
    assertStrictEquals(optionalBoolean(object, "field"), undefined);
    assertStrictEquals(optionalWord(object, "field", ["x"]), undefined);
    assertStrictEquals(optionalRational(object, "field"), undefined);
  }
});

pureTest("required() passes values on and refuses none", () => {
  for (const value of [0, "", false, null]) assertStrictEquals(required(value, "field"), value);
  assertThrows(() => required(undefined, "field"), FormatError, "Cannot read field: it is missing");
});

pureTest("toObject() and toList() tell objects from lists", () => {
  assertEquals(VALUES.filter((value) => Array.isArray(value)), [toList([], "x"), toList([1], "x")]);
  assertEquals(toObject({ a: 1 }, "x"), { a: 1 });
  for (const value of [null, undefined, [], 1]) {
    assertThrows(() => toObject(value, "x"), FormatError, "expected an object");
  }
  for (const value of [null, undefined, {}, "[]"]) {
    assertThrows(() => toList(value, "x"), FormatError, "expected a list");
  }
});

pureTest("quoteValue() does not read deeper than it quotes", () => {
  let value: unknown = {
    toJSON() {
      throw new Error("looked at");
    },
  };
  for (let depth = 0; depth < 100; depth++) value = depth % 2 === 0 ? [value] : { a: value };
  assertMatch(quoteValue(value), /^\{"a":\[\{"a":\[.{48}…$/);
});

pureTest("quoteValue() shows the beginning of anything", () => {
  assertStrictEquals(quoteValue(undefined), "nothing");
  assertEquals([1e400, -1e400, NaN, -0.5].map(quoteValue), [
    "Infinity",
    "-Infinity",
    "NaN",
    "-0.5",
  ]);
  assertStrictEquals(quoteValue("a\nb"), '"a\\nb"');
  assertStrictEquals(quoteValue([1, { a: null }]), '[1,{"a":null}]');
  assertStrictEquals(quoteValue("x".repeat(100_000)), `"${"x".repeat(59)}…`);
});
