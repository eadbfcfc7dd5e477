import { assertEquals, assertRejects } from "@std/assert";
import { RequestError } from "../../../lib/base/errors.ts";
import { ConnectError } from "../../../lib/client/connection/errors.ts";
import { Retries } from "../../../lib/client/connection/retry.ts";
import { CutError } from "../../../lib/client/request/request.ts";
import { pureTest } from "../../support/pure_test.ts";
import { HandClock } from "../../support/time/hand_clock.ts";

const { signal } = new AbortController();

function tried({ first = 0, later = 3 } = {}) {
  const told: string[] = [];
  const clock = new HandClock({ skips: true });
  const tell = (line: string) => void told.push(line);
  const retries = new Retries({ limits: { first, later }, tell, clock, random: () => 0.5 });
  return { retries, told, clock };
}

pureTest("Retries.wait() waits twice as long each time, tells of it, and gives up", async () => {
  const { retries, told, clock } = tried();
  const error = new CutError("the connection was cut");
  const failure = { error, told: "Connection lost", begun: true };
  for (let times = 0; times < 3; times++) await retries.wait(failure, signal);
  assertEquals(clock.waits, [1000, 2000, 4000]);
  assertEquals(told, [
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

pureTest("Retries.reset() begins to count anew", async () => {
  const { retries, told, clock } = tried({ later: 1 });
  const failure = { error: new ConnectError("refused"), begun: true };
  await retries.wait(failure, signal);
  retries.reset();
  await retries.wait(failure, signal);
  assertEquals(clock.waits, [1000, 1000]);
  assertEquals(told, Array(2).fill("refused; trying again in 1 s (1 of 1)"));
});

pureTest("Retries.wait() gives up at once where it is of no use, or not wanted", async () => {
  const { retries, clock } = tried();
  for (
    const failure of [
      { error: new RequestError("not_found", "no such file"), begun: true },
      { error: new CutError("the connection was cut"), begun: false },
    ]
  ) {
    assertEquals(
      await assertRejects(() => retries.wait(failure, signal)),
      failure.error,
    );
  }
  const reason = new Error("enough");
  const failure = { error: new CutError("cut"), begun: true };
  assertEquals(await assertRejects(() => retries.wait(failure, AbortSignal.abort(reason))), reason);
  assertEquals(clock.waits, []);
});

pureTest("Retries.persist() tries until it succeeds", async () => {
  const { retries, clock } = tried({ first: 2 });
  let times = 0;
  const action = () =>
    ++times < 3 ? Promise.reject(new RequestError("busy", "full")) : Promise.resolve("done");
  assertEquals(await retries.persist(action, signal), "done");
  times = 0;
  const error = await assertRejects(() => retries.persist(action, signal), RequestError);
  assertEquals([error.code, error.message], ["busy", "full; tried again 2 times"]);
  assertEquals(clock.waits.length, 2);
});
