import { assert, assertEquals, assertRejects } from "@std/assert";
import { RequestError } from "../../../lib/base/errors.ts";
import { runSession } from "../../../lib/server/session/session.ts";
import { Library } from "../../../lib/sources/file/library.ts";
import { mediaFolder } from "../../support/media/media_folder.ts";
import type { NativeClient } from "../../support/peers/native_client.ts";
import { sessionContext } from "../../support/peers/session_context.ts";
import {
  dataStream,
  noise,
  rawStream,
  type StreamFields,
  TestPublisher,
} from "../../support/peers/test_publisher.ts";
import { type TestServer, testServer } from "../../support/peers/test_server.ts";
import { HandClock } from "../../support/time/hand_clock.ts";
import { LeapingTime } from "../../support/time/leaping_time.ts";

const media = mediaFolder().path;
const WATCH = { command: "get_video", name: "cam" } as const;

/** Milliseconds; a busy machine never comes close to it, and a test by a leap. */
const LINGER = 50_000;

/** A publisher of `cam` that somebody watches. */
async function watched(
  server: TestServer,
  streams: StreamFields[] = [rawStream(8, 4)],
  request: Record<string, unknown> = {},
): Promise<{ publisher: TestPublisher; viewer: NativeClient<Deno.TcpConn> }> {
  const { port } = server.address;
  const publisher = await TestPublisher.begin(port, { name: "cam", onDemand: true });
  await publisher.describe(...streams);
  const viewer = await server.connect();
  await viewer.ask({ ...WATCH, ...request });
  await publisher.asked("resume");
  return { publisher, viewer };
}

Deno.test("a publisher is asked for its time before it sends frames", async () => {
  const timeouts = { request: 10_000, stall: 30_000, ping: 2 ** 30 };
  await using server = await testServer({ media, timeouts });
  using publisher = await TestPublisher.begin(server.address.port, { name: "cam" });
  await publisher.until("ping");
  assertEquals(publisher.pings.length, 1);
});

Deno.test("frames of a publisher reach a viewer byte by byte, and both get the totals", async () => {
  await using server = await testServer({ media });
  const { publisher, viewer } = await watched(server);
  const sent = [noise(32), noise(32), noise(32)];
  for (const [at, data] of sent.entries()) {
    await publisher.send({ timestamp: at * 40, data, dropped: at === 2 });
  }
  const frames = await viewer.frames(3);
  assertEquals(frames.map(({ dropped }) => dropped), [false, false, true]);
  assertEquals(frames.map(({ data }) => data), sent);
  assertEquals(frames.map(({ timestamp }) => timestamp - frames[0].timestamp), [0, 40, 80]);
  assertEquals(viewer.description.live, true);
  const end = await publisher.finish();
  assertEquals([end.frames, end.bytes, end.streams], [3, 96, [{ id: 0, frames: 3, bytes: 96 }]]);
  assertEquals((await viewer.until("end")).end.frames, 3);
  assertEquals((await viewer.request(WATCH)).error?.code, "not_found");
  publisher.close();
  viewer.close();
});

Deno.test("raw arrays of any format reach a viewer unchanged", async () => {
  await using server = await testServer({ media });
  const sizes = {
    bgr24: 96,
    gray16le: 64,
    grayf32le: 128,
    bayer_rggb8: 32,
    yuv420p: 48,
    pal8: 1056,
  };
  for (const [format, size] of Object.entries(sizes)) {
    const { publisher, viewer } = await watched(server, [rawStream(8, 4, format)]);
    const data = noise(size);
    await publisher.send({ data });
    const [frame] = await viewer.frames(1);
    assertEquals([frame.data, viewer.description.streams[0].codec], [data, "rawvideo"], format);
    await publisher.finish();
    publisher.close();
    viewer.close();
  }
});

Deno.test("another publisher replaces the first, and viewers stay", async () => {
  await using server = await testServer({ media });
  const { publisher, viewer } = await watched(server);
  await publisher.send({ data: noise(32) });
  await viewer.frames(1);
  const next = await TestPublisher.begin(server.address.port, { name: "cam", replace: true });
  const error = await publisher.farewell();
  assertEquals(error?.code, "bad_request");
  assertEquals(error?.message, 'Cannot publish "cam": another publisher has taken its place');
  await next.describe({ ...rawStream(8, 4), timeBase: [1, 90_000] });
  const data = noise(32);
  await next.send({ timestamp: 5_000_000_000, data });
  assertEquals((await viewer.until("notice")).notice.code, "source_lost");
  assertEquals((await viewer.until("notice")).notice.code, "source_back");
  const frame = await viewer.frame();
  assertEquals([frame.data, frame.discontinuity], [data, true]);
  await next.finish();
  await viewer.until("end");
  for (const peer of [publisher, next, viewer]) peer.close();
});

Deno.test("a publisher that was cut may come back, or its source ends", async () => {
  using time = new LeapingTime();
  await using server = await testServer({ media, live: { sources: [], linger: LINGER / 1000 } });
  const { publisher, viewer } = await watched(server);
  await publisher.send({ data: noise(32) });
  const [first] = await viewer.frames(1);
  publisher.close();
  assertEquals((await viewer.until("notice")).notice.code, "source_lost");
  const back = await TestPublisher.begin(server.address.port, { name: "cam" });
  await back.describe(rawStream(8, 4));
  await back.send({ timestamp: 7, data: noise(32) });
  assertEquals((await viewer.until("notice")).notice.code, "source_back");
  const frame = await viewer.frame();
  assert(frame.discontinuity && frame.timestamp > first.timestamp);
  back.close();
  assertEquals((await viewer.until("notice")).notice.code, "source_lost");
  await time.running(LINGER);
  await time.leap(LINGER);
  assertEquals((await viewer.until("end")).end.reason, "end");
  viewer.close();
  await server.logged(/has not come back/);
  using again = await TestPublisher.begin(server.address.port, { name: "cam" });
  await again.finish();
});

Deno.test("a publisher that gives no sign of life is lost", async () => {
  // On a busy machine the viewer may be silent for a while, too.
  const timeouts = { request: 10_000, stall: 30_000, ping: 50, life: 5000 };
  await using server = await testServer({ media, timeouts });
  const { publisher, viewer } = await watched(server);
  const answering = (async () => {
    while (true) await viewer.connection.send("pong", new Uint8Array(0));
  })().catch(() => {});
  await publisher.send({ data: noise(32) });
  await viewer.frames(1);
  assertEquals((await viewer.until("notice")).notice.code, "source_lost");
  viewer.close();
  await answering;
  publisher.close();
});

Deno.test("viewers who can take another description get it, others an error", async () => {
  await using server = await testServer({ media });
  const { publisher, viewer } = await watched(server, undefined, { redescribe: true });
  await publisher.send({ data: noise(32) });
  await viewer.frames(1);
  using old = await server.connect();
  await old.ask(WATCH);
  while ((await publisher.notice("viewers")).viewers !== 2);
  await publisher.send({ timestamp: 40, data: noise(32) });
  await old.frames(1);
  await publisher.describe(rawStream(16, 4));
  const data = noise(64);
  await publisher.send({ timestamp: 80, data });
  const { description } = await viewer.until("describe");
  const [stream] = description.streams;
  assertEquals(stream.type === "video" && stream.width, 16);
  assertEquals((await viewer.frame()).data, data);
  const error = await assertRejects(() => old.until("end"), RequestError);
  assertEquals(error.code, "media_error");
  assertEquals(
    error.message,
    'Cannot read "cam": it came back as something else, ask for it again',
  );
  await publisher.finish();
  const { end } = await viewer.until("end");
  assertEquals([end.frames, end.streams?.length], [3, 1]);
  publisher.close();
  viewer.close();
});

Deno.test("viewers that join are described the streams as they were described last", async () => {
  await using server = await testServer({ media });
  const grey = { ...rawStream(8, 4), colorRange: "pc" };
  const { publisher, viewer } = await watched(server, [grey]);
  await publisher.send({ data: noise(32) });
  await viewer.frames(1);
  const changed = { colorRange: "tv", sampleAspectRatio: [4, 3], timeBase: [1, 500] };
  await publisher.describe({ ...grey, ...changed });
  await publisher.send({ timestamp: 40, data: noise(32) });
  await viewer.frame();
  using late = await server.connect();
  await late.ask(WATCH);
  while ((await publisher.notice("viewers")).viewers !== 2);
  await publisher.send({ timestamp: 60, data: noise(32) });
  const [newest, [frame]] = [await viewer.frame(), await late.frames(1)];
  const [stream] = late.description.streams;
  assert(stream.type === "video");
  const { colorRange, sampleAspectRatio } = stream;
  assertEquals([colorRange, sampleAspectRatio], ["tv", [4, 3]]);
  // Both are sent the same frames, so that the time base stays.
  assertEquals([frame.timestamp, frame.seconds], [newest.timestamp, newest.seconds]);
  assertEquals(stream.timeBase, viewer.description.streams[0].timeBase);
  await publisher.finish();
  publisher.close();
  viewer.close();
});

Deno.test("a publisher on demand is asked to pause and to resume", async () => {
  const timeouts = { request: 10_000, stall: 30_000, ping: 50 };
  await using server = await testServer({ media, timeouts, live: { sources: [], linger: 0 } });
  const { port } = server.address;
  using publisher = await TestPublisher.begin(port, { name: "cam", onDemand: true });
  await publisher.asked("pause");
  await publisher.describe(rawStream(8, 4));
  for (let round = 0; round < 2; round++) {
    using viewer = await server.connect();
    await viewer.ask(WATCH);
    await publisher.asked("resume");
    await publisher.send({ timestamp: round, data: noise(32) });
    await viewer.frames(1);
    viewer.close();
    await publisher.asked("pause");
  }
  await publisher.finish();
});

Deno.test("a description that waits when its publication ends takes no memory", async () => {
  for (const isReplaced of [false, true]) {
    const clock = new HandClock();
    await using context = await sessionContext({ library: new Library(media), clock });
    const { budget } = context;
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const sessions: Promise<void>[] = [];
    const begin = async (replace: boolean) => {
      const beginning = TestPublisher.begin(listener.addr.port, { name: "cam", replace });
      sessions.push(runSession(await listener.accept(), context));
      return await beginning;
    };
    using publisher = await begin(false);
    // The rate lets two through at once.
    for (let count = 0; count < 3; count++) await publisher.describe(rawStream(8, 4));
    await clock.asleep();
    assert(budget.taken > 0);
    if (isReplaced) {
      using _next = await begin(true);
      assertEquals((await publisher.farewell())?.code, "bad_request");
    } else {
      const ended = publisher.finish();
      await publisher.describe(rawStream(8, 4));
      await clock.passToNext();
      await ended;
    }
    clock.pass(1000);
    publisher.close();
    await Promise.all(sessions);
    assertEquals(budget.taken, 0, isReplaced ? "replaced" : "ended");
  }
});

Deno.test("log and metrics tell of publishers and of what they send", async () => {
  await using server = await testServer({
    media,
    metrics: { hostname: "127.0.0.1", port: 0 },
    live: { sources: [], linger: 0 },
  });
  await server.logged(/Metrics are at/);
  const [url] = server.lines.join("").match(/http:\S+\/metrics/) ?? [];
  const read = async (name: string) => {
    const text = await (await fetch(url ?? "")).text();
    return text.split("\n").find((line) => line.startsWith(`${name} `))?.slice(name.length + 1);
  };
  using publisher = await TestPublisher.begin(server.address.port, { name: "cam" });
  await publisher.describe(rawStream(8, 4));
  assertEquals(await read("stream_publishers"), "1");
  for (let at = 0; at < 3; at++) await publisher.send({ timestamp: at, data: noise(32) });
  await publisher.finish();
  assertEquals(await read("stream_publishers"), "0");
  assertEquals(await read('stream_frames_received_total{type="video"}'), "3");
  assertEquals(await read("stream_bytes_received_total"), "96");
  await server.logged(/request begins.*command=publish.*name=cam/);
  await server.logged(/request ends.*command=publish.*result=done.*frames=3.*bytes=96/);
});

Deno.test("totals and metrics hold when the streams of a publisher change", async () => {
  await using server = await testServer({ media, metrics: { hostname: "127.0.0.1", port: 0 } });
  await server.logged(/Metrics are at/);
  const [url] = server.lines.join("").match(/http:\S+\/metrics/) ?? [];
  using publisher = await TestPublisher.begin(server.address.port, { name: "cam" });
  await publisher.describe(rawStream(8, 4));
  for (let at = 0; at < 5; at++) await publisher.send({ timestamp: at, data: noise(32) });
  const read = async () => {
    const response = await fetch(url ?? "");
    const text = await response.text();
    return [response.status, text.match(/^stream_bytes_received_total (\d+)/m)?.[1]];
  };
  while ((await read())[1] !== "160");
  await publisher.describe(dataStream(3));
  await publisher.say(3, 0, 1);
  while ((await read())[1] !== "161");
  const end = await publisher.finish();
  assertEquals([end.frames, end.bytes], [5, 161]);
  assertEquals(end.streams?.map(({ bytes }) => bytes), [160, 1]);
});

Deno.test("publishers do not delay the end of a server", async () => {
  const server = await testServer({ media });
  using publisher = await TestPublisher.begin(server.address.port, { name: "cam" });
  const draining = server.server.drain({ grace: 1e6, signal: new AbortController().signal });
  assertEquals((await publisher.farewell())?.code, "busy");
  await draining;
  await server[Symbol.asyncDispose]();
});
