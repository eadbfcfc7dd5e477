import { assertEquals } from "@std/assert";
import {
  isCompleteReply,
  parseReplies,
  REPLIES,
} from "../../../lib/sinks/terminal/capabilities.ts";
import { pureTest } from "../../support/pure_test.ts";

const GRID = { columns: 80, rows: 24 };
const OK = "\x1b_Gi=31;OK\x1b\\";
const USUAL = { graphics: undefined, cell: { width: 8, height: 16 }, colours: 256 };

/** Replies, and how the capabilities differ from the defaults. */
const CASES: [string, object][] = [
  ["", {}],
  ["\x1b[?62;22c", {}],
  ["\x1b[?1;2c", {}],
  // 4 as the class of the terminal is none of its attributes.
  ["\x1b[?4;6c", {}],
  ["\x1b[?62;4;22c", { graphics: "sixel" }],
  [`${OK}\x1b[?62;4;22c`, { graphics: "kitty" }],
  ["\x1b_Gi=31;ENOTSUPPORTED:no\x1b\\\x1b[?62;4c", { graphics: "sixel" }],
  ["\x1b[4;480;720t\x1b[6;21;9t\x1b[?62c", { cell: { width: 9, height: 21 } }],
  ["\x1b[4;480;720t\x1b[?62c", { cell: { width: 9, height: 20 } }],
  ["\x1b[4;0;0t\x1b[6;0;0t\x1b[?62c", {}],
  ["\x1b[6;99999;99999t\x1b[?62c", {}],
  ["\x1b[?1;0;16S\x1b[?62;4c", { graphics: "sixel", colours: 16 }],
  ["\x1b[?1;0;65536S\x1b[?62;4c", { graphics: "sixel" }],
  ["\x1b[?1;0;0S\x1b[?62;4c", { graphics: "sixel", colours: 2 }],
];

pureTest("parseReplies() reads the replies of a terminal, complete or not", () => {
  for (const [reply, differing] of CASES) {
    assertEquals(parseReplies(reply, GRID), { ...USUAL, ...differing }, reply);
  }
});

pureTest("isCompleteReply() waits for the device attributes, which come last", () => {
  const reply = `\x1b[4;480;720t\x1b[?1;0;16S${OK}\x1b[?62;4c`;
  for (let length = 0; length < reply.length; length++) {
    assertEquals(isCompleteReply(reply.slice(0, length)), false);
  }
  assertEquals(isCompleteReply(reply), true);
});

pureTest("REPLIES does not match keys pressed in between", () => {
  const reply = `a\x1b[4;480;720t\x1b[C\x1b[?1;0;16S${OK} \x1b[?62;4cq`;
  assertEquals(reply.replaceAll(REPLIES, ""), "a\x1b[C q");
});
