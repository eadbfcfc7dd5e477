/** Formats that the library tells, or leaves, in ways of their own. */
import { assertEquals, assertRejects } from "@std/assert";
import { RequestError } from "../../lib/core/errors.ts";
import { Library } from "../../lib/media/library.ts";
import { mediaFolder, pictures, tone } from "../support/media.ts";

const media = mediaFolder();
const STILL = [...pictures({ size: "16x16", seconds: 0.04 }), "-frames:v", "1"];
const ON_LINUX = { ignore: Deno.build.os !== "linux" };

Deno.test("Library says why it has no use for TGA", ON_LINUX, async () => {
  const folder = await media.folder("by name alone");
  await media.make("by name alone/a.tga", STILL);
  const { message } = await assertRejects(() => new Library(folder).find("a.tga"), RequestError);
  assertEquals(
    message,
    'Cannot read "a.tga": FFmpeg knows TGA by its name alone, which does not count here, ' +
      "expected a PNG of it",
  );
});

Deno.test("Library finds what FFmpeg knows by the extension of its name", async () => {
  const folder = await media.folder("by extension");
  await media.make("by extension/a.g722", tone({ layout: "mono", rate: 16_000, seconds: 0.2 }));
  await media.make("by extension/b.pam", STILL);
  const drawing = '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="10"/>';
  await Deno.writeTextFile(`${folder}/c.svg`, drawing);
  const files = await new Library(folder).list();
  assertEquals(files.map(({ name, info }) => [name, info.kind]), [
    ["a.g722", "audio"],
    ["b.pam", "image"],
    ["c.svg", "image"],
  ]);
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
