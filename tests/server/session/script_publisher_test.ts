import { assert, assertEquals, assertMatch } from "@std/assert";
import type { MediaRequest } from "../../../lib/protocol/native/request.ts";
import { DEFAULT_TIMEOUTS, type ServerOptions } from "../../../lib/server/options.ts";
import { parseLiveSource } from "../../../lib/sources/live/source_spec.ts";
import { mediaFolder, pictures, run } from "../../support/media/media_folder.ts";
import { NativeClient, watchLive } from "../../support/peers/native_client.ts";
import { ScriptCamera, ScriptPeer } from "../../support/peers/script_peer.ts";
import { noise, TestPublisher } from "../../support/peers/test_publisher.ts";
import { type TestServer, testServer } from "../../support/peers/test_server.ts";
import { testIf } from "../../support/test_if.ts";

// Scripts that push to `--live cam=script::PORT`.

const folder = mediaFolder();

/** A JPEG of 64x48 pixels. */
const jpegPath = await folder.make("a.jpg", [...pictures(), "-frames:v", "1"]);
const jpeg = await Deno.readFile(jpegPath);

/** Raw frames of 8x4 pixels. */
const RAW = "framing=u64le+raw:8x4:bgr24";
const RAW_SIZE = 8 * 4 * 3;

/** A server to which scripts push `cam`. */
function pushedServer(
  query = "",
  { linger = 60, ...options }: Partial<ServerOptions> & { linger?: number } = {},
): Promise<TestServer> {
  const source = parseLiveSource(`cam=script::0${query === "" ? "" : `?${query}`}`);
  const live = { sources: [source], linger };
  return testServer({ media: mediaFolder().path, live, ...options });
}

/** Asks for `cam`, or another name, and waits until it is read. */
async function watching(server: TestServer, request: Partial<MediaRequest> = {}) {
  const { name = "cam" } = request;
  const viewer = await watchLive(server, { encoding: "copy", ...request, name });
  await server.logged(new RegExp(`"${name}" is started`));
  return viewer;
}

Deno.test("JPEGs of a script arrive unchanged, and are decoded for those who want pixels", async () => {
  await using server = await pushedServer();
  await using _camera = new ScriptCamera(await ScriptPeer.push(server), jpeg);
  using viewer = await watching(server);
  for (const { data } of await viewer.frames(3)) assertEquals(data, jpeg);
  const [copied] = viewer.description.streams;
  assert(copied.type === "video");
  assertEquals([copied.codec, copied.width, copied.height], ["mjpeg", 64, 48]);
  using decoded = await watching(server, { encoding: "raw" });
  const [frame] = await decoded.frames(1);
  const [raw] = decoded.description.streams;
  assert(raw.type === "video" && raw.pixelFormat !== undefined);
  const expected = await run("ffmpeg", [
    ...["-i", jpegPath, "-f", "rawvideo", "-pix_fmt", raw.pixelFormat, "-"],
  ]);
  assertEquals(frame.data, expected);
  await server.logged(
    / info +peer=127\.0\.0\.1:\d+ request=1 request begins command=publish name=cam wire=classic format="8-byte length \(little-endian\), then a JPEG" size=64x48\n$/,
  );
});

Deno.test("raw frames of a script are watched in every encoding", async () => {
  await using server = await pushedServer("framing=u64le+raw:64x48:bgr24");
  const picture = noise(64 * 48 * 3);
  await using _camera = new ScriptCamera(await ScriptPeer.push(server), picture);
  for (const [encoding, codec] of [["raw", "rawvideo"], ["copy", "rawvideo"]] as const) {
    using viewer = await watching(server, { encoding });
    for (const { data } of await viewer.frames(2)) assertEquals(data, picture);
    const [video] = viewer.description.streams;
    assert(video.type === "video");
    assertEquals([video.codec, video.pixelFormat], [codec, "bgr24"]);
  }
  for (const encoding of ["h264", "mjpeg"] as const) {
    using viewer = await watching(server, { encoding });
    await viewer.frames(2);
    const [video] = viewer.description.streams;
    assert(video.type === "video");
    assertEquals([video.codec, video.width, video.height], [encoding, 64, 48]);
  }
});

Deno.test("scripts that push at once have names of their own, and keep them", async () => {
  await using server = await pushedServer(RAW);
  using first = await ScriptPeer.push(server);
  using second = await ScriptPeer.push(server);
  using one = await watching(server);
  const frames = [noise(RAW_SIZE), noise(RAW_SIZE), noise(RAW_SIZE), noise(RAW_SIZE)];
  await first.send(frames[0]);
  assertEquals((await one.frames(1))[0].data, frames[0]);
  await second.send(frames[1]);
  await server.logged(/ request begins command=publish name=cam-2 /);
  using two = await watching(server, { name: "cam-2" });
  await second.send(frames[1]);
  assertEquals((await two.frames(1))[0].data, frames[1]);
  // A clean end and a cut both lose the source, which comes back.
  await second.socket.closeWrite();
  assertEquals((await two.until("notice")).notice.code, "source_lost");
  using third = await ScriptPeer.push(server);
  await third.send(frames[2]);
  assertEquals((await two.until("notice")).notice.code, "source_back");
  assertEquals((await two.frame()).data, frames[2]);
  await first.write(new Uint8Array([RAW_SIZE, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3]));
  first.close();
  const { notice } = await one.until("notice");
  assertEquals(
    [notice.code, notice.message],
    ["source_lost", 'Cannot read "cam": its publisher is gone, and may come back'],
  );
  using back = await ScriptPeer.push(server);
  await back.send(frames[3]);
  assertEquals((await one.until("notice")).notice.code, "source_back");
  const frame = await one.frame();
  assertEquals([frame.data, frame.discontinuity], [frames[3], true]);
  await server.logged(/ request ends command=publish name=cam-2 .* result=done .*frames=2 /);
  await server.logged(/ request ends command=publish name=cam wire=classic .* result=cut /);
});

Deno.test("the source is listed without a script, and a viewer waits for one", async () => {
  await using server = await pushedServer(RAW);
  using viewer = await watching(server);
  const { list = [] } = await (await server.connect().then(async (lister) => {
    using client = lister;
    return await client.request({ command: "list_media" });
  }));
  assertEquals(list.map(({ name, live, published }) => [name, live, published]), [
    ["cam", true, true],
  ]);
  using script = await ScriptPeer.push(server);
  const data = noise(RAW_SIZE);
  await script.send(data);
  assertEquals((await viewer.frames(1))[0].data, data);
});

Deno.test("two viewers get the frames of one script", async () => {
  await using server = await pushedServer(RAW);
  using one = await watching(server);
  using two = await watching(server);
  await server.logged(/ request begins command=get_video name=cam/, 2);
  using script = await ScriptPeer.push(server);
  const sent = [noise(RAW_SIZE), noise(RAW_SIZE), noise(RAW_SIZE)];
  await script.send(sent[0]);
  assertEquals((await one.frames(1))[0].data, sent[0]);
  await two.frames(1);
  for (const data of sent.slice(1)) await script.send(data);
  for (const viewer of [one, two]) {
    assertEquals((await viewer.frames(2)).map(({ data }) => data), sent.slice(1));
  }
});

Deno.test("a viewer goes on when the size of a script's frames changes", async () => {
  await using server = await pushedServer();
  const larger = await Deno.readFile(
    await folder.make("b.jpg", [...pictures({ size: "96x64" }), "-frames:v", "1"]),
  );
  using viewer = await watching(server, { redescribe: true });
  using script = await ScriptPeer.push(server);
  for (const picture of [jpeg, larger, jpeg]) {
    await script.send(picture);
    const [{ data }] = await viewer.frames(1);
    assertEquals(data, picture);
    const [video] = viewer.description.streams;
    assert(video.type === "video");
    assertEquals(video.width, picture === larger ? 96 : 64);
  }
});

Deno.test("a script gets the words that it waits for", async () => {
  await using server = await pushedServer(`${RAW}&request=go%0A&ack=ok`);
  using script = await ScriptPeer.push(server);
  assertEquals(await script.heard(3), "go\n");
  for (let times = 0; times < 3; times++) {
    await script.send(noise(RAW_SIZE));
    assertEquals(await script.heard(2), "ok");
  }
});

Deno.test("what a script sends and gets is explained", async () => {
  const lines: string[] = [];
  const explain = (line: string) => void lines.push(line);
  await using server = await pushedServer(`${RAW}&request=go&ack=ok`, { explain });
  using script = await ScriptPeer.push(server);
  assertEquals(await script.heard(2), "go");
  await script.send(noise(RAW_SIZE));
  assertEquals(await script.heard(2), "ok");
  for (const pattern of [/request .*"go"/, /frame .*8x4 bgr24/, /reply .*"ok"/]) {
    assert(lines.some((line) => pattern.test(line)), lines.join("\n"));
  }
});

Deno.test("peers that are no scripts are refused with what they sent, and others are served", async () => {
  await using server = await pushedServer();
  const text = (line: string) => new TextEncoder().encode(line);
  const hostile = [
    text("GET / HTTP/1.1\r\nHost: cam\r\n\r\n"),
    new Uint8Array([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3, 1, 2, 3, 4, 5]),
    new Uint8Array(64).fill(255),
    text("9999999999999999 0123456789"),
    noise(4096).fill(254, 0, 16),
  ];
  for (const [at, bytes] of hostile.entries()) {
    using peer = await ScriptPeer.push(server);
    await peer.write(bytes);
    await peer.closed();
    await server.logged(/ warn +peer=\S+ request=\d+ Cannot .* result=bad_request /, at + 1);
  }
  assert(server.lines.some((line) => /HTTP/.test(line)));
  using viewer = await watching(server);
  using script = await ScriptPeer.push(server);
  await script.send(jpeg);
  await viewer.frames(1);
});

Deno.test("a script that sends what does not fit loses its source", async () => {
  await using server = await pushedServer();
  using viewer = await watching(server);
  using script = await ScriptPeer.push(server);
  await script.send(jpeg);
  await viewer.frames(1);
  await script.send(new Uint8Array(100));
  await script.closed();
  assertEquals((await viewer.notice("source_lost")).code, "source_lost");
  await server.logged(/ warn .* Cannot .* command=publish name=cam .*result=bad_request /);
});

Deno.test("peers that send nothing hold a slot until another needs it, and no name", async () => {
  await using server = await pushedServer(RAW, {
    maxClients: 2,
    timeouts: { ...DEFAULT_TIMEOUTS, request: 3000 },
  });
  using silent = await ScriptPeer.push(server);
  using slow = await ScriptPeer.push(server);
  using third = await ScriptPeer.push(server);
  await server.logged(/ warn .* ended: Cannot wait any longer: all connection slots are taken/);
  await silent.closed();
  await slow.write(new Uint8Array(1));
  await slow.closed();
  await third.closed();
  await server.logged(/ ended: The script sent no frame within 3 s\n$/, 2);
  using script = await ScriptPeer.push(server);
  await script.send(noise(RAW_SIZE));
  await server.logged(/ request begins command=publish name=cam /);
});

const hasIpv6 = Deno.networkInterfaces().some(({ address }) => address === "::1");

testIf(hasIpv6, "no IPv6")(
  "the latest script of an address with more than half of all slots gives way to a viewer",
  async () => {
    await using server = await pushedServer(RAW, { host: "::", maxClients: 2 });
    using first = await ScriptPeer.push(server);
    await first.send(noise(RAW_SIZE));
    await server.logged(/ request begins command=publish name=cam /);
    using second = await ScriptPeer.push(server);
    await second.send(noise(RAW_SIZE));
    await server.logged(/ request begins command=publish name=cam-2 /);
    const { port } = server.address;
    using viewer = new NativeClient(await Deno.connect({ hostname: "::1", port }));
    await viewer.ask({ command: "get_video", name: "cam", encoding: "copy" });
    await second.closed();
    await server.logged(/ warn .* ended: Cannot go on: all connection slots are taken, /);
    await server.logged(/"cam-2" has lost its publisher/);
    await server.logged(/"cam" is started/);
    const data = noise(RAW_SIZE);
    await first.send(data);
    assertEquals((await viewer.frames(1))[0].data, data);
  },
);

Deno.test("a script that pauses for too long loses its source", async () => {
  await using server = await pushedServer(RAW, {
    timeouts: { ...DEFAULT_TIMEOUTS, pause: 300 },
  });
  using script = await ScriptPeer.push(server);
  await script.send(noise(RAW_SIZE));
  await script.closed();
  await server.logged(/ ended: The script sent nothing within 0\.3 s\n$/);
  await server.logged(/"cam" has lost its publisher/);
});

Deno.test("a script that closes without a frame is no reason for a warning", async () => {
  await using server = await pushedServer(RAW);
  using script = await ScriptPeer.push(server);
  script.close();
  await server.logged(/ info +peer=\S+ ended: /);
  await server.logged(/ disconnected\n$/);
});

Deno.test("frames of a script have to fit into the memory and the limit of pixels", async () => {
  await using small = await pushedServer(RAW, { maxMemory: 100 });
  using script = await ScriptPeer.push(small);
  await script.send(noise(RAW_SIZE));
  await script.closed();
  await small.logged(/ warn .* result=busy /);
  await using few = await pushedServer(RAW, { maxPixels: 8 });
  using other = await ScriptPeer.push(few);
  await other.send(noise(RAW_SIZE));
  await other.closed();
  await few.logged(/ warn .* 8x4.* result=bad_request /);
});

Deno.test("a first frame of a script has to fit into the memory while it arrives", async () => {
  await using small = await pushedServer("", { maxMemory: 3e6 });
  using script = await ScriptPeer.push(small);
  await script.write(new Uint8Array([0, 0, 0, 8, 0, 0, 0, 0, 0xff, 0xd8, 0xff, 0xe0]));
  // The server closes it before all of that has been sent.
  await script.write(new Uint8Array(4e6)).catch(() => {});
  await small.logged(/ warn .* frames of this size take \d MB, .* result=busy /);
});

Deno.test("more scripts than publishers are allowed are refused", async () => {
  await using server = await pushedServer(RAW, { maxPublishers: 1 });
  using first = await ScriptPeer.push(server);
  await first.send(noise(RAW_SIZE));
  await server.logged(/ request begins command=publish name=cam /);
  using second = await ScriptPeer.push(server);
  await second.send(noise(RAW_SIZE));
  await second.closed();
  await server.logged(/ warn .* there are 1 publishers.* result=busy /);
});

Deno.test("a publisher may replace further scripts, but not the first", async () => {
  await using server = await pushedServer(RAW);
  using first = await ScriptPeer.push(server);
  await first.send(noise(RAW_SIZE));
  await server.logged(/ request begins command=publish name=cam /);
  using second = await ScriptPeer.push(server);
  await second.send(noise(RAW_SIZE));
  await server.logged(/ request begins command=publish name=cam-2 /);
  const { port } = server.address;
  using _publisher = await TestPublisher.begin(port, { name: "cam-2", replace: true });
  await second.closed();
  await server.logged(/ ended: Cannot publish "cam-2": another publisher has taken its place\n$/);
  using other = await TestPublisher.connect(port);
  await other.askToPublish({ name: "cam", replace: true });
  const { error } = await other.until("error");
  assertMatch(error.message, /^Cannot publish "cam": a live source of the server has that name/);
});

Deno.test("a server that ends cuts its scripts", async () => {
  await using server = await pushedServer(RAW);
  using script = await ScriptPeer.push(server);
  await script.send(noise(RAW_SIZE));
  await server.logged(/ request begins command=publish name=cam /);
  await server.server.drain({ grace: 0, signal: new AbortController().signal });
  await script.closed();
  assertMatch(server.lines.join(""), / request ends .* result=shutdown /);
});
