import {
  assertEquals,
  assertLess,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { ByteReader, type ByteSource, fromSocket, fromStream } from "../../lib/base/byte_reader.ts";
import { TruncatedError } from "../../lib/base/errors.ts";
import { sample, socketOf, sourcesOf, STEPS, streamOf } from "../support/media/bytes.ts";
import { pureTest } from "../support/pure_test.ts";

const MEBIBYTE = 1 << 20;

const NO_ROOM = { offset: 0, tail: 0 };

/** Runs a test over both kinds of source, each whole, split and byte by byte. */
function test(
  name: string,
  bytes: Uint8Array,
  check: (reader: ByteReader) => Promise<void>,
): void {
  for (const step of STEPS) {
    for (const [kind, source] of sourcesOf(bytes, step)) {
      const steps = step === Infinity ? "whole" : `by ${step}`;
      const fn = () => check(new ByteReader(source));
      Deno.test({ name: `${name} (${kind}, ${steps})`, permissions: "none", fn });
    }
  }
}

test("peek() returns buffered bytes without consuming them", sample(20), async (reader) => {
  assertEquals((await reader.peek(3))?.subarray(0, 3), sample(20).subarray(0, 3));
  assertEquals((await reader.peek(5))?.subarray(0, 5), sample(20).subarray(0, 5));
  reader.consume(4);
  assertEquals((await reader.peek(16))?.subarray(0, 16), sample(20).subarray(4));
});

test("peek() tells a clean end from a truncated one", sample(5), async (reader) => {
  const error = await assertRejects(() => reader.peek(6), TruncatedError);
  assertEquals([error.expected, error.received], [6, 5]);
  reader.consume(5);
  assertStrictEquals(await reader.peek(1), undefined);
  assertStrictEquals(await reader.peek(1), undefined);
});

test("peek() holds more than it reads ahead", sample(40_000), async (reader) => {
  assertEquals((await reader.peek(2))?.subarray(0, 2), sample(2));
  reader.consume(1);
  assertEquals((await reader.peek(39_999))?.length, 39_999);
});

test(
  "readInto() fills memory from what was peeked at and from the source",
  sample(50),
  async (reader) => {
    await reader.peek(3);
    reader.consume(2);
    const memory = new Uint8Array(40);
    const read = await reader.readInto(memory.subarray(10, 30));
    assertEquals(read, sample(50).subarray(2, 22));
    assertEquals([read.byteOffset, read.buffer.byteLength], [10, 40]);
    assertEquals(await reader.readInto(new Uint8Array(28)), sample(50).subarray(22));
    assertEquals(await reader.readInto(new Uint8Array(0)), new Uint8Array(0));
  },
);

test("readInto() says how much came before the end", sample(9), async (reader) => {
  await reader.peek(2);
  const error = await assertRejects(() => reader.readInto(new Uint8Array(10)), TruncatedError);
  assertEquals([error.expected, error.received], [10, 9]);
});

test("readGrowing() leaves room around the bytes", sample(9), async (reader) => {
  const read = await reader.readGrowing(undefined, 9, { offset: 5, tail: 3 });
  assertEquals(read, sample(9));
  assertEquals([read.byteOffset, read.buffer.byteLength], [5, 17]);
});

test("readGrowing() takes memory that is large enough", sample(9), async (reader) => {
  const read = await reader.readGrowing(new ArrayBuffer(100), 9, { offset: 5, tail: 3 });
  assertEquals(read, sample(9));
  assertEquals([read.byteOffset, read.buffer.byteLength], [5, 100]);
});

test("readGrowing() allocates memory if the given one is too small", sample(9), async (reader) => {
  const read = await reader.readGrowing(new ArrayBuffer(16), 9, { offset: 5, tail: 3 });
  assertEquals([read.byteOffset, read.buffer.byteLength], [5, 17]);
});

test("readGrowing() reads nothing for a count of 0", sample(3), async (reader) => {
  assertEquals(await reader.readGrowing(undefined, 0, NO_ROOM), new Uint8Array(0));
  assertEquals(await reader.readInto(new Uint8Array(3)), sample(3));
});

test("skip() drops bytes, read or not", sample(40_000), async (reader) => {
  await reader.peek(2);
  await reader.skip(39_990);
  assertEquals(await reader.readInto(new Uint8Array(10)), sample(40_000).subarray(39_990));
});

test("skip() refuses to go past the end", sample(5), async (reader) => {
  await assertRejects(() => reader.skip(6), TruncatedError);
});

for (const step of [Infinity, 70_001]) {
  for (const [kind, source] of sourcesOf(sample(5 * MEBIBYTE), step)) {
    pureTest(`readGrowing() puts large input together (${kind}, by ${step})`, async () => {
      const reader = new ByteReader(source);
      const read = await reader.readGrowing(undefined, 5 * MEBIBYTE, { offset: 256, tail: 16 });
      assertStrictEquals(read.byteOffset, 256);
      // Compared in one go: an equality assertion would look at each of the bytes.
      assertStrictEquals(indexOfDifference(read, sample(5 * MEBIBYTE)), -1);
    });
  }
}

pureTest("readGrowing() allocates no more than the input pays for", async () => {
  let largest = 0;
  const socket = socketOf(sample(3 * MEBIBYTE));
  const reader = new ByteReader({
    read(target, min) {
      largest = Math.max(largest, target.buffer.byteLength);
      return fromSocket(socket).read(target, min);
    },
    cancel: () => Promise.resolve(),
  });
  const error = await assertRejects(
    () => reader.readGrowing(undefined, 2 ** 28, NO_ROOM),
    TruncatedError,
  );
  assertEquals([error.expected, error.received], [2 ** 28, 3 * MEBIBYTE]);
  assertLess(largest, 4 * MEBIBYTE + 1);
});

pureTest("readGrowing() allocates trusted bytes at once", async () => {
  const rooms: number[] = [];
  const socket = socketOf(sample(3 * MEBIBYTE));
  const reader = new ByteReader({
    read(target, min) {
      rooms.push(target.buffer.byteLength);
      return fromSocket(socket).read(target, min);
    },
    cancel: () => Promise.resolve(),
  });
  const room = { ...NO_ROOM, trusted: 3 * MEBIBYTE };
  const read = await reader.readGrowing(undefined, 3 * MEBIBYTE, room);
  assertStrictEquals(indexOfDifference(read, sample(3 * MEBIBYTE)), -1);
  assertEquals(rooms, [3 * MEBIBYTE]);
});

pureTest("consume() refuses more than is buffered", async () => {
  const reader = new ByteReader(fromSocket(socketOf(sample(4))));
  await reader.peek(1);
  assertThrows(() => reader.consume(5), RangeError, "Cannot consume 5 bytes: 4 are at hand");
  assertStrictEquals(reader.buffered, 4);
});

pureTest("cancel() ends the stream it reads from", async () => {
  let cancelled = false;
  const stream = new ReadableStream({ type: "bytes", cancel: () => void (cancelled = true) });
  await new ByteReader(fromStream(stream)).cancel();
  assertStrictEquals(cancelled, true);
});

pureTest("cancel() makes a pending read end like the input", async () => {
  const stream = new ReadableStream<Uint8Array>({ type: "bytes" });
  const reader = new ByteReader(fromStream(stream));
  const pending = reader.peek(1);
  await reader.cancel();
  assertStrictEquals(await pending, undefined);
});

pureTest("peek() passes the source's failure on", async () => {
  const failure = new Error("reset");
  const reader = new ByteReader(fromSocket({ read: () => Promise.reject(failure) }));
  assertStrictEquals(await assertRejects(() => reader.peek(1)), failure);
});

pureTest("fromStream() reads no further than it is asked to", async () => {
  const source = fromStream(streamOf(sample(10), 4));
  assertEquals(await source.read(new Uint8Array(6), 5), sample(6));
  assertEquals(await source.read(new Uint8Array(6), 1), sample(10).subarray(6, 8));
});

Deno.test("readTimeout gives up a source that gives nothing", async () => {
  for (const read of ["peek", "readInto"] as const) {
    const given = Promise.withResolvers<Uint8Array<ArrayBuffer>>();
    const source: ByteSource = { read: () => given.promise, cancel: () => Promise.resolve() };
    let times = 0;
    const reader = new ByteReader(source, {
      readTimeout: 1,
      onTimeout: () => {
        times++;
        given.resolve(new Uint8Array(0));
      },
    });
    if (read === "peek") assertStrictEquals(await reader.peek(1), undefined);
    else await assertRejects(() => reader.readInto(new Uint8Array(4)), TruncatedError);
    assertStrictEquals(times, 1);
  }
});

Deno.test("readTimeout goes on for a source that waits for others", async () => {
  const given = Promise.withResolvers<Uint8Array<ArrayBuffer>>();
  const source: ByteSource = { read: () => given.promise, cancel: () => Promise.resolve() };
  let times = 0;
  const reader = new ByteReader(source, {
    readTimeout: 1,
    more: () => ++times < 3 ? 1 : 0,
    onTimeout: () => given.resolve(new Uint8Array(0)),
  });
  assertStrictEquals(await reader.peek(1), undefined);
  assertStrictEquals(times, 3);
});

Deno.test("readTimeout does not count between reads", async () => {
  const reader = new ByteReader(fromSocket(socketOf(sample(4), 1)), {
    readTimeout: 60_000,
    onTimeout: () => {
      throw new Error("given up");
    },
  });
  // The sanitizers would find the timer of a limit that outlives its read.
  assertStrictEquals((await reader.peek(1))?.length, 1);
  await reader.cancel();
});

Deno.test("readTimeout does not wait for a pipe that another process holds open", async () => {
  const given = Promise.withResolvers<Uint8Array<ArrayBuffer>>();
  const source: ByteSource = {
    read: () => given.promise,
    cancel: () => Promise.resolve(given.resolve(new Uint8Array(0))),
  };
  const reader = new ByteReader(source, { readTimeout: 1 });
  assertStrictEquals(await reader.peek(1), undefined);
});

function indexOfDifference(a: Uint8Array, b: Uint8Array): number {
  return a.length === b.length ? a.findIndex((byte, at) => byte !== b[at]) : 0;
}

pureTest("peek() reads further ahead once there was more than it read", async () => {
  const bytes = sample(64 * 1024);
  const wanted: number[] = [];
  let at = 0;
  const source: ByteSource = {
    read(target) {
      wanted.push(target.byteLength);
      const part = bytes.subarray(at, at += target.byteLength);
      target.set(part);
      return Promise.resolve(target.subarray(0, part.byteLength));
    },
    cancel: () => Promise.resolve(),
  };
  const reader = new ByteReader(source);
  for (let left = bytes.byteLength; left > 0;) {
    const { byteLength } = (await reader.peek(1))!;
    reader.consume(byteLength);
    left -= byteLength;
  }
  assertEquals(wanted.slice(0, 5), [2048, 4096, 8192, 16_384, 16_384]);
});
