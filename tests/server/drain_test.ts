import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { scriptRequest } from "../support/peers/script_messages.ts";
import { parseLiveSource } from "../../lib/sources/live/source_spec.ts";
import { conversationMedia, SHORT_FRAMES, testServer } from "../support/peers/test_server.ts";

const media = await conversationMedia();

/** Watched in real time: it lasts longer than any test. */
const LONG = { command: "get_video", name: "long.mkv", speed: 1 } as const;
const SHORT = { command: "get_video", name: "short.mkv", speed: 1 } as const;

/** Milliseconds that no test waits for. */
const LONG_GRACE = 60_000;

const never = new AbortController().signal;

Deno.test("drain() closes the port at once, and lets a response finish", async () => {
  await using server = await testServer({ media });
  using peer = await server.connect();
  await peer.ask(SHORT);
  await peer.until("frame");
  const drained = server.server.drain({ grace: LONG_GRACE, signal: never });
  // The system takes a moment to close it for good.
  await server.server.run();
  await assertRejects(() => server.connect(), Deno.errors.ConnectionRefused);
  const { frames, end } = await peer.response();
  assertEquals([frames.length, end?.reason, end?.frames], [SHORT_FRAMES - 1, "end", SHORT_FRAMES]);
  assertEquals(await peer.farewell(), undefined);
  peer.close();
  await drained;
  await server.logged(/ ending: 1 viewer, waiting up to 60 s\n$/);
  await server.logged(/ ended: no responses were cut\n$/);
});

Deno.test("drain() answers further requests of open connections with busy, in their order", async () => {
  await using server = await testServer({ media });
  using peer = await server.connect();
  await peer.ask({ ...SHORT, speed: 0.1 });
  await peer.until("frame");
  await peer.ask(SHORT);
  // In the queue behind the one that is played.
  await peer.connection.send("ping", new Uint8Array(0));
  await peer.until("pong");
  const drained = server.server.drain({ grace: LONG_GRACE, signal: never });
  await peer.ask({ command: "list_media" });
  assertEquals((await peer.response()).end?.reason, "end");
  for (let request = 0; request < 2; request++) {
    const { error } = await peer.response();
    assertEquals(error?.code, "busy");
    assertMatch(error?.message ?? "", /^Cannot serve now: the server is ending/);
  }
  assertEquals(await peer.farewell(), undefined);
  peer.close();
  await drained;
});

Deno.test("drain() ends longer responses with reason shutdown: playing, paused and live", async () => {
  const live = { sources: [parseLiveSource("cam=lavfi:testsrc2=size=64x48:rate=25")] };
  await using server = await testServer({ media, live });
  using played = await server.connect();
  using paused = await server.connect();
  using watched = await server.connect();
  await played.ask(LONG);
  await paused.ask(LONG);
  await watched.ask({ command: "get_video", name: "cam" });
  for (const peer of [played, paused, watched]) await peer.until("frame");
  await paused.control("pause");
  await server.server.drain({ grace: 10, signal: AbortSignal.abort() });
  for (const peer of [played, paused, watched]) {
    const { frames, end, kinds } = await peer.response();
    assertEquals([end?.reason, end?.frames], ["shutdown", frames.length + 1]);
    assert(kinds.every((kind) => ["frame", "notice", "end"].includes(kind)), `${kinds}`);
    assertEquals(await peer.farewell(), undefined);
    peer.close();
  }
  await server.logged(/ ended: 3 responses were cut\n$/);
  await server.logged(/ result=shutdown /, 3);
});

Deno.test("drain() answers requests that wait for a decoder or a live source", async () => {
  const silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = silent.addr as Deno.NetAddr;
  const live = { sources: [parseLiveSource(`door=tcp://127.0.0.1:${port}`)] };
  {
    await using server = await testServer({ media, live, maxDecoders: 2 });
    using first = await server.connect();
    await first.ask(LONG);
    await first.until("frame");
    using visitor = await server.connect();
    await visitor.ask({ command: "get_video", name: "door" });
    await server.logged(/"door" is started/);
    using second = await server.connect();
    // Another rendition, which needs a decoder of its own.
    await second.ask({ ...LONG, width: 32 });
    await second.until("notice");
    await server.server.drain({ grace: 0, signal: AbortSignal.abort() });
    for (const peer of [second, visitor]) {
      const { error } = await peer.response();
      assertEquals(error?.code, "busy");
      assertMatch(error?.message ?? "", /the server is ending/);
    }
  }
  silent.close();
});

Deno.test("drain() closes idle connections without a message", async () => {
  await using server = await testServer({ media });
  using silent = await server.connect();
  using idle = await server.connect();
  await idle.ask({ command: "list_media" });
  await idle.until("list");
  using half = await server.connect();
  await half.write(scriptRequest("get_video").subarray(0, 6));
  using scripted = await server.connect();
  await scripted.write(scriptRequest("get_video"));
  await server.logged(/request=2 request begins/);
  const drained = server.server.drain({ grace: LONG_GRACE, signal: never });
  for (const peer of [silent, idle, half]) assertEquals(await peer.readAll(), new Uint8Array());
  assertEquals(server.lines.filter((line) => / (warn|error) /.test(line)), []);
  scripted.close();
  idle.close();
  await drained;
});

Deno.test("drain() cuts a script's video off, since the protocol's end would mean that it is complete", async () => {
  await using server = await testServer({ media, defaults: { video: "long.mkv" } });
  using peer = await server.connect();
  await peer.write(scriptRequest("get_video"));
  const length = new Uint8Array(4);
  await peer.socket.read(length);
  await server.server.drain({ grace: 0, signal: never });
  const rest = await peer.readAll();
  assertEquals(new TextDecoder("latin1").decode(rest.subarray(-40)).includes("end"), false);
  await server.logged(/ request ends command=get_video wire=classic .*result=shutdown /);
});

Deno.test("drain() does not wait for a peer that has stalled, and a second signal ends it", async () => {
  await using server = await testServer({ media });
  using peer = await server.connect();
  await peer.ask({ ...LONG, speed: 0, pixelFormat: "bgr24" });
  await peer.until("frame");
  const insistence = new AbortController();
  const drained = server.server.drain({ grace: LONG_GRACE, signal: insistence.signal });
  await server.logged(/ ending: 1 viewer/);
  insistence.abort();
  await drained;
  await server[Symbol.asyncDispose]();
  await server.quiet();
  await server.logged(/ result=shutdown /);
});

Deno.test("drain() keeps the metrics, and reports that the server is not ready", async () => {
  await using server = await testServer({ media, metrics: { hostname: "127.0.0.1", port: 0 } });
  const [, where] = server.lines.join("").match(/Metrics are at (\S+)\/metrics/) ?? [];
  using peer = await server.connect();
  await peer.ask(LONG);
  await peer.until("frame");
  const insistence = new AbortController();
  const drained = server.server.drain({ grace: LONG_GRACE, signal: insistence.signal });
  const ready = await fetch(`${where}/readyz`);
  assertEquals([ready.status, await ready.text()], [503, "not ready: the server is ending\n"]);
  const metrics = await fetch(`${where}/metrics`);
  assertMatch(await metrics.text(), /^stream_viewers 1$/m);
  insistence.abort();
  await drained;
});

Deno.test("drain() does nothing if the server is draining already", async () => {
  const server = await testServer({ media });
  const before = server.lines.length;
  await server[Symbol.asyncDispose]();
  await server.server.drain({ grace: LONG_GRACE, signal: never });
  await server[Symbol.asyncDispose]();
  assertEquals(server.lines.slice(before), []);
});
