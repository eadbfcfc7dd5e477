import { assertEquals, assertNotStrictEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { RequestError } from "../../../lib/base/errors.ts";
import { type Running, Sharing } from "../../../lib/web/addresses/running.ts";
import { pureTest } from "../../support/pure_test.ts";

/** What runs until a test ends it. */
class HandRunning implements Running {
  #ending = Promise.withResolvers<void>();
  readonly ended = this.#ending.promise;
  isEnding = false;

  async end(): Promise<void> {
    this.#ending.resolve();
    await this.ended;
  }
}

const start = () => new HandRunning();

pureTest(
  "Sharing starts once for all who share a key, and again when that has ended",
  async () => {
    const renditions = new Sharing<HandRunning>(2, "streams");
    const first = renditions.share("a", start);
    assertStrictEquals(renditions.share("a", start), first);
    assertStrictEquals(renditions.find("a"), first);
    await first.end();
    assertEquals([renditions.find("a"), [...renditions.running]], [undefined, []]);
    assertNotStrictEquals(renditions.share("a", start), first);
  },
);

pureTest("Sharing starts again what is about to end", async () => {
  const renditions = new Sharing<HandRunning>(2, "streams");
  const first = renditions.share("a", start);
  first.isEnding = true;
  const second = renditions.share("a", start);
  assertNotStrictEquals(second, first);
  await first.end();
  assertStrictEquals(renditions.share("a", start), second);
  await second.end();
});

pureTest("Sharing refuses to start more than may run, shared or not", async () => {
  const renditions = new Sharing<HandRunning>(2, "streams");
  const [shared, alone] = [renditions.share("a", start), renditions.start(start)];
  for (const more of [() => renditions.share("b", start), () => renditions.start(start)]) {
    assertEquals(assertThrows(more, RequestError, "2 streams").code, "busy");
  }
  // Those that run still take more.
  assertStrictEquals(renditions.share("a", start), shared);
  await alone.end();
  const third = renditions.share("b", start);
  const ended = renditions.ended();
  await Promise.all([shared.end(), third.end(), ended]);
});
