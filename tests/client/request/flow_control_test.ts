import { assertEquals, assertRejects } from "@std/assert";
import { BufferedResponse } from "../../../lib/client/request/flow_control.ts";
import type { MediaResponse, ResponsePart } from "../../../lib/protocol/media_response.ts";
import type { Control } from "../../../lib/protocol/native/request.ts";
import { pureTest } from "../../support/pure_test.ts";

const LIMITS = { pause: 30, resume: 20, full: 60 };

/** A response of frames of ten bytes, in memory that is reused. */
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

/** A response of kept frames, which notes what comes back. */
class KeptFrames extends Frames {
  readonly recycled: number[] = [];

  override async *[Symbol.asyncIterator](): AsyncGenerator<ResponsePart> {
    for await (const part of super[Symbol.asyncIterator]()) {
      if (part.kind !== "frame") continue;
      yield { ...part, frame: { ...part.frame, data: part.frame.data.slice() } };
    }
  }

  recycle({ timestamp }: { timestamp: number }): void {
    this.recycled.push(timestamp);
  }
}

/** Runs all microtasks that are ready. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 500; turn++) await Promise.resolve();
}

/** The first byte of the next frame; `undefined` at the end. */
async function take(parts: AsyncIterator<ResponsePart>): Promise<number | undefined> {
  const { value, done } = await parts.next();
  return done || value.kind !== "frame" ? undefined : value.frame.data[0];
}

pureTest("BufferedResponse copies the frames that it buffers", async () => {
  const parts = new BufferedResponse(new Frames({ count: 3 }), { limits: LIMITS })
    [Symbol.asyncIterator]();
  const first = await parts.next();
  await settle();
  assertEquals(first.value.frame.data[0], 1);
  assertEquals([await take(parts), await take(parts), await take(parts)], [2, 3, undefined]);
});

pureTest("BufferedResponse recycles kept frames once the next part is wanted", async () => {
  const frames = new KeptFrames({ count: 3 });
  const options = { limits: LIMITS, keepsFrames: true };
  const parts = new BufferedResponse(frames, options)[Symbol.asyncIterator]();
  assertEquals(await take(parts), 1);
  await settle();
  assertEquals([frames.given, frames.recycled], [3, []]);
  assertEquals([await take(parts), await take(parts)], [2, 3]);
  assertEquals(frames.recycled, [1, 2]);
  assertEquals([await take(parts), frames.recycled], [undefined, [1, 2, 3]]);
});

pureTest(
  "BufferedResponse pauses the server while nothing is taken, and keeps reading",
  async () => {
    const frames = new Frames({ count: 5 });
    const parts = new BufferedResponse(frames, { limits: LIMITS })[Symbol.asyncIterator]();
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

pureTest("BufferedResponse stops reading from a server that does not pause", async () => {
  const frames = new Frames({ count: 50 });
  const parts = new BufferedResponse(frames, { limits: LIMITS })[Symbol.asyncIterator]();
  await take(parts);
  await settle();
  // One was taken, six fill the buffer, and one exceeds it.
  assertEquals(frames.given, 8);
  for (let frame = 2; frame <= 50; frame++) assertEquals(await take(parts), frame);
  assertEquals(await take(parts), undefined);
});

pureTest("BufferedResponse stops reading if the protocol has no pause", async () => {
  const frames = new Frames({ count: 50, controls: false });
  const parts = new BufferedResponse(frames, { limits: LIMITS })[Symbol.asyncIterator]();
  await take(parts);
  await settle();
  assertEquals(frames.given, 5);
  for (let frame = 2; frame <= 50; frame++) assertEquals(await take(parts), frame);
});

pureTest("BufferedResponse gives all parts before it throws a failure", async () => {
  const frames = new Frames({ count: 2, failure: new Error("it was cut") });
  const parts = new BufferedResponse(frames, { limits: LIMITS })[Symbol.asyncIterator]();
  await settle();
  assertEquals([await take(parts), await take(parts)], [1, 2]);
  await assertRejects(() => take(parts), Error, "it was cut");
});

pureTest("BufferedResponse closes the connection when iteration stops", async () => {
  for (const controls of [true, false]) {
    const frames = new Frames({ count: 50, controls });
    for await (const part of new BufferedResponse(frames, { limits: LIMITS })) {
      if (part.kind === "frame" && part.frame.timestamp === 3) break;
    }
    assertEquals(frames.abandoned, true);
  }
});
