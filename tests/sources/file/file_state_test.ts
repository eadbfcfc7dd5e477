import { assertEquals, assertStrictEquals } from "@std/assert";
import {
  changeOf,
  etagAsOf,
  isSettled,
  stateOf,
  stillBegins,
} from "../../../lib/sources/file/file_state.ts";
import { mediaFolder } from "../../support/media/media_folder.ts";

const folder = mediaFolder();

/** The change that is found after an action on a file. */
async function noticed(name: string, act: (path: string) => Promise<void>) {
  const path = await folder.write(name, "0123456789");
  await Deno.utime(path, 1000, 1000);
  const before = stateOf(await Deno.stat(path));
  await act(path);
  return await changeOf(path, before);
}

Deno.test("changeOf() describes how a file has changed", async () => {
  const shorter = { isShorter: true, isLonger: false, what: "was cut short" };
  assertEquals(await noticed("shorter", (path) => Deno.truncate(path, 5)), shorter);
  const grown = { isShorter: false, isLonger: true, what: "has grown" };
  assertEquals(await noticed("grown", (path) => Deno.truncate(path, 15)), grown);
  const same = { isShorter: false, isLonger: false };
  const written = { ...same, what: "was written to" };
  assertEquals(await noticed("written", (path) => Deno.writeTextFile(path, "9876543210")), written);
  const replaced = { ...same, what: "was replaced" };
  const replace = async (path: string) => {
    await Deno.writeTextFile(`${path}.new`, "0");
    await Deno.rename(`${path}.new`, path);
  };
  assertEquals(await noticed("replaced", replace), replaced);
});

Deno.test("stillBegins() tells a file that only grows from one that is overwritten", async () => {
  const bytes = new Uint8Array(200_000).fill(7);
  const path = await folder.write("growing", bytes);
  const before = stateOf(await Deno.stat(path));
  const etag = await etagAsOf(path, before) ?? "";
  await Deno.writeFile(path, bytes, { append: true });
  assertEquals(await stillBegins(path, before, etag), true);
  await Deno.writeFile(path, bytes.map((byte, at) => at === 150_000 ? 8 : byte));
  assertEquals(await stillBegins(path, before, etag), false);
  await Deno.truncate(path, 100_000);
  assertEquals(await stillBegins(path, before, etag), false);
});

Deno.test("changeOf() finds no change in a file that is read, renamed or deleted", async () => {
  assertEquals(await noticed("read", async (path) => void await Deno.readFile(path)), undefined);
  assertEquals(await noticed("renamed", (path) => Deno.rename(path, `${path}2`)), undefined);
  assertEquals(await noticed("deleted", (path) => Deno.remove(path)), undefined);
  assertEquals(await noticed("locked", (path) => Deno.chmod(path, 0o400)), undefined);
});

Deno.test("isSettled() is true of a file only that has not changed, nor only just was", async () => {
  const { stat } = Deno;
  const clock = Date.now;
  const path = await folder.write("settled", "0123456789");
  const now = Date.now();
  // However long a look at the file takes.
  Date.now = () => now;
  let ctime: Date | null = new Date(now - 60_000);
  Deno.stat = async (path) => ({ ...await stat(path), ctime });
  using _real = {
    [Symbol.dispose]() {
      Deno.stat = stat;
      Date.now = clock;
    },
  };
  const before = stateOf(await Deno.stat(path));
  assertStrictEquals(await isSettled(path, before), true);
  await Deno.writeTextFile(path, "01234567890");
  assertStrictEquals(await isSettled(path, before), false);
  const longer = stateOf(await Deno.stat(path));
  assertStrictEquals(await isSettled(path, longer), true);
  assertStrictEquals(await isSettled(path, { ...longer, identity: "another" }), false);
  await Deno.chmod(path, 0o400);
  assertStrictEquals(await isSettled(path, longer), false);
  // A change that follows within the same tick of the clock would not show.
  for (const time of [new Date(now + 60_000), new Date(now)]) {
    ctime = time;
    assertStrictEquals(await isSettled(path, stateOf(await Deno.stat(path))), false);
  }
  // If the system has no such time, that of the content counts.
  ctime = null;
  await Deno.utime(path, 1000, 1000);
  const old = stateOf(await Deno.stat(path));
  assertStrictEquals(await isSettled(path, old), true);
  await Deno.remove(path);
  assertStrictEquals(await isSettled(path, old), false);
});
