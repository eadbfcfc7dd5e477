/** Raw frames of all kinds of media: the same bytes, at the same moments, as ffmpeg's own. */
import { assertEquals } from "@std/assert";
import type { VideoStream } from "../../../lib/media/frame.ts";
import { mediaFolder, pictures } from "../../support/media/media_folder.ts";
import { decodedBy } from "../../support/media/reference.ts";
import { ask, framesOf, type NativeResponse, streamOf } from "../../support/peers/native_client.ts";
import { type TestServer, testServer } from "../../support/peers/test_server.ts";

const media = mediaFolder();

/** A kind of media: how to make it, and what the server has to say of it. */
interface Sample {
  name: string;
  /** FFmpeg's arguments; a short video of 64×48 at 25 a second where absent. */
  args?: readonly string[];
  /** Further arguments of the reference, where the server has to convert. */
  reference?: readonly string[];
  expected: Partial<VideoStream>;
  /** Frames; one of a still, ten of a video where absent. */
  frames?: number;
}

const SHORT = pictures({ seconds: 0.4 });
const ODD = pictures({ size: "321x241", seconds: 0.4 });
const STILL = [...pictures({ seconds: 0.04 }), "-frames:v", "1"];
const BY_X264 = [...pictures({ seconds: 2 }), "-c:v", "libx264", "-preset", "veryfast"];

function lossless(pixelFormat: string): Pick<Sample, "args" | "expected"> {
  return { args: [...SHORT, "-c:v", "ffv1", "-pix_fmt", pixelFormat], expected: { pixelFormat } };
}

function rawIn(codec: string, pixelFormat: string): Pick<Sample, "args" | "expected"> {
  return { args: [...SHORT, "-c:v", codec, "-pix_fmt", pixelFormat], expected: { pixelFormat } };
}

function still(pixelFormat: string): Pick<Sample, "args" | "expected" | "frames"> {
  return { args: [...STILL, "-pix_fmt", pixelFormat], expected: { pixelFormat }, frames: 1 };
}

const VIDEOS: readonly Sample[] = [
  {
    name: "h264 with B-frames.mp4",
    args: [...BY_X264, "-bf", "3", "-g", "20", "-pix_fmt", "yuv420p"],
    expected: { pixelFormat: "yuv420p", width: 64, height: 48, frameRate: [25, 1] },
    frames: 50,
  },
  {
    name: "h264 in 10 bits.mkv",
    args: [...SHORT, "-c:v", "libx264", "-pix_fmt", "yuv420p10le"],
    expected: { pixelFormat: "yuv420p10le" },
  },
  {
    name: "hevc in 10 bits.mp4",
    args: [
      ...SHORT,
      ...["-c:v", "libx265", "-x265-params", "log-level=none", "-pix_fmt", "yuv420p10le"],
    ],
    expected: { pixelFormat: "yuv420p10le" },
  },
  {
    name: "bt709.mp4",
    args: [
      ...SHORT,
      ...["-c:v", "libx264", "-pix_fmt", "yuv420p", "-colorspace", "bt709", "-color_range", "tv"],
    ],
    expected: { colorSpace: "bt709", colorRange: "tv" },
  },
  {
    name: "raw h264 without a duration.h264",
    args: [...BY_X264, "-bf", "2", "-pix_fmt", "yuv420p"],
    expected: { pixelFormat: "yuv420p" },
    frames: 50,
  },
  {
    name: "odd size.mkv",
    args: [...ODD, "-c:v", "ffv1", "-pix_fmt", "yuv420p"],
    expected: { pixelFormat: "yuv420p", width: 321, height: 241 },
  },
  {
    name: "odd size in h264.mp4",
    args: [...ODD, "-c:v", "libx264", "-pix_fmt", "yuv444p"],
    expected: { pixelFormat: "yuv444p", width: 321, height: 241 },
  },
  {
    name: "mjpeg.avi",
    args: [...SHORT, "-c:v", "mjpeg", "-pix_fmt", "yuvj420p"],
    expected: { pixelFormat: "yuv420p", colorRange: "pc" },
  },
  {
    name: "anamorphic.mkv",
    args: [...SHORT, "-c:v", "ffv1", "-aspect", "64:33"],
    expected: { sampleAspectRatio: [16, 11] },
  },
  { name: "gif.gif", expected: { pixelFormat: "bgra" } },
  {
    name: "vp9.webm",
    args: [...SHORT, "-c:v", "libvpx-vp9", "-cpu-used", "8", "-pix_fmt", "yuv420p"],
    expected: { pixelFormat: "yuv420p" },
  },
  { name: "mpeg4.avi", args: [...SHORT, "-c:v", "mpeg4"], expected: { pixelFormat: "yuv420p" } },
  { name: "grey.mkv", ...lossless("gray") },
  { name: "grey of 10 bits.mkv", ...lossless("gray10le") },
  { name: "grey of 16 bits.mkv", ...lossless("gray16le") },
  { name: "alpha.mkv", ...lossless("yuva420p") },
  { name: "rgb in planes.avi", ...rawIn("utvideo", "gbrp") },
  { name: "rgb and a byte unused.mkv", ...lossless("bgr0") },
  { name: "rgb in planes of 12 bits.mkv", ...lossless("gbrp12le") },
  { name: "4:2:2 of 10 bits.mkv", ...lossless("yuv422p10le") },
  { name: "4:1:1.mkv", ...lossless("yuv411p") },
  { name: "alpha in qtrle.mov", ...rawIn("qtrle", "argb") },
  { name: "rgb in qtrle.mov", ...rawIn("qtrle", "rgb24") },
  { name: "raw nv12.avi", ...rawIn("rawvideo", "nv12") },
  { name: "raw yuyv422.mov", ...rawIn("rawvideo", "yuyv422") },
  { name: "big-endian raw rgb48be.mov", ...rawIn("rawvideo", "rgb48be") },
  {
    name: "prores of 12 bits.mov",
    ...rawIn("prores_ks", "yuv444p10le"),
    expected: { pixelFormat: "yuv444p12le" },
  },
];

const STILLS: readonly Sample[] = [
  { name: "rgb.png", ...still("rgb24") },
  { name: "alpha.png", ...still("rgba") },
  { name: "grey.png", ...still("gray") },
  { name: "black and white.png", ...still("monob") },
  { name: "palette.png", ...still("pal8") },
  { name: "rgb of 16 bits.png", ...still("rgb48be") },
  { name: "grey of 16 bits.png", ...still("gray16be") },
  { name: "grey and alpha.png", ...still("ya8") },
  {
    name: "grey and alpha of 16 bits.png",
    ...still("ya16be"),
    reference: ["-pix_fmt", "rgba64le"],
    expected: { pixelFormat: "rgba64le" },
  },
  {
    name: "floating point.exr",
    ...still("gbrpf32le"),
    reference: ["-pix_fmt", "rgb48le"],
    expected: { pixelFormat: "rgb48le" },
  },
  {
    name: "odd size.png",
    args: [...ODD, "-frames:v", "1"],
    expected: { width: 321, height: 241 },
  },
  {
    name: "jpeg.jpg",
    ...still("yuvj420p"),
    expected: { pixelFormat: "yuv420p", colorRange: "pc" },
  },
  { name: "jpeg of 4:4:4.jpg", ...still("yuvj444p"), expected: { pixelFormat: "yuv444p" } },
  { name: "bitmap.bmp", ...still("bgr24") },
  { name: "webp.webp", args: [...STILL, "-c:v", "libwebp"], expected: { width: 64 } },
  { name: "tiff.tiff", ...still("rgb24") },
];

Deno.test("get_video sends every frame as ffmpeg decodes it", async (t) => {
  await using server = await testServer({ media: media.path });
  for (const sample of VIDEOS) {
    await t.step(sample.name, async () => {
      const response = await compare(server, "get_video", sample);
      assertEquals(response.end?.frames, sample.frames ?? 10);
    });
  }
});

Deno.test("get_image sends the picture as ffmpeg decodes it", async (t) => {
  await using server = await testServer({ media: media.path });
  for (const sample of STILLS) {
    await t.step(sample.name, async () => {
      const response = await compare(server, "get_image", sample);
      assertEquals(response.end?.frames, 1);
      assertEquals(response.description?.duration, undefined);
    });
  }
});

Deno.test("get_video sends the video and the sound that FFmpeg chooses of several", async () => {
  const name = "several.mp4";
  const still = await media.make("cover.png", STILL);
  await media.make(name, [
    ...["-i", still, "-f", "lavfi", "-i", "color=red:size=32x32:d=0.2", ...SHORT],
    ...["-f", "lavfi", "-i", "sine=r=8000:d=0.2", "-f", "lavfi", "-i", "sine=r=16000:d=0.2"],
    ...["-map", "4", "-map", "0", "-map", "1", "-map", "3", "-map", "2"],
    ...["-c:v", "mpeg4", "-c:v:0", "png", "-disposition:v:0", "attached_pic"],
    ...["-disposition:v:2", "default", "-disposition:a:1", "default", "-c:a", "aac"],
  ]);
  await using server = await testServer({ media: media.path });
  for (const encoding of ["raw", "copy", "h264"] as const) {
    const response = await ask(server, { command: "get_video", name, encoding });
    assertEquals(streamOf(response, "video")?.width, 64, encoding);
    assertEquals(streamOf(response, "audio")?.sampleRate, 8_000, encoding);
    const note = "Further streams are dropped: 1 of sound, 1 of pictures";
    assertEquals(response.description?.notes, encoding === "copy" ? [note] : [], encoding);
  }
});

Deno.test("list_media has the pixels of the frames, whatever their shape", async () => {
  const { name, args = [] } = VIDEOS.find(({ name }) => name === "anamorphic.mkv")!;
  await media.make(name, args);
  await using server = await testServer({ media: media.path });
  const { list } = await ask(server, { command: "list_media" });
  const entry = list?.find((entry) => entry.name === name);
  assertEquals([entry?.width, entry?.height], [64, 48]);
});

/** Makes a sample and compares what the server sends of it with ffmpeg's own frames. */
async function compare(
  server: TestServer,
  command: "get_image" | "get_video",
  { name, args = SHORT, reference, expected }: Sample,
): Promise<NativeResponse> {
  const path = await media.make(name, args);
  const [response, frames] = await Promise.all([
    ask(server, { command, name }),
    decodedBy(path, { stream: "V:0", output: reference }),
  ]);
  assertEquals(response.error, undefined);
  assertEquals(part(streamOf(response, "video"), expected), expected);
  assertEquals(framesOf(response, "video"), frames);
  assertEquals(response.end?.reason, "end");
  assertEquals(response.end?.warning, undefined);
  return response;
}

/** The fields that are expected, for one comparison. */
function part(stream: VideoStream | undefined, expected: Partial<VideoStream>) {
  const entries = Object.entries(stream ?? {}).filter(([name]) => name in expected);
  return Object.fromEntries(entries);
}
