/** A small response and a sink that can fail, for tests of playing. */
import type { ResponsePart } from "../../../lib/protocol/media_response.ts";
import type { Description } from "../../../lib/media/frame.ts";
import type { Sink } from "../../../lib/sinks/sink.ts";
import { GREY } from "../peers/scripted_server.ts";

/** One grey stream. */
export const DESCRIPTION: Description = { name: "grey", live: false, streams: [GREY] };
/** The end of the response. */
export const END = { frames: 3, audioFrames: 0, bytes: 3, dropped: 2, reason: "end" };

/** What the sink does at its third frame. */
type Behaviour = "watches" | "closes" | "fails" | "fails to begin" | "fails to finish";

/** A sink that records its calls. */
export class TestSink implements Sink {
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

/** A response of some frames, with an end or cut off. */
export async function* response(
  { until = 4, then = "end" }: { until?: number; then?: "end" | "cut" } = {},
): AsyncGenerator<ResponsePart> {
  yield { kind: "describe", description: DESCRIPTION };
  for (let timestamp = 0; timestamp < until; timestamp++) {
    const frame = { streamId: 0, timestamp, keyframe: true, data: new Uint8Array(1) };
    yield { kind: "frame", frame, dropped: false };
  }
  if (then === "cut") throw new Error("the connection was cut");
  yield { kind: "end", end: { ...END, warning: "a block is missing" } };
}
