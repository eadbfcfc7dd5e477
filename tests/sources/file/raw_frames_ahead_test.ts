import { assertEquals } from "@std/assert";
import type { MediaFile } from "../../../lib/sources/file/library.ts";
import { rawFramesAhead } from "../../../lib/sources/file/track.ts";
import { pureTest } from "../../support/pure_test.ts";

function fileOf(width: number, height: number): Pick<MediaFile, "info"> {
  const video = { codec: "h264", pixelFormat: "yuv420p", width, height };
  return { info: { kind: "video", format: "mp4", video } as unknown as MediaFile["info"] };
}

pureTest("rawFramesAhead() bounds frames by number and by bytes, and reads one at least", () => {
  assertEquals(rawFramesAhead(fileOf(64, 48), {}), 16);
  assertEquals(rawFramesAhead(fileOf(1280, 720), {}), 5);
  assertEquals(rawFramesAhead(fileOf(1280, 720), { pixelFormat: "bgr24" }), 2);
  assertEquals(rawFramesAhead(fileOf(3840, 2160), {}), 1);
  assertEquals(rawFramesAhead(fileOf(3840, 2160), { width: 640 }), 16);
  assertEquals(rawFramesAhead(fileOf(64, 48), { still: true }), 1);
});
