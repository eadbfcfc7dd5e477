import { assertEquals } from "@std/assert";
import { PlayerControls } from "../../../lib/client/playback/controls.ts";
import { play } from "../../../lib/client/playback/play.ts";
import { Statistics } from "../../../lib/client/playback/statistics.ts";
import type { MediaResponse, ResponsePart } from "../../../lib/client/request/request.ts";
import type { Sink } from "../../../lib/sinks/sink.ts";
import { DESCRIPTION, END, response, TestSink } from "../../support/media/test_sink.ts";
import { pureTest } from "../../support/pure_test.ts";

/** An answer that goes on until it is stopped, and what it was told. */
function controlled({ farewell = true } = {}): MediaResponse & { told: unknown[] } {
  const told: unknown[] = [];
  const stopped = Promise.withResolvers<void>();
  return {
    told,
    control(control) {
      told.push(control.action);
      if (control.action === "stop" && farewell) stopped.resolve();
      return Promise.resolve();
    },
    abandon: () => stopped.reject(new Error("the connection was cut")),
    async *[Symbol.asyncIterator]() {
      yield { kind: "describe", description: DESCRIPTION } as const;
      for (let timestamp = 0; timestamp < 5; timestamp++) {
        const frame = { streamId: 0, timestamp, keyframe: true, data: new Uint8Array(1) };
        yield { kind: "frame", frame, dropped: false } as const;
      }
      await stopped.promise;
      yield { kind: "end", end: { ...END, reason: "stopped" } } as const;
    },
  };
}

function withControls(response: MediaResponse, sinks: readonly Sink[]) {
  const statistics = new Statistics("get_video");
  const controls = new PlayerControls({ recording: false, tell: () => {}, farewell: 1 });
  const { signal } = new AbortController();
  const options = { sinks, statistics, controls, still: false, signal };
  return { controls, statistics, result: play(response, options) };
}

pureTest("play() takes leave of the server when the last viewer is closed", async () => {
  const response = controlled();
  const sink = new TestSink("closes");
  const { controls, result } = withControls(response, [sink]);
  assertEquals((await result).outcome, "closed");
  controls[Symbol.dispose]();
  assertEquals(response.told, ["stop"]);
  assertEquals(sink.calls.slice(-1), ["show 2"]);
});

pureTest("play() leaves a server that does not answer the farewell", async () => {
  const response = controlled({ farewell: false });
  const { controls, result } = withControls(response, [new TestSink("closes")]);
  assertEquals((await result).outcome, "closed");
  controls[Symbol.dispose]();
  assertEquals(response.told, ["stop"]);
});

pureTest("play() tells viewers of a seek, and counts from there", async () => {
  const jumps: number[] = [];
  const sink = Object.assign(new TestSink(), {
    jump: (to: number) => Promise.resolve(void jumps.push(to)),
  });
  async function* sought(): AsyncGenerator<ResponsePart> {
    for await (const part of response({ until: 2 })) {
      if (part.kind === "end") yield { kind: "control", control: { action: "seek", to: 40 } };
      yield part;
    }
  }
  const { controls, statistics, result } = withControls(sought(), [sink]);
  assertEquals((await result).outcome, "whole");
  controls[Symbol.dispose]();
  assertEquals([jumps, statistics.position], [[40], 40]);
});
