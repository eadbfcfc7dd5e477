import { assertEquals, assertRejects } from "@std/assert";
import { SuccessiveSink, type SuccessiveSinkOptions } from "../../lib/sinks/successive_sink.ts";
import { SinkGroup } from "../../lib/sinks/presenter.ts";
import type { Presentation, Sink } from "../../lib/sinks/sink.ts";
import { GREY } from "../support/peers/scripted_server.ts";
import { pureTest } from "../support/pure_test.ts";

const GREYS: Presentation = {
  ...{ name: "grey", live: true, streams: [GREY], still: false, encoding: "raw" },
  ...{ speed: 1, lead: 0, firstPicture: 0 },
};

/** A sink that records its calls, and has a note at its end if there was a frame. */
function noted(calls: string[], part: number): Sink {
  let frames = 0;
  const call = (what: string) => Promise.resolve(void calls.push(`${what} ${part}`));
  return {
    begin: () => call("begin"),
    async show() {
      frames++;
      await call("show");
      return true;
    },
    async finish(whole) {
      await call(`finish ${whole}`);
      return frames === 0 ? undefined : `wrote ${part}`;
    },
    [Symbol.asyncDispose]: () => call("dispose"),
  };
}

function successive(calls: string[], options: Partial<SuccessiveSinkOptions> = {}) {
  const create = (part: number) => noted(calls, part);
  return new SuccessiveSink({ create, isRecording: true, ...options });
}

const frame = { streamId: 0, timestamp: 0, keyframe: true, data: new Uint8Array(1) };

pureTest("SuccessiveSink completes a recording before the next begins", async () => {
  const calls: string[] = [];
  {
    const next: number[] = [];
    await using sink = successive(calls, { onNext: (part) => void next.push(part) });
    await sink.begin(GREYS);
    await sink.show(frame);
    await sink.begin(GREYS);
    await sink.show(frame);
    assertEquals(await sink.finish(false), "wrote 1; wrote 2");
    assertEquals(next, [2]);
  }
  assertEquals(calls, [
    ...["begin 1", "show 1", "finish true 1", "dispose 1"],
    ...["begin 2", "show 2", "finish false 2", "dispose 2"],
  ]);
});

pureTest("SuccessiveSink uses the number of a part without frames again", async () => {
  const calls: string[] = [];
  await using sink = successive(calls);
  await sink.begin(GREYS);
  await sink.begin(GREYS);
  assertEquals(calls, ["begin 1", "finish true 1", "dispose 1", "begin 1"]);
});

pureTest("SuccessiveSink ends what a view shows at once", async () => {
  const calls: string[] = [];
  await using sink = successive(calls, { isRecording: false });
  await sink.begin(GREYS);
  await sink.show(frame);
  await sink.begin(GREYS);
  assertEquals(calls.slice(2), ["finish false 1", "dispose 1", "begin 1"]);
});

pureTest("SuccessiveSink begins nothing if there can be no other part", async () => {
  const calls: string[] = [];
  await using sink = successive(calls, {
    onNext: () => {
      throw new Error("Cannot go on");
    },
  });
  await sink.begin(GREYS);
  await sink.show(frame);
  const group = new SinkGroup([sink]);
  await assertRejects(() => group.begin(GREYS), Error, "Cannot go on; wrote 1");
  assertEquals(calls.at(-1), "dispose 1");
});

pureTest("SuccessiveSink has the methods that its sinks have", () => {
  const jump = () => Promise.resolve();
  const view = successive([], { create: () => ({ ...noted([], 1), jump }) });
  assertEquals([view.jump !== undefined, view.takeMessage], [true, undefined]);
  assertEquals(successive([]).jump, undefined);
});
