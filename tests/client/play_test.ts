import { assertEquals, assertRejects } from "@std/assert";
import type { AnswerPart } from "../../lib/client/answer.ts";
import { play } from "../../lib/client/play.ts";
import { Statistics } from "../../lib/client/statistics.ts";
import type { Description } from "../../lib/core/frame.ts";
import type { Viewer } from "../../lib/viewers/viewer.ts";
import { GREY } from "../support/scripted_server.ts";

const DESCRIPTION: Description = { name: "grey", live: false, streams: [GREY] };
const END = { frames: 3, audioFrames: 0, bytes: 3, dropped: 2, reason: "end" };

/** What a viewer of the tests does at its third frame. */
type Behaviour = "watches" | "closes" | "fails" | "fails to begin" | "fails to finish";

class TestViewer implements Viewer {
  readonly calls: string[] = [];
  #behaviour: Behaviour;

  constructor(behaviour: Behaviour = "watches") {
    this.#behaviour = behaviour;
  }

  begin({ name, still }: { name: string; still: boolean }): Promise<void> {
    this.calls.push(`begin ${name} ${still}`);
    return this.#failAs("fails to begin");
  }

  async show({ timestamp }: { timestamp: number }): Promise<boolean> {
    this.calls.push(`show ${timestamp}`);
    if (timestamp < 2) return true;
    await this.#failAs("fails");
    return this.#behaviour !== "closes";
  }

  async finish(whole: boolean): Promise<string> {
    this.calls.push(`finish ${whole}`);
    await this.#failAs("fails to finish");
    return "it is done";
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }

  #failAs(behaviour: Behaviour): Promise<void> {
    if (this.#behaviour !== behaviour) return Promise.resolve();
    return Promise.reject(new Error(`Cannot go on: it ${behaviour}`));
  }
}

async function* answer(
  { until = 4, then = "end" }: { until?: number; then?: "end" | "cut" } = {},
): AsyncGenerator<AnswerPart> {
  yield { kind: "describe", description: DESCRIPTION };
  for (let timestamp = 0; timestamp < until; timestamp++) {
    const frame = { streamId: 0, timestamp, keyframe: true, data: new Uint8Array(1) };
    yield { kind: "frame", frame, dropped: false };
  }
  if (then === "cut") throw new Error("the connection was cut");
  yield { kind: "end", end: { ...END, warning: "a block is missing" } };
}

function playTo(
  viewers: readonly Viewer[],
  parts = answer(),
  signal = new AbortController().signal,
) {
  const statistics = new Statistics("get_video");
  return play(parts, { viewers, statistics, still: false, signal });
}

Deno.test({
  name: "play() shows everything to all viewers, and finishes them",
  permissions: "none",
  async fn() {
    const viewers = [new TestViewer(), new TestViewer()];
    const result = await playTo(viewers);
    assertEquals(result.outcome, "whole");
    assertEquals(result.notes, [
      "the media is damaged: a block is missing",
      "it is done",
      "it is done",
    ]);
    for (const { calls } of viewers) {
      assertEquals(calls, [
        "begin grey false",
        ...["show 0", "show 1", "show 2", "show 3"],
        "finish true",
      ]);
    }
  },
});

Deno.test({
  name: "play() goes on without a viewer that was closed, and ends with the last",
  permissions: "none",
  async fn() {
    const [closing, watching] = [new TestViewer("closes"), new TestViewer()];
    const both = await playTo([closing, watching]);
    assertEquals([both.outcome, both.failures], ["whole", []]);
    assertEquals(closing.calls.at(-1), "show 2");
    assertEquals(watching.calls.at(-1), "finish true");
    assertEquals((await playTo([new TestViewer("closes")])).outcome, "closed");
  },
});

for (const behaviour of ["fails", "fails to begin", "fails to finish"] as const) {
  Deno.test({
    name: `play() goes on without a viewer that ${behaviour}, and tells of it`,
    permissions: "none",
    async fn() {
      const watching = new TestViewer();
      const result = await playTo([new TestViewer(behaviour), watching]);
      assertEquals(result.failures.map(String), [`Error: Cannot go on: it ${behaviour}`]);
      assertEquals([result.outcome, watching.calls.at(-1)], ["whole", "finish true"]);
    },
  });

  Deno.test({
    name: `play() fails where the last viewer ${behaviour}`,
    permissions: "none",
    async fn() {
      await assertRejects(
        () => playTo([new TestViewer(behaviour)]),
        Error,
        `Cannot go on: it ${behaviour}`,
      );
    },
  });
}

Deno.test({
  name: "play() finishes viewers of an answer that is cut, as not whole",
  permissions: "none",
  async fn() {
    const viewer = new TestViewer();
    const result = await playTo([viewer], answer({ until: 2, then: "cut" }));
    assertEquals([result.outcome, String(result.reason)], ["cut", "Error: the connection was cut"]);
    assertEquals(viewer.calls.at(-1), "finish false");
  },
});

Deno.test({
  name: "play() tells a stop from a cut",
  permissions: "none",
  async fn() {
    const viewer = new TestViewer();
    const parts = answer({ until: 2, then: "cut" });
    const result = await playTo([viewer], parts, AbortSignal.abort());
    assertEquals([result.outcome, viewer.calls.at(-1)], ["stopped", "finish false"]);
  },
});

Deno.test({
  name: "play() counts what came and what the server left out",
  permissions: "none",
  async fn() {
    const statistics = new Statistics("get_video", () => 0);
    const signal = new AbortController().signal;
    await play(answer(), { viewers: [new TestViewer()], statistics, still: false, signal });
    assertEquals(
      [statistics.name, statistics.frames, statistics.bytes, statistics.dropped],
      ["grey", 4, 4, 2],
    );
  },
});
