import { assertEquals } from "@std/assert";
import type { AudioStream, VideoStream } from "../../../../lib/media/frame.ts";
import { coverArguments, writeCover } from "../../../../lib/sinks/output/tags/cover.ts";
import { exists } from "../../../support/media/media_folder.ts";
import { pureTest } from "../../../support/pure_test.ts";

const VIDEO = { type: "video", codec: "h264" } as VideoStream;
const SOUND = { type: "audio", codec: "aac" } as AudioStream;
const COVER = { path: "/tmp/cover_1.jpg", codec: "mjpeg" } as const;
const STREAMS = [VIDEO, SOUND];

function outputOf(type: string, options: Partial<Parameters<typeof coverArguments>[2]> = {}) {
  const wanted = { streams: STREAMS, copied: STREAMS, ...options };
  return coverArguments(COVER, type, wanted)?.output.join(" ");
}

pureTest("coverArguments() names all streams where the cover is one of them", () => {
  const video = "-map 0:v:0 -map 0:a:0? -map 1:v:0 -c:v:1 copy -disposition:v:1 attached_pic";
  assertEquals(outputOf("mp4"), video);
  const sound = "-map 0:a:0? -map 1:v:0 -c:v:0 copy -disposition:v:0 attached_pic";
  assertEquals(outputOf("m4a"), sound);
  assertEquals(outputOf("mp4", { streams: [SOUND], copied: [SOUND] }), sound);
});

pureTest("coverArguments() attaches the cover as a file to Matroska, whatever is encoded", () => {
  const expected = "-attach /tmp/cover_1.jpg -metadata:s:t:0 mimetype=image/jpeg " +
    "-metadata:s:t:0 filename=cover.jpg";
  assertEquals(outputOf("mkv", { copied: [] }), expected);
});

pureTest("coverArguments() gives nothing where the cover would be mixed up with video", () => {
  assertEquals(outputOf("mp4", { copied: [SOUND] }), undefined);
  assertEquals(outputOf("mp4", { codec: { video: "libx265" } }), undefined);
  assertEquals(outputOf("mp4", { more: ["-map", "0"] }), undefined);
  for (const type of ["mov", "webm", "avi", "wav"]) assertEquals(outputOf(type), undefined);
});

Deno.test("writeCover() writes a file that is removed with it", async () => {
  const data = new Uint8Array([1, 2, 3]);
  await using cover = await writeCover({ codec: "png", data });
  assertEquals([await Deno.readFile(cover.path), cover.path.endsWith(".png")], [data, true]);
  await cover[Symbol.asyncDispose]();
  assertEquals(await exists(cover.path), false);
});
