import { assertEquals, assertRejects } from "@std/assert";
import { DecodeOrder, Pacer } from "../../lib/media/pacer.ts";
import { pureTest } from "../support/pure_test.ts";
import { HandClock } from "../support/time/hand_clock.ts";

/** A clock whose sleeps may be shorter or longer than asked for. */
class InexactClock extends HandClock {
  /** Lets time pass in place of a sleep of the right length. */
  onSleep: (() => Promise<void> | void) | undefined;

  constructor() {
    super({ skips: true, time: 1000 });
  }

  override async sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
    if (this.onSleep === undefined) return await super.sleep(milliseconds, signal);
    this.waits.push(milliseconds);
    await this.onSleep();
  }
}

const NEVER = new AbortController().signal;

/** Clock times at which frames at these moments are let through, milliseconds. */
async function dueTimes(pacer: Pacer, clock: InexactClock, moments: number[]): Promise<number[]> {
  const times: number[] = [];
  for (const moment of moments) {
    await pacer.waitFor(moment, NEVER);
    times.push(clock.time);
  }
  return times;
}

pureTest("Pacer.waitFor() lets each frame through at its own distance from the first", async () => {
  const clock = new InexactClock();
  const pacer = new Pacer({ speed: 1, clock });
  const times = await dueTimes(pacer, clock, [0, 0.25, 0.5, 0.5, 2]);
  assertEquals(times, [1000, 1250, 1500, 1500, 3000]);
});

pureTest("Pacer.waitFor() takes the first time as the start, whatever it is", async () => {
  for (const first of [5000, -3]) {
    const clock = new InexactClock();
    const pacer = new Pacer({ speed: 1, clock });
    assertEquals(await dueTimes(pacer, clock, [first, first + 0.5]), [1000, 1500]);
  }
});

pureTest("Pacer.waitFor() divides time by the speed", async () => {
  for (const [speed, expected] of [[2, 1500], [0.5, 3000], [100, 1010]]) {
    const clock = new InexactClock();
    const pacer = new Pacer({ speed, clock });
    assertEquals(await dueTimes(pacer, clock, [0, 1]), [1000, expected]);
  }
});

pureTest("Pacer.waitFor() never waits at speed 0", async () => {
  const clock = new InexactClock();
  const pacer = new Pacer({ speed: 0, clock });
  assertEquals(await dueTimes(pacer, clock, [0, 10, 3600]), [1000, 1000, 1000]);
  assertEquals(clock.waits, []);
});

pureTest("Pacer.waitFor() does not drift over an hour of 29.97 frames a second", async () => {
  const clock = new InexactClock();
  const pacer = new Pacer({ speed: 1, clock });
  let worst = 0;
  for (let frame = 0; frame < 100_000; frame++) {
    const moment = frame * 1001 / 30_000;
    await pacer.waitFor(moment, NEVER);
    // Each frame costs some work, which must not add up.
    clock.time += 7;
    worst = Math.max(worst, Math.abs(clock.time - 7 - (1000 + moment * 1000)));
  }
  assertEquals(worst < 0.001, true, `${worst} ms off`);
});

pureTest("Pacer.waitFor() does not drift when the clock wakes late", async () => {
  const clock = new InexactClock();
  clock.onSleep = () => void (clock.time += clock.waits.at(-1)! + 3);
  const pacer = new Pacer({ speed: 1, clock });
  const times = await dueTimes(pacer, clock, [0, 0.1, 0.2, 0.3]);
  assertEquals(times, [1000, 1103, 1203, 1303]);
});

pureTest("Pacer.waitFor() sleeps again when the clock wakes early", async () => {
  const clock = new InexactClock();
  clock.onSleep = () => void (clock.time += Math.ceil(clock.waits.at(-1)! / 2));
  const pacer = new Pacer({ speed: 1, clock });
  assertEquals(await dueTimes(pacer, clock, [0, 0.1]), [1000, 1100]);
  assertEquals(clock.waits, [100, 50, 25, 12, 6, 3, 1]);
});

pureTest("Pacer.waitFor() lets late frames through at once and the next in time", async () => {
  const clock = new InexactClock();
  const pacer = new Pacer({ speed: 1, clock });
  await pacer.waitFor(0, NEVER);
  clock.time += 250;
  assertEquals(await dueTimes(pacer, clock, [0.1, 0.2, 0.3]), [1250, 1250, 1300]);
});

pureTest("Pacer.pause() stops the media's time until resume()", async () => {
  const clock = new InexactClock();
  const pacer = new Pacer({ speed: 1, clock });
  await pacer.waitFor(0, NEVER);
  clock.time += 100;
  pacer.pause();
  clock.time += 10_000;
  pacer.pause();
  let passed = false;
  const waiting = pacer.waitFor(0.5, NEVER).then(() => passed = true);
  await Promise.resolve();
  assertEquals([passed, clock.waits], [false, []]);
  pacer.resume();
  pacer.resume();
  await waiting;
  assertEquals(clock.time, 1000 + 10_000 + 500);
  assertEquals(await dueTimes(pacer, clock, [1]), [12_000]);
});

pureTest("Pacer.pause() holds a frame whose wait has begun", async () => {
  const clock = new InexactClock();
  const pacer = new Pacer({ speed: 2, clock });
  await pacer.waitFor(0, NEVER);
  clock.onSleep = () => {
    clock.onSleep = undefined;
    clock.time += 100;
    pacer.pause();
    clock.time += 400;
    queueMicrotask(() => {
      clock.time += 500;
      pacer.resume();
    });
  };
  // Due half a second after the first, of which a tenth was over; then 0.9 s of pause.
  assertEquals(await dueTimes(pacer, clock, [1]), [1000 + 500 + 900]);
});

pureTest("Pacer.pause() before the first frame holds even that", async () => {
  const clock = new InexactClock();
  const pacer = new Pacer({ speed: 0, clock });
  pacer.pause();
  const waiting = pacer.waitFor(0, NEVER);
  clock.time += 50;
  pacer.resume();
  await waiting;
  assertEquals(clock.time, 1050);
});

pureTest("Pacer.lateness() counts real seconds, and none while the stream is paused", async () => {
  const clock = new InexactClock();
  const pacer = new Pacer({ speed: 2, clock });
  assertEquals(pacer.lateness(-5), 0);
  await pacer.waitFor(0, NEVER);
  clock.time += 3000;
  assertEquals([pacer.lateness(0), pacer.lateness(2), pacer.lateness(8)], [3, 2, -1]);
  pacer.pause();
  clock.time += 60_000;
  assertEquals([pacer.isPaused, pacer.lateness(2)], [true, 2]);
  pacer.resume();
  assertEquals([pacer.isPaused, pacer.lateness(2)], [false, 2]);
});

pureTest("Pacer.lateness() is never above 0 at speed 0", async () => {
  const clock = new InexactClock();
  const pacer = new Pacer({ speed: 0, clock });
  await pacer.waitFor(0, NEVER);
  clock.time += 60_000;
  assertEquals(pacer.lateness(1), 0);
});

pureTest("Pacer.postpone() lets all that follows be due later", async () => {
  const clock = new InexactClock();
  const pacer = new Pacer({ speed: 1, clock });
  pacer.postpone(1);
  await pacer.waitFor(0, NEVER);
  pacer.postpone(2);
  assertEquals(await dueTimes(pacer, clock, [0.5, 1]), [3500, 4000]);
});

pureTest(
  "Pacer.restart() takes the next time as the start, also after a pause",
  async () => {
    const clock = new InexactClock();
    const pacer = new Pacer({ speed: 1, clock });
    await pacer.waitFor(0, NEVER);
    pacer.pause();
    clock.time += 100;
    pacer.restart();
    clock.time += 100;
    pacer.resume();
    assertEquals(await dueTimes(pacer, clock, [70, 71]), [1200, 2200]);
  },
);

pureTest("Pacer.playedTime leaves out pauses", () => {
  const clock = new HandClock({ time: 100 });
  const pacer = new Pacer({ speed: 1, clock });
  const before = pacer.playedTime;
  for (const pause of [50, 7]) {
    clock.time += 10;
    pacer.pause();
    clock.time += pause;
    assertEquals(pacer.playedTime - before, pause === 50 ? 10 : 20);
    pacer.resume();
  }
  clock.time += 1;
  assertEquals(pacer.playedTime - before, 21);
});

pureTest("Pacer.running() waits while the stream is paused, and ends with the signal", async () => {
  const pacer = new Pacer({ speed: 1 });
  await pacer.running(NEVER);
  pacer.pause();
  const abort = new AbortController();
  const held = pacer.running(abort.signal);
  abort.abort(new TypeError("enough"));
  await assertRejects(() => held, TypeError, "enough");
  const waiting = pacer.running(NEVER);
  pacer.resume();
  await waiting;
});

pureTest("Pacer.waitFor() ends with the signal's reason, paused or not", async () => {
  const pacer = new Pacer({ speed: 1 });
  await pacer.waitFor(0, NEVER);
  const abort = new AbortController();
  const waiting = pacer.waitFor(3600, abort.signal);
  abort.abort(new TypeError("enough"));
  await assertRejects(() => waiting, TypeError, "enough");
  await assertRejects(() => pacer.waitFor(0, abort.signal), TypeError, "enough");
  pacer.pause();
  const other = new AbortController();
  const held = pacer.waitFor(0, other.signal);
  other.abort(new TypeError("enough"));
  await assertRejects(() => held, TypeError, "enough");
});

pureTest("Pacer.isDue() lets frames through that are nearly due, but not while paused", () => {
  const clock = new InexactClock();
  const pacer = new Pacer({ speed: 2, clock });
  assertEquals(pacer.isDue(10, 0), true);
  assertEquals([10, 10.02, 10.021].map((time) => pacer.isDue(time, 0.01)), [true, true, false]);
  clock.time += 100;
  assertEquals(pacer.isDue(10.2, 0), true);
  pacer.pause();
  assertEquals(pacer.isDue(10.2, 0), false);
});

pureTest("Pacer.isDue() lets more frames through while waits end late, up to 50 ms", async () => {
  const clock = new InexactClock();
  const pacer = new Pacer({ speed: 1, clock });
  await pacer.waitFor(0, NEVER);
  const waitLate = async (late: number) => {
    clock.onSleep = () => void (clock.time += clock.waits.at(-1)! + late);
    const now = (clock.time - 1000) / 1000;
    await pacer.waitFor(now + 0.01, NEVER);
    return (clock.time - 1000) / 1000;
  };
  for (const [late, early] of [[20, 0.02], [400, 0.05], [0, 0]]) {
    const now = await waitLate(late);
    const passed = [early - 0.001, early + 0.001].map((soon) => pacer.isDue(now + soon, 0));
    assertEquals(passed, [true, false], `late by ${late} ms`);
  }
  const now = await waitLate(20);
  clock.onSleep = () => {
    pacer.pause();
    clock.time += 30;
    clock.onSleep = undefined;
    queueMicrotask(() => pacer.resume());
  };
  await pacer.waitFor(now + 0.01, NEVER);
  assertEquals(pacer.isDue((clock.time - 1000) / 1000 + 0.04, 0), false);
});

/** Moments of frames in the order of decoding, and the moments at which each is due. */
function duesOf(delay: number, moments: readonly number[]): number[] {
  const order = new DecodeOrder<number>(delay);
  const given = moments.flatMap((moment) => order.add(moment, moment));
  const all = [...given, ...order.end()];
  assertEquals(all.map(({ item }) => item), moments, "the order stays");
  return all.map(({ due }) => due);
}

pureTest("DecodeOrder.add() leaves frames as they are that come in order", () => {
  assertEquals(duesOf(0, [0, 1, 2, 5, 5.5]), [0, 1, 2, 5, 5.5]);
});

pureTest("DecodeOrder.add() gives frames the earliest unused presentation time", () => {
  assertEquals(duesOf(1, [0, 3, 1, 2, 6, 4, 5]), [0, 0, 1, 2, 3, 4, 5]);
  assertEquals(duesOf(2, [0, 4, 2, 1, 3, 8, 6, 5, 7]), [0, 0, 0, 1, 2, 3, 4, 5, 6]);
});

pureTest(
  "DecodeOrder.add() starts with the earliest time if earlier frames follow the first one",
  () => {
    assertEquals(duesOf(1, [2, 0, 1, 5, 3, 4]), [0, 0, 1, 2, 3, 4]);
  },
);

pureTest("DecodeOrder.add() never goes back, and has all before 0 due at once", () => {
  assertEquals(duesOf(0, [-2, -1, 0.5, 0.4, 1]), [0, 0, 0.5, 0.5, 1]);
});

pureTest("DecodeOrder.end() returns the frames held back", () => {
  assertEquals(duesOf(4, [1, 3, 2]), [1, 1, 1]);
  assertEquals(duesOf(4, []), []);
});
