import { assertEquals } from "@std/assert";
import { type LogFields, type Logger, LogQuota } from "../../lib/base/log.ts";
import { pureTest } from "../support/pure_test.ts";

/** A logger, what it was told, and the next event. */
function recorder() {
  const events: [string, LogFields | undefined][] = [];
  const { promise: next, resolve } = Promise.withResolvers<void>();
  const logger: Logger = {
    log(level, _message, fields) {
      events.push([level, fields]);
      resolve();
    },
  };
  return { logger, events, next };
}

pureTest("LogQuota takes so many events of a peer, whatever others do", () => {
  const { logger, events } = recorder();
  using quota = new LogQuota(logger, { events: 2, window: 60_000 });
  assertEquals(["a", "a", "a", "b", "a", "b"].map((peer) => quota.take(peer)), [
    ...[true, true, false, true, false, true],
  ]);
  assertEquals(events, []);
});

pureTest("LogQuota summarises suppressed events in one line, and starts again", async () => {
  const { logger, events, next } = recorder();
  using quota = new LogQuota(logger, { events: 1, window: 1 });
  for (let count = 0; count < 5; count++) quota.take("a");
  await next;
  assertEquals(events, [["warn", { peer: "a", requests: 4 }]]);
  assertEquals(quota.take("a"), true);
});

pureTest("LogQuota summarises suppressed events once when it is disposed", () => {
  const { logger, events } = recorder();
  const quota = new LogQuota(logger, { events: 1, window: 60_000 });
  for (const peer of ["a", "a", "b"]) quota.take(peer);
  quota[Symbol.dispose]();
  quota[Symbol.dispose]();
  assertEquals(events, [["warn", { peer: "a", requests: 1 }]]);
});

pureTest("LogQuota.measure() counts the bytes of a peer's lines, as they are cut", () => {
  const { logger, events } = recorder();
  using quota = new LogQuota(logger, { bytes: 1000, window: 60_000 });
  const measured = quota.measure("a", logger);
  measured.log("debug", "x".repeat(5000));
  measured.log("info", "one", { name: "\u20ac".repeat(1000) });
  assertEquals(quota.take("a"), true);
  measured.log("warn", `Cannot find "${"y".repeat(5000)}"`);
  assertEquals(quota.take("a"), true);
  measured.log("info", "two", { name: "z".repeat(150) });
  assertEquals([quota.take("a"), quota.take("b")], [false, true]);
  assertEquals(events.map(([level]) => level), ["debug", "info", "warn", "info"]);
});
