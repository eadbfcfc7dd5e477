import { assertEquals } from "@std/assert";
import { Pacer } from "../../../lib/media/pacer.ts";
import { IdleMeter } from "../../../lib/sources/cache/idle_meter.ts";
import { pureTest } from "../../support/pure_test.ts";
import { HandClock } from "../../support/time/hand_clock.ts";

/** A viewer at a speed who has been sent the frame of second 0. */
async function viewer(speed: number) {
  const clock = new HandClock();
  const pacer = new Pacer({ speed, clock });
  await pacer.waitFor(0, new AbortController().signal);
  return { clock, pacer, meter: new IdleMeter(pacer, { clock }) };
}

pureTest("IdleMeter.idleIn counts from when a frame is due that is not taken", async () => {
  const { clock, meter } = await viewer(0.5);
  assertEquals(meter.idleIn, Infinity);
  // Due at 20 s of the clock.
  meter.rest(10);
  clock.pass(20_000);
  assertEquals(meter.idleIn, 3000);
  clock.pass(3000);
  assertEquals(meter.idleIn, 0);
  meter.wake();
  assertEquals(meter.idleIn, Infinity);
  meter.rest(11);
  assertEquals(meter.idleIn, 3000);
});

pureTest("IdleMeter.idleIn counts from the last frame if none is ever due", async () => {
  const { clock, meter } = await viewer(0);
  meter.rest(100);
  clock.pass(2000);
  assertEquals(meter.idleIn, 1000);
});

pureTest("IdleMeter.idleIn counts from when a viewer pauses", async () => {
  const { clock, pacer, meter } = await viewer(1);
  meter.rest(100);
  clock.pass(60_000);
  pacer.pause();
  clock.pass(9000);
  assertEquals(meter.idleIn, 1000);
  clock.pass(1000);
  assertEquals(meter.idleIn, 0);
  pacer.resume();
  assertEquals(meter.idleIn > 3000, true);
});
