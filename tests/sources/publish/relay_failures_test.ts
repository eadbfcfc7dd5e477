import { assert, assertEquals, assertFalse, assertMatch } from "@std/assert";
import { RequestError } from "../../../lib/base/errors.ts";
import { Secret } from "../../../lib/net/secret.ts";
import { encodeMessage } from "../../../lib/protocol/native/framing.ts";
import { encodeEnd, encodeError, encodeNotice } from "../../../lib/protocol/native/response.ts";
import { mediaFolder } from "../../support/media/media_folder.ts";
import { watchLive } from "../../support/peers/native_client.ts";
import { refusal, relayOf, serverOf } from "../../support/peers/relays.ts";
import {
  describe,
  end,
  frame,
  message,
  say,
  ScriptedServer,
} from "../../support/peers/scripted_server.ts";
import { noise, rawStream, TestPublisher } from "../../support/peers/test_publisher.ts";
import { type TestServer, testServer } from "../../support/peers/test_server.ts";
import { makeCertificate } from "../../support/programs/certificates.ts";
import { freePort } from "../../support/programs/machine.ts";
import { tlsTest } from "../../support/test_if.ts";

// What viewers of a relay get if the other server fails, or is no good.

const folder = mediaFolder();

/** A camera. */
const CAMERA = "cam=lavfi:testsrc2=size=64x48:rate=25";

Deno.test("viewers stay while the other server is killed and comes back", async () => {
  const port = freePort();
  const begin = async () => {
    const hub = await testServer({ media: folder.path, port });
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
  await viewer.notice("source_back");
  const after = await viewer.frames(2);
  assertEquals([...before, ...after].map(({ data }) => data), [...sent, ...later]);
  assertEquals(after.map(({ discontinuity }) => discontinuity), [true, false]);
  assert(after[0].timestamp > before[2].timestamp);
});

Deno.test("viewers are told when the other server loses the source, and stay connected to it", async () => {
  await using hub = await testServer({ media: folder.path });
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
  await using hub = await serverOf([CAMERA]);
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
  const certificate = { cert: own.cert, key: own.key };
  await using hub = await serverOf([CAMERA], { credentials: { certificate } });
  const edgeOf = (relayAuthorityFile: string | undefined, host = "localhost", scheme = "streams") =>
    serverOf([`cam=${scheme}://${host}:${hub.address.port}/cam`], {
      credentials: { relayAuthorityFile },
    });
  {
    await using edge = await edgeOf(own.cert);
    using viewer = await watchLive(edge, { name: "cam" });
    await viewer.frames(1);
  }
  const begin = /^media_error: Cannot read "cam": /;
  const cases: [Promise<TestServer>, RegExp][] = [
    [edgeOf(other.cert), /Cannot trust its server: .* not signed by "--live-ca-cert"/],
    [edgeOf(undefined), /Cannot trust its server: .*, expected --live-ca-cert$/],
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

Deno.test("whatever the other server sends, viewers get one reason, and the relay goes on", async () => {
  const notice = (message: string) =>
    encodeMessage("notice", encodeNotice({ code: "source_lost", message }));
  const shutdown = { frames: 0, audioFrames: 0, bytes: 0, dropped: 0, reason: "shutdown" };
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
    [[describe(), encodeMessage("end", encodeEnd(shutdown))], /its server shuts down$/],
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
    await using edge = await serverOf([`cam=stream://${host}:${port}/cam`]);
    const said = await refusal(edge);
    assertMatch(said, /^media_error: Cannot read "cam": Cannot connect to its server: [^:]+/);
    assertFalse(said.includes(host) || said.includes(String(port)), said);
  }
});
