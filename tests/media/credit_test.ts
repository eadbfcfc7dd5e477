import { assertEquals } from "@std/assert";
import { Credit } from "../../lib/media/credit.ts";
import { pureTest } from "../support/pure_test.ts";
import { HandClock } from "../support/time/hand_clock.ts";

pureTest("Credit is open while fewer than two frames are under way", () => {
  const clock = new HandClock();
  const credit = new Credit({ clock });
  for (const isOpen of [true, true, false]) {
    clock.pass(1000);
    assertEquals(credit.isOpen, isOpen);
    if (isOpen) credit.sent();
  }
  assertEquals([credit.take(1), credit.isOpen], [true, true]);
  credit.sent();
  clock.pass(1000);
  assertEquals([credit.isOpen, credit.take(3), credit.isOpen], [false, true, true]);
});

pureTest("Credit is open as long as the oldest frame under way is younger than 100 ms", () => {
  const clock = new HandClock();
  const credit = new Credit({ clock });
  for (const isOpen of [true, true, true, true, false]) {
    assertEquals(credit.isOpen, isOpen);
    credit.sent();
    clock.pass(25);
  }
  // Four frames under way, the oldest for 75 ms after the next answer.
  assertEquals([credit.take(2), credit.isOpen], [true, true]);
  clock.pass(25);
  assertEquals([credit.take(3), credit.isOpen], [true, true]);
});

pureTest("Credit is open for longer on a long way, which frames take anyway", () => {
  for (
    const [roundTrip, expected] of [
      [300, 400],
      [1e9, 1100],
      ...[0, "300", NaN, -300, null, undefined].map((value) => [value, 100]),
    ]
  ) {
    const clock = new HandClock();
    const credit = new Credit({ clock });
    credit.sent();
    credit.take(1, roundTrip);
    let open = 0;
    for (; credit.isOpen; open += 50) {
      credit.sent();
      clock.pass(50);
    }
    assertEquals(open, expected);
  }
});

pureTest("Credit ignores numbers that cannot be", () => {
  const credit = new Credit();
  for (let sent = 0; sent < 5; sent++) credit.sent();
  assertEquals(credit.take(3), true);
  for (const frames of [3, 2, 0, -1, 6, 1e300, 3.5, NaN, Infinity, "4", null, undefined, [4]]) {
    assertEquals(credit.take(frames), false);
  }
  assertEquals(credit.take(5), true);
});
