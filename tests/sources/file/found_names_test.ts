/** Names that leave out folders. */
import { assertEquals, assertRejects } from "@std/assert";
import { RequestError } from "../../../lib/base/errors.ts";
import { Library } from "../../../lib/sources/file/library.ts";
import { mediaFolder, pictures } from "../../support/media/media_folder.ts";

const media = mediaFolder();
const STILL = [...pictures({ size: "16x16", seconds: 0.04 }), "-frames:v", "1"];

async function copies(folder: string, names: readonly string[]): Promise<Library> {
  const path = await media.folder(folder);
  const still = await media.make("still.png", STILL);
  for (const name of names) {
    await media.write(`${folder}/${name}`, await Deno.readFile(still));
  }
  return new Library(path);
}

Deno.test("Library.find() finds a file without its folders, if no other has the name", async () => {
  const library = await copies("one", ["trips/2024/sea.png", "trips/mountains.png"]);
  assertEquals((await library.find("sea.png")).name, "trips/2024/sea.png");
  assertEquals((await library.find("2024/sea.png")).name, "trips/2024/sea.png");
  const error = await assertRejects(() => library.find("sea/2024.png"), RequestError);
  assertEquals([error.code, error.message], [
    "not_found",
    'Cannot find "sea/2024.png": no such media, see the list of media',
  ]);
});

Deno.test("Library.find() names the files that it may be about, if there are several", async () => {
  const names = ["a/sea.png", "b/sea.png", "c/sea.png", "d/sea.png"];
  const library = await copies("several", names);
  const refusal = async (name: string) =>
    (await assertRejects(() => library.find(name), RequestError)).message;
  assertEquals(
    await refusal("sea.png"),
    'Cannot find "sea.png": no such media, did you mean "a/sea.png" or "b/sea.png" or ' +
      '"c/sea.png" or another one?',
  );
  assertEquals(
    await refusal("see.png"),
    'Cannot find "see.png": no such media, did you mean "a/sea.png"?',
  );
});

Deno.test("Library.find() prefers the file of the whole name, and finds no link out of the folder", async () => {
  const library = await copies("whole", ["sea.png", "trips/sea.png"]);
  assertEquals((await library.find("sea.png")).name, "sea.png");
  await Deno.symlink(media.pathOf("still.png"), media.pathOf("whole/trips/elsewhere.png"));
  const error = await assertRejects(() => library.find("elsewhere.png"), RequestError);
  assertEquals(error.message, 'Cannot find "elsewhere.png": no such media, see the list of media');
});
