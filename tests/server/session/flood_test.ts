import { assertEquals, assertGreater, assertLess, assertRejects } from "@std/assert";
import { Secret } from "../../../lib/net/secret.ts";
import { encodeMessage } from "../../../lib/protocol/native/framing.ts";
import { encodeControl, encodeRequest } from "../../../lib/protocol/native/request.ts";
import { concat } from "../../support/media/bytes.ts";
import { ask } from "../../support/peers/native_client.ts";
import {
  conversationMedia,
  LONG_TIMEOUTS,
  SHORT_FRAMES,
  type TestServer,
  testServer,
} from "../../support/peers/test_server.ts";
import { HandClock } from "../../support/time/hand_clock.ts";
import { PATIENCE } from "../../support/time/patience.ts";

// Peers that send more than the server reads of one. Its clock stands still unless a test moves it.

const media = await conversationMedia();

const PING = encodeMessage("ping", new Uint8Array(0));

/** A flood of some messages, and a ping behind them. */
function flood(count: number, messageOf: (at: number) => Uint8Array): Uint8Array {
  return concat(...Array.from({ length: count }, (_, at) => messageOf(at)), PING);
}

/** Without pings of the server. */
const SILENT_TIMEOUTS = { ...LONG_TIMEOUTS, ping: PATIENCE };

/** Lets time pass whenever the server waits for it, until something has come. */
async function passUntil<Result>(clock: HandClock, awaited: Promise<Result>): Promise<Result> {
  let isOver = false;
  const over = awaited.finally(() => isOver = true);
  while (!isOver) {
    if (clock.next < Infinity) clock.pass(clock.next);
    await new Promise((go) => setImmediate(go));
  }
  return await over;
}

async function assertServesOthers(server: TestServer): Promise<void> {
  const { frames } = await ask(server, { command: "get_video", name: "short.mkv" });
  assertEquals(frames.length, SHORT_FRAMES);
}

Deno.test("runSession() pauses to read who floods it with pings", async () => {
  const clock = new HandClock();
  const explained: string[] = [];
  const explain = (line: string) => void explained.push(line);
  const pings = () => explained.filter((line) => /\bping\b/.test(line)).length;
  await using server = await testServer({ media, clock, explain, timeouts: SILENT_TIMEOUTS });
  using peer = await server.connect();
  const ping = encodeMessage("ping", new Uint8Array(65_000));
  // More than lies between the two.
  const sent = assertRejects(() => peer.write(...Array(500).fill(ping)));
  await peer.until("pong", 4);
  await clock.asleep();
  assertEquals(pings(), 4);
  await assertServesOthers(server);
  clock.pass(65);
  await peer.until("pong", 2);
  await clock.asleep();
  assertEquals(pings(), 6);
  peer.close();
  await sent;
});

Deno.test("runSession() pauses to read who floods it with controls, known or not", async () => {
  const clock = new HandClock();
  await using server = await testServer({ media, clock });
  using peer = await server.connect();
  const action = (at: number) => ["dance", "pause", "resume"][at % 3];
  const sent = peer.write(flood(5000, (at) => {
    return encodeMessage("control", encodeControl({ action: action(at) }));
  }));
  await clock.asleep();
  await assertServesOthers(server);
  await passUntil(clock, peer.until("pong"));
  await sent;
  // 2000 a second, and 200 of them at once.
  assertEquals(Math.round(clock.time / 100), 24);
});

Deno.test("runSession() takes few of many seeks, and the last one", async () => {
  const clock = new HandClock();
  await using server = await testServer({ media, clock });
  using peer = await server.connect();
  await peer.ask({ command: "get_video", name: "long.mkv", speed: 1 });
  await peer.until("frame");
  const sent = peer.write(flood(3000, (id) => {
    return encodeMessage("control", encodeControl({ action: "seek", to: id % 20, id }));
  }));
  const ids: unknown[] = [];
  await passUntil(
    clock,
    (async () => {
      while (ids.at(-1) !== 2999) ids.push((await peer.until("control")).control.id);
    })(),
  );
  await sent;
  assertLess(ids.length, 3 + clock.time / 100);
  await assertServesOthers(server);
});

Deno.test("runSession() reads little of a peer until its token is accepted", async () => {
  const clock = new HandClock();
  const token = "a token";
  const credentials = { token: new Secret(token) };
  await using server = await testServer({ media, clock, credentials });
  using stranger = await server.connect();
  await stranger.write(...Array(40).fill(PING));
  await stranger.until("pong", 21);
  assertEquals(await clock.asleep(), [50]);
  using viewer = await server.connect();
  const { frames } = await viewer.request({ command: "get_video", name: "short.mkv", token });
  assertEquals(frames.length, SHORT_FRAMES);
  await viewer.write(...Array(100).fill(PING));
  await viewer.until("pong", 100);
  clock.pass(50);
  await stranger.until("pong", 1);
  assertEquals(await clock.asleep(), [100]);
});

Deno.test("runSession() counts the entries of lists", async () => {
  const clock = new HandClock();
  await using server = await testServer({ media, clock });
  using peer = await server.connect();
  const entries = (await peer.request({ command: "list_media" })).list?.length ?? 0;
  const sent = peer.write(flood(400, () => {
    return encodeMessage("request", encodeRequest({ command: "list_media" }));
  }));
  await passUntil(clock, peer.until("list", 400));
  await sent;
  // The last ones are queued by then; each takes five messages besides.
  assertGreater(clock.time, (380 * (5 + entries / 4) - 200) / 2);
});
