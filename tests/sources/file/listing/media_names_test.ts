import { assertEquals } from "@std/assert";
import { isBesideMedia, kindByName } from "../../../../lib/sources/file/listing/media_names.ts";
import { pureTest } from "../../../support/pure_test.ts";

pureTest("kindByName() and isBesideMedia() go by the extension", () => {
  const kinds = ["a.MP4", "b/c.jpeg", "d.tar.flac", "e.ts", "f.gif"].map(kindByName);
  assertEquals(kinds, ["video", "image", "audio", "video", "image"]);
  for (const name of ["README.txt", "a.mp4.part", "film.de.srt", "data.JSON", "list.m3u8"]) {
    assertEquals([kindByName(name), isBesideMedia(name)], [undefined, true], name);
  }
  // Nothing is known of these: their content decides.
  for (const name of ["Makefile", "no extension", "a.xyz", "folder.mp4/file", "mp4", "a."]) {
    assertEquals([kindByName(name), isBesideMedia(name)], [undefined, false], name);
  }
  // Every kind has its own extensions.
  assertEquals(["a.mp4", "a.png", "a.wav"].some(isBesideMedia), false);
});
