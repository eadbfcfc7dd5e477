import { assertStrictEquals } from "@std/assert";
import { nearest } from "../../lib/base/suggest.ts";
import { pureTest } from "../support/pure_test.ts";

const NAMES = ["video.mp4", "image.png", "clips/cat.mkv"];

pureTest("nearest() finds the word behind a typing error", () => {
  for (const word of ["vidoe.mp4", "video.mp", "video.mp4x", "Video.mp4", "video.mkv"]) {
    assertStrictEquals(nearest(word, NAMES), "video.mp4", word);
  }
  assertStrictEquals(nearest("clip/cat.mkv", NAMES), "clips/cat.mkv");
});

pureTest("nearest() offers nothing for a word that is like no other", () => {
  for (const word of ["holiday.webm", "x", "", "v".repeat(1024)]) {
    assertStrictEquals(nearest(word, NAMES), undefined, word);
  }
  assertStrictEquals(nearest("video.mp4", []), undefined);
});

pureTest("nearest() lets two letters of a short word differ", () => {
  assertStrictEquals(nearest("prot", ["port", "host"]), "port");
  assertStrictEquals(nearest("zzzz", ["port", "host"]), undefined);
  // Of three letters, only one may.
  assertStrictEquals(nearest("cam", ["bad"]), undefined);
  assertStrictEquals(nearest("cat", ["bad", "car"]), "car");
});
