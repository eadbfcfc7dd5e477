/** What is opened is the file that was found, whatever takes its place. */
import { assertEquals, assertRejects } from "@std/assert";
import { TruncatedError } from "../../../../lib/base/errors.ts";
import { stateOf } from "../../../../lib/sources/file/file_state.ts";
import {
  SharedFile,
  UnreachableFileError,
} from "../../../../lib/sources/file/packets/shared_file.ts";

/** A served folder with a file, and a secret file beside the folder. */
class Folders implements AsyncDisposable {
  readonly root = Deno.realPathSync(Deno.makeTempDirSync());
  readonly folder = `${this.root}/served`;
  readonly path = `${this.folder}/file`;
  readonly secret = `${this.root}/secret`;

  constructor() {
    Deno.mkdirSync(this.folder);
    Deno.writeTextFileSync(this.path, "0123456789");
    Deno.writeTextFileSync(this.secret, "secret");
  }

  file(path = this.path): SharedFile {
    return new SharedFile({ path, folder: this.folder, state: stateOf(Deno.statSync(path)) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.root, { recursive: true });
  }
}

Deno.test("SharedFile.read() reads at any place, for several users at once", async () => {
  await using folders = new Folders();
  const file = folders.file();
  await using _first = await file.use();
  {
    await using _second = await file.use();
    assertEquals(file.users, 2);
    const places = [0, 3, 7, 1, 9];
    const read = await Promise.all(places.map((at) => file.read(at, 1)));
    assertEquals(read.map(([byte]) => byte), places.map((at) => 0x30 + at));
  }
  assertEquals(await file.read(8, 2), new TextEncoder().encode("89"));
  await assertRejects(() => file.read(8, 3), TruncatedError);
  await assertRejects(() => file.read(11, 1), TruncatedError);
});

Deno.test("SharedFile.read() says that a file became shorter, and reads one that was removed", async () => {
  await using folders = new Folders();
  const file = folders.file();
  await using _use = await file.use();
  await Deno.truncate(folders.path, 5);
  await assertRejects(() => file.read(4, 3), TruncatedError);
  await Deno.remove(folders.path);
  assertEquals(await file.read(0, 2), new TextEncoder().encode("01"));
});

Deno.test("SharedFile.use() closes the file with the last user, and opens it again", async () => {
  await using folders = new Folders();
  const file = folders.file();
  const use = await file.use();
  await use[Symbol.asyncDispose]();
  await use[Symbol.asyncDispose]();
  assertEquals(file.users, 0);
  await assertRejects(() => file.read(0, 1), Error, "it is not open");
  await using _again = await file.use();
  assertEquals((await file.read(0, 1)).length, 1);
});

Deno.test("SharedFile.use() refuses whatever takes the place of the file", async (t) => {
  const swaps: Record<string, (folders: Folders) => Promise<unknown>> = {
    "a link out of the folder": (folders) => Deno.symlink(folders.secret, folders.path),
    "another file": (folders) => Deno.writeTextFile(folders.path, "9876543210"),
    "a folder": (folders) => Deno.mkdir(folders.path),
    "nothing": () => Promise.resolve(),
    "a pipe": (folders) => new Deno.Command("mkfifo", { args: [folders.path] }).output(),
  };
  for (const [name, swap] of Object.entries(swaps)) {
    await t.step(name, async () => {
      await using folders = new Folders();
      const file = folders.file();
      // Kept under another name, so that no other file gets its number.
      await Deno.rename(folders.path, `${folders.root}/kept`);
      await swap(folders);
      await assertRejects(() => file.use(), UnreachableFileError);
      assertEquals(file.users, 0);
    });
  }
});

Deno.test("SharedFile.use() refuses a file that left the folder, or that was written to", async (t) => {
  await t.step("a link to it from inside", async () => {
    await using folders = new Folders();
    const file = folders.file();
    await Deno.rename(folders.path, `${folders.root}/outside`);
    await Deno.symlink(`${folders.root}/outside`, folders.path);
    await assertRejects(() => file.use(), UnreachableFileError, "left the folder");
  });
  await t.step("a folder on the way that became a link", async () => {
    await using folders = new Folders();
    await Deno.mkdir(`${folders.folder}/sub`);
    await Deno.rename(folders.path, `${folders.folder}/sub/file`);
    const file = folders.file(`${folders.folder}/sub/file`);
    await Deno.rename(`${folders.folder}/sub`, `${folders.root}/sub`);
    await Deno.symlink(`${folders.root}/sub`, `${folders.folder}/sub`);
    await assertRejects(() => file.use(), UnreachableFileError, "left the folder");
  });
  await t.step("more bytes", async () => {
    await using folders = new Folders();
    const file = folders.file();
    await Deno.writeTextFile(folders.path, "more", { append: true });
    await assertRejects(() => file.use(), UnreachableFileError, "has changed");
  });
});
