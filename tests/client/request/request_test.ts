import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { RequestError } from "../../../lib/base/errors.ts";
import { ConnectError, CutError } from "../../../lib/net/errors.ts";
import type { OpenResponse, ResponsePart } from "../../../lib/protocol/media_response.ts";
import {
  ReconnectingResponse,
  type ReconnectOptions,
} from "../../../lib/client/request/request.ts";
import type { AudioStream, Description, Frame } from "../../../lib/media/frame.ts";
import type { Control, MediaRequest } from "../../../lib/protocol/native/request.ts";
import { GREY } from "../../support/peers/scripted_server.ts";
import { pureTest } from "../../support/pure_test.ts";
import { HandClock } from "../../support/time/hand_clock.ts";

const SOUND: AudioStream = {
  ...{ type: "audio", id: 1, codec: "pcm_s16le", fourcc: "PSD\x10", timeBase: [1, 48_000] },
  ...{ extradata: new Uint8Array(), sampleRate: 48_000, channels: 2 },
};

const FILE: Description = {
  ...{ name: "grey", live: false, duration: 10, etag: "one", streams: [GREY, SOUND] },
};

const END = { frames: 0, audioFrames: 0, bytes: 0, dropped: 0, reason: "end" };

/**
 * A step of a connection: a part, a cut, an error of the server, a wait for a control, or a call.
 */
type Step = ResponsePart | "cut" | RequestError | "control" | (() => void);

const DESCRIBED: Step = { kind: "describe", description: FILE };
const ENDED: Step = { kind: "end", end: END };

function picture(timestamp: number, more: Partial<Frame> = {}): Step {
  const data = new Uint8Array(1);
  const frame = { streamId: 0, timestamp, keyframe: true, data, ...more };
  return { kind: "frame", frame, dropped: false };
}

/** Connections that follow steps, one after the other, and the requests and controls they got. */
class Connections {
  readonly requests: MediaRequest[] = [];
  readonly controls: (Control & { connection: number })[] = [];
  readonly lines: string[] = [];
  readonly clock = new HandClock({ skips: true });
  /** Number of open connections. */
  open = 0;
  reconnects = 0;
  #turns: (readonly Step[])[];
  #heard = Promise.withResolvers<void>();

  constructor(...turns: (readonly Step[])[]) {
    this.#turns = turns;
  }

  response(
    request: Partial<MediaRequest> = {},
    options: Partial<ReconnectOptions> = {},
  ): ReconnectingResponse {
    return new ReconnectingResponse({ command: "get_video", ...request }, {
      open: (request, signal) => this.#open(request, signal),
      limits: { first: 0, later: 5 },
      seekable: false,
      signal: new AbortController().signal,
      notify: (line) => void this.lines.push(line),
      onReconnect: () => this.reconnects++,
      clock: this.clock,
      ...options,
    });
  }

  #open(request: MediaRequest, signal: AbortSignal) {
    signal.throwIfAborted();
    const connection = this.requests.push(request) - 1;
    const steps = this.#turns[connection];
    if (steps === undefined) return Promise.reject(new ConnectError("nobody is there"));
    this.open++;
    const response: OpenResponse = {
      control: (control) => {
        this.controls.push({ ...control, connection });
        this.#heard.resolve();
        return Promise.resolve();
      },
      [Symbol.asyncIterator]: () => this.#parts(steps),
      [Symbol.dispose]: () => void this.open--,
    };
    return Promise.resolve(response);
  }

  async *#parts(steps: readonly Step[]): AsyncGenerator<ResponsePart> {
    for (const step of steps) {
      if (step === "cut") throw new CutError("the connection was cut");
      if (step instanceof Error) throw step;
      if (step === "control") {
        await this.#heard.promise;
        this.#heard = Promise.withResolvers();
      } else if (typeof step === "function") {
        step();
      } else {
        yield step;
      }
    }
  }
}

/** The parts of a response, as short texts. */
async function take(response: AsyncIterable<ResponsePart>): Promise<string[]> {
  const taken: string[] = [];
  for await (const part of response) taken.push(inShort(part));
  return taken;
}

function inShort(part: ResponsePart): string {
  if (part.kind === "frame") {
    const { streamId, timestamp, discontinuity } = part.frame;
    return `${streamId}:${timestamp}${discontinuity ? " new" : ""}`;
  }
  if (part.kind === "control") return `to ${part.control.to}`;
  return part.kind;
}

pureTest(
  "ReconnectingResponse requests the rest of each stream, of PCM by its samples",
  async () => {
    const connections = new Connections(
      [
        ...[DESCRIBED, picture(-2), picture(3)],
        picture(480, { streamId: 1, data: new Uint8Array(40) }),
        ...[picture(1), "cut"] as const,
      ],
      [DESCRIBED, picture(2, { discontinuity: true }), "cut"],
      [DESCRIBED, picture(4), ENDED],
    );
    const request = { start: 5, duration: 3, encoding: "copy" } as const;
    using response = connections.response(request);
    const end: ResponsePart[] = [];
    const taken: string[] = [];
    for await (const part of response) {
      taken.push(inShort(part));
      if (part.kind === "end") end.push(part);
    }
    assertEquals(taken, ["describe", "0:-2", "0:3", "1:480", "0:1", "0:2 new", "0:4", "end"]);
    assertEquals(connections.requests.map(({ resume }) => resume), [
      undefined,
      [{ id: 0, after: 1 }, { id: 1, after: 480, next: 490 }],
      [{ id: 0, after: 2, breaks: 1 }, { id: 1, after: 480, next: 490 }],
    ]);
    assert(connections.requests.every(({ start, duration }) => start === 5 && duration === 3));
    assertEquals(end, [{ kind: "end", end: { ...END, frames: 5, audioFrames: 1, bytes: 45 } }]);
    assertEquals([connections.reconnects, connections.open], [2, 0]);
  },
);

pureTest("ReconnectingResponse adds up dropped frames over all connections", async () => {
  const notice = (dropped: number): Step => ({
    kind: "notice",
    notice: { code: "dropped", message: "", dropped },
  });
  const connections = new Connections(
    [DESCRIBED, picture(0), notice(3), notice(5), "cut"],
    [DESCRIBED, notice(2), { kind: "end", end: { ...END, dropped: 4 } }],
  );
  const dropped: unknown[] = [];
  for await (const part of connections.response()) {
    if (part.kind === "notice") dropped.push(part.notice.dropped);
    if (part.kind === "end") dropped.push(part.end.dropped);
  }
  assertEquals(dropped, [3, 5, 7, 9]);
});

pureTest("ReconnectingResponse seeks to the position after the user has sought", async () => {
  const echo = (to: number, id: number): Step => ({
    kind: "control",
    control: { action: "seek", to, id },
  });
  const connections = new Connections(
    [DESCRIBED, picture(0), "control", echo(4, 1), picture(50), picture(75), "cut"],
    // Frames before the reply are from the start.
    [DESCRIBED, picture(0), "control", picture(1), echo(5, 1), picture(76), "cut"],
    [DESCRIBED, "control", echo(5.04, 1), picture(77), ENDED],
  );
  using response = connections.response({ start: 2 }, { seekable: true });
  const taken: string[] = [];
  for await (const part of response) {
    taken.push(inShort(part));
    if (taken.length === 2) await response.control({ action: "seek", to: 4, id: 1 });
  }
  assertEquals(
    taken,
    ["describe", "0:0", "to 4", "0:50", "0:75", "to 5", "0:76", "to 5.04", "0:77", "end"],
  );
  assertEquals(connections.controls, [
    { action: "seek", to: 4, id: 1, connection: 0 },
    { action: "seek", to: 5, id: 1, connection: 1 },
    { action: "seek", to: 5.04, id: 1, connection: 2 },
  ]);
  assert(connections.requests.every(({ resume }) => resume === undefined));
});

pureTest("ReconnectingResponse repeats a seek that was not answered, and a pause", async () => {
  const connections = new Connections(
    [DESCRIBED, picture(0), "cut"],
    [DESCRIBED, "control", ENDED],
  );
  using response = connections.response({}, { seekable: true });
  for await (const part of response) {
    if (part.kind !== "frame") continue;
    await response.control({ action: "pause" });
    await response.control({ action: "resume" });
    await response.control({ action: "pause" });
    await response.control({ action: "seek", to: 7, id: 3 });
  }
  assertEquals(connections.controls.filter(({ connection }) => connection === 1), [
    { action: "seek", to: 7, id: 3, connection: 1 },
    { action: "pause", connection: 1 },
  ]);
});

pureTest("ReconnectingResponse resumes paused, without a seek, at the next frame", async () => {
  const connections = new Connections(
    [DESCRIBED, picture(0), picture(1), "cut"],
    ...Array.from({ length: 9 }, () => [DESCRIBED, "cut"] as const),
    [DESCRIBED, "control", picture(2), ENDED],
  );
  using response = connections.response({}, { seekable: true });
  const taken: string[] = [];
  for await (const part of response) {
    taken.push(inShort(part));
    if (taken.length === 3) await response.control({ action: "pause" });
  }
  // While paused, no frame arrives to reset the retries, so each reconnection does.
  assertEquals(taken, ["describe", "0:0", "0:1", "0:2", "end"]);
  assertEquals(connections.requests.at(-1)?.resume, [{ id: 0, after: 1 }]);
  assertEquals(connections.controls.at(-1), { action: "pause", connection: 10 });
});

pureTest(
  "ReconnectingResponse resumes a loop that is watched with a seek into the round",
  async () => {
    const echo: Step = { kind: "control", control: { action: "seek", to: 4, id: 0 } };
    const view = new Connections(
      [DESCRIBED, picture(0), picture(25 * 18), "cut"],
      [DESCRIBED, "control", echo, picture(50), ENDED],
    );
    // A round takes eight seconds, since it starts at 2 s.
    await take(view.response({ loop: true, start: 2 }, { seekable: true }));
    assertEquals(view.controls, [{ action: "seek", to: 4, id: 0, connection: 1 }]);
    const recording = new Connections(
      [DESCRIBED, picture(0), picture(25 * 18, { discontinuity: true }), "cut"],
      [DESCRIBED, ENDED],
    );
    await take(recording.response({ loop: true }));
    assertEquals(recording.controls, []);
    assertEquals(recording.requests[1].resume, [{ id: 0, after: 450, breaks: 1 }]);
  },
);

pureTest("ReconnectingResponse makes no connection after the user quits", async () => {
  const quit = new AbortController();
  const connections = new Connections([DESCRIBED, picture(0), "cut"], [DESCRIBED, ENDED]);
  const sleep = (_: number, signal: AbortSignal) =>
    new Promise<void>((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason));
      quit.abort();
    });
  using response = connections.response({}, {
    quit: quit.signal,
    clock: { now: () => 0, sleep },
  });
  await assertRejects(() => take(response));
  assertEquals([connections.requests.length, connections.open], [1, 0]);
  // A cut after that ends the response.
  const ended = new AbortController();
  const cut = new Connections([DESCRIBED, picture(0), () => ended.abort(), "cut"], [ENDED]);
  await assertRejects(() => take(cut.response({}, { quit: ended.signal })), CutError);
  assertEquals([cut.requests.length, cut.lines], [1, []]);
});

pureTest(
  "ReconnectingResponse.connect() retries within the limit for the first connection",
  async () => {
    const nobody = new Connections();
    const limits = { first: 2, later: 9 };
    using response = nobody.response({}, { limits });
    const error = await assertRejects(() => response.connect(), ConnectError);
    assertEquals(error.message, "nobody is there; tried again 2 times");
    assertEquals(nobody.requests.length, 3);
    const quit = new AbortController();
    using left = nobody.response({}, { limits, quit: quit.signal });
    quit.abort();
    await left.connect();
    await assertRejects(() => take(left));
    assertEquals(nobody.requests.length, 3);
  },
);

pureTest("ReconnectingResponse closes its connection when disposed", async () => {
  const connections = new Connections([DESCRIBED]);
  const response = connections.response();
  await response.connect();
  assertEquals(connections.open, 1);
  response[Symbol.dispose]();
  assertEquals(connections.open, 0);
});

pureTest("ReconnectingResponse retries if it is cut while waiting for a decoder", async () => {
  const notice = { code: "waiting", message: "place 2", position: 2 } as const;
  const connections = new Connections([{ kind: "notice", notice }, "cut"], [DESCRIBED, ENDED]);
  assertEquals(await take(connections.response()), ["notice", "describe", "end"]);
  assertEquals(connections.lines, ["Connection lost; trying again in 1 s (1 of 5)"]);
});

pureTest(
  "ReconnectingResponse requests by name the media that the server chose first",
  async () => {
    const connections = new Connections([DESCRIBED, picture(0), "cut"], [DESCRIBED, ENDED]);
    await take(connections.response());
    assertEquals(connections.requests.map(({ name }) => name), [undefined, "grey"]);
  },
);

pureTest("ReconnectingResponse waits for a live source that is not back yet", async () => {
  const live: Step = { kind: "describe", description: { ...FILE, live: true, etag: undefined } };
  const away = new RequestError("media_error", "Cannot show the camera: it gives nothing");
  const connections = new Connections([live, picture(0), "cut"], [away], [live, picture(0), ENDED]);
  const taken = await take(connections.response());
  assertEquals(taken.map((part) => part.split(":")[0]), ["describe", "0", "0", "end"]);
  assertMatch(connections.lines[1], /^Cannot show the camera: .*; trying again in 2 s \(2 of 5\)$/);
  // A file that cannot be read is not retried.
  const file = new Connections([DESCRIBED, picture(0), "cut"], [away]);
  await assertRejects(() => take(file.response()), RequestError);
  assertEquals(file.requests.length, 2);
});

pureTest(
  "ReconnectingResponse does not reconnect to a live source after its duration has passed",
  async () => {
    const live: Step = { kind: "describe", description: { ...FILE, live: true, etag: undefined } };
    const connections = new Connections(
      [live, picture(0), () => connections.clock.pass(5000), "cut"],
      [live, ENDED],
    );
    const taken = await take(connections.response({ duration: 5 }));
    assertEquals(taken, ["describe", "0:0", "end"]);
    assertEquals(connections.requests.length, 1);
    assertMatch(
      connections.lines.at(-1) ?? "",
      /^What was asked for is over: its last [56]\.\d s are/,
    );
  },
);

pureTest("ReconnectingResponse does not reconnect to a server that cannot resume", async () => {
  const description = { ...FILE, etag: undefined };
  const connections = new Connections([{ kind: "describe", description }, picture(0), "cut"]);
  await assertRejects(() => take(connections.response()), CutError, "the connection was cut");
  assertEquals(connections.requests.length, 1);
});
