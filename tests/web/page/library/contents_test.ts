import { assertEquals } from "@std/assert";
import {
  contentsOf,
  neighbour,
  pathTo,
  search,
  sorted,
} from "../../../../lib/web/page/library/contents.js";
import { pureTest } from "../../../support/pure_test.ts";

interface Given {
  size?: number;
  duration?: number;
  modified?: number;
  live?: boolean;
  problem?: string;
}

function entry(name: string, given: Given = {}) {
  return { name, kind: "video", live: false, size: 0, codec: "h264", ...given } as const;
}

function namesOf(entries: readonly { name: string }[]): string[] {
  return entries.map(({ name }) => name);
}

pureTest("contentsOf() of the page has the folders and entries of one folder", () => {
  const names = ["b/10/x", "b/9/x", "b/9/y/z", "b/c", "a", "b", "b//d", "bc/e"];
  const entries = names.map((name) => entry(name));
  const root = contentsOf(entries, "");
  assertEquals(root.folders, [
    { path: "b", name: "b", count: 5 },
    { path: "bc", name: "bc", count: 1 },
  ]);
  assertEquals(namesOf(root.items), ["a", "b"]);
  const inner = contentsOf(entries, "b");
  assertEquals(inner.folders, [
    { path: "b/9", name: "9", count: 2 },
    { path: "b/10", name: "10", count: 1 },
  ]);
  assertEquals(namesOf(inner.items), ["b/c", "b//d"]);
  assertEquals(contentsOf(entries, "none"), { folders: [], items: [] });
  assertEquals(pathTo("b/9"), [{ path: "b", name: "b" }, { path: "b/9", name: "9" }]);
});

pureTest(
  "sorted() of the page has live sources first, numbers in order, and unknown ones last",
  () => {
    const entries = [
      entry("take 10", { size: 5, duration: 1, modified: 7 }),
      entry("take 9", { size: 5, modified: 8 }),
      entry("cam", { live: true }),
      entry("all", { size: 9, duration: 2 }),
    ];
    assertEquals(namesOf(sorted(entries, "name")), ["cam", "all", "take 9", "take 10"]);
    assertEquals(namesOf(sorted(entries, "size")), ["cam", "all", "take 9", "take 10"]);
    assertEquals(namesOf(sorted(entries, "duration")), ["cam", "all", "take 10", "take 9"]);
    assertEquals(namesOf(sorted(entries, "modified")), ["cam", "take 9", "take 10", "all"]);
    assertEquals(namesOf(sorted(entries, "other")), ["cam", "all", "take 9", "take 10"]);
  },
);

pureTest("search() of the page finds every word, in names and details", () => {
  const entries = [entry("Trips/Sea.mkv", { size: 2000 }), entry("cam", { live: true })];
  assertEquals(namesOf(search(entries, "sea trip")), ["Trips/Sea.mkv"]);
  assertEquals(namesOf(search(entries, "VIDEO kb")), ["Trips/Sea.mkv"]);
  assertEquals(namesOf(search(entries, " live ")), ["cam"]);
  assertEquals(search(entries, "sea cam"), []);
});

pureTest("neighbour() of the page passes over what cannot be read", () => {
  const entries = [entry("a"), entry("b", { problem: "it is empty" }), entry("c")];
  assertEquals(neighbour(entries, "a", 1)?.name, "c");
  assertEquals(neighbour(entries, "c", -1)?.name, "a");
  assertEquals(neighbour(entries, "c", 1), undefined);
  assertEquals(neighbour(entries, "none", 1), undefined);
});
