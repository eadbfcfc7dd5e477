import { assertEquals, assertThrows } from "@std/assert";
import { FormatError } from "../../../lib/base/errors.ts";
import {
  allowBoxes,
  boxesIn,
  entryCount,
  needBox,
  onlyBox,
  UnindexedError,
} from "../../../lib/containers/mp4/boxes.ts";
import { concat } from "../../support/media/bytes.ts";
import { pureTest } from "../../support/pure_test.ts";
import { box, words } from "./made_file.ts";

function viewOf(...parts: readonly (string | Uint8Array)[]): DataView<ArrayBuffer> {
  return new DataView(concat(...parts).buffer);
}

pureTest("boxesIn() reads boxes with short and long sizes, and ends at QuickTime's zeros", () => {
  const long = concat(words(1), "long", words(0, 18), "ab");
  const boxes = boxesIn(viewOf(box("shrt", "xyz"), long, words(0), "rest"));
  assertEquals(boxes.map(({ type, body }) => [type, body.byteLength]), [["shrt", 3], ["long", 2]]);
});

pureTest("boxesIn() refuses boxes that are too large or too small", () => {
  assertThrows(() => boxesIn(viewOf(words(9), "type")), FormatError, "expected 9");
  assertThrows(() => boxesIn(viewOf(words(7), "type")), FormatError, "box of 7 bytes");
  assertThrows(() => boxesIn(viewOf(words(1), "type", words(0))), FormatError, "expected 16");
  const endless = concat(words(1), "type", words(2 ** 31, 0));
  assertThrows(() => boxesIn(viewOf(endless)), FormatError, "ends after 16 bytes");
  const many = concat(...Array.from({ length: 4097 }, () => box("free")));
  assertThrows(() => boxesIn(viewOf(many)), FormatError, "more than 4096 boxes");
});

pureTest("onlyBox() and needBox() do not guess which of several boxes counts", () => {
  const boxes = boxesIn(viewOf(box("once", "1"), box("twic", "2"), box("twic", "3")));
  assertEquals(onlyBox(boxes, "once")?.byteLength, 1);
  assertEquals(onlyBox(boxes, "none"), undefined);
  assertThrows(() => onlyBox(boxes, "twic"), UnindexedError, '2 boxes "twic"');
  assertThrows(() => needBox(boxes, "none"), UnindexedError, '"none" is missing');
});

pureTest("allowBoxes() names a box whose effect is not known, in printable characters", () => {
  const boxes = boxesIn(viewOf(box("good"), box('a"\x00z')));
  const check = () => allowBoxes(boxes, "moov", new Set(["good"]));
  assertThrows(check, UnindexedError, 'it has a box "a..z" in "moov"');
});

pureTest("entryCount() believes no more entries than there are bytes", () => {
  assertEquals(entryCount(viewOf(words(0, 2, 1, 2, 3, 4)), 4, 8), 2);
  assertThrows(() => entryCount(viewOf(words(0, 3, 1, 2, 3, 4)), 4, 8), FormatError);
  assertThrows(() => entryCount(viewOf(words(0, 2 ** 32 - 1)), 4, 8), FormatError);
});
