/** Formats that the library identifies, or skips, in special ways. */
import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { RequestError } from "../../../lib/base/errors.ts";
import { Library } from "../../../lib/sources/file/library.ts";
import { mediaFolder, pictures, tone } from "../../support/media/media_folder.ts";

const media = mediaFolder();
const STILL = [...pictures({ size: "16x16", seconds: 0.04 }), "-frames:v", "1"];

Deno.test("Library finds what FFmpeg knows by the extension of its name", async () => {
  const folder = await media.folder("by extension");
  const mono = tone({ layout: "mono", rate: 16_000, seconds: 0.2 });
  await media.make("by extension/a.g722", mono);
  await media.make("by extension/b.pam", STILL);
  const drawing = '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="10"/>';
  await Deno.writeTextFile(`${folder}/c.svg`, drawing);
  await media.make("by extension/d.TGA", STILL);
  await media.make("by extension/e.al", mono);
  await media.make("by extension/f.sw", mono);
  await media.make("by extension/g.pgmyuv", STILL);
  const files = await new Library(folder).list();
  assertEquals(files.map(({ name, info }) => [name, (info.video ?? info.audio)?.codec]), [
    ["a.g722", "adpcm_g722"],
    ["b.pam", "pam"],
    ["c.svg", "svg"],
    ["d.TGA", "targa"],
    ["e.al", "pcm_alaw"],
    ["f.sw", "pcm_s16le"],
    ["g.pgmyuv", "pgmyuv"],
  ]);
});

Deno.test("Library goes by the content if that says more than the name", async () => {
  const folder = await media.folder("misnamed");
  await media.make("misnamed/picture", [...STILL, "-f", "image2", "-c:v", "png"]);
  for (const name of ["a.tga", "b.al"]) {
    await Deno.copyFile(`${folder}/picture`, `${folder}/${name}`);
  }
  await media.make("misnamed/c.afc", [...tone({ seconds: 0.1 }), "-f", "aiff"]);
  const files = await new Library(folder).list();
  assertEquals(files.map(({ name, info }) => [name, info.format]), [
    ["a.tga", "png_pipe"],
    ["b.al", "png_pipe"],
    ["c.afc", "aiff"],
    ["picture", "png_pipe"],
  ]);
});

Deno.test("Library finds the size of a TGA image, and refuses other data", async () => {
  const folder = await media.folder("targa");
  const path = await media.make("targa/a.tga", STILL);
  const { info } = await new Library(folder).find("a.tga");
  const { kind, video } = info;
  assertEquals([kind, video?.width, video?.height, video?.pixelFormat], ["image", 16, 16, "bgr24"]);
  const small = new Library(folder, { maxPixels: 255 });
  const tooLarge = await assertRejects(() => small.find("a.tga"), RequestError);
  assertMatch(tooLarge.message, /its pictures have 16x16 pixels, expected at most 255/);
  await Deno.writeFile(path, new Uint8Array(100).fill(0xaa));
  const broken = await assertRejects(() => new Library(folder).find("a.tga"), RequestError);
  assertEquals(broken.code, "media_error");
});

Deno.test("Library.first() leaves drawings to requests by name", async () => {
  const folder = await media.folder("drawn");
  await media.make("drawn/b.png", STILL);
  const drawing = '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="10"/>';
  await Deno.writeTextFile(`${folder}/a.svg`, drawing);
  // By its content, not its name.
  await Deno.writeTextFile(`${folder}/a drawing`, drawing);
  const library = new Library(folder);
  assertEquals((await library.first("image")).name, "b.png");
});
