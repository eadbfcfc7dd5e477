import { assert, assertEquals, assertRejects } from "@std/assert";
import { ScriptBacklog } from "../../../lib/server/session/script_backlog.ts";
import { pureTest } from "../../support/pure_test.ts";
import { HandClock } from "../../support/time/hand_clock.ts";

/** Bytes of a frame. */
const FRAME = 1000;

/** Milliseconds between the frames of a source. */
const PERIOD = 40;

interface Script {
  backlog: ScriptBacklog;
  clock: HandClock;
  /** What it has not read; it reads a part at each look. */
  unread: { bytes: number | undefined; looks: number };
  stalled: () => boolean;
  abort: AbortController;
}

function scriptOf(reads = 0): Script {
  const clock = new HandClock({ skips: true });
  const unread: Script["unread"] = { bytes: 0, looks: 0 };
  const abort = new AbortController();
  let isStalled = false;
  const backlog = new ScriptBacklog({
    unread() {
      const { bytes } = unread;
      unread.looks++;
      if (bytes !== undefined) unread.bytes = Math.max(0, bytes - reads);
      return Promise.resolve(bytes);
    },
    ...{ signal: abort.signal, stallTimeout: 30_000, clock },
    onStall() {
      isStalled = true;
      abort.abort(new Error("stalled"));
    },
  });
  return { backlog, clock, unread, stalled: () => isStalled, abort };
}

/** A frame whose write takes a time. */
function send({ backlog, clock }: Script, milliseconds: number): Promise<void> {
  const begun = clock.now();
  clock.pass(milliseconds);
  return backlog.afterFrame(FRAME, begun);
}

pureTest("ScriptBacklog does not look at a script that was quick at first", async () => {
  const script = scriptOf();
  await send(script, 1);
  assertEquals(script.unread.looks, 1);
  script.clock.pass(2000);
  script.unread = Object.assign(script.unread, { bytes: 4 * FRAME, looks: 0 });
  for (let frame = 0; frame < 10; frame++) {
    await send(script, 1);
    script.clock.pass(PERIOD);
  }
  assertEquals([script.unread.looks, script.clock.waits], [0, []]);
});

pureTest(
  "ScriptBacklog waits behind the first frame of a script that does not read it",
  async () => {
    const script = scriptOf(FRAME / 4);
    script.clock.pass(1000);
    script.unread.bytes = FRAME;
    await send(script, 1);
    assertEquals(script.clock.waits.length, 4);
  },
);

pureTest("ScriptBacklog waits behind a slow write until a tenth of a second is left", async () => {
  const script = scriptOf(FRAME / 4);
  script.unread.bytes = 2 * FRAME;
  await send(script, 1000);
  // A frame a second: a tenth of a frame is left, or nothing.
  assertEquals(script.clock.waits, Array(8).fill(50));
});

pureTest(
  "ScriptBacklog goes on to wait when writes are quick again, until it is calm",
  async () => {
    const script = scriptOf(FRAME / 4);
    await send(script, 1000);
    script.unread.bytes = FRAME;
    await send(script, 1);
    assertEquals(script.clock.waits.length, 4);
    script.clock.pass(10_000);
    script.unread = Object.assign(script.unread, { bytes: 4 * FRAME, looks: 0 });
    await send(script, 1);
    assertEquals(script.unread.looks, 0);
  },
);

pureTest("ScriptBacklog lets a link that carries half of the frames be full", async () => {
  const script = scriptOf();
  script.unread.bytes = FRAME;
  for (let frame = 0; frame < 10; frame++) await send(script, 2 * PERIOD);
  assertEquals(script.clock.waits, []);
});

pureTest("ScriptBacklog does not wait where the system tells nothing", async () => {
  const script = scriptOf();
  script.unread.bytes = undefined;
  await send(script, 1000);
  assertEquals(script.clock.waits, []);
});

pureTest("ScriptBacklog ends the session of a script that has stopped to read", async () => {
  const script = scriptOf();
  script.unread.bytes = FRAME;
  await assertRejects(() => send(script, 1000), "stalled");
  assert(script.stalled());
});
