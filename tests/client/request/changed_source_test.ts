/** Live sources that come with other streams, on one connection and on another. */
import { assertEquals, assertMatch } from "@std/assert";
import type { Description } from "../../../lib/media/frame.ts";
import { encodeMessage } from "../../../lib/protocol/native/framing.ts";
import { encodeDescription, encodeEnd } from "../../../lib/protocol/native/response.ts";
import { momentsOf } from "../../support/media/moments.ts";
import { frame, GREY, say, ScriptedServer } from "../../support/peers/scripted_server.ts";
import { at, runInside } from "../../support/programs/run_inside.ts";
import { HandClock } from "../../support/time/hand_clock.ts";

/** Describes a live source of grey frames, or of others. */
function describe(more: Partial<Description> = {}): Uint8Array {
  const description = { name: "grey", live: true, streams: [GREY], ...more };
  return encodeMessage("describe", encodeDescription(description));
}

/** An end after so many frames of so many bytes in all. */
function end(frames: number, bytes: number): Uint8Array {
  const report = { frames, audioFrames: 0, bytes, dropped: 0, reason: "end" };
  const streams = [{ id: 0, frames, bytes }];
  return encodeMessage("end", encodeEnd({ ...report, streams }));
}

/** Runs the client against a server that sends one list of messages to each connection in turn. */
async function runAgainst(turns: readonly (readonly Uint8Array[])[], args: readonly string[]) {
  await using server = new ScriptedServer((peer, { index }) => say(peer, ...turns[index]));
  const clock = new HandClock({ skips: true });
  return await runInside(["--video", ...args, ...at(server)], { environment: { clock } });
}

/** Runs the client as {@linkcode runAgainst} does, and gives the times of the recorded frames. */
async function recorded(turns: readonly (readonly Uint8Array[])[]) {
  const folder = await Deno.makeTempDir();
  const { status, stderr } = await runAgainst(turns, ["--output", `${folder}/grey.nut`]);
  const files: Record<string, number[]> = {};
  for await (const { name } of Deno.readDir(folder)) {
    files[name] = await momentsOf(`${folder}/${name}`);
  }
  await Deno.remove(folder, { recursive: true });
  return { status, stderr, files };
}

/** A grey stream of twice the width, and a frame of it. */
const WIDE = { ...GREY, width: 32 };
const wideFrame = (timestamp: number) => frame(timestamp, { size: 512 });
const wide = describe({ streams: [WIDE] });

const NONE = ["--view", "none"];

Deno.test("stream-client goes on with a live source that came back with other streams", async () => {
  const turns = [
    [describe(), frame(1000), frame(1001)],
    [wide, wideFrame(0), wideFrame(1), end(2, 1024)],
  ];
  const shown = await runAgainst(turns, [...NONE, "--json"]);
  assertEquals(shown.status, 0, shown.stderr);
  const { frames, bytes, reconnects } = JSON.parse(shown.stdout);
  assertEquals([frames, bytes, reconnects], [4, 2 * 256 + 1024, 1]);
  const { status, stderr, files } = await recorded(turns);
  assertEquals(status, 0, stderr);
  assertEquals([files["grey.nut"].length, files["grey-2.nut"].length], [2, 2]);
  assertMatch(stderr, /^Goes on in ".*\/grey-2\.nut": the source is 32x16 now$/m);
});

Deno.test("stream-client compares the totals of all descriptions of a connection", async () => {
  for (const [sent, status] of [[3, 0], [4, 1]]) {
    const ended = end(sent, 2 * 256 + 512 * (sent - 2));
    const turns = [[describe(), frame(0), frame(1), wide, wideFrame(2), ended]];
    const outcome = await runAgainst(turns, NONE);
    assertEquals(outcome.status, status, outcome.stderr);
  }
});

Deno.test("stream-client begins no second file if only the time base changes", async () => {
  const fine = describe({ streams: [{ ...GREY, timeBase: [1, 1000] }] });
  const { status, stderr, files } = await recorded([
    [describe(), frame(0), frame(1), fine, frame(80), frame(120), end(4, 4 * 256)],
  ]);
  assertEquals(status, 0, stderr);
  assertEquals(Object.keys(files), ["grey.nut"]);
  assertEquals(files["grey.nut"].map((moment) => Math.round(moment * 25)), [0, 1, 2, 3]);
});
