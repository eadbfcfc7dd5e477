import { assertEquals } from "@std/assert";
import { PlayerControls } from "../../lib/client/playback/controls.ts";
import { play } from "../../lib/playback/play.ts";
import { Statistics } from "../../lib/playback/statistics.ts";
import type { MediaResponse, ResponsePart } from "../../lib/protocol/media_response.ts";
import type { Sink } from "../../lib/sinks/sink.ts";
import { DESCRIPTION, END, response, TestSink } from "../support/media/test_sink.ts";
import { pureTest } from "../support/pure_test.ts";

/** A response that goes on until it is stopped, and the actions that it was sent. */
function controlled({ stops = true } = {}): MediaResponse & { actions: unknown[] } {
  const actions: unknown[] = [];
  const stopped = Promise.withResolvers<void>();
  return {
    actions,
    control(control) {
      actions.push(control.action);
      if (control.action === "stop" && stops) stopped.resolve();
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
  const controls = new PlayerControls({ recording: false, notify: () => {}, stopTimeout: 1 });
  const { signal } = new AbortController();
  const options = { sinks, statistics, controls, still: false, signal };
  return { controls, statistics, result: play(response, options) };
}

pureTest("play() stops the server when the last sink is closed", async () => {
  const response = controlled();
  const sink = new TestSink("closes");
  const { controls, result } = withControls(response, [sink]);
  assertEquals((await result).outcome, "closed");
  controls[Symbol.dispose]();
  assertEquals(response.actions, ["stop"]);
  assertEquals(sink.calls.slice(-1), ["show 2"]);
});

pureTest("play() leaves a server that does not stop", async () => {
  const response = controlled({ stops: false });
  const { controls, result } = withControls(response, [new TestSink("closes")]);
  assertEquals((await result).outcome, "closed");
  controls[Symbol.dispose]();
  assertEquals(response.actions, ["stop"]);
});

pureTest("play() passes a seek on to the sinks, and counts from there", async () => {
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
