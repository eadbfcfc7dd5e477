import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { type ByteOutput, ByteWriter } from "../../lib/base/byte_writer.ts";
import { DeadlineError } from "../../lib/base/errors.ts";
import { sample } from "../support/media/bytes.ts";
import { pureTest } from "../support/pure_test.ts";
import { LeapingTime } from "../support/time/leaping_time.ts";

/** Long enough to be of no concern. */
const NEVER = 1_000_000;

/** A sink that takes at most `step` bytes at a time, after a turn of the event loop. */
class SlowSink implements ByteOutput {
  readonly written: number[] = [];

  constructor(readonly step: number) {}

  async write(bytes: Uint8Array): Promise<number> {
    await Promise.resolve();
    const part = bytes.subarray(0, this.step);
    this.written.push(...part);
    return part.length;
  }
}

/** A sink that takes nothing until it is closed. */
class StuckSink implements ByteOutput {
  readonly #closed = Promise.withResolvers<number>();

  write(): Promise<number> {
    return this.#closed.promise;
  }

  close(): void {
    this.#closed.reject(new Deno.errors.BadResource("closed"));
  }
}

for (const step of [Infinity, 3, 1]) {
  pureTest(`write() writes all, ${step} bytes at a time`, async () => {
    const sink = new SlowSink(step);
    const writer = new ByteWriter(sink, { stallTimeout: NEVER, onStall: () => {} });
    await writer.write(sample(10));
    await writer.write(new Uint8Array(0));
    assertEquals(sink.written, [...sample(10)]);
  });

  pureTest(`write() never mixes calls that overlap, ${step} bytes at a time`, async () => {
    const sink = new SlowSink(step);
    const writer = new ByteWriter(sink, { stallTimeout: NEVER, onStall: () => {} });
    const messages = [[1, 1, 1, 1], [2, 2, 2, 2, 2], [3], [4, 4]];
    await Promise.all(messages.map((message) => writer.write(Uint8Array.from(message))));
    assertEquals(sink.written, messages.flat());
  });
}

for (const step of [Infinity, 3, 1]) {
  pureTest(`write() keeps the parts of a call together, ${step} bytes at a time`, async () => {
    const sink = new SlowSink(step);
    const writer = new ByteWriter(sink, { stallTimeout: NEVER, onStall: () => {} });
    const calls = [[[1, 1], [2, 2, 2, 2, 2]], [[3]], [[], [4, 4, 4, 4], [], [5]], [], [[6], [7]]];
    await Promise.all(
      calls.map((parts) => writer.write(...parts.map((part) => Uint8Array.from(part)))),
    );
    assertEquals(sink.written, calls.flat(2));
  });
}

pureTest("write() copies no part", async () => {
  const seen: ArrayBufferLike[] = [];
  const sink: ByteOutput = {
    write(bytes) {
      seen.push(bytes.buffer);
      return Promise.resolve(bytes.length);
    },
  };
  const parts = [sample(3), sample(5)];
  await new ByteWriter(sink, { stallTimeout: NEVER, onStall: () => {} }).write(...parts);
  assertEquals(seen.length, 2);
  for (const [at, part] of parts.entries()) assertStrictEquals(seen[at], part.buffer);
});

pureTest("write() writes no part behind one that failed", async () => {
  const failure = new Deno.errors.BrokenPipe("gone");
  const tried: number[] = [];
  const sink: ByteOutput = {
    write(bytes) {
      tried.push(bytes.length);
      return bytes.length === 2 ? Promise.reject(failure) : Promise.resolve(bytes.length);
    },
  };
  const writer = new ByteWriter(sink, { stallTimeout: NEVER, onStall: () => {} });
  const error = await assertRejects(() => writer.write(sample(1), sample(2), sample(3)));
  assertStrictEquals(error, failure);
  assertEquals(tried, [1, 2]);
});

pureTest("write() gives a peer up that takes the first part and nothing of the next", async () => {
  const stuck = new StuckSink();
  const sink: ByteOutput = {
    write: (bytes) => bytes.length === 1 ? Promise.resolve(1) : stuck.write(),
  };
  const writer = new ByteWriter(sink, { stallTimeout: 20, onStall: () => stuck.close() });
  await assertRejects(() => writer.write(sample(1), sample(3)), DeadlineError, "0.02 s");
});

pureTest("write() gives a peer up that takes nothing for too long", async () => {
  const sink = new StuckSink();
  let stalls = 0;
  const onStall = () => {
    stalls++;
    sink.close();
  };
  const writer = new ByteWriter(sink, { stallTimeout: 20, onStall });
  const error = await assertRejects(() => writer.write(sample(3)), DeadlineError, "0.02 s");
  assertStrictEquals(error.cause instanceof Deno.errors.BadResource, true);
  assertStrictEquals(stalls, 1);
  await assertRejects(() => writer.write(sample(3)), DeadlineError);
});

pureTest("write() lets progress begin the wait anew", async () => {
  using time = new LeapingTime();
  let stalled = false;
  const onStall = () => void (stalled = true);
  // Five steps together take longer than the deadline; none of them does by itself.
  const sink: ByteOutput = {
    async write() {
      await time.leap(200_000);
      return 1;
    },
  };
  const writer = new ByteWriter(sink, { stallTimeout: 300_000, onStall });
  await writer.write(sample(5));
  assertStrictEquals(stalled, false);
});

pureTest("write() passes other failures on, and the next call goes its own way", async () => {
  let calls = 0;
  const failure = new Deno.errors.BrokenPipe("gone");
  const sink: ByteOutput = {
    write: (bytes) => calls++ === 0 ? Promise.reject(failure) : Promise.resolve(bytes.length),
  };
  const writer = new ByteWriter(sink, { stallTimeout: NEVER, onStall: () => {} });
  const first = writer.write(sample(1));
  const second = writer.write(sample(2));
  assertStrictEquals(await assertRejects(() => first), failure);
  await second;
  assertStrictEquals(calls, 2);
});
