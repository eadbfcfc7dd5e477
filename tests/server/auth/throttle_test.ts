import { assert, assertEquals, assertRejects } from "@std/assert";
import { RequestError } from "../../../lib/base/errors.ts";
import { Throttle } from "../../../lib/server/auth/authenticator.ts";
import { pureTest } from "../../support/pure_test.ts";

/** A clock that goes on when it is told to. */
class HandClock {
  #now = 0;
  #sleepers = new Set<{ until: number; wake: () => void }>();

  now = () => this.#now;

  sleep = (milliseconds: number, signal: AbortSignal): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const sleeper = { until: this.#now + milliseconds, wake: resolve };
    this.#sleepers.add(sleeper);
    signal.addEventListener("abort", () => {
      this.#sleepers.delete(sleeper);
      reject(signal.reason);
    });
    return promise;
  };

  /** Milliseconds until the next sleeper wakes. */
  get next(): number {
    return Math.min(...[...this.#sleepers].map(({ until }) => until)) - this.#now;
  }

  async pass(milliseconds: number): Promise<void> {
    this.#now += milliseconds;
    for (const sleeper of this.#sleepers) {
      if (sleeper.until > this.#now) continue;
      this.#sleepers.delete(sleeper);
      sleeper.wake();
    }
    await settled();
  }
}

/** Lets everything happen that waits for nothing. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

const { signal } = new AbortController();
const right = () => true;
const wrong = () => false;

/** How long one wrong attempt takes, milliseconds. */
async function delayOf(throttle: Throttle, clock: HandClock, address: string): Promise<number> {
  const judged = throttle.attempt(address, wrong, { signal });
  await settled();
  const delay = clock.next;
  await clock.pass(delay);
  assertEquals(await judged, false);
  return delay;
}

pureTest("Throttle.attempt() delays each failure longer, up to a limit", async () => {
  const clock = new HandClock();
  const throttle = new Throttle(clock);
  const delays: number[] = [];
  for (let count = 0; count < 8; count++) delays.push(await delayOf(throttle, clock, "10.0.0.1"));
  assertEquals(delays, [250, 500, 1000, 2000, 4000, 8000, 8000, 8000]);
});

pureTest("Throttle.attempt() never delays the right token because of others", async () => {
  const clock = new HandClock();
  const throttle = new Throttle(clock);
  const pending = throttle.attempt("10.0.0.1", wrong, { signal });
  await settled();
  assertEquals(await throttle.attempt("10.0.0.2", right, { signal }), true);
  await clock.pass(250);
  assertEquals(await pending, false);
  // The delay is over: a mistake is no reason to be slow with what is right.
  assertEquals(await throttle.attempt("10.0.0.1", right, { signal }), true);
});

pureTest(
  "Throttle.attempt() checks the attempts of one address in turn, so that none is answered sooner",
  async () => {
    const clock = new HandClock();
    const throttle = new Throttle(clock);
    let looks = 0;
    const isRight = () => ++looks === 3;
    const all = [1, 2, 3].map(() => throttle.attempt("10.0.0.1", isRight, { signal }));
    for (const delay of [250, 500]) {
      await settled();
      const before = looks;
      await clock.pass(delay - 1);
      assertEquals(looks, before);
      await clock.pass(1);
      assertEquals(looks, before + 1);
    }
    assertEquals(await Promise.all(all), [false, false, true]);
  },
);

pureTest(
  "Throttle.attempt() keeps the delay for those behind an attempt that is aborted",
  async () => {
    const clock = new HandClock();
    const throttle = new Throttle(clock);
    const leaver = new AbortController();
    const first = throttle.attempt("10.0.0.1", wrong, { signal: leaver.signal });
    await settled();
    let looks = 0;
    const second = throttle.attempt("10.0.0.1", () => ++looks > 0, { signal });
    leaver.abort(new Error("left"));
    await assertRejects(() => first, Error, "left");
    await clock.pass(249);
    assertEquals(looks, 0);
    await clock.pass(1);
    assertEquals(await second, true);
  },
);

pureTest("Throttle.attempt() bounds the attempts that wait", async () => {
  const clock = new HandClock();
  const throttle = new Throttle(clock);
  const controller = new AbortController();
  const wait = (address: string) =>
    throttle.attempt(address, wrong, { signal: controller.signal }).catch(() => {});
  for (let count = 0; count < 4; count++) wait("10.0.0.1");
  await settled();
  let looks = 0;
  const look = () => ++looks > 0;
  const refused = await assertRejects(
    () => throttle.attempt("10.0.0.1", look, { signal }),
    RequestError,
  );
  assertEquals([refused.code, looks], ["busy", 0]);
  // However many wait in all, addresses without failures are not delayed.
  for (let last = 2; last < 100; last++) wait(`10.0.0.${last}`);
  await settled();
  assertEquals(await throttle.attempt("10.0.1.1", right, { signal }), true);
  const error = await assertRejects(
    () => throttle.attempt("10.0.1.2", wrong, { signal }),
    RequestError,
  );
  assertEquals(error.code, "busy");
  controller.abort();
  await settled();
  assertEquals(await delayOf(throttle, clock, "10.0.1.3"), 250);
});

pureTest("Throttle.attempt() forgets an address after a while", async () => {
  const clock = new HandClock();
  const throttle = new Throttle(clock);
  await delayOf(throttle, clock, "10.0.0.1");
  await clock.pass(9 * 60_000);
  assertEquals(await delayOf(throttle, clock, "10.0.0.1"), 500);
  await clock.pass(10 * 60_000);
  assertEquals(await delayOf(throttle, clock, "10.0.0.1"), 250);
});

pureTest("Throttle.attempt() bounds the addresses it remembers", async () => {
  const clock = new HandClock();
  const throttle = new Throttle(clock);
  for (let count = 0; count < 5000; count++) {
    await delayOf(throttle, clock, `10.0.${count >> 8}.${count & 255}`);
  }
  assert(throttle.size <= 4096);
  assertEquals(await delayOf(throttle, clock, "10.0.0.0"), 250);
  assertEquals(await delayOf(throttle, clock, "10.0.19.135"), 500);
});

pureTest(
  "Throttle.attempt() treats an IPv6 network as one address, and mapped IPv4 as IPv4",
  async () => {
    const clock = new HandClock();
    const throttle = new Throttle(clock);
    const same = [
      ["2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:0db8:1:2:3:4:5:6"],
      ["10.0.0.1", "::ffff:10.0.0.1"],
      ["2001:db8::1", "2001:db8:0:0:1::"],
    ];
    for (const addresses of same) {
      const delays: number[] = [];
      for (const address of addresses) delays.push(await delayOf(throttle, clock, address));
      assertEquals(delays, [250, 500, 1000].slice(0, addresses.length));
    }
    assertEquals(await delayOf(throttle, clock, "2001:db8:1:3::1"), 250);
  },
);
