import { assertEquals, assertRejects } from "@std/assert";
import { BufferedResponse } from "../../../lib/client/request/flow_control.ts";
import type { MediaResponse, ResponsePart } from "../../../lib/client/request/request.ts";
import type { Control } from "../../../lib/protocol/native/request.ts";
import { pureTest } from "../../support/pure_test.ts";

const LIMITS = { pause: 30, resume: 20, full: 60 };

/** An answer of frames of ten bytes, in memory that is used again and again. */
class Frames implements MediaResponse {
  readonly controls: unknown[] = [];
  given = 0;
  abandoned = false;
  control?: (control: Control) => Promise<void>;
  #count: number;
  #failure: Error | undefined;

  constructor({ count, failure, controls = true }: {
    count: number;
    failure?: Error;
    controls?: boolean;
  }) {
    this.#count = count;
    this.#failure = failure;
    if (!controls) return;
    this.control = ({ action }) => Promise.resolve(void this.controls.push(action));
  }

  abandon(): void {
    this.abandoned = true;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ResponsePart> {
    const data = new Uint8Array(10);
    while (this.given < this.#count) {
      data.fill(++this.given);
      const frame = { streamId: 0, timestamp: this.given, keyframe: true, data };
      yield { kind: "frame", frame, dropped: false };
    }
    if (this.#failure !== undefined) throw this.#failure;
  }
}

/** Lets everything happen that waits for nothing but its turn. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 500; turn++) await Promise.resolve();
}

/** The first byte of the next frame; `undefined` at the end. */
async function take(parts: AsyncIterator<ResponsePart>): Promise<number | undefined> {
  const { value, done } = await parts.next();
  return done || value.kind !== "frame" ? undefined : value.frame.data[0];
}

pureTest("BufferedResponse gives what came, in memory of its own", async () => {
  const parts = new BufferedResponse(new Frames({ count: 3 }), LIMITS)[Symbol.asyncIterator]();
  const first = await parts.next();
  await settle();
  assertEquals(first.value.frame.data[0], 1);
  assertEquals([await take(parts), await take(parts), await take(parts)], [2, 3, undefined]);
});

pureTest(
  "BufferedResponse pauses the server while nobody takes, and reads on all the same",
  async () => {
    const frames = new Frames({ count: 5 });
    const parts = new BufferedResponse(frames, LIMITS)[Symbol.asyncIterator]();
    assertEquals(await take(parts), 1);
    await settle();
    assertEquals([frames.given, frames.controls], [5, ["pause"]]);
    await take(parts);
    await take(parts);
    assertEquals(frames.controls, ["pause"]);
    await take(parts);
    assertEquals(frames.controls, ["pause", "resume"]);
    assertEquals([await take(parts), await take(parts)], [5, undefined]);
  },
);

pureTest("BufferedResponse reads no more from a server that does not pause", async () => {
  const frames = new Frames({ count: 50 });
  const parts = new BufferedResponse(frames, LIMITS)[Symbol.asyncIterator]();
  await take(parts);
  await settle();
  // One was taken, six are full, one is too much.
  assertEquals(frames.given, 8);
  for (let frame = 2; frame <= 50; frame++) assertEquals(await take(parts), frame);
  assertEquals(await take(parts), undefined);
});

pureTest("BufferedResponse stops reading where there is no way to pause", async () => {
  const frames = new Frames({ count: 50, controls: false });
  const parts = new BufferedResponse(frames, LIMITS)[Symbol.asyncIterator]();
  await take(parts);
  await settle();
  assertEquals(frames.given, 5);
  for (let frame = 2; frame <= 50; frame++) assertEquals(await take(parts), frame);
});

pureTest("BufferedResponse gives what came before it tells of a failure", async () => {
  const frames = new Frames({ count: 2, failure: new Error("it was cut") });
  const parts = new BufferedResponse(frames, LIMITS)[Symbol.asyncIterator]();
  await settle();
  assertEquals([await take(parts), await take(parts)], [1, 2]);
  await assertRejects(() => take(parts), Error, "it was cut");
});

pureTest("BufferedResponse ends the connection when it is left", async () => {
  for (const controls of [true, false]) {
    const frames = new Frames({ count: 50, controls });
    for await (const part of new BufferedResponse(frames, LIMITS)) {
      if (part.kind === "frame" && part.frame.timestamp === 3) break;
    }
    assertEquals(frames.abandoned, true);
  }
});
