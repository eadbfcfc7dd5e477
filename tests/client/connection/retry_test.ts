import { assertEquals, assertRejects } from "@std/assert";
import { RequestError } from "../../../lib/base/errors.ts";
import { ConnectError, CutError } from "../../../lib/net/errors.ts";
import { Retries } from "../../../lib/client/connection/retry.ts";
import { HandClock } from "../../support/time/hand_clock.ts";
import { pureTest } from "../../support/pure_test.ts";

const { signal } = new AbortController();

function start({ first = 0, later = 3 } = {}) {
  const lines: string[] = [];
  const clock = new HandClock({ skips: true });
  const notify = (line: string) => void lines.push(line);
  const retries = new Retries({ limits: { first, later }, notify, clock, random: () => 0.5 });
  return { retries, lines, clock };
}

pureTest("Retries.wait() waits twice as long each time, notifies, and gives up", async () => {
  const { retries, lines, clock } = start();
  const error = new CutError("the connection was cut");
  const failure = { error, message: "Connection lost", hasReceived: true };
  for (let times = 0; times < 3; times++) await retries.wait(failure, signal);
  assertEquals(clock.waits, [1000, 2000, 4000]);
  assertEquals(lines, [
    "Connection lost; trying again in 1 s (1 of 3)",
    "Connection lost; trying again in 2 s (2 of 3)",
    "Connection lost; trying again in 4 s (3 of 3)",
  ]);
  const last = await assertRejects(() => retries.wait(failure, signal), CutError);
  assertEquals([last.message, last.cause], [
    "the connection was cut; tried again 3 times",
    error,
  ]);
});

pureTest("Retries.wait() never gives up without a limit, and tells none", async () => {
  const { retries, lines, clock } = start({ first: Infinity });
  const failure = { error: new ConnectError("refused"), hasReceived: false };
  for (let times = 0; times < 7; times++) await retries.wait(failure, signal);
  assertEquals(clock.waits.slice(-2), [30_000, 30_000]);
  assertEquals(lines.at(-1), "refused; trying again in 30 s");
});

pureTest("Retries.reset() starts counting anew", async () => {
  const { retries, lines, clock } = start({ later: 1 });
  const failure = { error: new ConnectError("refused"), hasReceived: true };
  await retries.wait(failure, signal);
  retries.reset();
  await retries.wait(failure, signal);
  assertEquals(clock.waits, [1000, 1000]);
  assertEquals(lines, Array(2).fill("refused; trying again in 1 s (1 of 1)"));
});

pureTest(
  "Retries.wait() gives up at once if the failure is permanent, or the limit 0",
  async () => {
    const { retries, clock } = start();
    for (
      const failure of [
        { error: new RequestError("not_found", "no such file"), hasReceived: true },
        { error: new CutError("the connection was cut"), hasReceived: false },
      ]
    ) {
      assertEquals(
        await assertRejects(() => retries.wait(failure, signal)),
        failure.error,
      );
    }
    const reason = new Error("enough");
    const failure = { error: new CutError("cut"), hasReceived: true };
    assertEquals(
      await assertRejects(() => retries.wait(failure, AbortSignal.abort(reason))),
      reason,
    );
    assertEquals(clock.waits, []);
  },
);

pureTest("Retries.persist() tries until it succeeds", async () => {
  const { retries, clock } = start({ first: 2 });
  let times = 0;
  const action = () =>
    ++times < 3 ? Promise.reject(new RequestError("busy", "full")) : Promise.resolve("done");
  assertEquals(await retries.persist(action, signal), "done");
  times = 0;
  const error = await assertRejects(() => retries.persist(action, signal), RequestError);
  assertEquals([error.code, error.message], ["busy", "full; tried again 2 times"]);
  assertEquals(clock.waits.length, 2);
});
