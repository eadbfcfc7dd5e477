/** Raw pixel formats that FFmpeg does not carry in NUT, from publisher to viewers. */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { fourccOf } from "../../../lib/sources/live/stream_info.ts";
import { bitsPerPixel } from "../../../lib/ffmpeg/pixel_formats.ts";
import type { VideoStream } from "../../../lib/media/frame.ts";
import { NutWriter } from "../../../lib/nut/writer.ts";
import { mediaFolder, run } from "../../support/media/media_folder.ts";
import { Camera } from "../../support/peers/camera.ts";
import { rawStream, TestPublisher } from "../../support/peers/test_publisher.ts";
import { testServer } from "../../support/peers/test_server.ts";
import { at, runInside } from "../../support/programs/run_inside.ts";

const media = mediaFolder();
const [WIDTH, HEIGHT] = [64, 48];

/** A picture whose left half is dark and whose right half is bright. */
const LEVELS = [0.25, 0.75];

/** Levels of a picture in one format, from 0 to 1, as the format writes them. */
const WRITERS: Record<string, { size: number; write: (view: DataView, level: number) => void }> = {
  gray16le: { size: 2, write: (view, level) => view.setUint16(0, level * 65535, true) },
  grayf32le: { size: 4, write: (view, level) => view.setFloat32(0, level, true) },
  grayf32be: { size: 4, write: (view, level) => view.setFloat32(0, level, false) },
  bayer_rggb8: { size: 1, write: (view, level) => view.setUint8(0, level * 255) },
  bayer_grbg16le: { size: 2, write: (view, level) => view.setUint16(0, level * 65535, true) },
};

function pictureIn(format: string): Uint8Array<ArrayBuffer> {
  const { size, write } = WRITERS[format];
  const picture = new Uint8Array(WIDTH * HEIGHT * size);
  for (let pixel = 0; pixel < WIDTH * HEIGHT; pixel++) {
    const view = new DataView(picture.buffer, pixel * size, size);
    write(view, LEVELS[pixel % WIDTH < WIDTH / 2 ? 0 : 1]);
  }
  return picture;
}

/** Grey levels in the middle of both halves of the first picture of a file, from 0 to 1. */
async function levelsOf(path: string, args: readonly string[] = []): Promise<number[]> {
  const grey = await run("ffmpeg", [
    ...[...args, "-i", path, "-frames:v", "1", "-vf", "scale=out_range=pc,format=gray"],
    ...["-f", "rawvideo", "pipe:1"],
  ]);
  assertEquals(grey.length, WIDTH * HEIGHT);
  const row = grey.subarray(WIDTH * HEIGHT / 2, WIDTH * HEIGHT / 2 + WIDTH);
  return [row[WIDTH / 4] / 255, row[WIDTH * 3 / 4] / 255];
}

function assertLevels(found: readonly number[], what: string): void {
  for (const [half, level] of LEVELS.entries()) assertAlmostEquals(found[half], level, 0.03, what);
}

for (const format of Object.keys(WRITERS)) {
  Deno.test(`${format} of a publisher arrives unchanged, and is converted for others`, async () => {
    await using server = await testServer({ media: media.path });
    using publisher = await TestPublisher.begin(server.address.port, { name: "depth" });
    await publisher.describe(rawStream(WIDTH, HEIGHT, format));
    const picture = pictureIn(format);
    await using _camera = new Camera(publisher, () => ({ data: picture }));
    using raw = await server.connect();
    await raw.ask({ command: "get_video", name: "depth" });
    const [frame] = await raw.frames(1);
    assertEquals(frame.data, picture);
    const [stream] = raw.description.streams;
    assertEquals(stream.type === "video" && stream.pixelFormat, format);
    using other = await server.connect();
    await other.ask({ command: "get_video", name: "depth", encoding: "mjpeg" });
    const [jpeg] = await other.frames(1);
    assertLevels(await levelsOf(await media.write(`${format}.jpg`, jpeg.data)), "mjpeg");
    const path = media.pathOf(`${format}.mkv`);
    const flags = ["--video", "depth", "--duration", "0.2", "--output", path];
    const { status, stderr } = await runInside([...flags, ...at(server)]);
    assertEquals(status, 0, stderr);
    assertLevels(await levelsOf(path), "recording");
  });
}

Deno.test("fourccOf() names all formats that NUT carries, as FFmpeg reads them", async () => {
  const listed = new TextDecoder().decode(await run("ffmpeg", ["-pix_fmts"]));
  const names = [...listed.matchAll(/^[I.][O.][H.][P.][B.] (\w+)/gm)].map(([, name]) => name)
    .filter((name) => bitsPerPixel(name) !== undefined || name.startsWith("bayer_"));
  assert(names.length > 120, `${names.length} formats`);
  const streams = names.map((name, id): VideoStream => ({
    ...{ id, type: "video", codec: "rawvideo", timeBase: [1, 25], extradata: new Uint8Array() },
    ...{ fourcc: fourccOf("rawvideo", name), width: 16, height: 16, pixelFormat: name },
  }));
  const path = media.pathOf("formats.nut");
  using file = await Deno.open(path, { write: true, create: true });
  const writer = new NutWriter(file.writable, streams);
  for (const [streamId, name] of names.entries()) {
    const size = name === "pal8" ? 16 * 16 + 1024 : 16 * 16 * (bitsPerPixel(name) ?? 16) / 8;
    const data = new Uint8Array(name.endsWith("8") && name.startsWith("bayer") ? 256 : size);
    await writer.write({ streamId, timestamp: 0, keyframe: true, data });
  }
  await writer.close();
  const found = await run("ffprobe", ["-show_entries", "stream=pix_fmt", "-of", "csv=p=0", path]);
  assertEquals(new TextDecoder().decode(found).trim().split("\n"), names);
});

Deno.test("H.264 of raw RGB from a publisher has its colours", async () => {
  await using server = await testServer({ media: media.path });
  using publisher = await TestPublisher.begin(server.address.port, { name: "red" });
  await publisher.describe(rawStream(WIDTH, HEIGHT, "bgr24"));
  const data = new Uint8Array(WIDTH * HEIGHT * 3).map((_, at) => [20, 60, 220][at % 3]);
  await using _camera = new Camera(publisher, () => ({ data }));
  const path = media.pathOf("red.mkv");
  const flags = ["--video", "red", "--encoding", "h264", "--duration", "0.2", "--output", path];
  const { status, stderr } = await runInside([...flags, ...at(server)]);
  assertEquals(status, 0, stderr);
  const args = ["-i", path, "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "bgr24", "pipe:1"];
  const [blue, green, red] = await run("ffmpeg", args);
  assert(
    Math.abs(blue - 20) < 12 && Math.abs(green - 60) < 12 && Math.abs(red - 220) < 12,
    `${[blue, green, red]}`,
  );
});
