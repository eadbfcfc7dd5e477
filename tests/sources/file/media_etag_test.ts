import { assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { isSettled, mediaEtag, stateOf, STEADY_AGE } from "../../../lib/sources/file/file_state.ts";
import { mediaFolder } from "../../support/media/media_folder.ts";

const media = mediaFolder();

/** Bytes of a file with some of them changed. */
function content(size: number, ...changed: number[]): Uint8Array {
  const bytes = Uint8Array.from({ length: size }, (_, at) => at * 7);
  for (const at of changed) bytes[at] ^= 1;
  return bytes;
}

Deno.test("mediaEtag() is the same for copies, and another for other bytes", async () => {
  const size = 300_000;
  const etag = async (bytes: Uint8Array) => await mediaEtag(await media.write("file", bytes));
  const [own] = [await etag(content(size))];
  assertMatch(own!, /^[\w-]{1,64}$/);
  assertEquals(await mediaEtag(await media.write("far/copy", content(size))), own);
  const others = [content(size - 1), content(size + 1), content(size, 0), content(size, 65_535)];
  const ends = [content(size, size - 65_536), content(size, size - 1)];
  for (const bytes of [...others, ...ends]) assertNotEquals(await etag(bytes), own);
});

Deno.test("mediaEtag() takes files of any size", async () => {
  const etags = new Set<string | undefined>();
  for (const size of [0, 1, 65_535, 65_536, 65_537, 131_072, 131_073]) {
    etags.add(await mediaEtag(await media.write("file", content(size))));
  }
  assertEquals([etags.size, etags.has(undefined)], [7, false]);
});

Deno.test("mediaEtag() returns nothing for a file that has replaced another", async () => {
  const path = await media.write("placed", content(10));
  const { identity } = stateOf(await Deno.stat(path));
  assertEquals(await mediaEtag(path, identity), await mediaEtag(path));
  await Deno.rename(path, `${path} before`);
  await Deno.symlink(await media.write("elsewhere", content(10)), path);
  assertEquals(await mediaEtag(path, identity), undefined);
});

function nextMoment(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 10));
}

Deno.test("mediaEtag() notices a change that leaves size and time as they were", async () => {
  const path = await media.write("settled", content(10));
  const state = stateOf(await Deno.stat(path));
  // Remembered from then on.
  while (!await isSettled(path, state, STEADY_AGE)) await nextMoment();
  const own = await mediaEtag(path);
  assertEquals(await mediaEtag(path), own);
  await Deno.writeFile(path, content(10, 3));
  await Deno.utime(path, state.modified! / 1000, state.modified! / 1000);
  const changed = await mediaEtag(path);
  assertMatch(changed!, /^[\w-]+$/);
  assertNotEquals(changed, own);
});

const ON_LINUX = { ignore: Deno.build.os !== "linux" };

Deno.test(
  "mediaEtag() does not wait for a pipe that has taken a file's place",
  ON_LINUX,
  async () => {
    const path = media.pathOf("pipe");
    await new Deno.Command("mkfifo", { args: [path] }).output();
    assertEquals(await mediaEtag(path), undefined);
  },
);

Deno.test("mediaEtag() has nothing to say of what is not there", async () => {
  assertEquals(await mediaEtag(media.pathOf("gone")), undefined);
});
