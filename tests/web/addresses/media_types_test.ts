import { assertEquals } from "@std/assert";
import { dispositionOf, mediaTypeOf } from "../../../lib/web/addresses/media_types.ts";
import { pureTest } from "../../support/pure_test.ts";

pureTest("mediaTypeOf() knows extensions in any case, and nothing that a browser runs", () => {
  assertEquals(mediaTypeOf("trips/Sea.MKV"), "video/matroska");
  assertEquals(mediaTypeOf("a.b.jpeg"), "image/jpeg");
  for (const name of ["a", "a.", "mp4", "a.svg", "a.html", "a.js", "a.constructor", "x.mp4/a"]) {
    assertEquals(mediaTypeOf(name), "application/octet-stream", name);
  }
});

pureTest(
  "dispositionOf() quotes names that are more than ASCII, and lets no header through",
  () => {
    assertEquals(dispositionOf("a/b c.mp4", "attachment"), 'attachment; filename="b c.mp4"');
    assertEquals(
      dispositionOf("ü\"\r\nX: 1\\%'(1)*.mp4", "attachment"),
      `attachment; filename="____X: 1__'(1)*.mp4"; ` +
        "filename*=UTF-8''%C3%BC%22%0D%0AX%3A%201%5C%25%27%281%29%2A.mp4",
    );
    assertEquals(
      dispositionOf("\ud800.mp4", "inline"),
      "inline; filename=\"_.mp4\"; filename*=UTF-8''%EF%BF%BD.mp4",
    );
  },
);
