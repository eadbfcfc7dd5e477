import { assertEquals, assertThrows } from "@std/assert";
import { FormatError } from "../../lib/base/errors.ts";
import { Cues, encodeCue, formatSubtitles, parseCue, parseSrt } from "../../lib/media/subtitles.ts";
import { pureTest } from "../support/pure_test.ts";

pureTest("Cues gives each text of a time once, and forgets what is over", () => {
  const cues = new Cues();
  cues.add({ text: "one", start: 1, end: 3 });
  cues.add({ text: "two", start: 2, end: 4 });
  assertEquals([0.9, 1, 2, 3].map((time) => cues.at(time)), ["", "one", "one\ntwo", "two"]);
  assertEquals([4, 1].map((time) => cues.at(time)), ["", ""]);
  cues.add({ text: "three", start: 5, end: 6 });
  cues.add({ text: "three", start: 5, end: 6 });
  assertEquals(cues.at(5), "three");
  cues.clear();
  assertEquals(cues.at(5), "");
});

pureTest("parseSrt() keeps numbers and empty lines that belong to a text", () => {
  const text = [
    "1\n00:00:01,000 --> 00:00:02,000\n42\n",
    "2\r\n00:00:03,000 --> 00:00:04,500\r\nFirst\r\n\r\nLast\r\n",
    "3\n01:02:03,004 --> 01:02:03,001\nShort\n",
    "4\n00:00:09,000 --> 00:00:10,000\n\n",
  ].join("\n");
  assertEquals(parseSrt(text), [
    { start: 1, end: 2, text: "42" },
    { start: 3, end: 4.5, text: "First\n\nLast" },
    { start: 3723.004, end: 3723.004, text: "Short" },
  ]);
  assertEquals(parseSrt(""), []);
  assertEquals(parseSrt("no times at all"), []);
});

pureTest("formatSubtitles() writes what parseSrt() reads, without empty lines", () => {
  const cues = [
    { start: -0.5, end: 1.0004, text: "a < b & c\n\nd" },
    { start: 3600, end: 3661.5, text: "e" },
  ];
  assertEquals(parseSrt(formatSubtitles(cues, "srt")), [
    { start: 0, end: 1, text: "a < b & c\nd" },
    cues[1],
  ]);
  assertEquals(
    formatSubtitles(cues, "vtt"),
    "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\na &lt; b &amp; c\nd\n\n" +
      "01:00:00.000 --> 01:01:01.500\ne\n\n",
  );
});

pureTest("parseCue() refuses what is no text with times", () => {
  const refused = ["", "null", "[]", '{"start":1,"end":2}', '{"start":2,"end":1,"text":"a"}'];
  refused.push('{"start":"1","end":2,"text":"a"}', '{"start":1,"end":2,"text":3}');
  for (const text of refused) {
    assertThrows(() => parseCue(new TextEncoder().encode(text)), FormatError, "Cannot read");
  }
  const cue = { start: 0, end: 0, text: "ä" };
  assertEquals(parseCue(encodeCue(cue)), cue);
});
