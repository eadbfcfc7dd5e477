import { assertEquals, assertThrows } from "@std/assert";
import { RequestError } from "../../../lib/base/errors.ts";
import { parsePath } from "../../../lib/web/addresses/paths.ts";
import { pureTest } from "../../support/pure_test.ts";

pureTest("parsePath() finds names with folders, dots and any characters", () => {
  const name = 'trips/größte "1".mkv?#%';
  const encoded = `trips/${encodeURIComponent('größte "1".mkv?#%')}`;
  assertEquals(parsePath(`/snapshot/${encoded}.jpg`), { kind: "snapshot", name });
  assertEquals(parsePath(`/stream/${encoded}.mjpg`), { kind: "stream", name });
  assertEquals(parsePath(`/hls/${encoded}/7.m4s`), { kind: "hls", name, file: "7.m4s" });
  assertEquals(parsePath(`/media/${encoded}`), { kind: "media", name });
  assertEquals(parsePath("/media/a%2Fb.mkv"), { kind: "media", name: "a/b.mkv" });
  assertEquals(parsePath("/snapshot/a.jpg.jpg"), { kind: "snapshot", name: "a.jpg" });
});

pureTest("parsePath() leaves other paths to others", () => {
  const others = ["/", "/api/list", "/snapshot/a.png", "/stream/.mjpg", "/hls/a", "/hls/a/"];
  for (const path of [...others, "/media/", "/media", "/snapshots/a.jpg", "//media/a"]) {
    assertEquals(parsePath(path), undefined, path);
  }
});

pureTest("parsePath() refuses names that are not percent-encoded UTF-8", () => {
  for (const path of ["/media/%", "/media/%zz", "/stream/%ff.mjpg", "/hls/%c3%28/index.m3u8"]) {
    const error = assertThrows(() => parsePath(path), RequestError, "percent-encoded");
    assertEquals(error.code, "bad_request");
  }
});
