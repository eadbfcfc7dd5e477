import { assertAlmostEquals, assertEquals } from "@std/assert";
import { ClockWatch } from "../../../lib/client/request/clock_sync.ts";
import { pureTest } from "../../support/pure_test.ts";

/** A watch whose pings are kept, and whose clock is set by hand, microseconds. */
function watching() {
  const pings: { payload: Uint8Array<ArrayBuffer>; timestamp?: number }[] = [];
  const clock = { now: 1_000_000_000 };
  const send = (_: string, payload: Uint8Array, options?: { timestamp?: number }) => {
    pings.push({ payload: payload.slice(), ...options });
    return Promise.resolve();
  };
  return { pings, clock, watch: new ClockWatch({ send }, () => clock.now) };
}

pureTest("ClockWatch asks once a second, with its own time", async () => {
  const { pings, clock, watch } = watching();
  for (const step of [0, 0, 999_999, 1]) {
    clock.now += step;
    await watch.ask();
  }
  assertEquals(pings.map(({ timestamp }) => timestamp), [1_000_000_000, 1_001_000_000]);
  assertEquals(pings.map(({ payload }) => payload.byteLength), [8, 8]);
});

pureTest(
  "ClockWatch tells the age of frames by the server's clock, once that is known",
  async () => {
    const { pings, clock, watch } = watching();
    const ahead = 3_600_000_000;
    await watch.ask();
    assertEquals(watch.since(clock.now + ahead), undefined);
    clock.now += 400;
    watch.hear({ payload: pings[0].payload, timestamp: clock.now - 200 + ahead });
    assertAlmostEquals(watch.since(clock.now + ahead - 12_000) ?? -1, 12, 0.001);
    assertEquals(watch.since(clock.now + ahead + 50_000), 0);
    assertEquals(watch.since(undefined), undefined);
  },
);

pureTest("ClockWatch takes no pong that is late, foreign or without a time", async () => {
  const { pings, clock, watch } = watching();
  await watch.ask();
  clock.now += 1_000_000;
  await watch.ask();
  watch.hear({ payload: pings[0].payload, timestamp: 5 });
  watch.hear({ payload: new Uint8Array(3), timestamp: 5 });
  watch.hear({ payload: pings[1].payload, timestamp: 0 });
  assertEquals(watch.since(clock.now), undefined);
  watch.hear({ payload: pings[1].payload, timestamp: clock.now });
  assertEquals(watch.since(clock.now), 0);
});
