import { assert, assertEquals, assertRejects } from "@std/assert";
import { RequestError } from "../../../lib/base/errors.ts";
import { Throttle } from "../../../lib/server/auth/authenticator.ts";
import { pureTest } from "../../support/pure_test.ts";
import { HandClock } from "../../support/time/hand_clock.ts";

async function pass(clock: HandClock, milliseconds: number): Promise<void> {
  clock.pass(milliseconds);
  await settled();
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
  const judged = throttle.judge(address, wrong, { signal });
  await settled();
  const delay = clock.next;
  await pass(clock, delay);
  assertEquals(await judged, false);
  return delay;
}

pureTest("judge() answers wrong ones ever more slowly, up to an end", async () => {
  const clock = new HandClock();
  const throttle = new Throttle(clock);
  const delays: number[] = [];
  for (let count = 0; count < 8; count++) delays.push(await delayOf(throttle, clock, "10.0.0.1"));
  assertEquals(delays, [250, 500, 1000, 2000, 4000, 8000, 8000, 8000]);
});

pureTest("judge() lets the right one in at once, wherever others were wrong", async () => {
  const clock = new HandClock();
  const throttle = new Throttle(clock);
  const pending = throttle.judge("10.0.0.1", wrong, { signal });
  await settled();
  assertEquals(await throttle.judge("10.0.0.2", right, { signal }), true);
  await pass(clock, 250);
  assertEquals(await pending, false);
  // The delay is over: a mistake is no reason to be slow with what is right.
  assertEquals(await throttle.judge("10.0.0.1", right, { signal }), true);
});

pureTest(
  "judge() looks at one of an address after the other, so that none tells sooner",
  async () => {
    const clock = new HandClock();
    const throttle = new Throttle(clock);
    let looks = 0;
    const isRight = () => ++looks === 3;
    const all = [1, 2, 3].map(() => throttle.judge("10.0.0.1", isRight, { signal }));
    for (const delay of [250, 500]) {
      await settled();
      const before = looks;
      await pass(clock, delay - 1);
      assertEquals(looks, before);
      await pass(clock, 1);
      assertEquals(looks, before + 1);
    }
    assertEquals(await Promise.all(all), [false, false, true]);
  },
);

pureTest("judge() does not hurry for those behind who leaves", async () => {
  const clock = new HandClock();
  const throttle = new Throttle(clock);
  const leaver = new AbortController();
  const first = throttle.judge("10.0.0.1", wrong, { signal: leaver.signal });
  await settled();
  let looks = 0;
  const second = throttle.judge("10.0.0.1", () => ++looks > 0, { signal });
  leaver.abort(new Error("left"));
  await assertRejects(() => first, Error, "left");
  await pass(clock, 249);
  assertEquals(looks, 0);
  await pass(clock, 1);
  assertEquals(await second, true);
});

pureTest("judge() lets so many wait, and looks at no more", async () => {
  const clock = new HandClock();
  const throttle = new Throttle(clock);
  const controller = new AbortController();
  const wait = (address: string) =>
    throttle.judge(address, wrong, { signal: controller.signal }).catch(() => {});
  for (let count = 0; count < 4; count++) wait("10.0.0.1");
  await settled();
  let looks = 0;
  const look = () => ++looks > 0;
  const refused = await assertRejects(
    () => throttle.judge("10.0.0.1", look, { signal }),
    RequestError,
  );
  assertEquals([refused.code, looks], ["busy", 0]);
  // However many wait in all, who was never wrong is looked at.
  for (let last = 2; last < 100; last++) wait(`10.0.0.${last}`);
  await settled();
  assertEquals(await throttle.judge("10.0.1.1", right, { signal }), true);
  const error = await assertRejects(
    () => throttle.judge("10.0.1.2", wrong, { signal }),
    RequestError,
  );
  assertEquals(error.code, "busy");
  controller.abort();
  await settled();
  assertEquals(await delayOf(throttle, clock, "10.0.1.3"), 250);
});

pureTest("judge() forgets an address after a while", async () => {
  const clock = new HandClock();
  const throttle = new Throttle(clock);
  await delayOf(throttle, clock, "10.0.0.1");
  await pass(clock, 9 * 60_000);
  assertEquals(await delayOf(throttle, clock, "10.0.0.1"), 500);
  await pass(clock, 10 * 60_000);
  assertEquals(await delayOf(throttle, clock, "10.0.0.1"), 250);
});

pureTest("judge() remembers so many addresses", async () => {
  const clock = new HandClock();
  const throttle = new Throttle(clock);
  for (let count = 0; count < 5000; count++) {
    await delayOf(throttle, clock, `10.0.${count >> 8}.${count & 255}`);
  }
  assert(throttle.size <= 4096);
  assertEquals(await delayOf(throttle, clock, "10.0.0.0"), 250);
  assertEquals(await delayOf(throttle, clock, "10.0.19.135"), 500);
});

pureTest("judge() takes a network of IPv6 for one, and IPv4 in IPv6 for IPv4", async () => {
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
});
