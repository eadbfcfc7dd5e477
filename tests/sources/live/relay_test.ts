import { assert, assertEquals, assertFalse, assertLess, assertMatch } from "@std/assert";
import { wallClock } from "../../../lib/base/clock.ts";
import { ByteReader, fromSocket } from "../../../lib/base/byte_reader.ts";
import { ByteWriter } from "../../../lib/base/byte_writer.ts";
import { Secret } from "../../../lib/net/secret.ts";
import { Connection } from "../../../lib/protocol/native/connection.ts";
import { encodeFrame, encodeMessage, HEADER_LENGTH } from "../../../lib/protocol/native/framing.ts";
import { MAX_RELAYS } from "../../../lib/protocol/native/request.ts";
import { encodeError, encodeNotice } from "../../../lib/protocol/native/response.ts";
import { RequestError } from "../../../lib/base/errors.ts";
import type { ServerOptions } from "../../../lib/server/options.ts";
import { parseLiveSource } from "../../../lib/sources/live/source_spec.ts";
import { mediaFolder, pictures, tone } from "../../support/media/media_folder.ts";
import { ask, watchLive } from "../../support/peers/native_client.ts";
import type { WholeFrame } from "../../support/peers/received.ts";
import {
  type Asked,
  describe,
  end,
  frame,
  message,
  say,
  ScriptedServer,
} from "../../support/peers/scripted_server.ts";
import { dataStream, rawStream, TestPublisher } from "../../support/peers/test_publisher.ts";
import { liveServer, type TestServer, testServer } from "../../support/peers/test_server.ts";
import { makeCertificate } from "../../support/programs/certificates.ts";
import { freePort, mediaChildren } from "../../support/programs/machine.ts";
import { tlsTest } from "../../support/test_if.ts";

const folder = mediaFolder();

/** A server whose source `cam` is one of another server, without lingering. */
function relayOf(
  { address: { port } }: { address: Deno.NetAddr },
  { name = "cam", ...options }: Partial<ServerOptions> & { name?: string } = {},
): Promise<TestServer> {
  const source = parseLiveSource(`cam=stream://127.0.0.1:${port}/${name}`);
  return testServer({ media: folder.path, live: { sources: [source], linger: 0 }, ...options });
}

/** A server that only takes what is published. */
function hubServer(options: Partial<ServerOptions> = {}): Promise<TestServer> {
  return testServer({ media: folder.path, ...options });
}

/** A frame of random bytes. */
function noise(size: number): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(size));
}

/** What a relay must not change: bytes, flags, and the time since the first frame of all. */
function contentOf(frames: readonly WholeFrame[]) {
  return frames.map(({ streamId, timestamp, keyframe, dropped, discontinuity, md5 }) => ({
    ...{ streamId, keyframe, dropped, discontinuity, md5 },
    passed: timestamp - (frames.find((other) => other.streamId === streamId)?.timestamp ?? 0),
  }));
}

/** The error of a request for `cam` now. */
async function refusal(server: TestServer): Promise<string> {
  using viewer = await watchLive(server, { name: "cam" });
  const { error } = await viewer.until("error");
  return `${error.code}: ${error.message}`;
}

Deno.test("two relays change nothing of what is published, and lose nothing", async () => {
  await using hub = await hubServer();
  await using edge = await relayOf(hub);
  await using far = await relayOf(edge);
  const port = hub.address.port;
  using publisher = await TestPublisher.begin(port, { name: "cam", onDemand: true });
  const sound = { type: "audio", codec: "pcm_s16le", sampleRate: 8000, channels: 1 } as const;
  const audio = { ...sound, id: 1, timeBase: [1, 8000] as const };
  await publisher.describe(rawStream(8, 4), audio, dataStream(2));
  const request = { name: "cam", encoding: "copy", data: true } as const;
  using near = await watchLive(hub, request);
  using viewer = await watchLive(far, request);
  await publisher.asked("resume");
  // The relays join while nothing is sent, so that all get the same.
  while ((await publisher.notice("viewers")).viewers !== 2);
  const sent: Uint8Array[] = [];
  for (let at = 0; at < 20; at++) {
    const data = noise(32);
    await publisher.send({ timestamp: at * 40, data });
    await publisher.send({ streamId: 1, timestamp: at * 320, data: noise(640) });
    await publisher.say(2, at * 40, { at });
    sent.push(data);
  }
  const [expected, found] = await Promise.all([near.frames(60), viewer.frames(60)]);
  assertEquals(found.filter(({ type }) => type === "video").map(({ data }) => data), sent);
  assertEquals(contentOf(found), contentOf(expected));
  const described = ({ name: _name, ...description }: typeof viewer.description) => description;
  assertEquals(described(viewer.description), described(near.description));
  await publisher.finish();
  assertMatch((await viewer.notice("source_lost")).message, /: it came to its end; it is tried/);
});

Deno.test("packets of a compressed video pass two relays unchanged", async () => {
  const media = (await folder.make("served/clip.mkv", [
    ...[...pictures({ seconds: 1 }), ...tone({ seconds: 1, rate: 16_000 })],
    ...["-c:v", "libx264", "-g", "10", "-bf", "2", "-c:a", "aac"],
  ])).replace(/\/[^/]+$/, "");
  await using hub = await testServer({ media });
  await using edge = await relayOf(hub, { name: "clip.mkv" });
  await using far = await relayOf(edge);
  const request = { command: "get_video", encoding: "copy" } as const;
  const { frames, description } = await ask(hub, { ...request, name: "clip.mkv" });
  using viewer = await watchLive(far, { ...request, name: "cam" });
  const found = await viewer.frames(frames.length);
  const kept = ({ streamId, keyframe, size, md5 }: typeof frames[number]) => [
    ...[streamId, keyframe, size, md5],
  ];
  assertEquals(found.map(kept), frames.map(kept));
  assertEquals(viewer.description.streams, description?.streams);
});

Deno.test("raw frames and renditions of a relayed source come from one connection", async () => {
  {
    await using hub = await liveServer("cam=lavfi:testsrc2=size=64x48:rate=25");
    await using edge = await relayOf(hub);
    using raw = await watchLive(edge, { name: "cam" });
    using small = await watchLive(edge, { name: "cam", width: 32 });
    using packets = await watchLive(edge, { name: "cam", encoding: "h264" });
    for (const viewer of [raw, small, packets]) await viewer.frames(3);
    assertEquals(small.description.streams[0].codec, "rawvideo");
    assertEquals(packets.description.streams[0].codec, "h264");
    using lister = await edge.connect();
    const { list } = await lister.request({ command: "list_media" });
    const entry = { name: "cam", kind: "video", live: true, size: 0, codec: "h264" } as const;
    const expected = { ...entry, width: 64, height: 48, duration: undefined, published: undefined };
    assertEquals(list?.filter(({ live }) => live), [expected]);
    assertEquals(hub.lines.filter((line) => / request begins /.test(line)).length, 1);
  }
  assertEquals(await mediaChildren(), []);
});

Deno.test("the other server is connected to only while somebody watches", async () => {
  await using hub = await liveServer("cam=lavfi:testsrc2=size=64x48:rate=25");
  await using edge = await relayOf(hub);
  for (let times = 1; times <= 2; times++) {
    assertEquals(hub.lines.filter((line) => / request begins /.test(line)).length, times - 1);
    {
      using viewer = await watchLive(edge, { name: "cam" });
      await viewer.frames(2);
    }
    await hub.logged(/ disconnected\n$/, times);
    await edge.logged(/"cam" is stopped/, times);
  }
});

Deno.test("other streams in the middle reach viewers of a relay, and nothing is lost", async () => {
  await using hub = await hubServer();
  await using edge = await relayOf(hub);
  await using far = await relayOf(edge);
  using publisher = await TestPublisher.begin(hub.address.port, { name: "cam", onDemand: true });
  await publisher.describe(rawStream(8, 4));
  using viewer = await watchLive(far, { name: "cam", encoding: "copy", redescribe: true });
  await publisher.asked("resume");
  const sizes = [[8, 4], [4, 4], [16, 2], [8, 4]] as const;
  const sent: Uint8Array[] = [];
  for (const [turn, [width, height]] of sizes.entries()) {
    if (turn > 0) await publisher.describe(rawStream(width, height));
    for (let at = 0; at < 5; at++) {
      const data = noise(width * height);
      sent.push(data);
      await publisher.send({ timestamp: (turn * 5 + at) * 40, data });
    }
  }
  const found: Uint8Array[] = [];
  const described: number[] = [];
  while (found.length < sent.length) {
    const received = await viewer.next();
    if (received.kind === "frame") found.push(received.frame.data);
    if (received.kind !== "describe") continue;
    const [stream] = received.description.streams;
    described.push(stream.type === "video" ? stream.width : 0);
  }
  assertEquals(found, sent);
  assertEquals(described, sizes.map(([width]) => width));
  assertEquals(edge.lines.filter((line) => /source_lost|tried again/.test(line)), []);
});

Deno.test("viewers stay while the other server is killed and comes back", async () => {
  const port = freePort();
  const begin = async () => {
    const hub = await hubServer({ port });
    const publisher = await TestPublisher.begin(port, { name: "cam" });
    await publisher.describe(rawStream(8, 4));
    return { hub, publisher };
  };
  const first = await begin();
  await using edge = await relayOf(first.hub);
  using viewer = await watchLive(edge, { name: "cam", encoding: "copy" });
  const sent = [noise(32), noise(32), noise(32)];
  await first.hub.logged(/"cam" is started/);
  for (const [at, data] of sent.entries()) await first.publisher.send({ timestamp: at, data });
  const before = await viewer.frames(3);
  first.publisher.close();
  await first.hub[Symbol.asyncDispose]();
  const { message } = await viewer.notice("source_lost");
  assertMatch(message, /^Cannot read "cam": [^:]+; it is tried again in 1\.\d s$/);
  assertMatch(await refusal(edge), /^media_error: Cannot read "cam": /);
  const second = await begin();
  await using _hub = second.hub;
  using publisher = second.publisher;
  await second.hub.logged(/"cam" is started/);
  const later = [noise(32), noise(32)];
  for (const [at, data] of later.entries()) await publisher.send({ timestamp: at, data });
  const back = await viewer.until("notice");
  assertEquals(back.notice.code, "source_back");
  const after = await viewer.frames(2);
  assertEquals([...before, ...after].map(({ data }) => data), [...sent, ...later]);
  assertEquals(after.map(({ discontinuity }) => discontinuity), [true, false]);
  assert(after[0].timestamp > before[2].timestamp);
});

Deno.test("viewers are told when the other server loses the source, and stay connected to it", async () => {
  await using hub = await hubServer();
  await using edge = await relayOf(hub);
  const port = hub.address.port;
  const show = async (publisher: TestPublisher) => {
    await publisher.describe(rawStream(8, 4));
    await publisher.send({ data: noise(32) });
  };
  using viewer = await watchLive(edge, { name: "cam", encoding: "copy" });
  assertMatch((await viewer.next() as { error?: Error }).error?.message ?? "", /says: Cannot find/);
  {
    using publisher = await TestPublisher.begin(port, { name: "cam" });
    await edge.logged(/"cam" is stopped/);
    await viewer.ask({ command: "get_video", name: "cam", encoding: "copy" });
    await hub.logged(/"cam" is started/);
    await show(publisher);
    await viewer.frames(1);
  }
  const { message } = await viewer.notice("source_lost");
  assertMatch(message, /^Cannot read "cam": its server says: Cannot read "cam": its publisher is /);
  using publisher = await TestPublisher.begin(port, { name: "cam" });
  await show(publisher);
  await viewer.notice("source_back");
  await viewer.frames(1);
  // Once for the error, and once for all that followed.
  assertEquals(hub.lines.filter((line) => / begins command=get_video /.test(line)).length, 2);
});

Deno.test("a relay shows its token, and says why it is refused", async () => {
  const token = new Secret("sesame");
  await using hub = await liveServer("cam=lavfi:testsrc2=size=64x48:rate=25");
  await using closed = await relayOf(hub, { credentials: { token } });
  const right = await folder.write("right", "sesame\n");
  const wrong = await folder.write("wrong", "open\n");
  {
    await using edge = await relayOf(closed, { credentials: { relayTokenFile: right } });
    using viewer = await watchLive(edge, { name: "cam" });
    await viewer.frames(1);
  }
  for (const credentials of [{ relayTokenFile: wrong }, {}]) {
    await using edge = await relayOf(closed, { credentials });
    const expected = /^media_error: Cannot read "cam": its server says: Cannot .*token/;
    assertMatch(await refusal(edge), expected);
    assertFalse(/sesame|open\b/.test(edge.lines.join("")), edge.lines.join(""));
  }
  await using edge = await relayOf(hub, { name: "other" });
  assertMatch(await refusal(edge), /^media_error: .*its server says: Cannot find "other"/);
});

tlsTest("a relay verifies the other server by an authority", async () => {
  const own = await makeCertificate(folder.path, "own");
  const other = await makeCertificate(folder.path, "other");
  const source = parseLiveSource("cam=lavfi:testsrc2=size=64x48:rate=25");
  await using hub = await testServer({
    media: folder.path,
    live: { sources: [source], linger: 0 },
    credentials: { certificate: { cert: own.cert, key: own.key } },
  });
  const edgeOf = (relayAuthorityFile: string | undefined, host = "localhost", scheme = "streams") =>
    liveServerOf(`cam=${scheme}://${host}:${hub.address.port}/cam`, { relayAuthorityFile });
  {
    await using edge = await edgeOf(own.cert);
    using viewer = await watchLive(edge, { name: "cam" });
    await viewer.frames(1);
  }
  const begin = /^media_error: Cannot read "cam": /;
  const cases: [Promise<TestServer>, RegExp][] = [
    [edgeOf(other.cert), /Cannot trust its server: .* not signed by "--live-ca-cert"/],
    [edgeOf(undefined), /Cannot trust its server: .*, expected --live-ca-cert FILE$/],
    [edgeOf(undefined, "127.0.0.1", "stream"), /its server says: Cannot .*TLS/],
  ];
  for (const [starting, reason] of cases) {
    await using edge = await starting;
    const said = await refusal(edge);
    assertMatch(said, begin);
    assertMatch(said, reason);
    assertFalse(said.includes(folder.path) || said.includes(String(hub.address.port)), said);
  }
});

function liveServerOf(
  source: string,
  credentials: ServerOptions["credentials"],
): Promise<TestServer> {
  const live = { sources: [parseLiveSource(source)], linger: 0 };
  return testServer({ media: folder.path, live, credentials });
}

Deno.test("a server that relays itself, or two that relay each other, refuse the loop", async () => {
  const [one, two] = [freePort(), freePort()];
  const serverAt = (port: number, upstream: number) => {
    const sources = [parseLiveSource(`cam=stream://127.0.0.1:${upstream}/cam`)];
    return testServer({ media: folder.path, port, live: { sources, linger: 0 } });
  };
  const cases = [[[one, one]], [[one, two], [two, one]]] as const;
  for (const ports of cases) {
    const begun = performance.now();
    await using stack = new AsyncDisposableStack();
    const servers: TestServer[] = [];
    for (const [port, upstream] of ports) servers.push(stack.use(await serverAt(port, upstream)));
    const said = await refusal(servers[0]);
    assertMatch(said, /^media_error: Cannot read "cam": its server says: .*"cam": a loop, /);
    assertLess(performance.now() - begun, 8000);
    // Nobody watches any more, so nobody tries again.
    for (const server of servers) await server.logged(/"cam" is stopped/);
    await servers[0].quiet();
  }
});

Deno.test("two that relay each other, asked at once, wait no longer than for a first frame", async () => {
  const ports = [freePort(), freePort()];
  await using stack = new AsyncDisposableStack();
  const servers = await Promise.all(ports.map((port, at) => {
    const sources = [parseLiveSource(`cam=stream://127.0.0.1:${ports[1 - at]}/cam`)];
    return testServer({ media: folder.path, port, live: { sources, linger: 0 } });
  }));
  for (const server of servers) stack.use(server);
  const said = await Promise.all(servers.map(refusal));
  for (const text of said) assertMatch(text, /^media_error: Cannot read "cam": /);
  for (const server of servers) await server.logged(/"cam" is stopped/);
});

Deno.test("made-up ids of relays close no source, and a server may be passed twice", async () => {
  const [one, two] = [freePort(), freePort()];
  const serverAt = (port: number, ...sources: string[]) =>
    testServer({
      media: folder.path,
      port,
      live: { sources: sources.map(parseLiveSource), linger: 0 },
    });
  await using first = await serverAt(
    one,
    "camera=lavfi:testsrc2=size=64x48:rate=25",
    `cam=stream://127.0.0.1:${two}/middle`,
  );
  await using _two = await serverAt(two, `middle=stream://127.0.0.1:${one}/camera`);
  const via = Array.from({ length: MAX_RELAYS }, (_, at) => `relay-${at}`);
  using viewer = await watchLive(first, { name: "cam", via });
  await viewer.frames(1);
});

/** Serves one viewer, whose request is read, by hand. */
class Scripted {
  readonly connection: Connection;
  readonly request: Record<string, unknown>;

  constructor(peer: Deno.TcpConn, { bytes }: Asked) {
    const writer = new ByteWriter(peer, { stallTimeout: 20_000, onStall() {} });
    this.connection = new Connection(new ByteReader(fromSocket(peer)), writer);
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const payload = bytes.subarray(HEADER_LENGTH, view.getUint32(0, true) + 4);
    this.request = JSON.parse(new TextDecoder().decode(payload));
  }
}

Deno.test("capture times are moved by the offset of the other server's clock", async () => {
  const hour = 3600e6;
  const asked = Promise.withResolvers<Record<string, unknown>>();
  await using upstream = new ScriptedServer(async (peer, first) => {
    const { connection, request } = new Scripted(peer, first);
    asked.resolve(request);
    const live = describe();
    await say(peer, liveDescription(live));
    for (let at = 0;; at++) {
      const received = await connection.receive();
      if (received === undefined) return;
      if (received.kind !== "ping") continue;
      const timestamp = wallClock() + hour;
      await connection.send("pong", received.payload, { timestamp });
      const data = new Uint8Array(64 + 256).subarray(64);
      const captured = wallClock() + hour - 500_000;
      await say(peer, encodeFrame({ streamId: 0, timestamp: at, keyframe: true, captured, data }));
    }
  });
  await using edge = await relayOf(upstream);
  using viewer = await watchLive(edge, { name: "cam", encoding: "copy" });
  const [{ captured = 0 }] = await viewer.frames(1);
  const age = (wallClock() - captured) / 1e6;
  assert(age >= 0.45 && age < 60, `${age} seconds`);
  const { command, encoding, late, data, redescribe, via } = await asked.promise;
  assertEquals([command, encoding, late], ["get_video", "copy", "wait"]);
  assertEquals([data, redescribe, Array.isArray(via) && via.length], [true, true, 1]);
});

/** A description as of a live source. */
function liveDescription(bytes: Uint8Array): Uint8Array {
  const said = JSON.parse(new TextDecoder().decode(bytes.subarray(HEADER_LENGTH)));
  return encodeMessage(
    "describe",
    new TextEncoder().encode(JSON.stringify({ ...said, live: true })),
  );
}

Deno.test("gaps and breaks before the relay are passed on", async () => {
  await using upstream = new ScriptedServer(async (peer) => {
    await say(peer, liveDescription(describe()));
    for (const flags of [0, 2, 4, 0]) {
      const bytes = frame(flags);
      bytes[5] |= flags;
      await say(peer, bytes);
    }
    await peer.read(new Uint8Array(1000));
    await peer.read(new Uint8Array(1000));
  });
  await using edge = await relayOf(upstream);
  using viewer = await watchLive(edge, { name: "cam", encoding: "copy" });
  const found = await viewer.frames(4);
  assertEquals(found.map(({ dropped }) => dropped), [false, true, false, false]);
  assertEquals(found.map(({ discontinuity }) => discontinuity), [false, false, true, false]);
});

Deno.test("whatever the other server sends, viewers get one reason, and the relay goes on", async () => {
  const notice = (message: string) =>
    encodeMessage("notice", encodeNotice({ code: "source_lost", message }));
  const large = { width: 16_000, height: 16_000 };
  const error = encodeError(new RequestError("internal", `\x1b[2J${"x".repeat(60_000)}`));
  const cases: [Uint8Array[], RegExp][] = [
    [[], /the connection to its server was cut$/],
    [[describe()], /the connection to its server was cut$/],
    [[describe(), frame(0).subarray(0, 100)], /the connection to its server was cut$/],
    [[frame(0)], /breaks the protocol \(.*a frame of stream 0 came unannounced\)$/],
    [[message(99, "")], /breaks the protocol \(.*kind 99/],
    [[message(3, "", { length: 0xffffffff })], /breaks the protocol \(.*length 4294967295/],
    [[message(2, "{}")], /breaks the protocol \(/],
    [[describe(large)], /what cannot be passed on \(.*16000x16000, expected at most/],
    [[describe({}, { id: 1 })], /what cannot be passed on \(.*two streams of video/],
    [[describe(), frame(0, { size: 255 })], /what cannot be passed on \(.*a frame of 255 bytes/],
    [[describe(), end()], /it came to its end$/],
    [[describe(), notice("the camera is gone")], /its server says: the camera is gone$/],
    [[encodeMessage("error", error)], /its server says: \?\[2Jx{296}$/],
  ];
  for (const [messages, reason] of cases) {
    await using upstream = new ScriptedServer((peer) => say(peer, ...messages));
    await using edge = await relayOf(upstream, { maxPixels: 1e6 });
    const said = await refusal(edge);
    assertMatch(said, /^media_error: Cannot read "cam": /);
    assertMatch(said, reason);
    await edge.logged(/"cam" is stopped/);
  }
});

Deno.test("a server that cannot be reached is named without its address", async () => {
  const port = freePort();
  for (const host of ["127.0.0.1", "nowhere.invalid"]) {
    await using edge = await liveServer(`cam=stream://${host}:${port}/cam`);
    const said = await refusal(edge);
    assertMatch(said, /^media_error: Cannot read "cam": Cannot connect to its server: [^:]+/);
    assertFalse(said.includes(host) || said.includes(String(port)), said);
  }
});
