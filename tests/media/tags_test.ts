import { assertEquals } from "@std/assert";
import { chaptersWithin, cutTag, MAX_TAG_LENGTH } from "../../lib/media/tags.ts";
import { pureTest } from "../support/pure_test.ts";

const CHAPTERS = [
  { start: 0, end: 10, title: "one" },
  { start: 10, end: 20, title: "two" },
  { start: 20, end: 30 },
];

pureTest("chaptersWithin() gives all chapters of the whole", () => {
  assertEquals(chaptersWithin(CHAPTERS, {}), CHAPTERS);
});

pureTest(
  "chaptersWithin() cuts chapters at the ends of a part, and leaves out those beyond",
  () => {
    assertEquals(chaptersWithin(CHAPTERS, { start: 10, duration: 15 }), [
      { start: 0, end: 10, title: "two" },
      { start: 10, end: 15 },
    ]);
    assertEquals(chaptersWithin(CHAPTERS, { start: 5, duration: 1 }), [
      { start: 0, end: 1, title: "one" },
    ]);
    assertEquals(chaptersWithin(CHAPTERS, { start: 30 }), []);
  },
);

pureTest("cutTag() never cuts a character in two", () => {
  const text = `a${"🎬".repeat(MAX_TAG_LENGTH)}`;
  const bytes = new TextEncoder().encode(cutTag(text));
  assertEquals(bytes.length, 1 + Math.floor((MAX_TAG_LENGTH - 1) / 4) * 4);
  assertEquals(text.startsWith(cutTag(text)), true);
});
