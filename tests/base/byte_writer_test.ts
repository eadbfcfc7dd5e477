import {
  assert,
  assertEquals,
  assertNotStrictEquals,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
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

pureTest("write() copies no large part", async () => {
  const seen: ArrayBufferLike[] = [];
  const sink: ByteOutput = {
    write(bytes) {
      seen.push(bytes.buffer);
      return Promise.resolve(bytes.length);
    },
  };
  const parts = [sample(70_000), sample(5)];
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
      return bytes.length === 80_000 ? Promise.reject(failure) : Promise.resolve(bytes.length);
    },
  };
  const writer = new ByteWriter(sink, { stallTimeout: NEVER, onStall: () => {} });
  const error = await assertRejects(() => writer.write(sample(1), sample(80_000), sample(3)));
  assertStrictEquals(error, failure);
  assertEquals(tried, [1, 80_000]);
});

pureTest("write() gives a peer up that takes the first part and nothing of the next", async () => {
  const stuck = new StuckSink();
  const sink: ByteOutput = {
    write: (bytes) => bytes.length === 1 ? Promise.resolve(1) : stuck.write(),
  };
  const writer = new ByteWriter(sink, { stallTimeout: 20, onStall: () => stuck.close() });
  await assertRejects(() => writer.write(sample(1), sample(70_000)), DeadlineError, "0.02 s");
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

pureTest("write() lets progress begin the wait again", async () => {
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

pureTest("write() passes other failures on, and writes nothing behind them", async () => {
  let calls = 0;
  const failure = new Deno.errors.BrokenPipe("gone");
  const sink: ByteOutput = {
    write: (bytes) => calls++ === 0 ? Promise.reject(failure) : Promise.resolve(bytes.length),
  };
  const writer = new ByteWriter(sink, { stallTimeout: NEVER, onStall: () => {} });
  const first = writer.write(sample(1));
  const second = writer.write(sample(2));
  assertStrictEquals(await assertRejects(() => first), failure);
  assertStrictEquals(await assertRejects(() => second), failure);
  assertStrictEquals(await assertRejects(() => writer.write(sample(3))), failure);
  assertStrictEquals(calls, 1);
});

for (
  const { sizes, writes } of [{ sizes: [10, 20, 0], writes: 1 }, { sizes: [10, 70_000], writes: 2 }]
) {
  pureTest(`write() writes parts of ${sizes} bytes by ${writes} calls`, async () => {
    const chunks: number[][] = [];
    const write = (bytes: Uint8Array) => Promise.resolve(chunks.push([...bytes]) && bytes.length);
    const writer = new ByteWriter({ write }, { stallTimeout: NEVER, onStall: () => {} });
    const parts = sizes.map((size) => sample(size));
    await writer.write(...parts);
    assertEquals(chunks.length, writes);
    assertEquals(chunks.flat(), parts.flatMap((part) => [...part]));
  });
}

/** Keeps what each call writes, and takes it once it is told to. */
class GatedSink implements ByteOutput {
  readonly calls: number[][] = [];
  #gate = Promise.withResolvers<void>();

  async write(bytes: Uint8Array): Promise<number> {
    this.calls.push([...bytes]);
    await this.#gate.promise;
    return bytes.length;
  }

  open(): void {
    this.#gate.resolve();
  }
}

/** Ends the turn of the event loop. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function openGate(): GatedSink {
  const sink = new GatedSink();
  sink.open();
  return sink;
}

pureTest("writeSoon() writes small messages of a turn by one call, in their order", async () => {
  const sink = openGate();
  const writer = new ByteWriter(sink, { stallTimeout: NEVER, onStall: () => {} });
  const part = sample(3);
  assertEquals(writer.writeSoon(part, sample(2)), undefined);
  // They are copied.
  part.fill(0);
  assertEquals(writer.writeSoon(sample(4)), undefined);
  assertEquals(sink.calls, []);
  await nextTurn();
  assertEquals(sink.calls, [[...sample(3), ...sample(2), ...sample(4)]]);
});

pureTest("writeSoon() keeps nothing beyond a flush, or another write", async () => {
  const sink = openGate();
  const writer = new ByteWriter(sink, { stallTimeout: NEVER, onStall: () => {} });
  writer.writeSoon(sample(1));
  writer.flush();
  writer.writeSoon(sample(2));
  await writer.write(sample(3));
  assertEquals(sink.calls.flat(), [...sample(1), ...sample(2), ...sample(3)]);
  await nextTurn();
  assertEquals(sink.calls.length, 3);
});

pureTest("writeSoon() gathers while the peer takes nothing, then has the caller wait", async () => {
  const sink = new GatedSink();
  const writer = new ByteWriter(sink, { stallTimeout: NEVER, onStall: () => {} });
  const size = 20_000;
  writer.writeSoon(sample(size));
  writer.flush();
  // As many as fit into the 64 KiB that are kept.
  for (let count = 0; count < 3; count++) {
    assertEquals(writer.writeSoon(sample(size)), undefined);
    await nextTurn();
  }
  let isWritten = false;
  const further = writer.writeSoon(sample(size))?.then(() => isWritten = true);
  await nextTurn();
  assertEquals([isWritten, sink.calls.length], [false, 1]);
  sink.open();
  await further;
  assertEquals(sink.calls.map(({ length }) => length), [size, 3 * size, size]);
});

pureTest("writeSoon() copies no large message", async () => {
  const sink = new GatedSink();
  const writer = new ByteWriter(sink, { stallTimeout: NEVER, onStall: () => {} });
  let isWritten = false;
  const written = writer.writeSoon(sample(100_000))?.then(() => isWritten = true);
  await nextTurn();
  assertEquals([isWritten, sink.calls.length], [false, 1]);
  sink.open();
  await written;
  assertEquals(isWritten, true);
});

pureTest("writeSoon() has the next call throw what failed", async () => {
  const failure = new Deno.errors.BrokenPipe("gone");
  const sink: ByteOutput = { write: () => Promise.reject(failure) };
  const writer = new ByteWriter(sink, { stallTimeout: NEVER, onStall: () => {} });
  writer.writeSoon(sample(1));
  await nextTurn();
  assertStrictEquals(await assertRejects(() => writer.writeSoon(sample(1))!), failure);
  assertStrictEquals(await assertRejects(() => writer.write(sample(1))), failure);
});

pureTest(
  "writeSoon() has nothing follow what failed, such as an end that comes at once",
  async () => {
    const failure = new Deno.errors.BrokenPipe("gone");
    const tried: number[] = [];
    const sink: ByteOutput = {
      write: (bytes) =>
        tried.push(bytes.length) === 1 ? Promise.reject(failure) : Promise.resolve(3),
    };
    const writer = new ByteWriter(sink, { stallTimeout: NEVER, onStall: () => {} });
    writer.writeSoon(sample(2));
    assertStrictEquals(await assertRejects(() => writer.write(sample(3))), failure);
    assertEquals(tried, [2]);
  },
);

pureTest(
  "writeSoon() uses memory again that is written, and none that a failed write had",
  async () => {
    const used = async (sink: ByteOutput): Promise<ArrayBufferLike | undefined> => {
      let memory: ArrayBufferLike | undefined;
      const write = (bytes: Uint8Array) => {
        memory = bytes.buffer;
        return sink.write(bytes);
      };
      const writer = new ByteWriter({ write }, { stallTimeout: NEVER, onStall: () => {} });
      writer.writeSoon(sample(1));
      writer.flush();
      await nextTurn();
      return memory;
    };
    const lost = await used({ write: () => Promise.reject(new Deno.errors.BadResource("closed")) });
    const free = await used(openGate());
    assertNotStrictEquals(free, lost);
    assertStrictEquals(await used(openGate()), free);
  },
);

pureTest("writeSoon() gives a peer up that takes nothing for too long", async () => {
  const sink = new StuckSink();
  const stalled = Promise.withResolvers<void>();
  const onStall = () => {
    sink.close();
    stalled.resolve();
  };
  const writer = new ByteWriter(sink, { stallTimeout: 20, onStall });
  writer.writeSoon(sample(3));
  await stalled.promise;
  await nextTurn();
  await assertRejects(() => writer.write(sample(3)), DeadlineError, "0.02 s");
});

/** A sink that takes all at once, and notes who wrote. */
function notingWriter(name: string, notes: string[]): ByteWriter {
  const output = {
    write(bytes: Uint8Array) {
      notes.push(name);
      return Promise.resolve(bytes.byteLength);
    },
  };
  return new ByteWriter(output, { stallTimeout: NEVER, onStall: () => {}, group: name[0] });
}

pureTest("write() lets the event loop go on if all writers write much at once", async () => {
  const notes: string[] = [];
  const large = new Uint8Array(2 ** 20);
  setImmediate(() => notes.push("others"));
  await Promise.all(
    Array.from({ length: 64 }, async (_, at) => {
      await notingWriter(`a${at}`, notes).write(large);
    }),
  );
  assertEquals(notes.length, 65);
  const before = notes.indexOf("others");
  assert(before > 0 && before < 16, `others came after ${before} writes`);
});

pureTest("write() gives each group its turn if all writers write much at once", async () => {
  const notes: string[] = [];
  const large = new Uint8Array(2 ** 20);
  const many = Array.from({ length: 64 }, (_, at) => notingWriter(`a${at}`, notes).write(large));
  const one = notingWriter("b", notes).write(large);
  await Promise.all([...many, one]);
  // Those that need not wait, and one that waits.
  assert(notes.indexOf("b") < 16, `it came after ${notes.indexOf("b")} writes`);
});

pureTest("write() writes large frames by one call if nobody else writes", async () => {
  const notes: string[] = [];
  await notingWriter("a", notes).write(new Uint8Array(16 * 2 ** 20));
  assertEquals(notes, ["a"]);
});
