import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { FormatError } from "../../../lib/base/errors.ts";
import { encodeJson } from "../../../lib/protocol/native/json.ts";
import { encodeList, ListedMedia, parseList } from "../../../lib/protocol/native/list.ts";
import type { ListEntry } from "../../../lib/protocol/native/response.ts";
import { pureTest } from "../../support/pure_test.ts";

/** What is sent and absent is the same. */
function withoutAbsent(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

function named(name: string, entry: Partial<ListEntry> = {}): ListEntry {
  return { name, kind: "video", live: false, size: 1, codec: "h264", ...entry };
}

function namesOf(list: ListedMedia): string[] {
  return list.entries.map(({ name }) => name);
}

pureTest("parseList() reads what encodeList() wrote", () => {
  const entries: ListEntry[] = [
    {
      ...{
        name: "v.mp4",
        kind: "video",
        live: false,
        size: 2 ** 33,
        modified: 1e12,
        duration: 0.04,
      },
      ...{ codec: "h264+aac", width: 1920, height: 1080, rotation: 90 },
      tracks: [
        { type: "video", codec: "h264" },
        { type: "audio", codec: "aac", language: "deu", title: "a", default: true, channels: 2 },
      ],
    },
    { name: "cam", kind: "video", live: true, size: 0, codec: "", published: true },
    { name: "s.mp3", kind: "audio", live: false, size: 0, codec: "", problem: "it is empty" },
    { name: "t.mp3", kind: "audio", live: false, size: 9, codec: "", pending: true },
  ];
  for (const piece of [{ entries }, { entries: [], removed: ["a"], more: true, follow: true }]) {
    assertEquals(withoutAbsent(parseList(encodeList(piece))), {
      removed: [],
      ...withoutAbsent(piece) as object,
    });
  }
});

pureTest("parseList() refuses malformed entries", () => {
  const entry = { name: "x", kind: "image" };
  assertStrictEquals(parseList(encodeJson({ entries: [entry] })).entries[0].codec, "");
  const changes = [
    ...[{ name: null }, { kind: "other" }, { size: -1 }, { width: 0 }, { live: "no" }, {
      modified: "now",
    }],
    ...[{ tracks: 1 }, { tracks: [{ type: "scent" }] }, { problem: 1 }, { pending: "no" }],
  ];
  for (const change of changes) {
    const payload = encodeJson({ entries: [{ ...entry, ...change }] });
    assertThrows(() => parseList(payload), FormatError);
  }
  for (const entries of [undefined, {}, [1], [null]]) {
    assertThrows(() => parseList(encodeJson({ entries })), FormatError);
  }
});

pureTest("ListedMedia adds pieces up, with later entries in place of earlier ones", () => {
  const list = new ListedMedia();
  list.add({
    entries: [
      named("z cam", { live: true }),
      named("cam", { live: true }),
      named("b.mp4", { pending: true }),
      named("a-b/c.mp4", { pending: true }),
    ],
    more: true,
  });
  assertEquals([list.size, list.pending, list.isComplete], [4, 2, false]);
  list.add({ entries: [named("b.mp4"), named("a/c.mp4")], more: true });
  list.add({ entries: [named("a-b/c.mp4")] });
  assertEquals([list.size, list.pending, list.isComplete], [5, 0, true]);
  // As the server walks through folders: "a" comes before "a-b".
  assertEquals(namesOf(list), ["z cam", "cam", "a/c.mp4", "a-b/c.mp4", "b.mp4"]);
  list.add({ entries: [], removed: ["b.mp4", "unknown"] });
  const many = Array.from({ length: 100_001 }, (_, index) => named(`${index}`));
  assertThrows(() => new ListedMedia().add({ entries: many }), FormatError, "more than 100000");
  assertEquals([namesOf(list).length, list.find("b.mp4"), list.isComplete], [4, undefined, true]);
});
