import {
  assert,
  assertEquals,
  assertGreater,
  assertLess,
  assertMatch,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { fromSocket } from "../../../lib/base/byte_reader.ts";
import type { ServerOptions } from "../../../lib/server/options.ts";
import { parseScriptOutput } from "../../../lib/server/script_spec.ts";
import { parseLiveSource } from "../../../lib/sources/live/source_spec.ts";
import { mediaFolder, pictures } from "../../support/media/media_folder.ts";
import { decodedBy } from "../../support/media/reference.ts";
import { NativeClient } from "../../support/peers/native_client.ts";
import { ScriptReceiver } from "../../support/peers/script_receiver.ts";
import { PYTHON } from "../../support/peers/script_server.ts";
import { conversationMedia, type TestServer, testServer } from "../../support/peers/test_server.ts";
import { freePort } from "../../support/programs/machine.ts";
import { testIf } from "../../support/test_if.ts";
import { HandClock } from "../../support/time/hand_clock.ts";

const media = await conversationMedia();
const folder = mediaFolder();

const interop = testIf(PYTHON !== undefined, "no python3 with numpy and cv2");

const live = { sources: [parseLiveSource("cam=lavfi:testsrc2=size=64x48:rate=25")], linger: 0 };

/** Bytes of a frame of the live source, and of its length. */
const RAW = "u32be+raw:64x48:gray";
const MESSAGE = 4 + 64 * 48;

/** A server that sends outputs, as `--script` names them. */
function serve(outputs: readonly string[], options: Partial<ServerOptions> = {}) {
  return testServer({ media, live, scripts: outputs.map(parseScriptOutput), ...options });
}

/** The first port at which scripts get what they get. */
function portOf({ lines }: TestServer): number {
  return Number(lines.join("").match(/Scripts get "[^"]*" at [\d.]+:(\d+) \(/)?.[1]);
}

async function connect(port: number): Promise<NativeClient<Deno.TcpConn>> {
  return new NativeClient(await Deno.connect({ hostname: "127.0.0.1", port }));
}

/** Reads one message. */
async function readMessage({ socket }: NativeClient): Promise<Uint8Array> {
  const message = await fromSocket(socket).read(new Uint8Array(MESSAGE), MESSAGE);
  assertStrictEquals(message.byteLength, MESSAGE);
  return message;
}

Deno.test("scriptConversation() sends a live source at once, and goes on until the peer leaves", async () => {
  await using server = await serve([`0=cam,${RAW}`]);
  const peer = await connect(portOf(server));
  for (let frame = 0; frame < 3; frame++) {
    assertEquals((await readMessage(peer)).subarray(0, 4), Uint8Array.of(0, 0, 12, 0));
  }
  peer.close();
  await server.logged(/request ends .* name=cam .*result=cut /);
});

Deno.test("scriptConversation() discards whatever the peer sends", async () => {
  await using server = await serve([`0=cam,${RAW}`]);
  using peer = await connect(portOf(server));
  const written = peer.write(new Uint8Array(16 * 1024 * 1024));
  for (let frame = 0; frame < 3; frame++) await readMessage(peer);
  await written;
});

Deno.test("scriptConversation() closes the connection at the end, without a farewell", async () => {
  await using server = await serve(["0=short.mkv,none+raw:64x48:gray"]);
  using peer = await connect(portOf(server));
  assertStrictEquals((await peer.readAll()).byteLength, 5 * 64 * 48);
  peer.close();
  await server.logged(/request ends .* result=done .* frames=5 /);
});

Deno.test("scriptConversation() closes connections over the limit without a byte", async () => {
  await using server = await serve([`0=cam,${RAW}`], { maxClients: 1 });
  using first = await connect(portOf(server));
  await readMessage(first);
  using second = await connect(portOf(server));
  assertStrictEquals((await second.readAll()).byteLength, 0);
  await server.logged(/refused: the server is full/);
  await readMessage(first);
});

Deno.test("scriptConversation() goes on while the server drains, and is cut then", async () => {
  await using server = await serve([`0=cam,${RAW}`]);
  const port = portOf(server);
  using peer = await connect(port);
  await readMessage(peer);
  const forced = new AbortController();
  const drained = server.server.drain({ grace: 60_000, signal: forced.signal });
  await server.logged(/ending: 1 viewer, waiting up to 60 s/);
  await readMessage(peer);
  await assertRejects(() => connect(port), Deno.errors.ConnectionRefused);
  forced.abort();
  await peer.readAll();
  peer.close();
  await drained;
  await server.logged(/request ends .* result=shutdown /);
});

Deno.test("scriptConversation() explains each frame, in the words of its framing", async () => {
  const lines: string[] = [];
  const explain = (line: string) => void lines.push(line);
  await using server = await serve(["0=short.mkv,u32be+jpeg"], { explain });
  {
    using peer = await connect(portOf(server));
    await peer.readAll();
  }
  await server.logged(/ disconnected\n$/);
  const frames = lines.filter((line) => / -> +frame /.test(line));
  assertStrictEquals(frames.length, 5);
  assertMatch(frames[0], /64x48 JPEG: 4-byte length \(big-endian\), then a JPEG +streaming$/);
});

Deno.test("startServer() logs what each script gets, and warns if others can reach it", async () => {
  const outputs = [`0=cam,${RAW}`, "0=short.mkv,u32be+jpeg", "=image.png,push:127.0.0.1:1"];
  {
    await using server = await serve(outputs);
    const log = server.lines.join("");
    assertMatch(
      log,
      /info +Scripts get "cam" at 127\.0\.0\.1:\d+ \(4-byte length \(big-endian\), /,
    );
    assertMatch(
      log,
      /info +Scripts get "short.mkv" at 127\.0\.0\.1:\d+ \(4-byte .*, then a JPEG\)/,
    );
    assertMatch(
      log,
      /info +"image.png" is pushed to 127\.0\.0\.1:1 \(8-byte .*, then a pickle\)/,
    );
    assertEquals(server.lines.filter((line) => /Anybody/.test(line)), []);
  }
  await using server = await serve(outputs, { host: "0.0.0.0" });
  const warnings = server.lines.filter((line) => /Anybody who reaches 0\.0\.0\.0:/.test(line));
  assertEquals(warnings.length, 2);
  assertMatch(warnings[0], /can watch "cam": scripts send no token and use no TLS\n$/);
});

Deno.test("startServer() refuses names of nothing, and ports that are taken", async () => {
  const unknown = await assertRejects(() => serve(["0=shrt.mkv"]), Error);
  assertMatch(unknown.message, /"shrt.mkv"/);
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await assertRejects(
    () => serve([`${listener.addr.port}=cam`]),
    Error,
    "the port is taken, choose another with --script",
  );
});

Deno.test("pushToScript() tries again with growing pauses, and says so once", async () => {
  const clock = new HandClock();
  const port = freePort();
  await using server = await serve([`=cam,${RAW},push:127.0.0.1:${port}`], { clock });
  for (let retry = 0; retry < 4; retry++) await clock.passToNext();
  await clock.asleep();
  const [first, second, third] = clock.waits;
  assert(first >= 1000 && first <= 1250, `${first} ms`);
  assert(second >= 1500 && second <= 2500, `${second} ms`);
  assert(third >= 3000 && third <= 5000, `${third} ms`);
  const outages = server.lines.filter((line) => / warn .*Cannot push/.test(line));
  assertStrictEquals(outages.length, 1);
  assertMatch(
    outages[0],
    /"cam" to 127\.0\.0\.1:\d+: nothing listens there; trying again every 1 /,
  );
});

Deno.test("pushToScript() connects again to a receiver that leaves and comes back", async () => {
  const clock = new HandClock();
  const port = freePort();
  await using server = await serve([`=cam,${RAW},push:127.0.0.1:${port}`], { clock });
  await clock.asleep();
  const outages = () => server.lines.filter((line) => / warn .*Cannot push/.test(line)).length;
  for (const isSteady of [false, true]) {
    using listener = Deno.listen({ hostname: "127.0.0.1", port });
    const accepted = listener.accept();
    await clock.passToNext();
    using peer = new NativeClient(await accepted);
    await readMessage(peer);
    if (isSteady) clock.pass(10_000);
    await readMessage(peer);
    peer.close();
    await clock.asleep();
  }
  // The first connection was too short to end the outage.
  assertStrictEquals(outages(), 2);
  assertLess(clock.waits.at(-1) ?? 0, 1251);
  assertGreater(clock.waits.at(-2) ?? 0, 1499);
  await server.logged(/request ends .* name=cam .*result=cut /, 2);
});

Deno.test("pushToScript() ends with the server, whether it is connected or waits", async () => {
  const clock = new HandClock();
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const outputs = [
    `=cam,${RAW},push:127.0.0.1:${listener.addr.port}`,
    `=cam,${RAW},push:127.0.0.1:${freePort()}`,
  ];
  await using server = await serve(outputs, { clock });
  using peer = new NativeClient(await listener.accept());
  await readMessage(peer);
  await clock.asleep();
  const drained = server.server.drain({ grace: 10, signal: AbortSignal.abort() });
  await peer.readAll();
  peer.close();
  await drained;
  await server.logged(/ ended: 1 response was cut\n$/);
  await server.logged(/request ends .* result=shutdown /);
});

Deno.test("pushToScript() gives up what cannot be sent", async () => {
  await folder.make("sound.wav", ["-f", "lavfi", "-i", "sine=d=0.1"]);
  const clock = new HandClock();
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const output = `=sound.wav,push:127.0.0.1:${listener.addr.port}`;
  await using server = await serve([output], { media: folder.path, clock });
  using peer = new NativeClient(await listener.accept());
  assertStrictEquals((await peer.readAll()).byteLength, 0);
  await server.logged(/ error .*Cannot push "sound.wav" to .*: .*no picture/);
  assertEquals(clock.waits, []);
});

interop("pushToScript() sends a file once to Python that listens", async () => {
  const clock = new HandClock({ skips: true });
  const { receiver, port } = await ScriptReceiver.listen("i32le+pickle");
  await using _receiver = receiver;
  {
    await using server = await serve([`=short.mkv,i32le+pickle,push:127.0.0.1:${port}`], { clock });
    const { frames, end } = await receiver.result();
    assertEquals([frames.length, end], [5, "closed"]);
    await server.logged(/ disconnected\n$/);
    // All has ended, so that the server has nothing to wait for.
    await server.server.drain({ grace: 60_000, signal: new AbortController().signal });
    await server.logged(/ ended: no responses were cut\n$/);
    assertStrictEquals(server.lines.filter((line) => /request begins/.test(line)).length, 1);
  }
});

interop(
  "pushToScript() sends a file from its start to Python that was lost in the middle",
  async () => {
    const clock = new HandClock({ skips: true });
    const args = ["--connections=2", "--frames=2"];
    const { receiver, port } = await ScriptReceiver.listen("u64le+pickle", { args });
    await using _receiver = receiver;
    await using server = await serve([`=long.mkv,push:127.0.0.1:${port}`], { clock });
    const { frames, end } = await receiver.result();
    assertEquals([frames.length, end], [4, undefined]);
    assertEquals(frames.slice(2), frames.slice(0, 2));
    await server.logged(/Cannot push "long.mkv" to .*: the connection was lost; trying again/);
  },
);

interop("scriptConversation() sends Python that was slow the newest frames of a file", async () => {
  const path = await folder.make("large.mkv", [
    ...pictures({ size: "1280x720", seconds: 16 }),
    ...["-c:v", "mpeg4", "-q:v", "5"],
  ]);
  const framing = "u64le+raw:1280x720:gray";
  const expected = await decodedBy(path, {
    stream: "V:0",
    output: ["-c:v", "rawvideo", "-pix_fmt", "gray"],
  });
  await using server = await serve([`0=large.mkv,${framing}`], { media: folder.path });
  await using receiver = ScriptReceiver.connect(portOf(server), framing, "--wait");
  await receiver.received(1);
  using viewer = await server.connect();
  await viewer.ask({ command: "get_video", name: "large.mkv", encoding: "copy", speed: 1 });
  // Two seconds, of which a busy machine makes more.
  await viewer.frames(50);
  await receiver.go();
  const { frames, end } = await receiver.result();
  assertStrictEquals(end, "closed");
  const found = frames.map(({ md5 }) => expected.findIndex((frame) => frame.md5 === md5));
  const steps = found.slice(1).map((index, at) => index - found[at]);
  assert(steps.every((step) => step > 0), `${found}`);
  assertGreater(Math.max(...steps), 15, `${found}`);
  assertGreater(found.at(-1) ?? 0, 150, `${found}`);
});
