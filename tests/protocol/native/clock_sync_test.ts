import { assertAlmostEquals, assertEquals } from "@std/assert";
import { ClockOffset, ClockSync } from "../../../lib/protocol/native/clock_sync.ts";
import { pureTest } from "../../support/pure_test.ts";

/** A sample of a clock that is ahead by `offset`, microseconds. */
function sample(sent: number, { offset = 5000, there = 100, back = 100 } = {}) {
  return { sent, received: sent + there + back, remote: sent + there + offset };
}

pureTest("ClockOffset is undefined before the first sample, and exact for symmetric ones", () => {
  const clock = new ClockOffset();
  assertEquals(clock.microseconds, undefined);
  clock.add(sample(1000));
  assertEquals(clock.microseconds, 5000);
  clock.add(sample(2000, { there: 9000, back: 9000 }));
  assertEquals(clock.microseconds, 5000);
});

pureTest("ClockOffset uses the shortest round trip, despite asymmetric samples", () => {
  const clock = new ClockOffset();
  clock.add(sample(0, { there: 40_000, back: 100 }));
  assertAlmostEquals(clock.microseconds ?? 0, 5000, 20_000);
  clock.add(sample(1e6, { there: 90, back: 110 }));
  clock.add(sample(2e6, { there: 100, back: 70_000 }));
  assertAlmostEquals(clock.microseconds ?? 0, 5000, 10);
});

pureTest("ClockOffset follows a clock that was set, and ignores time that goes back", () => {
  const clock = new ClockOffset();
  clock.add(sample(0, { there: 10, back: 10 }));
  for (let second = 1; second <= 30; second++) clock.add(sample(second * 1e6, { offset: -7e6 }));
  assertEquals(clock.microseconds, -7e6);
  clock.add({ sent: 9e9, received: 8e9, remote: 0 });
  assertEquals(clock.microseconds, -7e6);
});

/** A ClockSync with its pings recorded, and a clock that is set by hand, microseconds. */
function start() {
  const pings: { payload: Uint8Array<ArrayBuffer>; timestamp?: number }[] = [];
  const clock = { now: 1_000_000_000 };
  const send = (_: string, payload: Uint8Array, options?: { timestamp?: number }) => {
    pings.push({ payload: payload.slice(), ...options });
    return Promise.resolve();
  };
  return { pings, clock, sync: new ClockSync({ send }, () => clock.now) };
}

pureTest("ClockSync pings once a second, with its own time", async () => {
  const { pings, clock, sync } = start();
  for (const step of [0, 0, 999_999, 1]) {
    clock.now += step;
    await sync.ping();
  }
  assertEquals(pings.map(({ timestamp }) => timestamp), [1_000_000_000, 1_001_000_000]);
  assertEquals(pings.map(({ payload }) => payload.byteLength), [8, 8]);
});

pureTest("ClockSync gives the latency of frames once the server's clock is known", async () => {
  const { pings, clock, sync } = start();
  const ahead = 3_600_000_000;
  await sync.ping();
  assertEquals(sync.latencyOf(clock.now + ahead), undefined);
  clock.now += 400;
  sync.onPong({ payload: pings[0].payload, timestamp: clock.now - 200 + ahead });
  assertAlmostEquals(sync.latencyOf(clock.now + ahead - 12_000) ?? -1, 12, 0.001);
  assertEquals(sync.latencyOf(clock.now + ahead + 50_000), 0);
  assertEquals(sync.latencyOf(undefined), undefined);
});

pureTest("ClockSync keeps the shortest round trip", async () => {
  const { pings, clock, sync } = start();
  assertEquals(sync.roundTrip, undefined);
  for (const [milliseconds, shortest] of [[8, 8], [500, 8], [3, 3]]) {
    clock.now += 1_000_000;
    await sync.ping();
    clock.now += milliseconds * 1000;
    sync.onPong({ payload: pings.at(-1)!.payload, timestamp: 1 });
    assertEquals(sync.roundTrip, shortest);
  }
});

pureTest("ClockSync converts capture times to the own clock, at most now", async () => {
  const { pings, clock, sync } = start();
  const ahead = 3_600_000_000;
  await sync.ping();
  assertEquals(sync.ownTimeOf(clock.now + ahead), undefined);
  clock.now += 400;
  sync.onPong({ payload: pings[0].payload, timestamp: clock.now - 200 + ahead });
  assertEquals(sync.ownTimeOf(clock.now + ahead - 12_000), clock.now - 12_000);
  assertEquals(sync.ownTimeOf(clock.now + ahead + 50_000), clock.now);
  assertEquals(sync.ownTimeOf(undefined), undefined);
});

pureTest("ClockSync ignores pongs that are late, foreign or without a time", async () => {
  const { pings, clock, sync } = start();
  await sync.ping();
  clock.now += 1_000_000;
  await sync.ping();
  sync.onPong({ payload: pings[0].payload, timestamp: 5 });
  sync.onPong({ payload: new Uint8Array(3), timestamp: 5 });
  sync.onPong({ payload: pings[1].payload, timestamp: 0 });
  assertEquals(sync.latencyOf(clock.now), undefined);
  sync.onPong({ payload: pings[1].payload, timestamp: clock.now });
  assertEquals(sync.latencyOf(clock.now), 0);
});
