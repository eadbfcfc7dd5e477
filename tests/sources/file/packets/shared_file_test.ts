/** What is opened is the file that was found, whatever takes its place. */
import { assertEquals, assertRejects } from "@std/assert";
import { TruncatedError } from "../../../../lib/base/errors.ts";
import { stateOf } from "../../../../lib/sources/file/file_state.ts";
import {
  SharedFile,
  UnreachableFileError,
} from "../../../../lib/sources/file/packets/shared_file.ts";
import { countDescriptors } from "../../../support/programs/machine.ts";

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

Deno.test({
  name: "SharedFile.read() opens a few descriptors for many reads at once, and closes all",
  // Elsewhere the system does not tell which are open.
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using folders = new Folders();
    const file = folders.file();
    const use = await file.use();
    for (let at = 0; at < 10; at++) await file.read(at, 1);
    assertEquals(countDescriptors(folders.path), 1);
    const readAll = async () => {
      const places = Array.from({ length: 200 }, (_, at) => at % 10);
      const read = await Promise.all(places.map((at) => file.read(at, 1)));
      assertEquals(read.map(([byte]) => byte), places.map((at) => 0x30 + at));
    };
    let most = 0;
    while (most < 4) {
      await readAll();
      most = Math.max(most, countDescriptors(folders.path));
    }
    for (let turn = 0; turn < 3; turn++) await readAll();
    assertEquals(countDescriptors(folders.path), 4);
    await use[Symbol.asyncDispose]();
    assertEquals(countDescriptors(folders.path), 0);
  },
});

Deno.test({
  name: "SharedFile.use() has as many descriptors again after any number of uses",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using folders = new Folders();
    const path = `${folders.folder}/other`;
    const hasFour = async (file: SharedFile, path: string) => {
      const use = await file.use();
      while (countDescriptors(path) < 4) {
        await Promise.all(Array.from({ length: 40 }, () => file.read(0, 1)));
      }
      await use[Symbol.asyncDispose]();
    };
    // More than all files together may have, and as many refusals.
    for (let turn = 0; turn < 25; turn++) {
      await hasFour(folders.file(), folders.path);
      await Deno.writeTextFile(path, "x");
      const file = folders.file(path);
      const use = await file.use();
      await Deno.remove(path);
      await Promise.all(Array.from({ length: 40 }, () => file.read(0, 1)));
      await use[Symbol.asyncDispose]();
    }
    for (let turn = 0; turn < 45; turn++) {
      await Deno.writeTextFile(path, "x");
      const file = folders.file(path);
      const use = await file.use();
      await Deno.remove(path);
      await Promise.all(Array.from({ length: 4 }, () => file.read(0, 1)));
      await use[Symbol.asyncDispose]();
    }
    await hasFour(folders.file(), folders.path);
  },
});

Deno.test({
  name: "SharedFile.read() opens no further descriptor of whatever takes the place of the file",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using folders = new Folders();
    const file = folders.file();
    const use = await file.use();
    const kept = `${folders.root}/kept`;
    await Deno.rename(folders.path, kept);
    await Deno.writeTextFile(folders.path, "9876543210");
    for (let turn = 0; turn < 8; turn++) {
      const read = await Promise.all([0, 1, 2, 3].map((at) => file.read(at, 1)));
      assertEquals(read.map(([byte]) => byte), [0x30, 0x31, 0x32, 0x33]);
    }
    assertEquals([countDescriptors(kept), countDescriptors(folders.path)], [1, 0]);
    await use[Symbol.asyncDispose]();
  },
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
