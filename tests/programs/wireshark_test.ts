/** The dissector of docs/wireshark, in tshark, over what the server and its peers really say. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { encodeFrame, encodeMessage, KINDS } from "../../lib/protocol/native/framing.ts";
import { DEFAULT_TIMEOUTS } from "../../lib/server/options.ts";
import { latin1 } from "../support/media/bytes.ts";
import { mediaFolder, pictures, tone } from "../support/media/media_folder.ts";
import { says } from "../support/media/pcap.ts";
import {
  NativeClient,
  type NativeResponse,
  requestMessage,
} from "../support/peers/native_client.ts";
import { RecordingProxy } from "../support/peers/recording_proxy.ts";
import { describe, GREY, message } from "../support/peers/scripted_server.ts";
import { dataStream, noise, rawStream, TestPublisher } from "../support/peers/test_publisher.ts";
import { type TestServer, testServer } from "../support/peers/test_server.ts";
import { makeCertificate } from "../support/programs/certificates.ts";
import { HelperProgram, pathOf } from "../support/programs/running_program.ts";
import { dissect, linesOf, tshark, valuesOf } from "../support/programs/tshark.ts";
import { testWith } from "../support/test_if.ts";
import { PATIENCE } from "../support/time/patience.ts";

const wireshark = testWith("tshark");
const media = mediaFolder();

/** The port that the dissector is registered for, and one that it is not. */
const PORT = 7777, OTHER_PORT = 9000;

/** Bytes of segments: cuts in the middle of headers, with and without several messages in one. */
const WHOLE = [60_000], AWKWARD = [1, 2, 5, 1400, 13], MIXED = [11, 60_000, 3, 17, 1400];

/** Milliseconds, microseconds since 1970. */
const NOON = Date.parse("2026-11-29T12:00:00.250Z"), NOON_MICROSECONDS = NOON * 1000;

/** Nothing is said only because a test takes long. */
const NO_PINGS = { ...DEFAULT_TIMEOUTS, ping: PATIENCE, life: 2 * PATIENCE };

/** A server with an image and a clip of 25 frames and a second of sound. */
async function mediaServer(): Promise<TestServer> {
  const sound = ["-c:v", "ffv1", "-pix_fmt", "yuv420p", "-c:a", "pcm_s16le"];
  const image = await media.make("image.png", [...pictures(), "-frames:v", "1"]);
  await media.make("clip.mkv", [...pictures(), ...tone(), ...sound]);
  assert(image.endsWith("image.png"));
  const server = await testServer({
    media: media.path,
    defaults: { image: "image.png", video: "clip.mkv" },
    timeouts: NO_PINGS,
  });
  await server.probeAll();
  return server;
}

async function connect({ address }: RecordingProxy): Promise<NativeClient> {
  return new NativeClient(await Deno.connect({ hostname: address.hostname, port: address.port }));
}

function frameLines({ frames }: NativeResponse): string[] {
  return frames.map(({ streamId, seconds, keyframe, size }) => {
    const time = (seconds * 1000).toFixed(3).replace(/\.?0+$/, "");
    return `frame stream ${streamId}, ${time} ms${keyframe ? ", keyframe" : ""}, ${size} bytes`;
  });
}

wireshark("responses are shown message by message, however TCP cuts them", async () => {
  await using server = await mediaServer();
  await using proxy = new RecordingProxy(server);
  const responses: NativeResponse[] = [];
  {
    using client = await connect(proxy);
    responses.push(await client.request({ command: "get_image", name: "image.png" }));
    responses.push(await client.request({ command: "get_video", name: "clip.mkv" }));
    responses.push(await client.request({ command: "list_media" }));
    responses.push(await client.request({ command: "get_video", name: "nö.mkv" }));
  }
  const [image, video, , refused] = responses;
  const [said] = proxy.connections;
  const connections = [
    { said, port: PORT, cuts: WHOLE },
    { said, port: PORT, cuts: AWKWARD },
    { said, port: OTHER_PORT, cuts: MIXED },
  ];
  const names = ["kind", "id", "timestamp", "seconds", "data_length", "media", "json", "code"];
  const fields = [...names.map((name) => `stream.${name}`), "json.key"];
  const packets = await dissect(connections, { fields });
  const frames = [...image.frames, ...video.frames];
  assertEquals(video.frames.filter(({ type }) => type === "video").length, 25);
  assert(frames.some(({ type }) => type === "audio"));
  const audio = video.frames.filter(({ type }) => type === "audio").length;
  for (const connection of connections.keys()) {
    const values = (name: string) => valuesOf(packets, `stream.${name}`, connection);
    assertEquals(linesOf(packets, connection), [
      'request get_image "image.png"',
      "describe 1 stream",
      ...frameLines(image),
      "end 1 frame",
      'request get_video "clip.mkv"',
      "describe 2 streams",
      ...frameLines(video),
      `end 25 frames, ${audio} of audio`,
      "request list_media",
      "list 2 entries",
      'request get_video "nö.mkv"',
      `error not_found: ${refused.error?.message}`,
    ]);
    assertEquals(values("kind").filter((kind) => kind === "3").length, frames.length);
    assertEquals(values("id").map(Number), frames.map(({ streamId }) => streamId));
    assertEquals(values("timestamp").map(Number), frames.map(({ timestamp }) => timestamp));
    for (const [at, seconds] of values("seconds").map(Number).entries()) {
      assert(Math.abs(seconds - frames[at].seconds) < 1e-6, `${seconds}`);
    }
    assertEquals(values("data_length").map(Number), frames.map(({ size }) => size));
    assertEquals(values("code"), ["not_found"]);
    const described = values("media");
    assertEquals(described.length, 1 + 2 + frames.length);
    assertEquals(
      new Set(described),
      new Set([
        "video 64x48 rawvideo rgb24",
        "video 64x48 rawvideo yuv420p",
        "audio 48000 Hz 2 channels pcm_s16le",
      ]),
    );
    assertEquals(JSON.parse(values("json")[0]).name, "image.png");
    assert(valuesOf(packets, "json.key", connection).includes("command"));
  }
});

wireshark("the Info column has all messages of a packet", async () => {
  const said = [
    says("client", requestMessage({ command: "get_video", name: "a\nb", encoding: "copy" })),
    says("server", describe(), grey(1), grey(2), message(4, '{"frames":2}')),
  ];
  const format = ["-o", 'gui.column.format:"Protocol","%p","Info","%i"', "-Y", "stream"];
  const begin = [20, 500, 50, 5000];
  for (const cuts of [WHOLE, begin]) {
    const printed = await tshark([{ said, port: PORT, cuts }], format);
    const lines = printed.trim().split("\n").map((line) => line.trim().replace(/^STREAM\s+/, ""));
    assertEquals(lines.join("; ").split("; "), [
      String.raw`request get_video "a\x0ab", copy`,
      "describe 1 stream",
      "frame stream 0, 40 ms, keyframe, 256 bytes",
      "frame stream 0, 80 ms, keyframe, 256 bytes",
      "end 2 frames",
    ]);
  }
});

wireshark("a publication is shown in both directions", async () => {
  await using server = await mediaServer();
  await using proxy = new RecordingProxy(server);
  {
    const request = { name: "robot/cam", onDemand: true };
    using publisher = await TestPublisher.begin(proxy.address.port, request);
    await publisher.asked("pause");
    await publisher.describe(rawStream(16, 8), dataStream(3));
    await publisher.send({ data: noise(128), captured: NOON_MICROSECONDS });
    await publisher.say(3, 1040, { box: [1, 2] });
    await publisher.finish({ frames: 1 });
  }
  const [said] = proxy.connections;
  const connection = { said, port: OTHER_PORT, cuts: [1, 7] };
  const fields = ["stream.name", "stream.media", "stream.captured", "stream.clock"];
  const args = ["-d", `tcp.port==${OTHER_PORT},stream`];
  const packets = await dissect([connection], { fields, args });
  const lines = linesOf(packets);
  assertEquals(lines.filter((line) => !/^(ping|notice)/.test(line)), [
    'request publish "robot/cam"',
    'accept "robot/cam"',
    "control pause",
    "describe 2 streams",
    "frame stream 0, 0 ms, keyframe, live, 128 bytes",
    "frame stream 3, 1040 ms, keyframe, 13 bytes",
    "end 1 frame",
    "end 1 frame",
  ]);
  assert(lines.includes("ping"));
  const [captured] = valuesOf(packets, "stream.captured");
  assertMatch(captured, /12:00:00.25/);
  assertEquals(valuesOf(packets, "stream.name"), ["robot/cam", "robot/cam"]);
  assertEquals(
    new Set(valuesOf(packets, "stream.media")),
    new Set([
      "video 16x8 rawvideo gray",
      "data json",
    ]),
  );
  assertMatch(valuesOf(packets, "stream.clock")[0], /\d\d:\d\d:\d\d/);
});

wireshark("every kind of message and every flag has its words", async () => {
  const captured = { captured: NOON_MICROSECONDS, discontinuity: true };
  const said = [
    says("client", requestMessage({ command: "get_video" })),
    says(
      "server",
      message(10, '{"code":"waiting","message":"1 is before you","position":1}'),
      describe(),
      encodeFrame(greyFrame(-25, captured), { dropped: true }),
      encodeFrame({ ...greyFrame(50), keyframe: false }),
      encodeFrame({ ...greyFrame(50), streamId: 9 }),
      encodeMessage("ping", new Uint8Array(), { timestamp: NOON_MICROSECONDS }),
    ),
    says(
      "client",
      encodeMessage("pong", latin1("abc")),
      message(6, '{"action":"seek","to":12.5,"id":7}'),
    ),
    says("server", message(11, '{"name":"c\\u0061m \\ud83d\\ude00","watched":true}')),
    says("server", message(7, '{"version":1,"entries":[]}')),
    says("server", message(4, '{"frames":2,"audioFrames":0,"dropped":3,"reason":"stopped"}')),
    says("server", message(5, '{"code":"busy","message":"Cannot serve now"}')),
  ];
  const flags = ["keyframe", "dropped", "discontinuity", "live"];
  const fields = ["stream.kind", ...flags.map((flag) => `stream.flags.${flag}`), "_ws.expert"];
  const packets = await dissect([{ said, port: PORT, cuts: WHOLE }], { fields });
  assertEquals(linesOf(packets), [
    "request get_video",
    "notice waiting: 1 is before you",
    "describe 1 stream",
    "frame stream 0, -1000 ms, keyframe, frames dropped before, discontinuity, live, 256 bytes",
    "frame stream 0, 2000 ms, 256 bytes",
    "frame stream 9, timestamp 50, keyframe, 256 bytes",
    "ping",
    "pong",
    "control seek to 12.5 s",
    'accept "cam 😀", watched',
    "list 0 entries",
    "end 2 frames, 3 dropped, stopped",
    "error busy: Cannot serve now",
  ]);
  const kinds: number[] = [1, 10, 2, 3, 3, 3, 8, 9, 6, 11, 7, 4, 5];
  assertEquals(valuesOf(packets, "stream.kind").map(Number), kinds);
  assertEquals(
    kinds.filter((kind, at) => kinds.indexOf(kind) === at).sort(),
    [
      ...Object.values(KINDS),
    ].sort(),
  );
  const values = flags.map((flag) => valuesOf(packets, `stream.flags.${flag}`).map(isTrue));
  assertEquals(values, [
    [true, false, true],
    [true, false, false],
    [true, false, false],
    [true, false, false],
  ]);
  const experts = valuesOf(packets, "_ws.expert").join("\n");
  assertMatch(experts, /No description of stream 9/);
  assertMatch(experts, /error busy/);
});

wireshark("scripts are shown with the lengths of their pickles", async () => {
  await using server = await mediaServer();
  await using proxy = new RecordingProxy(server);
  using client = await connect(proxy);
  await client.write(latin1("get_image"));
  const size = (await client.readAll()).byteLength;
  const [said] = proxy.connections;
  const cuts = [[9, 3, 1000], [2, 5, 4000], WHOLE];
  const connections = cuts.map((cuts, index) => ({
    said,
    cuts,
    port: [OTHER_PORT, PORT][index % 2],
  }));
  const fields = ["stream.script.length", "stream.script.request"];
  const packets = await dissect(connections, { fields });
  const end = 8;
  const pickle = size - 4 - 4 - end;
  for (const connection of connections.keys()) {
    const lines = ["script get_image", `script pickle, ${pickle} bytes`, "script end"];
    assertEquals(linesOf(packets, connection), lines);
    const lengths = valuesOf(packets, "stream.script.length", connection).map(Number);
    assertEquals(lengths, [pickle, end]);
    assertEquals(valuesOf(packets, "stream.script.request", connection), ["get_image"]);
  }
});

const encrypted = testWith("tshark", "openssl");

encrypted("TLS is left to Wireshark, and dissected inside if it has the keys", async () => {
  const tls = await makeCertificate(media.path, "own");
  await using server = await testServer({
    media: media.path,
    credentials: { certificate: tls },
    timeouts: NO_PINGS,
  });
  await using proxy = new RecordingProxy(server);
  const keys = media.pathOf("keys.log");
  const to = `${proxy.address.hostname}:${proxy.address.port}`;
  const command = ["s_client", "-quiet", "-keylogfile", keys, "-connect", to];
  {
    await using client = new HelperProgram("openssl", command, { stdin: "piped" });
    const request = requestMessage({ command: "list_media" });
    await client.type(new TextDecoder().decode(request));
    await client.stdout.until(/"entries":\[/);
  }
  const said = proxy.connections[0];
  const connections = [{ said, port: PORT, cuts: AWKWARD }];
  const fields = ["tls.handshake.type"];
  const closed = await dissect(connections, { fields, filter: "tls or stream" });
  assertEquals(linesOf(closed), []);
  assertEquals(valuesOf(closed, "tls.handshake.type")[0], "1");
  const both = [...connections, { said, port: OTHER_PORT, cuts: MIXED }];
  const args = ["-d", `tls.port==${OTHER_PORT},stream`];
  const opened = await dissect(both, { keys, args });
  for (const connection of both.keys()) {
    const lines = linesOf(opened, connection);
    assertEquals(lines[0], "request list_media");
    assertMatch(lines[1], /^list \d+ entr(y|ies)$/);
  }
});

wireshark("the filters of docs/PROTOCOL.md find what they are for", async () => {
  const text = await Deno.readTextFile(pathOf("docs/PROTOCOL.md"));
  const [, section] = text.match(/^## Watching it in Wireshark\n([^]*?)(?=^## |$(?![^]))/m) ?? [];
  const filters = [...section.matchAll(/^\| `([^`]+)` +\|/gm)].map(([, filter]) => filter);
  assertEquals(filters.length, 3);
  const said = [
    says("client", requestMessage({ command: "get_video" })),
    says("server", describe(), grey(1)),
    says("server", encodeFrame(greyFrame(2), { dropped: true })),
    says("server", message(5, '{"code":"busy","message":"Cannot serve now"}')),
  ];
  const connections = [{ said, port: PORT, cuts: [1] }];
  const found = [];
  for (const filter of filters) found.push(linesOf(await dissect(connections, { filter })));
  assertEquals(found, [
    ["request get_video", "error busy: Cannot serve now"],
    ["frame stream 0, 80 ms, keyframe, frames dropped before, 256 bytes"],
    ["frame stream 0, 80 ms, keyframe, frames dropped before, 256 bytes"],
  ]);
});

function greyFrame(timestamp: number, fields: { captured?: number; discontinuity?: boolean } = {}) {
  const headroom = 32;
  const data = new Uint8Array(headroom + GREY.width * GREY.height).subarray(headroom);
  return { streamId: 0, timestamp, keyframe: true, data, ...fields };
}

/** The message of a grey frame. */
function grey(timestamp: number): Uint8Array {
  return encodeFrame(greyFrame(timestamp));
}

/** Wireshark prints booleans as numbers, and later versions as words. */
function isTrue(value: string): boolean {
  return value === "1" || value === "True";
}
