import { assertEquals } from "@std/assert";
import { LatestPicture } from "../../../lib/sinks/terminal/terminal.ts";
import { pureTest } from "../../support/pure_test.ts";

const SIZE = { width: 1, height: 1 };
const LAYOUT = { pixels: SIZE, cells: SIZE };

pureTest(
  "LatestPicture draws the first picture, then the newest of those put meanwhile",
  async () => {
    const drawn: number[] = [];
    let taken = Promise.withResolvers<void>();
    const newest = new LatestPicture(([value]) => {
      drawn.push(value);
      return taken.promise;
    });
    const memory = Uint8Array.of(1);
    newest.put(memory, LAYOUT);
    for (const value of [2, 3, 4]) newest.put(memory.fill(value), LAYOUT);
    // The memory is used for something else.
    memory.fill(99);
    assertEquals(drawn, [1]);
    taken.resolve();
    await newest.finish();
    assertEquals([drawn, newest.skipped], [[1, 4], 2]);
    taken = Promise.withResolvers();
    newest.put(Uint8Array.of(5), LAYOUT);
    newest.put(Uint8Array.of(6), LAYOUT);
    newest.stop();
    taken.resolve();
    await newest.finish();
    assertEquals(drawn, [1, 4, 5]);
  },
);

pureTest("LatestPicture.finish() waits no longer than its patience", async () => {
  const newest = new LatestPicture(() => new Promise(() => {}));
  newest.put(Uint8Array.of(1), LAYOUT);
  assertEquals(await newest.finish(1), undefined);
});

pureTest("LatestPicture.failed resolves with the error of drawing", async () => {
  const reason = new Error("full");
  const newest = new LatestPicture(() => Promise.reject(reason));
  newest.put(Uint8Array.of(1), LAYOUT);
  assertEquals(await newest.failed, reason);
});
