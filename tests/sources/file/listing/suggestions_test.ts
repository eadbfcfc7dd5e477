import { assertEquals } from "@std/assert";
import {
  namesInFolders,
  nearestName,
  suggestion,
} from "../../../../lib/sources/file/listing/suggestions.ts";
import { pureTest } from "../../../support/pure_test.ts";

const NAMES = ["sea.png", "notes.txt", "trips/sea.mkv", "trips/old/sea.mkv", "overseas.mkv"];

pureTest("namesInFolders() finds names whose folders were left out", () => {
  assertEquals(namesInFolders("sea.mkv", NAMES), ["trips/sea.mkv", "trips/old/sea.mkv"]);
  assertEquals(namesInFolders("old/sea.mkv", NAMES), ["trips/old/sea.mkv"]);
  assertEquals(namesInFolders("sea.png", NAMES), []);
});

pureTest("nearestName() compares whole names first, then those without folders", () => {
  assertEquals(nearestName("see.png", NAMES), "sea.png");
  assertEquals(nearestName("trips/see.mkv", NAMES), "trips/sea.mkv");
  assertEquals(nearestName("note.text", NAMES), "notes.txt");
  assertEquals(nearestName("notes", NAMES), "notes.txt");
  assertEquals(nearestName("sea", ["sew", "trips/sea.mkv"]), "trips/sea.mkv");
  assertEquals(nearestName("sea.mkw", ["trips/sea.mkv"]), "trips/sea.mkv");
  assertEquals(nearestName("something else", NAMES), undefined);
  assertEquals(nearestName("a", []), undefined);
});

pureTest("suggestion() names up to three names, and says whether there are more", () => {
  assertEquals(suggestion([]), "see the list of media");
  assertEquals(suggestion(["a"]), 'did you mean "a"?');
  assertEquals(suggestion(["a", "b", "c"]), 'did you mean "a" or "b" or "c"?');
  assertEquals(suggestion(["a", "b", "c", "d"]), 'did you mean "a" or "b" or "c" or another one?');
});
