import { assertEquals } from "@std/assert";
import { NewestDrawn } from "../../../lib/sinks/terminal/latest_picture.ts";
import { pureTest } from "../../support/pure_test.ts";

const SIZE = { width: 1, height: 1 };
const LAYOUT = { pixels: SIZE, cells: SIZE };

pureTest(
  "NewestDrawn draws the first picture, then the newest of those that came meanwhile",
  async () => {
    const drawn: number[] = [];
    let taken = Promise.withResolvers<void>();
    const newest = new NewestDrawn(([value]) => {
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

pureTest("NewestDrawn.finish() waits no longer than it is told to", async () => {
  const newest = new NewestDrawn(() => new Promise(() => {}));
  newest.put(Uint8Array.of(1), LAYOUT);
  assertEquals(await newest.finish(1), undefined);
});

pureTest("NewestDrawn.failed tells why nothing is drawn any more", async () => {
  const reason = new Error("full");
  const newest = new NewestDrawn(() => Promise.reject(reason));
  newest.put(Uint8Array.of(1), LAYOUT);
  assertEquals(await newest.failed, reason);
});
