/** Reconnection of the whole client: requests, retries and messages. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { RequestError } from "../../../lib/base/errors.ts";
import type { Description } from "../../../lib/media/frame.ts";
import { encodeMessage, HEADER_LENGTH } from "../../../lib/protocol/native/framing.ts";
import { parseRequest } from "../../../lib/protocol/native/request.ts";
import {
  encodeDescription,
  encodeEnd,
  encodeError,
  type EndReport,
} from "../../../lib/protocol/native/response.ts";
import {
  type Asked,
  frame,
  GREY,
  say,
  type Script,
  ScriptedServer,
  untilGone,
} from "../../support/peers/scripted_server.ts";
import { momentsOf } from "../../support/media/moments.ts";
import { at, runInside } from "../../support/programs/run_inside.ts";
import { HandClock } from "../../support/time/hand_clock.ts";

const VIDEO = ["--video", "--view", "none"];

/** Describes a file of grey frames that can be resumed. */
function describe(more: Partial<Description> = {}): Uint8Array {
  const description = { name: "grey", live: false, streams: [GREY], etag: "one", ...more };
  return encodeMessage("describe", encodeDescription(description));
}

/** An end with the totals of so many frames. */
function end(frames: number, more: Partial<EndReport> = {}): Uint8Array {
  const bytes = frames * 256;
  const report = { frames, audioFrames: 0, bytes, dropped: 0, reason: "end" };
  const streams = [{ id: 0, frames, bytes }];
  return encodeMessage("end", encodeEnd({ ...report, streams, ...more }));
}

function busy(): Uint8Array {
  return encodeMessage("error", encodeError(new RequestError("busy", "Cannot serve now: full")));
}

function requestOf({ bytes }: Asked) {
  return parseRequest(bytes.subarray(HEADER_LENGTH));
}

/** Sends one list of messages to each connection in turn, and the last one to all further ones. */
function inTurn(...turns: readonly (readonly Uint8Array[])[]): Script {
  return (peer, { index }) => say(peer, ...turns[Math.min(index, turns.length - 1)]);
}

/** Runs the client against a script, with a clock that skips all waits. */
async function runAgainst(
  script: Script,
  { args = VIDEO, clock = new HandClock({ skips: true }) }: {
    args?: readonly string[];
    clock?: HandClock;
  } = {},
) {
  await using server = new ScriptedServer(script);
  return await runInside([...args, ...at(server)], { environment: { clock } });
}

Deno.test("stream-client requests what follows the last frame, and reports the loss", async () => {
  const asked: unknown[] = [];
  const { status, stderr, stdout } = await runAgainst(async (peer, call) => {
    const { command, start, resume } = requestOf(call);
    asked.push({ command, start, resume });
    if (call.index === 0) return await say(peer, describe(), frame(0), frame(1), frame(25));
    await say(peer, describe(), frame(26), end(1));
  }, { args: [...VIDEO, "--start", "5", "--json"] });
  assertEquals(asked, [
    { command: "get_video", start: 5, resume: undefined },
    {
      command: "get_video",
      start: 5,
      resume: [{ id: 0, after: 25, next: undefined, breaks: undefined }],
    },
  ]);
  assertMatch(
    stderr,
    /^Connection lost at 00:01\.0; trying again in 1 s \(1 of 5\)\nConnected again after [01]\.\d s, going on at 00:01\.0\n$/,
  );
  const { frames, bytes, reconnects } = JSON.parse(stdout);
  assertEquals([status, frames, bytes, reconnects], [0, 4, 4 * 256, 1]);
});

Deno.test("stream-client resets the retries after a frame, and waits longer each time", async () => {
  const clock = new HandClock({ skips: true });
  const { status, stderr } = await runAgainst(
    inTurn(
      [describe(), frame(0)],
      ...[[], [describe()], [describe(), frame(1)], [], [describe(), frame(2), end(1)]],
    ),
    { clock, args: [...VIDEO, "--retries", "3"] },
  );
  assertEquals(status, 0, stderr);
  const tries = [...stderr.matchAll(/\((\d of \d)\)/g)].map(([, words]) => words);
  assertEquals(tries, ["1 of 3", "2 of 3", "3 of 3", "1 of 3", "2 of 3"]);
  const [first, second, third, again] = clock.waits;
  assert(first < second && second < third && again <= 1250, String(clock.waits));
});

Deno.test("stream-client gives up after --retries retries, and reports their number", async () => {
  for (const [retries, words] of [["1", "once"], ["2", "2 times"]]) {
    const { status, stderr } = await runAgainst(
      inTurn([describe(), frame(0), frame(1)], []),
      { args: [...VIDEO, "--retries", retries] },
    );
    assertEquals(status, 1);
    const [last] = stderr.trimEnd().split("\n").slice(-1);
    assertEquals(
      last,
      `Cannot finish "grey" after 2 frames (00:00.0): the connection was cut; tried again ${words}`,
    );
  }
  const clock = new HandClock({ skips: true });
  const none = await runAgainst(inTurn([describe(), frame(0)]), {
    args: [...VIDEO, "--retries", "0"],
    clock,
  });
  assertEquals([none.status, clock.waits], [1, []]);
  assertMatch(
    none.stderr,
    /^Cannot finish "grey" after 1 frame \(00:00\.0\): the connection was cut\n$/,
  );
});

Deno.test("stream-client retries 5 times in a row if the server is gone", async () => {
  const server = new ScriptedServer(inTurn([describe(), frame(0)]));
  const clock = new HandClock({ skips: true });
  const gone = {
    now: () => clock.now(),
    async sleep(milliseconds: number, signal: AbortSignal) {
      if (clock.waits.length === 0) await server[Symbol.asyncDispose]();
      await clock.sleep(milliseconds, signal);
    },
  };
  const { status, stderr } = await runInside([...VIDEO, ...at(server)], {
    environment: { clock: gone },
  });
  assertEquals([status, clock.waits.length], [1, 5]);
  const lines = stderr.trimEnd().split("\n");
  assertMatch(
    lines[1],
    /^Cannot connect to 127\.0\.0\.1:\d+: nothing listens there; trying again in [123] s \(2 of 5\)$/,
  );
  assertMatch(
    lines[5],
    /^Cannot finish "grey" after 1 frame .*: nothing listens there; tried again 5 times$/,
  );
  assertEquals(lines.length, 6);
});

Deno.test("stream-client retries the first connection only with --retries", async () => {
  const clock = new HandClock({ skips: true });
  const script = inTurn([busy()], [], [describe(), frame(0), end(1)]);
  const retried = await runAgainst(script, { args: [...VIDEO, "--retries", "9"], clock });
  assertEquals([retried.status, clock.waits.length], [0, 2], retried.stderr);
  assertMatch(
    retried.stderr,
    /^Cannot serve now: full; trying again in 1 s \(1 of 9\)\nConnection lost; trying again/,
  );
  const plain = await runAgainst(script);
  assertEquals([plain.status, plain.stderr], [1, "Cannot serve now: full\n"]);
});

Deno.test("stream-client --list retries with --retries", async () => {
  const clock = new HandClock({ skips: true });
  const list = encodeMessage("list", new TextEncoder().encode('{"version":1,"entries":[]}'));
  const script = inTurn([busy()], [list]);
  const retried = await runAgainst(script, { args: ["--list", "--retries", "1"], clock });
  assertEquals([retried.status, clock.waits.length], [0, 1], retried.stderr);
  assertEquals((await runAgainst(script, { args: ["--list"] })).status, 1);
});

Deno.test("stream-client retries after a cut if the server is busy", async () => {
  const { status, stderr } = await runAgainst(
    inTurn([describe(), frame(0)], [busy()], [describe(), frame(1), end(1)]),
  );
  assertEquals(status, 0);
  assertMatch(stderr, /^Cannot serve now: full; trying again in [123] s \(2 of 5\)$/m);
});

Deno.test("stream-client reconnects after a server shuts down", async () => {
  const { status, stderr } = await runAgainst(
    inTurn([describe(), frame(0), end(1, { reason: "shutdown" })], [describe(), frame(1), end(1)]),
  );
  assertEquals(status, 0);
  assertMatch(stderr, /^Connection lost at 00:00\.0: the server was shut down; trying again/);
});

Deno.test("stream-client reports a video as incomplete if the server shuts down", async () => {
  const shutdown = end(1, { reason: "shutdown" });
  const { status, stderr } = await runAgainst(
    inTurn([describe({ etag: undefined }), frame(0), shutdown]),
  );
  assertEquals(status, 1);
  assertMatch(
    stderr,
    /^Cannot finish "grey" after 1 frame \(00:00\.0\): the server was shut down\n$/,
  );
});

for (
  const [what, again, reason] of [
    ["another file", { etag: "two" }, /the file was replaced meanwhile: it is not the one/],
    ["another form", { streams: [{ ...GREY, width: 32 }] }, /the server sends it in another form/],
    ["another name", { name: "white" }, /the server has something else by this name now/],
  ] as const
) {
  Deno.test(`stream-client does not resume with ${what}`, async () => {
    const { status, stderr } = await runAgainst(
      inTurn([describe(), frame(0)], [describe(again as Partial<Description>), frame(1), end(1)]),
    );
    assertEquals(status, 1);
    assertMatch(
      stderr,
      new RegExp(`^Cannot finish "grey" after 1 frame .*: ${reason.source}`, "m"),
    );
  });
}

Deno.test("stream-client does not retry if the server refuses to resume", async () => {
  const message = "Cannot go on from there: the media is another one";
  const no = encodeMessage("error", encodeError(new RequestError("media_error", message)));
  const clock = new HandClock({ skips: true });
  const { status, stderr } = await runAgainst(inTurn([describe(), frame(0)], [no]), { clock });
  assertEquals([status, clock.waits.length], [1, 1]);
  assertMatch(
    stderr,
    /\nCannot finish "grey" after 1 frame .*: Cannot go on from there: the media/,
  );
});

for (
  const [what, report, reason] of [
    [
      "frames",
      end(3),
      /the server sent 3 frames of stream 0 and 2 came, get it again; what arrived is in/,
    ],
    [
      "bytes",
      end(2, { streams: [{ id: 0, frames: 2, bytes: 9 }] }),
      /sent 9 bytes of stream 0 and 512 came/,
    ],
    [
      "a stream",
      end(2, { streams: [{ id: 0, frames: 2, bytes: 512 }, { id: 1, frames: 1, bytes: 1 }] }),
      /sent 1 frame of stream 1 and 0 came/,
    ],
    [
      "in all",
      end(2, { frames: 4 }),
      /the server sent 4 frames of 512 bytes in all and 2 of 512 came/,
    ],
  ] as const
) {
  Deno.test(`stream-client reports that less arrived than was sent: ${what}`, async () => {
    const folder = await Deno.makeTempDir();
    const args = ["--video", "--output", `${folder}/grey.nut`];
    const { status, stderr } = await runAgainst(inTurn([describe(), frame(0), frame(1), report]), {
      args,
    });
    const files = Array.from(Deno.readDirSync(folder), ({ name }) => name);
    await Deno.remove(folder, { recursive: true });
    assertEquals([status, files], [1, ["grey.part.nut"]]);
    assertMatch(
      stderr,
      new RegExp(`^Cannot finish "grey" after 2 frames [^\n]*${reason.source}`, "m"),
    );
  });
}

Deno.test("stream-client compares each connection with its own totals", async () => {
  const { status, stderr } = await runAgainst(
    inTurn([describe(), frame(0), frame(1)], [describe(), frame(2), end(1)]),
  );
  assertEquals(status, 0, stderr);
  assertMatch(stderr, /^Received 3 frames in .*, 1 reconnect, 768 B$/m);
});

Deno.test("stream-client stops at once while it waits to reconnect", async () => {
  const controller = new AbortController();
  await using server = new ScriptedServer(inTurn([describe(), frame(0)]));
  const clock = {
    now: () => 0,
    // Never resolves.
    sleep: (_: number, signal: AbortSignal) =>
      new Promise<void>((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
        controller.abort();
      }),
  };
  const { status, stderr } = await runInside([...VIDEO, ...at(server)], {
    signal: controller.signal,
    environment: { clock },
  });
  assertEquals(status, 130);
  assertMatch(stderr, /\(1 of 5\)\nStopped after 1 frame in [^\n]+\n$/);
});

Deno.test("stream-client resumes a live source with its newest frame, on one timeline", async () => {
  const clock = new HandClock({ skips: true });
  const live = describe({ live: true, etag: undefined });
  const requests: (number | undefined)[] = [];
  await using server = new ScriptedServer(async (peer, call) => {
    requests.push(requestOf(call).duration);
    if (call.index === 0) return await say(peer, live, frame(1000), frame(1001));
    // After a restart, timestamps start at zero.
    await say(peer, live, frame(0), frame(1), end(2));
  });
  const folder = await Deno.makeTempDir();
  const path = `${folder}/cam.nut`;
  const args = ["--video", "cam", "--output", path, "--duration", "60", ...at(server)];
  const { status, stderr } = await runInside(args, { environment: { clock } });
  assertEquals(status, 0, stderr);
  const [gap] = clock.waits.map((wait) => (wait / 1000).toFixed(1));
  assertMatch(
    stderr,
    new RegExp(`^Connected again, going on with the newest: ${gap} s are missing$`, "m"),
  );
  const moments = await momentsOf(path);
  await Deno.remove(folder, { recursive: true });
  const ticks = Math.round(clock.waits[0] / 40);
  const rounded = moments.map((moment) => Math.round((moment - moments[0]) * 25));
  assertEquals(rounded, [0, 1, 1 + ticks, 2 + ticks]);
  assertEquals(requests[0], 60);
  // The request excludes what has passed of the minute: a frame, and the gap.
  assert(
    Math.abs((requests[1] ?? 0) - (60 - 0.04 - clock.waits[0] / 1000)) < 1e-6,
    String(requests),
  );
});

Deno.test("stream-client reconnects to a script only with --retries", async () => {
  const clock = new HandClock({ skips: true });
  const script = ["--classic", "--ack", "none", "--request", "go", ...VIDEO];
  const server = new ScriptedServer(() => {});
  const { address } = server;
  const once = await runInside([...script, ...at(server)], { environment: { clock } });
  assertEquals([once.status, clock.waits.length], [1, 0]);
  const args = [...script, "--retries", "2"];
  const cut = await runInside([...args, ...at(server)], { environment: { clock } });
  assertEquals([cut.status, clock.waits.length], [1, 2]);
  await server[Symbol.asyncDispose]();
  const gone = await runInside([...args, ...at({ address })], { environment: { clock } });
  assertEquals([gone.status, clock.waits.length], [1, 4]);
  assertMatch(gone.stderr, /tried again 2 times\n$/);
});

Deno.test("stream-client closes the connection to a server that it cannot resume with", async () => {
  const left = Promise.withResolvers<void>();
  const { status } = await runAgainst(async (peer, { index }) => {
    if (index === 0) return await say(peer, describe(), frame(0));
    await say(peer, describe({ etag: "two" }));
    await untilGone(peer);
    left.resolve();
  });
  await left.promise;
  assertEquals(status, 1);
});
