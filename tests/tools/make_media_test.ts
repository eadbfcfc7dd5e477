import { assertEquals, assertLess } from "@std/assert";
import { run } from "../support/media/media_folder.ts";

const MEDIA = new URL("../../media/", import.meta.url).pathname;

/** What ffprobe tells of a file's streams: the named fields, one stream a line. */
async function probe(name: string, fields: string): Promise<string[]> {
  const args = ["-show_entries", `stream=${fields}`, "-of", "csv=p=0", MEDIA + name];
  return new TextDecoder().decode(await run("ffprobe", args)).trim().split("\n");
}

Deno.test("the samples in media are a picture and a video with sound", async () => {
  assertEquals(await probe("image.png", "codec_name,width,height"), ["png,1280,720"]);
  assertEquals(await probe("video.mp4", "codec_name,width,height,pix_fmt,nb_frames,channels"), [
    "h264,1280,720,yuv420p,300",
    "aac,2,470",
  ]);
});

Deno.test("the samples in media are small, and the video begins with its index", async () => {
  const video = await Deno.readFile(`${MEDIA}video.mp4`);
  const { size } = await Deno.stat(`${MEDIA}image.png`);
  assertLess(video.byteLength + size, 2e6);
  const text = new TextDecoder("latin1").decode(video);
  assertLess(text.indexOf("moov"), text.indexOf("mdat"));
});
