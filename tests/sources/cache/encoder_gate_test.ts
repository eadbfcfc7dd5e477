import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { EncoderGate } from "../../../lib/sources/cache/encoder_gate.ts";
import { pureTest } from "../../support/pure_test.ts";

const { signal } = new AbortController();
const needed = () => false;

/** A gate for two encoders, with the number of those that run. */
function gateOfTwo(patience?: number) {
  const state = { running: 0, stopped: new Set<string>() };
  const gate = new EncoderGate({
    ...{ max: 2, patience },
    running: () => state.running,
    stopIdle: (family) => void state.stopped.add(family),
  });
  return { gate, state };
}

pureTest("EncoderGate.enter() lets so many encoders start, and others in their order", async () => {
  const { gate, state } = gateOfTwo();
  const passes = [
    await gate.enter("a", { isNeedless: needed, signal }),
    await gate.enter("a", { isNeedless: needed, signal }),
  ];
  const order: number[] = [];
  const waiting = [1, 2].map(async (at) => {
    const pass = await gate.enter("a", { isNeedless: needed, signal });
    order.push(at);
    return pass;
  });
  // Another family is not full.
  const other = await gate.enter("b", { isNeedless: needed, signal });
  assert(other !== undefined);
  assertEquals([order, [...state.stopped]], [[], ["a"]]);
  // One runs, and one has failed to start.
  state.running = 1;
  for (const pass of [...passes, ...passes]) pass?.[Symbol.dispose]();
  assert(await waiting[0] !== undefined);
  assertEquals(order, [1]);
  state.running = 0;
  gate.review();
  assert(await waiting[1] !== undefined);
});

pureTest(
  "EncoderGate.enter() ends if others have made what is needed, or at the signal",
  async () => {
    const { gate, state } = gateOfTwo();
    state.running = 2;
    let isMade = false;
    const waiting = gate.enter("a", { isNeedless: () => isMade, signal });
    const abort = new AbortController();
    const left = gate.enter("a", { isNeedless: needed, signal: abort.signal });
    abort.abort(new Error("left"));
    await assertRejects(() => left, Error, "left");
    isMade = true;
    gate.review();
    assertStrictEquals(await waiting, undefined);
  },
);

pureTest("EncoderGate.enter() lets nobody wait for good, although the encoders go on", async () => {
  const { gate, state } = gateOfTwo(1);
  state.running = 2;
  const pass = await gate.enter("a", { isNeedless: needed, signal });
  assert(pass !== undefined);
  pass[Symbol.dispose]();
});

pureTest(
  "EncoderGate.review() gives the room of an encoder to the one who waited for it",
  async () => {
    let running = 2;
    let isIdle = false;
    const gate = new EncoderGate({
      max: 2,
      running: () => running,
      stopIdle: () => {
        if (isIdle) running--;
        isIdle = false;
      },
    });
    const order: number[] = [];
    const entering = [1, 2].map((at) =>
      gate.enter("a", { isNeedless: needed, signal }).then((pass) => {
        order.push(at);
        return pass;
      })
    );
    isIdle = true;
    gate.review();
    await entering[0];
    assertEquals([order, running], [[1], 1]);
    running = 0;
    for (const pass of await Promise.all(entering)) pass?.[Symbol.dispose]();
  },
);
