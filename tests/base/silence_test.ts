import { assertEquals, assertStrictEquals } from "@std/assert";
import { type ByteSource, limitReadTime } from "../../lib/base/byte_reader.ts";

Deno.test("limitReadTime() gives up a source that gives nothing", async () => {
  const given = Promise.withResolvers<Uint8Array<ArrayBuffer>>();
  const source: ByteSource = { read: () => given.promise, cancel: () => Promise.resolve() };
  let times = 0;
  const limited = limitReadTime(source, 1, () => {
    times++;
    given.resolve(new Uint8Array(0));
  });
  assertEquals(await limited.read(new Uint8Array(4), 1), new Uint8Array(0));
  assertStrictEquals(times, 1);
});

Deno.test("limitReadTime() leaves a source alone that gives something, and is not asked", async () => {
  const source: ByteSource = {
    read: (target) => Promise.resolve(target.subarray(0, 1)),
    cancel: () => Promise.resolve(),
  };
  // The sanitizers would find the timer of a limit that outlives its read.
  const limited = limitReadTime(source, 60_000, () => {
    throw new Error("given up");
  });
  assertStrictEquals((await limited.read(new Uint8Array(4), 1)).length, 1);
  await limited.cancel();
});

Deno.test("limitReadTime() does not wait for what somebody else may hold back", async () => {
  const given = Promise.withResolvers<Uint8Array<ArrayBuffer>>();
  const source: ByteSource = {
    read: () => given.promise,
    cancel: () => Promise.resolve(given.resolve(new Uint8Array(0))),
  };
  const limited = limitReadTime(source, 1, () => {});
  assertEquals(await limited.read(new Uint8Array(4), 1), new Uint8Array(0));
});
