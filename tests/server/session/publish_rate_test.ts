import { assert, assertEquals, assertRejects } from "@std/assert";
import { RequestError } from "../../../lib/base/errors.ts";
import { PublishRate } from "../../../lib/server/session/publish_rate.ts";
import { pureTest } from "../../support/pure_test.ts";
import { HandClock } from "../../support/time/hand_clock.ts";

const { signal } = new AbortController();

pureTest("PublishRate does not hold back who sends in real time", async () => {
  const clock = new HandClock({ skips: true });
  const rate = new PublishRate(clock);
  for (let frame = 0; frame < 300; frame++) {
    await rate.wait(3e6, frame / 30, signal);
    clock.time += 1000 / 30;
  }
  assertEquals(clock.waits, []);
});

pureTest("PublishRate holds back whose timestamps run ahead of real time", async () => {
  const clock = new HandClock({ skips: true });
  const rate = new PublishRate(clock);
  for (let frame = 0; frame <= 300; frame++) await rate.wait(100, frame / 30, signal);
  // Ten seconds of media, of which two may be ahead.
  assert(clock.time > 7900 && clock.time < 8100, `${clock.time}`);
  rate.restart();
  await rate.wait(100, 1e6, signal);
  assert(clock.time < 8200);
});

pureTest("PublishRate limits frames and bytes a second, and waits a second at most", async () => {
  const frames = new HandClock({ skips: true });
  const many = new PublishRate(frames);
  for (let frame = 0; frame < 20_000; frame++) await many.wait(10, 0, signal);
  assert(frames.time > 9800 && frames.time < 10_100, `${frames.time}`);
  const bytes = new HandClock({ skips: true });
  const large = new PublishRate(bytes);
  for (let frame = 0; frame < 50; frame++) await large.wait(100e6, 0, signal);
  assert(bytes.time > 2300 && bytes.time < 2600, `${bytes.time}`);
  const late = new HandClock({ skips: true });
  const far = new PublishRate(late);
  await far.wait(10, 0, signal);
  await far.wait(10, 30, signal);
  assertEquals(late.waits, [1000]);
  await assertRejects(() => far.wait(10, 3600, signal), RequestError, "ahead of real time");
});

pureTest("PublishRate limits descriptions, too", async () => {
  const clock = new HandClock({ skips: true });
  const rate = new PublishRate(clock);
  for (let turn = 0; turn < 100; turn++) await rate.spend({ messages: 100 }, signal);
  assert(clock.time > 4800 && clock.time <= 5000, `${clock.time}`);
});
