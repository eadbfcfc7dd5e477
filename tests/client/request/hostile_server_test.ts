/** Servers that break the protocol: the client reports one line, and exits with status 1. */
import { assertEquals, assertGreater, assertMatch } from "@std/assert";
import { RequestError } from "../../../lib/base/errors.ts";
import { encodeMessage } from "../../../lib/protocol/native/framing.ts";
import { encodeList } from "../../../lib/protocol/native/list.ts";
import { encodeError } from "../../../lib/protocol/native/response.ts";
import {
  describe,
  end,
  frame,
  message,
  say,
  type Script,
  ScriptedServer,
  untilGone,
} from "../../support/peers/scripted_server.ts";
import { at, runInside } from "../../support/programs/run_inside.ts";

/** Runs the client against a script, and checks that it fails with one line. */
async function refuses(script: Script, reason: RegExp, args = ["--video", "--view", "none"]) {
  await using server = new ScriptedServer(script);
  const { status, stdout, stderr } = await runInside([...args, ...at(server)]);
  assertMatch(stderr, /^Cannot [^\n]+\n$/);
  assertMatch(stderr, reason);
  assertEquals([status, stdout], [1, ""]);
}

const WITH_HINT = /^Cannot get anything from 127\.0\.0\.1:\d+: .*; is that stream-server\? /;

/** Messages of a server before it closes the connection, and the expected error. */
const ANSWERS: [string, Uint8Array[], RegExp][] = [
  ["nothing", [], /the connection was cut; is that stream-server\?/],
  ["half a header", [describe().subarray(0, 7)], /the connection was cut; is that/],
  ["half a description", [describe().subarray(0, 60)], /the connection was cut; is that/],
  ["a page", [new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n")], WITH_HINT],
  ["zeros", [new Uint8Array(1000)], /kind 0, expected 1 to 11/],
  ["a giant frame", [message(3, "", { length: 2 ** 32 - 1 })], /length 4294967295, expected 12/],
  ["a giant description", [message(2, "", { length: 2 ** 25 })], /length 33554432/],
  ["a length that is too short", [message(2, "", { length: 3 })], /length 3, expected 12/],
  ["a frame before all", [frame(0)], /a frame of stream 0 came unannounced/],
  ["an end before all", [end()], /a message of kind end came unannounced/],
  [
    "a list",
    [encodeMessage("list", encodeList({ entries: [] }))],
    /a message of kind list came unannounced/,
  ],
  ["a request", [message(1, "{}")], /a message of kind request came unannounced/],
  ["a description that is no JSON", [message(2, "{")], /Cannot read the description: no JSON/],
  ["a description that is a list", [message(2, "[]")], /Cannot use description \[\]/],
  ["a description of nothing", [message(2, '{"streams":[],"name":""}')], /names no stream/],
  ["a picture without a size", [describe({ width: 0 })], /Cannot use width 0: expected a whole/],
  ["a picture of half a pixel", [describe({ height: 0.5 })], /Cannot use height 0\.5/],
  ["a picture that is too wide", [describe({ width: 1e9 })], /Cannot use width 1000000000/],
  ["a time that stands still", [describe({ timeBase: [0, 1] })], /Cannot use timeBase \[0,1\]/],
  ["a time without end", [describe({ timeBase: [1, 2 ** 31] })], /Cannot use timeBase/],
  ["a codec with arguments", [describe({ codec: "-i /etc/passwd" })], /Cannot use codec/],
  ["a fourcc of five", [describe({ fourcc: "I420x" })], /Cannot use fourcc/],
  ["extradata that is none", [describe({ extradata: "!" })], /Cannot use extradata/],
  ["a stream of another kind", [describe({ type: "smell" })], /Cannot use type "smell"/],
  ["two streams of one id", [describe({}, {})], /two streams of one id came unannounced/],
  ["an end and nothing else", [describe(), end()], /has nothing of it to send/],
];

for (const [what, parts, reason] of ANSWERS) {
  Deno.test(`stream-client refuses ${what}`, async () => {
    await refuses((peer) => say(peer, ...parts), reason);
  });
}

/** Messages of a server after a frame or two, all of which the client reports as a cut. */
const CUTS: [string, Uint8Array[], RegExp][] = [
  ["a clean end of the connection", [], /the connection was cut/],
  ["half a frame", [frame(2).subarray(0, 100)], /the connection was cut/],
  ["a frame of an unknown stream", [frame(2, { streamId: 7 })], /a frame of stream 7 came/],
  ["a second description", [describe()], /a second description came unannounced/],
  ["garbage", [new TextEncoder().encode("x".repeat(100))], /kind 120, expected 1 to 11/],
  ["an error", [errorOf("the disk is gone")], /the disk is gone$/],
];

for (const [what, parts, reason] of CUTS) {
  Deno.test(`stream-client reports a video that is cut by ${what}`, async () => {
    await refuses(
      (peer) => say(peer, describe(), frame(0), frame(1), ...parts),
      new RegExp(`^Cannot finish "grey" after 2 frames \\(00:00.0\\): .*${reason.source}`, "m"),
    );
  });
}

Deno.test("stream-client reports a list that is cut or malformed", async () => {
  const list = ["--list"];
  await refuses(() => {}, /the connection was cut; is that stream-server\?/, list);
  await refuses((peer) => say(peer, end()), /a message of kind end came unannounced/, list);
  await refuses((peer) => say(peer, message(7, "7")), /Cannot use list 7/, list);
  const nameless = message(7, '{"entries":[{"kind":"image"}]}');
  await refuses((peer) => say(peer, nameless), /Cannot read name: it is missing/, list);
});

Deno.test("stream-client --json escapes control characters, and loses nothing", async () => {
  const name = "a\u009b2J\u202e\u2028\u001b[2Jz";
  const script: Script = (peer) => {
    const entry = { name, kind: "video", live: false, size: 5, codec: "h264" } as const;
    return say(peer, encodeMessage("list", encodeList({ entries: [entry] })));
  };
  await using server = new ScriptedServer(script);
  const { status, stdout } = await runInside(["--list", "--json", ...at(server)]);
  assertEquals(status, 0);
  assertMatch(stdout, /^[\x20-\x7e]+\n$/);
  assertEquals(JSON.parse(stdout).entries[0].name, name);
});

function errorOf(text: string): Uint8Array {
  return encodeMessage("error", encodeError(new RequestError("media_error", text)));
}

Deno.test("stream-client prints only the server's error for a refused request", async () => {
  await refuses(
    (peer) => say(peer, errorOf('Cannot find "x": did you mean "y"?')),
    /^Cannot find "x": did you mean "y"\?\n$/,
  );
});

Deno.test("stream-client answers a server's pings", async () => {
  const answered = Promise.withResolvers<string>();
  await using server = new ScriptedServer(async (peer) => {
    await say(peer, message(8, "42"), message(9, ""), describe(), frame(0));
    const bytes = new Uint8Array(100);
    const count = await peer.read(bytes) ?? 0;
    answered.resolve(bytes.subarray(0, count).toHex());
    await say(peer, end());
  });
  const { status } = await runInside(["--video", "--view", "none", ...at(server)]);
  assertEquals(status, 0);
  assertEquals(await answered.promise, message(9, "42").toHex());
});

Deno.test("stream-client counts frames whose timestamps make no sense", async () => {
  const moments = [0, -5, 2 ** 52, -(2 ** 52), 3];
  await using server = new ScriptedServer((peer) =>
    say(peer, describe(), ...moments.map((moment) => frame(moment)), end())
  );
  const { status, stdout } = await runInside([
    "--video",
    "--view",
    "none",
    "--json",
    ...at(server),
  ]);
  assertEquals(status, 0);
  assertEquals(JSON.parse(stdout).frames, 5);
});

Deno.test("stream-client stops cleanly when its signal aborts", async () => {
  const controller = new AbortController();
  await using server = new ScriptedServer(async (peer) => {
    await say(peer, describe(), frame(0));
    await untilGone(peer);
  });
  let written = 0;
  const stdout = new WritableStream<Uint8Array>({
    write({ byteLength }) {
      written += byteLength;
      // The whole frame is written.
      if (byteLength === 256) controller.abort();
    },
  });
  const { status, stderr } = await runInside(["--video", "--output", "-", ...at(server)], {
    signal: controller.signal,
    environment: { stdout },
  });
  assertEquals(status, 130);
  assertMatch(stderr, /^Stopped after 1 frame in [^\n]+\n$/);
  assertGreater(written, 256);
});

for (const args of [["--list"], ["--image", "--view", "none"]]) {
  Deno.test(`stream-client ${args[0]} stops while it waits for a server's first message`, async () => {
    const controller = new AbortController();
    await using server = new ScriptedServer(async (peer) => {
      controller.abort();
      await untilGone(peer);
    });
    const outcome = await runInside([...args, ...at(server)], { signal: controller.signal });
    assertEquals(outcome.stdout, "");
    // client.ts prints nothing for a stop, and exits with the status of the signal.
    assertMatch(
      outcome.stderr,
      /^(Stopped after 0 pictures .*|The signal has been aborted)\n$/,
    );
  });
}
