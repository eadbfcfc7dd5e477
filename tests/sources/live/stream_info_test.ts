import { assert, assertEquals, assertThrows } from "@std/assert";
import { RequestError } from "../../../lib/base/errors.ts";
import { bitsPerPixel } from "../../../lib/ffmpeg/pixel_formats.ts";
import type { Rendition } from "../../../lib/ffmpeg/rendition.ts";
import type { Encoding, VideoStream } from "../../../lib/media/frame.ts";
import type { NutStream } from "../../../lib/nut/demuxer.ts";
import { openLiveFeed } from "../../../lib/sources/live/feed.ts";
import { parseLiveSource } from "../../../lib/sources/live/source_spec.ts";
import { describeLive, refuseUnknown, SENT_RAW } from "../../../lib/sources/live/stream_info.ts";
import { mediaFolder, pictures, run, tone } from "../../support/media/media_folder.ts";
import { installedDialect } from "../../support/programs/machine.ts";

const media = mediaFolder();

/** The streams of an input, and the bytes of the first frame. */
async function seen(input: string, rendition: Rendition = {}, { loop = false } = {}) {
  const { signal } = new AbortController();
  const options = { maxFrameSize: 1e8, signal, loop, dialect: await installedDialect() };
  await using feed = await openLiveFeed(parseLiveSource(`cam=${input}`), rendition, options);
  const { data } = await feed.next();
  return { streams: feed.streams, size: data.byteLength, data: data.slice() };
}

Deno.test("raw video is described in its own pixel format", async () => {
  for (const format of SENT_RAW) {
    const { streams, size } = await seen(`lavfi:testsrc=size=16x16:d=1,format=${format}`);
    const [picture] = streams;
    assert(picture.type === "video");
    assertEquals(picture.pixelFormat, format);
    assertEquals(size, 16 * 16 * (bitsPerPixel(format) ?? 0) / 8, format);
  }
});

Deno.test("raw video in other pixel formats is converted to one that NUT identifies", async () => {
  for (const format of ["yuvj420p", "yuvj422p", "p010le", "ya16le"]) {
    const { streams: [picture] } = await seen(`lavfi:testsrc=size=16x16:d=1,format=${format}`);
    assert(picture.type === "video" && SENT_RAW.includes(picture.pixelFormat ?? ""), format);
  }
});

Deno.test("frames of a generator are raw, also for copy", async () => {
  const source = "lavfi:testsrc=size=16x16:d=1,format=yuvj420p[out0];anoisesrc=d=1[out1]";
  const copied = await seen(source, { encoding: "copy" });
  assertEquals(copied.streams.map(({ codec }) => codec), ["rawvideo", "pcm_s16le"]);
  assertEquals(copied.streams, (await seen(source)).streams);
});

Deno.test("copied packets are described by their codecs", async () => {
  const cases: [string, string[], string[]][] = [
    ["a.mp4", ["libx264", "aac"], ["h264", "aac"]],
    ["a.mkv", ["libvpx", "libopus"], ["vp8", "opus"]],
    ["b.mkv", ["libx265", "flac"], ["hevc", "flac"]],
    ["c.mkv", ["mpeg2video", "ac3"], ["mpeg2video", "ac3"]],
    ["d.mkv", ["mjpeg", "pcm_s16le"], ["mjpeg", "pcm_s16le"]],
    ["b.ts", ["libx264", "mp2"], ["h264", "mp2"]],
    ["e.avi", ["mpeg4", "libmp3lame"], ["mpeg4", "mp3"]],
    ["f.mkv", ["libvpx-vp9", "libvorbis"], ["vp9", "vorbis"]],
  ];
  for (const [name, [video, audio], expected] of cases) {
    const path = await media.make(name, [
      ...[...pictures({ seconds: 0.4 }), ...tone({ seconds: 0.4 })],
      ...["-c:v", video, "-c:a", audio],
    ]);
    const { streams } = await seen(path, { encoding: "copy" }, { loop: true });
    assertEquals(streams.map(({ codec }) => codec), expected, name);
  }
});

Deno.test("compressed video has the colours that it is described with", async (t) => {
  const red = ["-f", "lavfi", "-i", "color=red:size=32x32:d=0.2"];
  const bt709 = ["-vf", "scale=out_color_matrix=bt709", "-colorspace", "bt709"];
  const path = await media.make("red.ts", [...red, ...bt709, "-c:v", "libx264", "-qp", "0"]);
  const cases: [string, Encoding, string | undefined][] = [
    ["lavfi:color=red:size=32x32,format=rgb24", "h264", "smpte170m"],
    ["lavfi:color=red:size=32x32,format=rgb24", "mjpeg", "bt470bg"],
    [path, "mjpeg", "bt470bg"],
    // H.264 states its own colours, which are not described again.
    [path, "h264", undefined],
  ];
  for (const [input, encoding, matrix] of cases) {
    await t.step(`${encoding} of ${input.split("/").at(-1)}`, async () => {
      const { streams: [stream], data } = await seen(input, { encoding }, { loop: true });
      assert(stream.type === "video");
      assertEquals(stream.colorSpace, matrix);
      const bytes = new Uint8Array([...stream.extradata, ...data]);
      const packet = await media.write(`packet.${encoding}`, bytes);
      const shown = ["-show_entries", "stream=color_space", "-of", "csv=p=0", packet];
      const told = new TextDecoder().decode(await run("ffprobe", shown)).trim();
      assertEquals(told, matrix ?? "bt709");
      const pixel = ["-frames:v", "1", "-vf", "crop=2:2", "-f", "rawvideo", "-pix_fmt", "rgb24"];
      const [r, g, b] = await run("ffmpeg", ["-i", packet, ...pixel, "pipe:1"]);
      assert(r > 245 && g < 10 && b < 10, `${r} ${g} ${b}`);
    });
  }
});

const PICTURE: NutStream = {
  ...{ id: 3, type: "video", fourcc: "H264", timeBase: [1, 90_000], decodeDelay: 2 },
  ...{ extradata: Uint8Array.of(1, 2), width: 16, height: 8 },
};

Deno.test("describeLive() puts video first, and refuses codecs that have no name", () => {
  const sound: NutStream = {
    ...{ id: 0, type: "audio", fourcc: "Opus", timeBase: [1, 48_000], decodeDelay: 0 },
    ...{ extradata: new Uint8Array(), sampleRate: 48_000, channels: 2 },
  };
  const streams = describeLive([sound, PICTURE], { encoding: "copy" });
  assertEquals(streams.map(({ id, type }) => [id, type]), [[0, "video"], [1, "audio"]]);
  assertEquals((streams[0] as VideoStream).decodeDelay, 2);
  const odd = { ...PICTURE, fourcc: "????" };
  for (const encoding of ["raw", "copy"] as const) {
    assertThrows(() => describeLive([odd], { encoding }), RequestError, "????");
  }
  // FFmpeg, which gave it, can convert it.
  const captured = describeLive([odd], { encoding: "copy" }, { isCapture: true });
  assertEquals(captured[0].fourcc, "????");
  assertThrows(() => refuseUnknown(captured), RequestError, "????");
});
