import { assert, assertEquals, assertLess, assertStrictEquals } from "@std/assert";
import { encodeMessage } from "../../../lib/protocol/native/framing.ts";
import { encodeJson } from "../../../lib/protocol/native/json.ts";
import { SCRIPT_END } from "../../../lib/protocol/script/request.ts";
import { scriptRequest } from "../../support/peers/script_messages.ts";
import {
  controlMessage,
  type NativeClient,
  requestMessage,
} from "../../support/peers/native_client.ts";
import { conversationMedia, SHORT_FRAMES, testServer } from "../../support/peers/test_server.ts";
import { HandClock } from "../../support/time/hand_clock.ts";

// Conversations of peers that mean well, however their bytes arrive.

const media = await conversationMedia();

const SHORT = { command: "get_video", name: "short.mkv" } as const;
const LONG = { command: "get_video", name: "long.mkv" } as const;

/** Sends bytes one by one, each in a packet of its own. */
async function trickle(peer: NativeClient, bytes: Uint8Array): Promise<void> {
  for (const byte of bytes) await peer.write(Uint8Array.of(byte));
}

Deno.test("runSession() reads a request that comes byte by byte", async () => {
  await using server = await testServer({ media });
  using peer = await server.connect();
  await trickle(peer, requestMessage(SHORT));
  const { kinds, frames, end } = await peer.response();
  assertEquals([kinds, frames.length, end?.frames], [
    ["describe", "frame", "end"],
    5,
    SHORT_FRAMES,
  ]);
});

Deno.test("runSession() reads a request that is split inside its length", async () => {
  await using server = await testServer({ media });
  using peer = await server.connect();
  const request = requestMessage(SHORT);
  await peer.write(request.subarray(0, 2));
  // Another peer is served meanwhile: the two bytes have arrived by then.
  {
    using other = await server.connect();
    await other.ask({ command: "list_media" });
    await other.response();
  }
  await peer.write(request.subarray(2));
  assertStrictEquals((await peer.response()).frames.length, SHORT_FRAMES);
});

Deno.test("runSession() serves several requests of one packet in their order", async () => {
  await using server = await testServer({ media });
  using peer = await server.connect();
  await peer.write(
    requestMessage(SHORT),
    requestMessage({ command: "list_media" }),
    requestMessage({ command: "get_image" }),
    requestMessage({ ...SHORT, name: "shirt.mkv" }),
    requestMessage(SHORT),
  );
  await peer.socket.closeWrite();
  const kinds: string[][] = [];
  for (let left = 5; left > 0; left--) kinds.push((await peer.response()).kinds);
  const played = ["describe", "frame", "end"];
  assertEquals(kinds, [played, ["list"], played, ["error"], played]);
  assertStrictEquals(await peer.farewell(), undefined);
  await server.quiet();
});

Deno.test("runSession() serves more queued requests than it reads ahead", async () => {
  await using server = await testServer({ media });
  using peer = await server.connect();
  const names = Array.from({ length: 50 }, (_, at) => `no such name ${at}`);
  const requests = names.map((name) => requestMessage({ command: "get_video", name }));
  const asked = peer.write(requestMessage(SHORT), ...requests, requestMessage(SHORT));
  assertStrictEquals((await peer.response()).frames.length, SHORT_FRAMES);
  for (const name of names) {
    const { error } = await peer.response();
    assert(error?.message.includes(`"${name}"`), error?.message);
  }
  assertStrictEquals((await peer.response()).frames.length, SHORT_FRAMES);
  await asked;
});

Deno.test("runSession() goes on after an error", async () => {
  await using server = await testServer({ media });
  using peer = await server.connect();
  const refused: [request: Parameters<typeof requestMessage>[0], code: string][] = [
    [{ ...SHORT, name: "shrt.mkv" }, "not_found"],
    [{ ...SHORT, pixelFormat: "pink" }, "bad_request"],
    [{ ...SHORT, start: 100 }, "bad_request"],
    [{ ...SHORT, width: 16_384, height: 16_384, pixelFormat: "bgr24" }, "unsupported"],
    [{ ...SHORT, width: 16_384, pixelFormat: "rgba64le" }, "unsupported"],
    [{ ...SHORT, width: 16_384, height: 16_384, encoding: "h264" }, "unsupported"],
    [{ ...SHORT, width: 32, encoding: "copy" }, "bad_request"],
    [{ ...SHORT, bitrate: 100_000 }, "bad_request"],
    [{ ...SHORT, speed: 101 }, "bad_request"],
  ];
  for (const [request, code] of refused) {
    await peer.ask(request);
    assertStrictEquals((await peer.response()).error?.code, code);
  }
  await peer.ask(SHORT);
  assertStrictEquals((await peer.response()).end?.frames, SHORT_FRAMES);
});

for (const command of ["get_image", "get_video"] as const) {
  Deno.test(`runSession() reads a classic ${command} that comes byte by byte`, async () => {
    await using server = await testServer({ media, defaults: { video: "short.mkv" } });
    using peer = await server.connect();
    await trickle(peer, scriptRequest(command));
    const response = await peer.readAll();
    assertEquals(response.subarray(-SCRIPT_END.length), SCRIPT_END);
    const frames = command === "get_image" ? 1 : SHORT_FRAMES;
    assertStrictEquals(Math.floor(response.length / (64 * 48 * 3)), frames);
    peer.close();
    await server.quiet();
  });
}

Deno.test("runSession() discards bytes that a script sends behind its request", async () => {
  // Neither the frames nor what is read of the script have to wait.
  const clock = new HandClock({ skips: true });
  await using server = await testServer({ media, defaults: { video: "long.mkv" }, clock });
  using peer = await server.connect();
  // More than lies between the two, so that it is only taken when the server reads on.
  const written = peer.write(scriptRequest("get_video"), new Uint8Array(16 * 1024 * 1024));
  const [response] = await Promise.all([peer.readAll(), written]);
  assertEquals(response.subarray(-SCRIPT_END.length), SCRIPT_END);
  peer.close();
  await server.quiet();
});

Deno.test("runSession() serves scripts and native peers at once, half closed or not", async () => {
  await using server = await testServer({ media, defaults: { video: "short.mkv" } });
  using classic = await server.connect();
  using native = await server.connect();
  await classic.write(scriptRequest("get_video"));
  await native.ask({ ...SHORT, speed: 1 });
  await classic.socket.closeWrite();
  await native.socket.closeWrite();
  const [response, { frames }] = await Promise.all([classic.readAll(), native.response()]);
  assertEquals(response.subarray(-SCRIPT_END.length), SCRIPT_END);
  assertStrictEquals(frames.length, SHORT_FRAMES);
  assertStrictEquals(await native.farewell(), undefined);
  await server.quiet();
});

Deno.test("runSession() pauses, resumes and stops as the peer requests", async () => {
  const timeouts = { request: 10_000, stall: 10_000, ping: 50 };
  await using server = await testServer({ media, timeouts });
  using peer = await server.connect();
  await peer.ask({ ...LONG, speed: 1 });
  await peer.until("frame", 2);
  await peer.control("pause");
  await peer.connection.send("ping", new Uint8Array(0));
  await peer.until("pong");
  // Ten pings take the time of twelve frames; the one that was being sent may come.
  const { before: meanwhile } = await peer.until("ping", 10);
  assertLess(meanwhile.length, 2);
  await peer.control("pause");
  await peer.control("resume");
  await peer.control("resume");
  await peer.control("dance");
  await peer.until("frame", 3);
  await peer.control("stop");
  const { end } = await peer.response();
  assertStrictEquals(end?.reason, "stopped");
  await peer.ask(SHORT);
  assertStrictEquals((await peer.response()).end?.reason, "end");
});

Deno.test("runSession() takes a control that comes right behind its request", async () => {
  await using server = await testServer({ media });
  using peer = await server.connect();
  await peer.write(requestMessage({ ...LONG, speed: 1 }), controlMessage("stop"));
  const { kinds, end } = await peer.response();
  assertEquals([kinds[0], kinds.at(-1), end?.reason], ["describe", "end", "stopped"]);
  await peer.ask(SHORT);
  assertStrictEquals((await peer.response()).end?.reason, "end");
});

Deno.test("runSession() takes a control for the request that came last before it", async () => {
  await using server = await testServer({ media });
  using peer = await server.connect();
  await peer.write(
    requestMessage({ command: "list_media" }),
    requestMessage({ ...LONG, speed: 1 }),
    controlMessage("stop"),
  );
  assertEquals((await peer.response()).kinds, ["list"]);
  const { frames, end } = await peer.response();
  assertEquals([frames.length, end?.reason], [0, "stopped"]);
  // The one that is playing goes on, the one that waits is stopped.
  await peer.ask({ ...SHORT, speed: 1 });
  await peer.until("frame");
  await peer.write(requestMessage({ ...LONG, speed: 1 }), controlMessage("stop"));
  assertStrictEquals((await peer.response()).end?.frames, SHORT_FRAMES);
  const { kinds, end: last } = await peer.response();
  assertEquals([kinds, last?.reason], [["describe", "end"], "stopped"]);
});

Deno.test("runSession() takes a control behind a wrong request for that one", async () => {
  await using server = await testServer({ media });
  using peer = await server.connect();
  await peer.write(
    requestMessage(SHORT),
    requestMessage({ ...SHORT, speed: -1 }),
    controlMessage("stop"),
  );
  assertStrictEquals((await peer.response()).end?.reason, "end");
  assertStrictEquals((await peer.response()).error?.code, "bad_request");
});

Deno.test("runSession() resumes a paused video when another request comes", async () => {
  await using server = await testServer({ media });
  using peer = await server.connect();
  await peer.write(requestMessage({ ...SHORT, speed: 1 }), controlMessage("pause"));
  await peer.write(requestMessage(SHORT), controlMessage("pause"), controlMessage("resume"));
  assertStrictEquals((await peer.response()).frames.length, SHORT_FRAMES);
  assertStrictEquals((await peer.response()).frames.length, SHORT_FRAMES);
});

Deno.test("runSession() ignores unknown controls", async () => {
  await using server = await testServer({ media });
  using peer = await server.connect();
  await peer.ask({ ...LONG, speed: 1 });
  await peer.until("frame");
  const unknown = [{ action: "STEP" }, { action: "frame-step" }, { action: "seek", to: -1 }];
  for (const control of [...unknown, { action: 5 }, { action: ["stop"] }, { action: null }, {}]) {
    await peer.write(encodeMessage("control", encodeJson(control)));
  }
  await peer.until("frame");
  await peer.control("stop");
  assertStrictEquals((await peer.response()).end?.reason, "stopped");
});

Deno.test("runSession() reads no further behind a control that is no object", async () => {
  await using server = await testServer({ media });
  using peer = await server.connect();
  await peer.write(
    requestMessage({ ...SHORT, speed: 1 }),
    controlMessage("pause"),
    encodeMessage("control", encodeJson([])),
    controlMessage("stop"),
  );
  assertStrictEquals((await peer.response()).frames.length, SHORT_FRAMES);
  assertStrictEquals((await peer.farewell())?.code, "bad_request");
});

Deno.test("runSession() ignores controls when there is nothing to control", async () => {
  await using server = await testServer({ media });
  using peer = await server.connect();
  await peer.write(controlMessage("stop"), controlMessage("pause"), requestMessage(SHORT));
  assertStrictEquals((await peer.response()).end?.reason, "end");
});

Deno.test("runSession() resumes a paused video when the peer ends its sending", async () => {
  await using server = await testServer({ media });
  using peer = await server.connect();
  await peer.write(requestMessage({ ...SHORT, speed: 1 }), controlMessage("pause"));
  await peer.socket.closeWrite();
  assertStrictEquals((await peer.response()).frames.length, SHORT_FRAMES);
});

Deno.test("runSession() answers pings while a video runs", async () => {
  await using server = await testServer({ media });
  using peer = await server.connect();
  await peer.ask({ ...LONG, speed: 1 });
  await peer.until("frame");
  await peer.connection.send("ping", Uint8Array.of(1, 2, 3));
  await peer.until("pong");
  await peer.until("frame");
});

Deno.test("runSession() serves at any speed, however slow", async () => {
  await using server = await testServer({ media });
  using peer = await server.connect();
  await peer.ask({ ...SHORT, speed: 1e-300 });
  await peer.until("frame");
  await peer.control("stop");
  const { frames, end } = await peer.response();
  assertEquals([frames.length, end?.frames], [0, 1]);
});
