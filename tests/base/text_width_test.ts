import { assertEquals } from "@std/assert";
import { padText, shortenEnd, shortenMiddle, textWidth } from "../../lib/base/text_width.ts";
import { pureTest } from "../support/pure_test.ts";

pureTest("textWidth() counts columns of a terminal", () => {
  const widths: Record<string, number> = {
    "": 0,
    "a.mp4": 5,
    "größe": 5,
    "e\u0301te\u0301": 3,
    "日本語.png": 10,
    "한국어": 6,
    "ｗｉｄｅ": 8,
    "👍": 2,
    "👩‍👩‍👧": 2,
    "❤️": 2,
    "привет": 6,
    "\u200b": 0,
  };
  for (const [text, width] of Object.entries(widths)) assertEquals(textWidth(text), width, text);
});

pureTest("shortenMiddle() keeps both ends, and is never wider than it may be", () => {
  assertEquals(shortenMiddle("holiday.mp4", 11), "holiday.mp4");
  assertEquals(shortenMiddle("holiday in the sea.mp4", 11), "holid…a.mp4");
  assertEquals(shortenMiddle("日本語の長い名前.mp4", 12), "日本語….mp4");
  for (const text of ["holiday in the sea.mp4", "日本語の長い名前.mp4", "👩‍👩‍👧👍❤️👍👩‍👩‍👧"]) {
    for (let width = 0; width < 30; width++) {
      const short = shortenMiddle(text, width);
      assertEquals(textWidth(short) <= width, true, `${width}: ${short}`);
      assertEquals(textWidth(shortenEnd(text, width)) <= width, true);
    }
  }
});

pureTest("padText() fills up with spaces by width", () => {
  assertEquals([padText("日本", 6), padText("abc", 2)], ["日本  ", "abc"]);
});
