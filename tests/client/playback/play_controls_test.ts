import { assertEquals } from "@std/assert";
import { PlayerControls } from "../../../lib/client/playback/controls.ts";
import { play } from "../../../lib/client/playback/play.ts";
import { Statistics } from "../../../lib/client/playback/statistics.ts";
import type { AnswerPart, MediaAnswer } from "../../../lib/client/request/request.ts";
import type { Viewer } from "../../../lib/sinks/sink.ts";
import { answer, DESCRIPTION, END, TestViewer } from "../../support/client_played.ts";

/** An answer that goes on until it is stopped, and what it was told. */
function controlled({ farewell = true } = {}): MediaAnswer & { told: unknown[] } {
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

function withControls(answer: MediaAnswer, viewers: readonly Viewer[]) {
  const statistics = new Statistics("get_video");
  const controls = new PlayerControls({ recording: false, tell: () => {}, farewell: 1 });
  const { signal } = new AbortController();
  const options = { viewers, statistics, controls, still: false, signal };
  return { controls, statistics, result: play(answer, options) };
}

Deno.test({
  name: "play() takes leave of the server when the last viewer is closed",
  permissions: "none",
  async fn() {
    const answer = controlled();
    const viewer = new TestViewer("closes");
    const { controls, result } = withControls(answer, [viewer]);
    assertEquals((await result).outcome, "closed");
    controls[Symbol.dispose]();
    assertEquals(answer.told, ["stop"]);
    assertEquals(viewer.calls.slice(-1), ["show 2"]);
  },
});

Deno.test({
  name: "play() leaves a server that does not answer the farewell",
  permissions: "none",
  async fn() {
    const answer = controlled({ farewell: false });
    const { controls, result } = withControls(answer, [new TestViewer("closes")]);
    assertEquals((await result).outcome, "closed");
    controls[Symbol.dispose]();
    assertEquals(answer.told, ["stop"]);
  },
});

Deno.test({
  name: "play() tells viewers of a seek, and counts from there",
  permissions: "none",
  async fn() {
    const jumps: number[] = [];
    const viewer = Object.assign(new TestViewer(), {
      jump: (to: number) => Promise.resolve(void jumps.push(to)),
    });
    async function* sought(): AsyncGenerator<AnswerPart> {
      for await (const part of answer({ until: 2 })) {
        if (part.kind === "end") yield { kind: "control", control: { action: "seek", to: 40 } };
        yield part;
      }
    }
    const { controls, statistics, result } = withControls(sought(), [viewer]);
    assertEquals((await result).outcome, "whole");
    controls[Symbol.dispose]();
    assertEquals([jumps, statistics.position], [[40], 40]);
  },
});
