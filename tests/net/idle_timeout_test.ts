import { assertEquals, assertMatch } from "@std/assert";
import { IdleTimeout } from "../../lib/net/socket.ts";
import type { NativeClient } from "../support/peers/native_client.ts";
import { scriptRequest } from "../support/peers/script_messages.ts";
import { conversationMedia, SHORT_FRAMES, testServer } from "../support/peers/test_server.ts";
import { LeapingTime } from "../support/time/leaping_time.ts";

const media = await conversationMedia();

const LONG = { command: "get_video", name: "long.mkv", speed: 1 } as const;

/** Milliseconds; a busy machine never comes close to the limit, and a test by leaps. */
const TIMEOUTS = {
  ...{ request: 600_000, stall: 600_000, silence: 600_000 },
  ...{ ping: 50_000, life: 150_000 },
};

/** A peer that can be told to let a read come to its end, at a time that is set. */
function peer() {
  let time = 0;
  let settle = Promise.withResolvers<number | null>();
  const wait = async () => {
    settle = Promise.withResolvers();
    return await settle.promise;
  };
  const write = () => Promise.resolve(1);
  const signs = new IdleTimeout({ read: wait, write }, { now: () => time });
  const at = (moment: number, count?: number | null) => {
    time = moment;
    if (count !== undefined) settle.resolve(count);
  };
  return { signs, at };
}

/** Waits for a frame, which FFmpeg may take a while for, and is alive meanwhile. */
async function untilFrame(peer: NativeClient): Promise<void> {
  while (true) {
    const received = await peer.receive();
    if (received === undefined) throw new Error("Cannot find a frame: the server hung up");
    if (received.kind === "ping") await peer.connection.send("pong", new Uint8Array(0));
    if (received.kind === "frame") return;
  }
}

Deno.test("IdleTimeout counts from the last received bytes, and only during a read", async () => {
  const { signs, at } = peer();
  at(1000);
  assertEquals(signs.silence, 0);
  const reading = signs.read(new Uint8Array(1));
  at(1500);
  assertEquals(signs.silence, 500);
  at(1600, 1);
  await reading;
  at(9000);
  assertEquals(signs.silence, 0);
  signs.read(new Uint8Array(1));
  at(9100);
  assertEquals(signs.silence, 100);
});

Deno.test("IdleTimeout takes bytes that the peer was waited for as a sign, and no others", async () => {
  let time = 0;
  let takes = 0;
  const write = () => {
    time += takes;
    return Promise.resolve(1);
  };
  const { promise: never } = Promise.withResolvers<number>();
  const signs = new IdleTimeout({ read: () => never, write }, { now: () => time });
  signs.read(new Uint8Array(1));
  time = 400;
  await signs.write(new Uint8Array(1));
  assertEquals(signs.silence, 400);
  takes = 100;
  await signs.write(new Uint8Array(1));
  assertEquals(signs.silence, 0);
});

Deno.test("runSession() ends a peer that gives no sign of life, also a paused one", async () => {
  using time = new LeapingTime();
  await using server = await testServer({ media, timeouts: TIMEOUTS });
  using peer = await server.connect();
  await peer.ask(LONG);
  await untilFrame(peer);
  await peer.control("pause");
  // It counts from the last sign, which came a little later than the request.
  await time.leap(TIMEOUTS.life + TIMEOUTS.ping);
  await server.logged(/ ended: The peer gave no sign of life for 150 s\n$/);
  await server.logged(/ result=cut /);
  await server.quiet();
  await server.assertWell();
});

Deno.test("runSession() keeps a paused peer that replies to pings", async () => {
  using time = new LeapingTime();
  await using server = await testServer({ media, timeouts: TIMEOUTS });
  using peer = await server.connect();
  await peer.ask(LONG);
  await untilFrame(peer);
  await peer.control("pause");
  // Three times as long as it may be silent.
  for (let passed = 0; passed < 3 * TIMEOUTS.life; passed += TIMEOUTS.ping) {
    await time.leap(TIMEOUTS.ping);
    await peer.until("ping");
    await peer.connection.send("pong", new Uint8Array(0));
    // Once this is answered, the server has read that.
    await peer.connection.send("ping", new Uint8Array(0));
    await peer.until("pong");
  }
  await peer.control("stop");
  assertEquals((await peer.response()).end?.reason, "stopped");
});

Deno.test("runSession() expects no sign of life from a script", async () => {
  const timeouts = { request: 10_000, stall: 10_000, ping: 50, life: 100 };
  await using server = await testServer({ media, timeouts, defaults: { video: "short.mkv" } });
  using peer = await server.connect();
  await peer.write(scriptRequest("get_video"));
  const bytes = await peer.readAll();
  assertMatch(new TextDecoder("latin1").decode(bytes.subarray(-40)), /end/);
});

Deno.test("runSession() expects no sign of life from a peer that has ended sending", async () => {
  const timeouts = { request: 10_000, stall: 10_000, ping: 50, life: 2000 };
  await using server = await testServer({ media, timeouts });
  using peer = await server.connect();
  await peer.ask({ command: "get_video", name: "short.mkv", speed: 0.1 });
  await peer.socket.closeWrite();
  assertEquals((await peer.response()).frames.length, SHORT_FRAMES);
});
