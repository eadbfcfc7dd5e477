import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { RequestError } from "../../../lib/base/errors.ts";
import { encodeJson } from "../../../lib/protocol/native/json.ts";
import { LIMITS, MAX_DIMENSION, parseRequest } from "../../../lib/protocol/native/request.ts";
import { pureTest } from "../../support/pure_test.ts";

/** Every field that takes a number, and both ends of what it takes. */
const BOUNDS = {
  width: { min: 1, max: MAX_DIMENSION, integer: true },
  height: { min: 1, max: MAX_DIMENSION, integer: true },
  ...LIMITS,
};

/** What is no number for any field, whatever its bounds. */
const NO_NUMBERS: readonly unknown[] = ["1", "", "NaN", "Infinity", true, false, [], [1], {}];

/** The payload of a request with these fields. */
function withFields(fields: Record<string, unknown>): Uint8Array<ArrayBuffer> {
  return encodeJson({ version: 1, command: "get_video", ...fields });
}

/** The payload of a request with this JSON for a field. */
function withJson(field: string, json: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`{"version":1,"command":"get_video","${field}":${json}}`);
}

/** The refusal of a request. */
function refusal(payload: Uint8Array): RequestError {
  return assertThrows(() => parseRequest(payload), RequestError);
}

interface Bounds {
  min: number;
  max: number;
  integer?: boolean;
}

/** A number that is less than another by next to nothing. */
function justBelow(value: number): number {
  return value === 0 ? -Number.MIN_VALUE : value * (1 - Number.EPSILON);
}

/** A number that is more than another, above zero, by next to nothing. */
function justAbove(value: number): number {
  return value * (1 + Number.EPSILON);
}

pureTest("LIMITS are those of the protocol", () => {
  const ends = Object.entries<Bounds>(BOUNDS).map(([field, { min, max, integer }]) => [
    ...[field, min, max],
    integer ? "whole" : "any",
  ]);
  assertEquals(ends, [
    ["width", 1, 16_384, "whole"],
    ["height", 1, 16_384, "whole"],
    ["start", 0, 100_000_000, "any"],
    ["duration", 0.001, 100_000_000, "any"],
    ["speed", 0, 100, "any"],
    ["fps", 0.01, 240, "any"],
    ["bitrate", 10_000, 1_000_000_000, "whole"],
    ["quality", 1, 100, "whole"],
    ["every", 0.01, 1_000_000, "any"],
  ]);
});

for (const [field, bounds] of Object.entries(BOUNDS) as [keyof typeof BOUNDS, Bounds][]) {
  pureTest(`parseRequest() takes ${field} up to both ends, and nothing beyond`, () => {
    const { min, max, integer = false } = bounds;
    for (const value of [min, max]) {
      assertStrictEquals(parseRequest(withFields({ [field]: value }))[field], value);
    }
    const kind = integer ? "whole number" : "number";
    const below = integer ? [min - 1, min - 0.5, min + 0.5] : [justBelow(min)];
    const above = integer ? [max + 1, max - 0.5] : [justAbove(max)];
    const hostile = [-1, -1e308, 1e308, -max, Number.MAX_VALUE, ...NO_NUMBERS];
    for (const value of [...below, ...above, ...hostile]) {
      const { code, message } = refusal(withFields({ [field]: value }));
      assertStrictEquals(code, "bad_request");
      const expected = `: expected a ${kind} from ${min} to ${max}`;
      assertStrictEquals(message.startsWith(`Cannot use ${field} `), true, message);
      assertStrictEquals(message.endsWith(expected), true, message);
    }
  });

  pureTest(`parseRequest() takes ${field} for absent only where it is null or missing`, () => {
    assertStrictEquals(parseRequest(withFields({}))[field], undefined);
    assertStrictEquals(parseRequest(withFields({ [field]: null }))[field], undefined);
  });

  pureTest(`parseRequest() refuses ${field} that is no JSON, or past all numbers`, () => {
    for (const json of ["NaN", "Infinity", "-Infinity", "0x10", ".5", "1.", "+1", "01", "1_0"]) {
      const { code, message } = refusal(withJson(field, json));
      assertEquals([code, message], [
        "bad_request",
        "Cannot read the request: no JSON in UTF-8",
      ]);
    }
    for (const [json, seen] of [["1e400", "Infinity"], ["-1e400", "-Infinity"]]) {
      const { code, message } = refusal(withJson(field, json));
      assertStrictEquals(code, "bad_request");
      assertStrictEquals(message.startsWith(`Cannot use ${field} ${seen}: `), true, message);
    }
  });
}

pureTest("parseRequest() takes numbers however JSON writes them", () => {
  const written: [keyof typeof BOUNDS, string, number][] = [
    ["fps", "29.97", 29.97],
    ["fps", "23.976023976023978", 24000 / 1001],
    ["fps", "25.0", 25],
    ["fps", "2.5E+1", 25],
    ["duration", "1e-3", 0.001],
    ["start", "12.3", 12.3],
    ["start", "1e-300", 1e-300],
    ["every", "4e-2", 0.04],
    ["speed", "0.25", 0.25],
    ["bitrate", "2.5e6", 2_500_000],
    ["quality", "9E1", 90],
    ["width", "64.0", 64],
  ];
  for (const [field, json, value] of written) {
    assertStrictEquals(parseRequest(withJson(field, json))[field], value);
  }
});
