import { assertEquals, assertRejects } from "@std/assert";
import { ReadQueue, type Speed } from "../../../../lib/sources/file/packets/read_queue.ts";

/** A read that ends when told. */
function read() {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const run = () => {
    begin();
    return promise;
  };
  return { run, begun, resolve, reject };
}

/** The speed of a file that nobody has read yet. */
function fast(): Speed {
  return { isSlow: false };
}

Deno.test("ReadQueue.run() runs reads in their order, as many at once as the limit", async () => {
  const queue = new ReadQueue({ limit: 2, slow: 1e6 });
  const reads = Array.from({ length: 5 }, read);
  const begun: number[] = [];
  for (const [at, { begun: beginning }] of reads.entries()) beginning.then(() => begun.push(at));
  const ends = reads.map(({ run }) => queue.run(run, fast()));
  await reads[1].begun;
  assertEquals(begun, [0, 1]);
  reads[1].resolve("second");
  assertEquals(await ends[1], "second");
  await reads[2].begun;
  assertEquals(begun, [0, 1, 2]);
  // A failure gives way, too.
  reads[0].reject(new Error("no disk"));
  await assertRejects(() => ends[0], Error, "no disk");
  await reads[3].begun;
  assertEquals(begun, [0, 1, 2, 3]);
  for (const { resolve } of reads) resolve("");
  assertEquals((await Promise.all(ends.slice(2))).length, 3);
  assertEquals(begun, [0, 1, 2, 3, 4]);
});

Deno.test("ReadQueue.run() takes the place of a read that is slow, once", async () => {
  const queue = new ReadQueue({ limit: 1, slow: 20 });
  const speed = fast();
  const [slow, next] = [read(), read()];
  const ends = [queue.run(slow.run, speed), queue.run(next.run, fast())];
  await next.begun;
  assertEquals(speed.isSlow, true);
  slow.resolve("slow");
  assertEquals(await ends[0], "slow");
  // It has no place to give any more: the last one waits for that of the second one.
  const order: string[] = [];
  const last = read();
  const end = queue.run(last.run, fast());
  last.begun.then(() => order.push("last"));
  await new Promise((resolve) => setTimeout(resolve));
  order.push("next");
  next.resolve("next");
  await last.begun;
  last.resolve("last");
  assertEquals([await ends[1], await end, ...order], ["next", "last", "next", "last"]);
});

Deno.test("ReadQueue.run() waits for no place while a file is slow", async () => {
  const queue = new ReadQueue({ limit: 1, slow: 20 });
  const speed = fast();
  const hung = Array.from({ length: 3 }, read);
  const ends = hung.map(({ run }) => queue.run(run, speed));
  const other = read();
  const end = queue.run(other.run, fast());
  // The first one became slow, and so those behind it take no place.
  await Promise.all([...hung.map(({ begun }) => begun), other.begun]);
  for (const { resolve } of [...hung, other]) resolve("");
  await Promise.all([...ends, end]);
  // Until a read is fast again.
  const again = read();
  again.resolve("");
  await queue.run(again.run, speed);
  assertEquals(speed.isSlow, false);
});

Deno.test("ReadQueue.run() has nobody wait as long again for those that are slow already", async () => {
  let now = 0;
  // A timer for as long would not end within the test.
  const queue = new ReadQueue({ limit: 2, slow: 1e9, now: () => now });
  const [first, second, third] = [read(), read(), read()];
  const ends = [first, second].map(({ run }) => queue.run(run, fast()));
  now = 1e9;
  ends.push(queue.run(third.run, fast()));
  await third.begun;
  for (const { resolve } of [first, second, third]) resolve("");
  await Promise.all(ends);
});
