import { assertEquals, assertThrows } from "@std/assert";
import { RequestError } from "../../lib/base/errors.ts";
import { parseImageQuery, parsePlayQuery } from "../../lib/web/api.ts";
import { pureTest } from "../support/pure_test.ts";

pureTest("parsePlayQuery() parses name, start, codecs and sound", () => {
  const query = new URLSearchParams("name=a b/c.mp4&start=1.5&can=h264,aac,cinepak&sound=0");
  assertEquals(parsePlayQuery(query), {
    name: "a b/c.mp4",
    start: 1.5,
    can: new Set(["h264", "aac"]),
    sound: false,
    track: undefined,
    subtitles: undefined,
  });
  assertEquals(parsePlayQuery(new URLSearchParams()), {
    name: undefined,
    start: 0,
    can: new Set<string>(),
    sound: true,
    track: undefined,
    subtitles: undefined,
  });
});

pureTest("parsePlayQuery() parses numbers of tracks, of which 0 is none", () => {
  const { track, subtitles } = parsePlayQuery(new URLSearchParams("track=2&subtitles=0"));
  assertEquals([track, subtitles], [2, undefined]);
  for (const value of ["x", "-1", "1.5", "1001"]) {
    const query = new URLSearchParams({ subtitles: value });
    assertThrows(() => parsePlayQuery(query), RequestError, `Cannot use subtitles "${value}"`);
  }
});

pureTest("parsePlayQuery() has no codecs with keep=0", () => {
  assertEquals(parsePlayQuery(new URLSearchParams("can=h264&keep=0")).can, new Set<string>());
  assertEquals(parsePlayQuery(new URLSearchParams("can=h264&keep=1")).can, new Set(["h264"]));
});

pureTest("parseImageQuery() refuses values out of range", () => {
  for (const start of ["x", "-1", "1e9", "NaN", "Infinity"]) {
    const query = new URLSearchParams({ start });
    assertThrows(() => parseImageQuery(query), RequestError, `Cannot begin at "${start}"`);
  }
  const long = new URLSearchParams({ name: "x".repeat(1025) });
  assertThrows(() => parseImageQuery(long), RequestError, "more than 1024");
});
