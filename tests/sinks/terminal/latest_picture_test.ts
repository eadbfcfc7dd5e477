import { assertEquals } from "@std/assert";
import { LatestPicture } from "../../../lib/sinks/terminal/latest_picture.ts";

const SIZE = { width: 1, height: 1 };
const LAYOUT = { pixels: SIZE, cells: SIZE };

Deno.test({
  name: "LatestPicture draws the first picture, then the newest of those put meanwhile",
  permissions: "none",
  async fn() {
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
});

Deno.test({
  name: "LatestPicture.finish() waits no longer than its patience",
  permissions: "none",
  async fn() {
    const newest = new LatestPicture(() => new Promise(() => {}));
    newest.put(Uint8Array.of(1), LAYOUT);
    assertEquals(await newest.finish(1), undefined);
  },
});

Deno.test({
  name: "LatestPicture.failed resolves with the error of drawing",
  permissions: "none",
  async fn() {
    const reason = new Error("full");
    const newest = new LatestPicture(() => Promise.reject(reason));
    newest.put(Uint8Array.of(1), LAYOUT);
    assertEquals(await newest.failed, reason);
  },
});
