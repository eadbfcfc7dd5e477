import { assert, assertEquals, assertMatch } from "@std/assert";
import { mediaFolder } from "../../support/media/media_folder.ts";
import { addressServer, urlOf } from "../../support/peers/address_server.ts";
import { countedFfmpeg } from "../../support/programs/counted_ffmpeg.ts";
import { mediaChildren } from "../../support/programs/machine.ts";

const media = mediaFolder();

const CAMERA = "cam=lavfi:testsrc=size=64x48:rate=25[out0];sine[out1]";

/** FFmpegs that encode with a codec, among those that were started. */
function encoders(starts: readonly string[], codec: string): number {
  return starts.filter((args) => args.includes(`-c:v ${codec}`)).length;
}

/** Reads a stream of JPEGs until so many have come. */
async function readPictures(url: string, count: number): Promise<void> {
  const response = await fetch(url);
  assertEquals(response.headers.get("Content-Type"), "multipart/x-mixed-replace; boundary=frame");
  let seen = 0;
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream("latin1"))) {
    seen += chunk.split("Content-Type: image/jpeg").length - 1;
    if (seen >= count) return;
  }
  throw new Error(`Cannot read ${count} pictures: the stream ended after ${seen}`);
}

Deno.test("100 readers of one stream of JPEGs take one encoder, which ends with the last", async () => {
  using ffmpeg = await countedFfmpeg();
  await using server = await addressServer(media.path, { sources: [CAMERA], maxClients: 200 });
  const url = urlOf(server, "/stream/cam.mjpg?quality=60");
  await Promise.all(Array.from({ length: 100 }, () => readPictures(url, 3)));
  await server.logged(/request ends command=get_video name=cam /);
  assertEquals(encoders(ffmpeg.starts, "mjpeg"), 1);
});

Deno.test("50 readers of one HLS take one encoder, and others of it one more", async () => {
  using ffmpeg = await countedFfmpeg();
  await using server = await addressServer(media.path, { sources: [CAMERA], maxClients: 200 });
  const read = async (query: string) => {
    const playlist = await (await fetch(urlOf(server, `/hls/cam/index.m3u8${query}`))).text();
    const [, init] = playlist.match(/MAP:URI="(.*)"/) ?? [];
    const [segment] = playlist.match(/^live-\d+\.m4s.*$/m) ?? [];
    const files = await Promise.all([init, segment].map(async (file) => {
      const response = await fetch(urlOf(server, `/hls/cam/${file}`));
      assertEquals(response.status, 200);
      return await response.bytes();
    }));
    return await new Blob(files).bytes();
  };
  const all = await Promise.all(Array.from({ length: 50 }, () => read("")));
  for (const file of all) assertEquals(file, all[0]);
  assertEquals(encoders(ffmpeg.starts, "libx264"), 1);
  const small = await read("?width=32&audio=0");
  assert(small.byteLength < all[0].byteLength);
  assertEquals(encoders(ffmpeg.starts, "libx264"), 2);
});

Deno.test("nothing is left when the server ends while others read", async () => {
  const server = await addressServer(media.path, { sources: [CAMERA] });
  const pictures = readPictures(urlOf(server, "/stream/cam.mjpg"), Infinity);
  const ended = pictures.then(() => "all", (error) => String(error));
  const playlist = await fetch(urlOf(server, "/hls/cam/index.m3u8"));
  assertMatch(await playlist.text(), /^#EXTM3U\n/);
  await server[Symbol.asyncDispose]();
  assertMatch(await ended, /the stream ended|error reading a body/);
  assertEquals(await mediaChildren(), []);
});
