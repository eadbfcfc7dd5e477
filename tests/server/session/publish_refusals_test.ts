import { assert, assertEquals, assertRejects } from "@std/assert";
import { RequestError } from "../../../lib/base/errors.ts";
import { encodeMessage } from "../../../lib/protocol/native/framing.ts";
import { encodeJson } from "../../../lib/protocol/native/json.ts";
import { encodeRequest } from "../../../lib/protocol/native/request.ts";
import { mediaFolder, pictures } from "../../support/media/media_folder.ts";
import { dataStream, noise, rawStream, TestPublisher } from "../../support/peers/test_publisher.ts";
import { type TestServer, testServer } from "../../support/peers/test_server.ts";

const media = mediaFolder().path;

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
      "publisher has that name, expected another name, or replace: true",
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
  assert((await refusal(server, { name: "x".repeat(256) })).includes("256 characters"));
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
    ["s ahead of real time, expected the next frame", async (peer) => {
      await peer.describe(rawStream(8, 4));
      await peer.send({ data: noise(32) });
      await peer.send({ timestamp: 3_600_000, data: noise(32) });
    }],
    ["a frame of 1048577 bytes in stream 9", async (peer) => {
      await peer.describe(dataStream(9));
      await peer.send({ streamId: 9, data: new Uint8Array(2 ** 20 + 1) });
    }],
    ["a frame of 4194305 bytes in stream 0", async (peer) => {
      await peer.describe({ ...rawStream(8, 4), codec: "h264" });
      await peer.send({ data: new Uint8Array(4 * 2 ** 20 + 1) });
    }],
    ["more than 256 streams of one publisher", async (peer) => {
      for (let first = 0; first < 260; first += 10) {
        await peer.describe(...Array.from({ length: 10 }, (_, at) => dataStream(first + at)));
      }
    }],
    [
      "message of kind request: expected control, ping, pong, describe, frame, end",
      (peer) => peer.askToPublish({ name: "again" }),
    ],
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
    [
      "17 streams of data, expected at most 16",
      (peer) => peer.describe(...Array.from({ length: 17 }, (_, id) => dataStream(id))),
    ],
    [
      "subtitles, expected data of json or bytes",
      (peer) => peer.describe({ ...dataStream(0), codec: "subtitle" }),
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

Deno.test("a publisher that leaves before it is accepted leaves nothing behind", async () => {
  await using server = await testServer({ media, live: { sources: [], linger: 0 } });
  const { port } = server.address;
  const asked = encodeMessage("request", encodeRequest({ command: "publish", name: "cam" }));
  const described = encodeMessage("describe", encodeJson({ streams: [rawStream(8, 4)] }));
  {
    using early = await TestPublisher.connect(port);
    await early.write(asked, described);
    const error = await early.farewell();
    assertEquals(
      error?.message,
      "Cannot take a message of kind describe: expected control, ping, pong",
    );
  }
  {
    using half = await TestPublisher.connect(port);
    await half.write(asked);
    await half.socket.closeWrite();
    await half.farewell();
  }
  using next = await TestPublisher.begin(port, { name: "cam" });
  await next.finish();
});

Deno.test("a refused publisher may ask for something else on the same connection", async () => {
  await using server = await testServer({ media });
  using _other = await TestPublisher.begin(server.address.port, { name: "cam" });
  using peer = await TestPublisher.connect(server.address.port);
  await peer.askToPublish({ name: "cam" });
  await assertRejects(() => peer.until("accept"), RequestError);
  assertEquals((await peer.request({ command: "list_media" })).list?.length, 1);
  await peer.askToPublish({ name: "cam2" });
  await peer.until("accept");
  await peer.finish();
});

Deno.test("a file has no data to send", async () => {
  const folder = mediaFolder();
  await folder.make("clip.mkv", [...pictures(), "-c:v", "ffv1"]);
  await using server = await testServer({ media: folder.path });
  using viewer = await server.connect();
  const { error } = await viewer.request({ command: "get_video", name: "clip.mkv", data: "only" });
  assertEquals([error?.code, error?.message], [
    "unsupported",
    'Cannot send "clip.mkv": it has no data',
  ]);
});

Deno.test("a source of messages alone has no image", async () => {
  await using server = await testServer({ media });
  using publisher = await TestPublisher.begin(server.address.port, { name: "cam" });
  await publisher.describe(dataStream(0));
  using viewer = await server.connect();
  await viewer.ask({ command: "get_image", name: "cam" });
  while ((await publisher.notice("viewers")).viewers !== 1);
  let at = 0;
  const sending = setInterval(() => publisher.say(0, at++, "x").catch(() => {}), 20);
  const { error } = await viewer.response();
  clearInterval(sending);
  assertEquals(error?.message, 'Cannot send "cam": it has no picture');
});
