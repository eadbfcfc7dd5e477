import { assertEquals } from "@std/assert";
import { formatByName, NAMED_CODECS, SERVED_FORMATS } from "../../../lib/sources/file/formats.ts";

const PURE = { permissions: "none" } as const;

Deno.test("formatByName() goes by the extension, whatever its case", PURE, () => {
  assertEquals(formatByName("/a.al/b.G722"), { demuxer: "g722" });
  assertEquals(formatByName("/a/b.c.tga"), { demuxer: "image2", codec: "targa" });
  for (const path of ["/a/tga", "/a.tga/b", "/a/b.png", "/a/b.", "/a/b.constructor"]) {
    assertEquals(formatByName(path), undefined, path);
  }
});

Deno.test("formatByName() names nothing that is not served", PURE, () => {
  const extensions = "302 722 adf al pam rso svgz tga thd xface".split(" ");
  const demuxers = extensions.map((extension) => formatByName(`.${extension}`)?.demuxer ?? "");
  assertEquals(demuxers.filter((name) => !SERVED_FORMATS.includes(name)), []);
  assertEquals(NAMED_CODECS.includes("targa"), true);
});
