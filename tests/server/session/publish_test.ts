import { assert, assertEquals, assertRejects } from "@std/assert";
import { RequestError } from "../../../lib/base/errors.ts";
import { mediaFolder } from "../../support/media/media_folder.ts";
import type { NativeClient } from "../../support/peers/native_client.ts";
import { rawStream, type StreamFields, TestPublisher } from "../../support/peers/test_publisher.ts";
import { type TestServer, testServer } from "../../support/peers/test_server.ts";

const media = mediaFolder().path;
const WATCH = { command: "get_video", name: "cam" } as const;

/** A frame of random bytes. */
function noise(size: number): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(size));
}

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

/** The refusal of a request to publish. */
async function refusal(
  server: TestServer,
  request: { name?: string; token?: string },
): Promise<string> {
  using publisher = await TestPublisher.connect(server.address.port);
  await publisher.askToPublish(request);
  const error = await assertRejects(() => publisher.until("accept"), RequestError);
  return `${error.code}: ${error.message}`;
}

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

Deno.test("a name is refused if it is taken, of a file, or none", async () => {
  const folder = mediaFolder();
  await folder.write("clip.mp4", "");
  await using server = await testServer({
    media: folder.path,
    maxPublishers: 2,
    live: { sources: [{ name: "door", kind: "generator", format: "lavfi", input: "testsrc" }] },
  });
  using one = await TestPublisher.begin(server.address.port, { name: "cam" });
  assertEquals(
    await refusal(server, { name: "cam" }),
    'busy: Cannot publish "cam": another ' +
      "publisher has that name, expected another or replace",
  );
  assert((await refusal(server, { name: "door" })).startsWith('busy: Cannot publish "door"'));
  assert((await refusal(server, { name: "a\nb" })).endsWith("it has a control character"));
  assert((await refusal(server, {})).startsWith("bad_request: Cannot publish without a name"));
  assertEquals(
    await refusal(server, { name: "clip.mp4" }),
    'bad_request: Cannot publish "clip.mp4": a file has that name',
  );
  using _two = await TestPublisher.begin(server.address.port, { name: "cam2" });
  assert((await refusal(server, { name: "cam3" })).startsWith("busy: "));
  // The connection is still good for other requests.
  await one.finish();
  using _three = await TestPublisher.begin(server.address.port, { name: "cam3" });
});

Deno.test("--publish none and token decide who may publish", async () => {
  await using none = await testServer({ media, publish: "none" });
  assert((await refusal(none, { name: "cam" })).startsWith("unauthorized: Cannot publish: this"));
  const folder = mediaFolder();
  const publishTokenFile = await folder.write("token", "open-sesame\n");
  await using token = await testServer({
    media: folder.path,
    publish: "token",
    credentials: { publishTokenFile },
  });
  assert((await refusal(token, { name: "cam" })).startsWith("unauthorized: "));
  assert((await refusal(token, { name: "cam", token: "guess" })).startsWith("unauthorized: "));
  const { port } = token.address;
  using publisher = await TestPublisher.begin(port, { name: "cam", token: "open-sesame" });
  // Watching needs none.
  using viewer = await token.connect();
  const { list } = await viewer.request({ command: "list_media" });
  assertEquals(list?.find(({ name }) => name === "cam")?.published, true);
  await publisher.finish();
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
  await using server = await testServer({ media, live: { sources: [], linger: 1 } });
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
  assertEquals((await viewer.until("end")).end.reason, "end");
  viewer.close();
  await server.logged(/has not come back/);
  using again = await TestPublisher.begin(server.address.port, { name: "cam" });
  await again.finish();
});

Deno.test("a publisher that gives no sign of life is lost", async () => {
  const timeouts = { request: 10_000, stall: 30_000, ping: 50, life: 300 };
  await using server = await testServer({ media, timeouts });
  const { publisher, viewer } = await watched(server);
  await publisher.send({ data: noise(32) });
  await viewer.frames(1);
  const answering = (async () => {
    while (true) await viewer.connection.send("pong", new Uint8Array(0));
  })().catch(() => {});
  assertEquals((await viewer.until("notice")).notice.code, "source_lost");
  viewer.close();
  await answering;
  publisher.close();
});

Deno.test("what does not fit the description ends a publisher, and nobody else", async () => {
  await using server = await testServer({ media, maxPixels: 1000 });
  const { port } = server.address;
  const wrong: [string, (publisher: TestPublisher) => Promise<void>][] = [
    ["expected a describe before it", (peer) => peer.send({ data: noise(32) })],
    ["a frame of 31 bytes in stream 0, expected 32", async (peer) => {
      await peer.describe(rawStream(8, 4));
      await peer.send({ data: noise(31) });
    }],
    ["a frame of stream 7, not described", async (peer) => {
      await peer.describe(rawStream(8, 4));
      await peer.send({ streamId: 7, data: noise(32) });
    }],
    ["timestamp 9007199254740000 in stream 0 is years off", async (peer) => {
      await peer.describe({ ...rawStream(8, 4), timeBase: [1, 1] });
      await peer.send({ data: noise(32) });
      await peer.send({ timestamp: 9_007_199_254_740_000, data: noise(32) });
    }],
    ["a picture of 100x100, expected at most 1000", (peer) => peer.describe(rawStream(100, 100))],
    ['pixel format "p010le"', (peer) => peer.describe(rawStream(8, 4, "p010le"))],
    [
      "raw video without pixelFormat",
      (peer) => peer.describe({ ...rawStream(8, 4), pixelFormat: undefined }),
    ],
    [
      "two streams of video",
      (peer) => peer.describe(rawStream(8, 4), { ...rawStream(8, 4), id: 1 }),
    ],
    [
      "expected at most 262144",
      (peer) => peer.describe({ ...rawStream(8, 4), extradata: "A".repeat(300_000) }),
    ],
    ["it names no stream", (peer) => peer.describe()],
    ["no JSON in UTF-8", (peer) => peer.connection.send("describe", noise(9))],
  ];
  using other = await TestPublisher.begin(port, { name: "other" });
  for (const [reason, send] of wrong) {
    using peer = await TestPublisher.begin(port, { name: "cam", replace: true });
    await send(peer);
    const error = await peer.farewell();
    assertEquals(error?.code, "bad_request", reason);
    assert(error?.message.includes(reason), `${error?.message} does not say: ${reason}`);
  }
  await other.finish();
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

Deno.test("the end of a server ends its publishers with a reason", async () => {
  const server = await testServer({ media });
  using publisher = await TestPublisher.begin(server.address.port, { name: "cam" });
  const draining = server.server.drain({ grace: 0, signal: new AbortController().signal });
  assertEquals((await publisher.farewell())?.code, "busy");
  await draining;
  await server[Symbol.asyncDispose]();
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
