import { assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import {
  PEER_LIMITS,
  PeerRate,
  STRANGER_LIMITS,
  type Work,
} from "../../../lib/server/session/peer_limits.ts";
import { pureTest } from "../../support/pure_test.ts";
import { HandClock } from "../../support/time/hand_clock.ts";

const { signal } = new AbortController();

/** Seconds that it takes to do some work again and again. */
async function secondsFor(count: number, work: Work, limits = PEER_LIMITS): Promise<number> {
  const clock = new HandClock({ skips: true });
  const rate = new PeerRate(limits, clock);
  for (let done = 0; done < count; done++) {
    rate.count(work);
    await rate.pause(signal);
  }
  return clock.time / 1000;
}

pureTest("PeerRate.pause() does not hold back an honest peer", async () => {
  assertEquals(await secondsFor(200, {}), 0);
  assertEquals(await secondsFor(1, { bytes: 64 * 1024 }), 0);
  assertEquals(await secondsFor(1, { bytes: 64 * 1024 }, STRANGER_LIMITS), 0);
  assertEquals(await secondsFor(16, { bytes: 200 }, STRANGER_LIMITS), 0);
});

pureTest("PeerRate.pause() limits messages and bytes a second", async () => {
  assertAlmostEquals(await secondsFor(20_000, {}), 10, 0.15);
  assertAlmostEquals(await secondsFor(950, { bytes: 65_000 }), 950 * 65_000 / 2e6, 0.15);
  assertAlmostEquals(await secondsFor(100, {}, STRANGER_LIMITS), 4, 0.01);
  assertAlmostEquals(await secondsFor(11, { bytes: 64 * 1024 }, STRANGER_LIMITS), 10, 0.01);
});

pureTest("PeerRate.limits can be raised", async () => {
  const clock = new HandClock({ skips: true });
  const rate = new PeerRate(STRANGER_LIMITS, clock);
  rate.count({ messages: 20 });
  rate.limits = PEER_LIMITS;
  rate.count({ messages: 100 });
  await rate.pause(signal);
  assertEquals(clock.time, 50);
});

pureTest("PeerRate.pause() waits within bounds, and until the signal aborts", async () => {
  const clock = new HandClock();
  const rate = new PeerRate(PEER_LIMITS, clock);
  assertEquals(rate.pause(signal), undefined);
  const gone = new AbortController();
  const least = rate.pause(gone.signal, { min: 700 });
  rate.count({ messages: 200_000 });
  const most = rate.pause(gone.signal, { min: 700, max: 1000 });
  assertEquals(clock.waits, [700, 1000]);
  gone.abort(new TypeError("gone"));
  for (const pause of [least, most]) {
    await assertRejects(() => pause ?? Promise.resolve(), TypeError);
  }
});
