/** Info packets, as FFmpeg reads them. */
import { assertEquals } from "@std/assert";
import { NutMuxer } from "../../lib/nut/muxer.ts";
import type { AudioStream, VideoStream } from "../../lib/media/frame.ts";
import { concat } from "../support/media/bytes.ts";
import { mediaFolder, run } from "../support/media/media_folder.ts";

const media = mediaFolder();

const VIDEO: VideoStream = {
  ...{ type: "video", id: 0, codec: "rawvideo", fourcc: "Y800", pixelFormat: "gray" },
  ...{ timeBase: [1, 25], extradata: new Uint8Array(), width: 2, height: 2 },
  frameRate: [25, 1],
};

const SOUND: AudioStream = {
  ...{ type: "audio", id: 1, codec: "pcm_s16le", fourcc: "PSD\x10", timeBase: [1, 8000] },
  ...{ extradata: new Uint8Array(), sampleRate: 8000, channels: 1 },
  ...{ language: "deu", title: "Kommentar", disposition: ["default", "comment", "made up"] },
};

Deno.test("NutMuxer.header() states tags, languages and chapters as FFmpeg reads them", async () => {
  const muxer = new NutMuxer([VIDEO, SOUND], {
    metadata: { title: "Größe", artist: "x".repeat(5000) },
    chapters: [{ start: 0, end: 0.04, title: "first" }, { start: 0.04, end: 1.5 }],
  });
  const data = new Uint8Array(4);
  const frame = { streamId: 0, timestamp: 0, keyframe: true, data };
  const path = await media.write(
    "tags.nut",
    concat(muxer.header(), muxer.frameHeader(frame), data),
  );
  const shown = ["-show_format", "-show_streams", "-show_chapters", "-of", "json"];
  const { format, streams, chapters } = JSON.parse(
    new TextDecoder().decode(await run("ffprobe", [...shown, path])),
  );
  assertEquals(format.tags.title, "Größe");
  assertEquals(format.tags.artist, "x".repeat(1000));
  const [video, audio] = streams;
  assertEquals([video.tags, video.r_frame_rate], [undefined, "25/1"]);
  assertEquals([audio.tags.language, audio.tags.title], ["deu", "Kommentar"]);
  assertEquals([audio.disposition.default, audio.disposition.comment], [1, 1]);
  const times = chapters.map((chapter: Record<string, string>) =>
    [chapter.start_time, chapter.end_time].map(Number)
  );
  assertEquals(times, [[0, 0.04], [0.04, 1.5]]);
  assertEquals(chapters[0].tags.title, "first");
});
