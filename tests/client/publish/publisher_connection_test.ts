import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { onAbort } from "../../../lib/base/async.ts";
import { type Clock, wallClock } from "../../../lib/base/clock.ts";
import { FormatError, RequestError } from "../../../lib/base/errors.ts";
import {
  PublisherConnection,
  TotalsError,
} from "../../../lib/client/publish/publisher_connection.ts";
import { CutError, ShutdownError } from "../../../lib/net/errors.ts";
import {
  encodeControl,
  type MediaRequest,
  parseRequest,
} from "../../../lib/protocol/native/request.ts";
import {
  encodeAcceptance,
  encodeEnd,
  encodeError,
  encodeNotice,
} from "../../../lib/protocol/native/response.ts";
import { encodeFrame, encodeMessage } from "../../../lib/protocol/native/framing.ts";
import { SharedFrame } from "../../../lib/sources/live/shared_frame.ts";
import {
  GREY,
  heard,
  say,
  type Script,
  ScriptedServer,
  untilGone,
} from "../../support/peers/scripted_server.ts";
import { HandClock } from "../../support/time/hand_clock.ts";

const ACCEPT = encodeMessage("accept", encodeAcceptance({ name: "cam", watched: true }));
const REQUEST: MediaRequest = { command: "publish", name: "cam" };

/** What a connection told. */
interface Told {
  /** The names of all calls. */
  calls: string[];
  /** Whether it was watched when the server accepted. */
  isWatched?: boolean;
  asked: unknown[];
  viewers: number[];
  /** Settled once viewers were counted. */
  counted: Promise<void>;
}

/** Runs a test with a connection to a server that follows a script. */
async function withConnection(
  script: Script,
  act: (connection: PublisherConnection, told: Told) => Promise<void>,
  { clock }: { clock?: Clock } = {},
): Promise<void> {
  await using server = new ScriptedServer(script);
  const { hostname: host, port } = server.address;
  const counted = Promise.withResolvers<void>();
  const told: Told = { calls: [], asked: [], viewers: [], counted: counted.promise };
  using connection = await PublisherConnection.open(REQUEST, {
    target: { host, port },
    signal: new AbortController().signal,
    clock,
    onAccepted: (isWatched) => {
      told.calls.push("accepted");
      told.isWatched = isWatched;
    },
    onAsked: (action) => {
      told.calls.push("asked");
      told.asked.push(action);
    },
    onViewers: (viewers) => {
      told.calls.push("viewers");
      told.viewers.push(viewers);
      counted.resolve();
    },
  });
  await act(connection, told);
}

function greyFrame(size = 4) {
  const data = new Uint8Array(256 + size).subarray(256);
  const frame = { streamId: 0, timestamp: 0, keyframe: true, captured: wallClock(), data };
  const shared = new SharedFrame(frame, {
    ...{ type: "video", time: 0, prepare: encodeFrame, recycle: () => {} },
  });
  return { kind: "frame", frame: shared, dropped: false, discontinuity: false } as const;
}

Deno.test("PublisherConnection asks to publish, and hears what the server wants", async () => {
  let request: MediaRequest | undefined;
  await withConnection(async (peer, { bytes }) => {
    request = parseRequest(bytes.subarray(16));
    await say(
      peer,
      encodeMessage("ping", new Uint8Array(3)),
      ACCEPT,
      encodeMessage("control", encodeControl({ action: "pause" })),
      encodeMessage("notice", encodeNotice({ code: "viewers", message: "", viewers: 3 })),
    );
    await untilGone(peer);
  }, async (connection, told) => {
    const { asked, viewers, calls } = told;
    await told.counted;
    assertEquals(calls, ["accepted", "asked", "viewers"]);
    assertEquals([request?.command, request?.name], ["publish", "cam"]);
    assertEquals([asked, viewers, told.isWatched], [["pause"], [3], true]);
    assertEquals(connection.lost.aborted, false);
  });
});

Deno.test("PublisherConnection answers a ping with the clock of its capture times", async () => {
  const answered = Promise.withResolvers<Awaited<ReturnType<typeof heard>>>();
  await withConnection(async (peer) => {
    await say(peer, ACCEPT, encodeMessage("ping", new Uint8Array([1, 2, 3])));
    answered.resolve(await heard(peer));
    await untilGone(peer);
  }, async () => {
    const before = wallClock();
    const { kind, timestamp, payload } = await answered.promise;
    assertEquals([kind, payload], ["pong", new Uint8Array([1, 2, 3])]);
    assert(Math.abs(timestamp - before) < 60e6);
  });
});

Deno.test("PublisherConnection.ready() waits until the server has taken enough", async () => {
  const mayAnswer = Promise.withResolvers<void>();
  await withConnection(async (peer) => {
    await say(peer, ACCEPT);
    let message = await heard(peer);
    while (message.kind !== "ping") message = await heard(peer);
    await mayAnswer.promise;
    await say(peer, encodeMessage("pong", message.payload, { timestamp: wallClock() }));
    await untilGone(peer);
  }, async (connection) => {
    const { signal: never } = new AbortController();
    await connection.describe({ streams: [GREY], data: [] });
    await connection.ready(never);
    await connection.send(greyFrame(200_000));
    const stop = new AbortController();
    const waiting = connection.ready(stop.signal);
    stop.abort();
    await assertRejects(() => waiting, DOMException);
    mayAnswer.resolve();
    await connection.ready(never);
  });
});

Deno.test("PublisherConnection marks what it sent when an answer fills the window", async () => {
  const [mayAnswer, marked, mayOpen] = [0, 1, 2].map(() => Promise.withResolvers<void>());
  const clock = new HandClock();
  await withConnection(async (peer) => {
    const mark = async () => {
      let message = await heard(peer);
      while (message.kind !== "ping") message = await heard(peer);
      return encodeMessage("pong", message.payload, { timestamp: wallClock() });
    };
    await say(peer, ACCEPT);
    const first = await mark();
    clock.pass(1);
    await say(peer, first);
    const viewers = encodeNotice({ code: "viewers", message: "", viewers: 1 });
    await say(peer, encodeMessage("notice", viewers));
    const second = await mark();
    await mayAnswer.promise;
    await say(peer, second);
    const third = await mark();
    marked.resolve();
    await mayOpen.promise;
    await say(peer, third);
    await untilGone(peer);
  }, async (connection, { counted }) => {
    const { signal: never } = new AbortController();
    await connection.describe({ streams: [GREY], data: [] });
    await connection.send(greyFrame(100_000));
    await counted;
    clock.pass(100);
    // With a mark behind it, and without one.
    await connection.send(greyFrame());
    await connection.send(greyFrame(200_000));
    clock.pass(10_000);
    mayAnswer.resolve();
    await marked.promise;
    await assertRejects(() => connection.ready(AbortSignal.abort()), DOMException);
    mayOpen.resolve();
    await connection.ready(never);
  }, { clock });
});

Deno.test("PublisherConnection compares its totals with those of the server", async () => {
  const totals = { audioFrames: 0, dropped: 0, reason: "end" };
  for (const [frames, bytes] of [[1, 4], [0, 0]]) {
    const report = { ...totals, frames, bytes, streams: [{ id: 0, frames, bytes }] };
    await withConnection(async (peer) => {
      await say(peer, ACCEPT);
      while ((await heard(peer)).kind !== "end");
      await say(peer, encodeMessage("end", encodeEnd(report)));
    }, async (connection) => {
      await connection.describe({ streams: [GREY], data: [] });
      await connection.send(greyFrame());
      if (frames === 1) return await connection.finish(0);
      await assertRejects(
        () => connection.finish(0),
        TotalsError,
        "1 frames of 4 bytes were sent in stream 0, and the server took 0 of 0",
      );
    });
  }
});

Deno.test("PublisherConnection fails with the reason of a server that hangs up", async () => {
  const error = new RequestError("bad_request", "another publisher has taken its place");
  await withConnection(
    (peer) => say(peer, ACCEPT, encodeMessage("error", encodeError(error))),
    async (connection) => {
      await connection.describe({ streams: [GREY], data: [] }).catch(() => {});
      const sending = async () => {
        while (true) await connection.send(greyFrame());
      };
      await assertRejects(sending, RequestError, "another publisher has taken its place");
      assertEquals(connection.lost.reason.code, "bad_request");
    },
  );
});

Deno.test("PublisherConnection tells a cut, an end and a foreign server apart", async () => {
  const refusal = encodeMessage("error", encodeError(new RequestError("busy", "it is taken")));
  const end = encodeMessage(
    "end",
    encodeEnd({ frames: 0, audioFrames: 0, bytes: 0, dropped: 0, reason: "shutdown" }),
  );
  const never = () => Promise.reject(new Error("It was accepted"));
  await assertRejects(() => withConnection((peer) => say(peer, refusal), never), RequestError);
  await assertRejects(() => withConnection(() => {}, never), CutError);
  await assertRejects(() => withConnection((peer) => say(peer, end), never), FormatError);
  for (const [after, kind] of [[[], CutError], [[end], ShutdownError]] as const) {
    await withConnection((peer) => say(peer, ACCEPT, ...after), async ({ lost }) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      using _listener = onAbort(lost, resolve);
      await promise;
      assertInstanceOf(lost.reason, kind);
    });
  }
});
