import { assert, assertEquals, assertGreater, assertMatch } from "@std/assert";
import { encodeMessage } from "../../../lib/protocol/native/framing.ts";
import { encodeAcceptance, encodeEnd } from "../../../lib/protocol/native/response.ts";
import { mediaFolder, pictures, run, tone } from "../../support/media/media_folder.ts";
import { type NativeClient, watchLive } from "../../support/peers/native_client.ts";
import { type TestServer, testServer } from "../../support/peers/test_server.ts";
import { heard, say, ScriptedServer, untilGone } from "../../support/peers/scripted_server.ts";
import { InsidePublisher, publishInside } from "../../support/programs/inside_publisher.ts";
import { freePort } from "../../support/programs/machine.ts";
import { at, runInside } from "../../support/programs/run_inside.ts";

const media = mediaFolder();

const GENERATOR = "lavfi:testsrc=size=64x48:rate=20";

/** Packets with keyframes far apart and frames out of order, and their sound. */
const CLIP = [
  ...[...pictures({ seconds: 2 }), ...tone({ seconds: 2 })],
  ...["-c:v", "libx264", "-preset", "veryfast", "-g", "12", "-bf", "2", "-pix_fmt", "yuv420p"],
  ...["-c:a", "aac"],
];

/** A server without lingering, so that who watches is known at once. */
function hub(options: Partial<Parameters<typeof testServer>[0]> = {}): Promise<TestServer> {
  return testServer({ media: media.path, live: { sources: [], linger: 0 }, ...options });
}

/** MD5 of each packet of a stream, in order. */
async function packetsOf(path: string, stream: "v" | "a"): Promise<string[]> {
  const entries = ["-show_entries", "packet=data_hash", "-show_data_hash", "md5"];
  const form = ["-select_streams", stream, "-of", "csv=p=0"];
  const text = new TextDecoder().decode(await run("ffprobe", [...entries, ...form, path]));
  return [...text.matchAll(/MD5:([0-9a-f]{32})/g)].map(([, md5]) => md5);
}

/** What a viewer gets up to the end of the source: MD5 by type, and whether times go up. */
async function watchToEnd(viewer: NativeClient) {
  const { frames, end } = await viewer.rest();
  const sums = (type: string) => frames.filter((frame) => frame.type === type).map((f) => f.md5);
  return { video: sums("video"), audio: sums("audio"), frames, end };
}

Deno.test("publish sends the packets of a file as they are, and ends with it", async () => {
  const clip = await media.make("clip.mp4", CLIP);
  await using server = await hub();
  const args = ["--publish", "show", "--input", clip, "--encoding", "copy", "--on-demand"];
  await using publisher = await publishInside([...args, "--json", ...at(server)]);
  using viewer = await watchLive(server, { name: "show", encoding: "copy" });
  await viewer.until("describe");
  const { video, audio, end } = await watchToEnd(viewer);
  assertEquals(video, await packetsOf(clip, "v"));
  assertEquals(audio, await packetsOf(clip, "a"));
  assertEquals(end.reason, "end");
  const { status, stdout } = await publisher.ended;
  const { frames, audioFrames, bytes, ...told } = JSON.parse(stdout);
  assertEquals([status, frames, audioFrames], [0, video.length, audio.length]);
  assertEquals(bytes, end.bytes);
  assertEquals(Object.keys(told), [
    ...[
      "command",
      "name",
      "seconds",
      "fps",
      "dropped",
      "reconnects",
      "viewers",
      "latencyMs",
    ],
  ]);
  assertEquals([told.command, told.name, told.dropped, told.reconnects], [
    ...["publish", "show", 0, 0],
  ]);
  // Two seconds of media take nearly as long.
  assertGreater(told.seconds, 1.5);
  assertGreater(told.latencyMs.p95, 0);
});

Deno.test("publish encodes a generator as H.264 in real time, and ends by Ctrl-C", async () => {
  await using server = await hub();
  const began = performance.now();
  await using publisher = await publishInside([
    ...["--publish", "cam", "--input", GENERATOR],
    ...at(server),
  ]);
  using viewer = await watchLive(server, { name: "cam", encoding: "copy" });
  const { description } = await viewer.until("describe");
  assertEquals([description.live, description.streams.map(({ codec }) => codec)], [true, ["h264"]]);
  const frames = await viewer.frames(120);
  assert(frames[0].keyframe);
  const times = frames.map(({ seconds }) => seconds);
  assert(times.every((time, index) => index === 0 || time > times[index - 1]));
  // After a stall, frames that are due come at once.
  assertGreater(performance.now() - began, 1000 * (times[119] - times[0]));
  assertGreater(times[119] - times[0], 5);
  const { status, stderr } = await publisher.stop();
  assertEquals([status, stderr], [130, ""]);
  assertMatch(
    publisher.text,
    /^Publishing "cam" to 127\.0\.0\.1:\d+\nPublished \d+ frames in [\d:.]+, [\d.]+ fps, [^\n]+\n$/,
  );
  assertEquals((await viewer.rest()).end.reason, "end");
  await server.logged(/request ends command=publish name=cam result=done/);
});

Deno.test("publish starts its input when somebody watches, as often as that happens", async () => {
  await using server = await hub();
  const args = ["--publish", "cam", "--input", GENERATOR, "--encoding", "raw", "--on-demand"];
  await using publisher = await publishInside([...args, ...at(server)]);
  for (let time = 0; time < 2; time++) {
    using viewer = await watchLive(server, { name: "cam" });
    const frames = await viewer.frames(3);
    assertEquals(frames.map(({ size }) => size), [9216, 9216, 9216]);
  }
  const { status } = await publisher.stop();
  assertEquals(status, 130);
});

Deno.test("publish shows how many watch, and that nobody does", async () => {
  await using server = await hub();
  const args = ["--publish", "cam", "--input", GENERATOR, "--on-demand", ...at(server)];
  const options = { environment: { stderrIsTerminal: true } };
  await using publisher = await publishInside(args, options);
  await publisher.told(/ {2}paused/);
  {
    using viewer = await watchLive(server, { name: "cam" });
    await viewer.frames(2);
    await publisher.told(/frame \d+ .* 1 viewer +latency \d+ ms/);
  }
  await publisher.told(/ {2}paused/, 2);
});

Deno.test("publish waits for a server that starts later", async () => {
  const port = freePort();
  const where = ["--host", "127.0.0.1", "--port", String(port)];
  await using publisher = new InsidePublisher(["--publish", "cam", "--input", GENERATOR, ...where]);
  await publisher.told(
    /^Cannot connect to [^\n]+: nothing listens there, [^\n]+; trying again in \d+ s$/,
  );
  await using server = await hub({ port });
  await publisher.told(/^Publishing "cam" to /);
  using viewer = await watchLive(server, { name: "cam" });
  await viewer.frames(2);
});

Deno.test("publish goes on when the server is restarted, a file with its next keyframe", async () => {
  const clip = await media.make("long.mkv", [
    ...[...pictures({ seconds: 60 }), "-c:v", "libx264", "-g", "10", "-bf", "0"],
  ]);
  const port = freePort();
  const where = ["--host", "127.0.0.1", "--port", String(port)];
  const args = ["--publish", "show", "--input", clip, "--encoding", "copy", "--no-audio"];
  const packets = await packetsOf(clip, "v");
  const watch = async (server: TestServer) => {
    using viewer = await watchLive(server, { name: "show", encoding: "copy" });
    return (await viewer.frames(5)).map(({ md5 }) => packets.indexOf(md5));
  };
  await using publisher = new InsidePublisher([...args, "--json", ...where]);
  const places: number[] = [];
  {
    await using server = await hub({ port });
    await publisher.told(/^Publishing /);
    places.push(...await watch(server));
  }
  await publisher.told(/; trying again in \d+ s$/);
  await using server = await hub({ port });
  await publisher.told(/^Connected again after [\d.]+ s$/);
  places.push(...await watch(server));
  assertEquals(places, [...new Set(places)].toSorted((a, b) => a - b));
  assertEquals([places[0] % 10, places[5] % 10], [0, 0]);
  const { status, stdout } = await publisher.stop();
  assertEquals([status, JSON.parse(stdout).reconnects], [130, 1]);
});

Deno.test("publish ends by Ctrl-C although the server does not answer", async () => {
  const accept = encodeMessage("accept", encodeAcceptance({ name: "cam", watched: true }));
  await using server = new ScriptedServer(async (peer) => {
    await say(peer, accept);
    await untilGone(peer);
  });
  await using publisher = await publishInside([
    "--publish",
    "cam",
    "--input",
    GENERATOR,
    ...at(server),
  ]);
  assertEquals((await publisher.stop()).status, 130);
});

Deno.test("publish fails after Ctrl-C too if the server did not take what was sent", async () => {
  const accept = encodeMessage("accept", encodeAcceptance({ name: "cam", watched: true }));
  const streams = [{ id: 0, frames: 1_000_000, bytes: 1 }];
  const report = { frames: 1_000_000, audioFrames: 0, bytes: 1, dropped: 0, streams };
  await using server = new ScriptedServer(async (peer) => {
    await say(peer, accept);
    while ((await heard(peer)).kind !== "end");
    await say(peer, encodeMessage("end", encodeEnd({ ...report, reason: "end" })));
  });
  const args = ["--publish", "cam", "--input", GENERATOR, ...at(server)];
  await using publisher = await publishInside(args);
  const { status, stderr } = await publisher.stop();
  assertEquals(status, 1);
  assertMatch(stderr, /^Cannot finish "cam": [^\n]+ and the server took 1000000 of 1\n$/);
});

/** A file that breaks off. */
async function cutClip(): Promise<string> {
  const clip = await media.make("whole.mkv", [...pictures({ seconds: 2 }), "-c:v", "mjpeg"]);
  const bytes = await Deno.readFile(clip);
  const path = media.pathOf("cut.mkv");
  await Deno.writeFile(path, bytes.subarray(0, bytes.byteLength / 2));
  return path;
}

Deno.test("publish tells that a file is cut short", async () => {
  const clip = await cutClip();
  await using server = await hub();
  const { status, stderr } = await runInside(["--publish", "x", "--input", clip, ...at(server)]);
  assertEquals(status, 0);
  assertMatch(stderr, /^the media is damaged: File ended prematurely\b[^\n]*\nPublished /m);
});

Deno.test("publish fails if its input has no frames", async () => {
  const empty = await media.write("empty.y4m", "YUV4MPEG2 W64 H48 F20:1 Ip A1:1 C420jpeg\n");
  await using server = await hub();
  const { status, stderr } = await runInside([
    ...["--publish", "x", "--input", empty, ...at(server)],
  ]);
  assertEquals(status, 1);
  assertMatch(stderr, /^Publishing [^\n]+\nCannot publish "x": the input has no frames\n$/);
});

Deno.test("publish names the address at which something else answers", async () => {
  await using server = new ScriptedServer((peer) => peer.closeWrite());
  const args = ["--publish", "x", "--input", GENERATOR, ...at(server)];
  const address = `127\\.0\\.0\\.1:${server.address.port}`;
  const line = `^Cannot publish to ${address}: the connection was cut; is that stream-server\\?`;
  await using publisher = new InsidePublisher(args);
  await publisher.told(new RegExp(`${line}; trying again in \\d+ s$`));
  const { status, stderr } = await runInside([...args, "--retries", "0"]);
  assertEquals(status, 1);
  assertMatch(stderr, new RegExp(`${line}\\n$`));
});

Deno.test("publish takes the token for publishing from a file", async () => {
  const publishTokenFile = await media.write("token.txt", "of-the-publisher\n");
  await Deno.chmod(publishTokenFile, 0o600);
  await using server = await hub({ publish: "token", credentials: { publishTokenFile } });
  const args = ["--publish", "cam", "--input", GENERATOR, ...at(server)];
  const { status, stderr } = await runInside(args);
  assertEquals(status, 1);
  assertMatch(stderr, /; name a file with it in --token-file, or set STREAM_TOKEN\n$/);
  await using publisher = await publishInside([...args, "--token-file", publishTokenFile]);
  assertEquals((await publisher.stop()).status, 130);
});

Deno.test("publish does not read a terminal", async () => {
  const { status, stderr } = await runInside(
    ["--publish", "cam", "--input", "-", "--host", "127.0.0.1", "--port", "1"],
    { environment: { stdinIsTerminal: true } },
  );
  assertEquals(status, 2);
  assertMatch(stderr, /^Cannot read the terminal with --input -: expected the output of a program/);
});

Deno.test("publish gives up after as many attempts as --retries says", async () => {
  const where = ["--host", "127.0.0.1", "--port", String(freePort())];
  const args = ["--publish", "cam", "--input", GENERATOR, ...where];
  const { status, stderr } = await runInside([...args, "--retries", "1"]);
  assertEquals(status, 1);
  assertMatch(stderr, /trying again in 1 s \(1 of 1\)\nCannot connect [^\n]+; tried again once\n$/);
});

Deno.test("publish ends with the reason of a refusal", async () => {
  await media.make("clip.mp4", CLIP);
  await using server = await hub();
  const publish = (name: string, ...flags: string[]) =>
    runInside(["--publish", name, "--input", GENERATOR, ...flags, ...at(server)]);
  const taken = await publish("clip.mp4");
  assertEquals([taken.status, taken.stderr], [
    ...[1, 'Cannot publish "clip.mp4": a file has that name\n'],
  ]);
  await using publisher = await publishInside([
    "--publish",
    "cam",
    "--input",
    GENERATOR,
    ...at(server),
  ]);
  const busy = await publish("cam", "--retries", "0");
  assertEquals(busy.status, 1);
  assertMatch(busy.stderr, /^Cannot publish "cam": another publisher has that name/);
  await using waiting = new InsidePublisher([
    ...["--publish", "cam", "--input", GENERATOR, ...at(server)],
  ]);
  await waiting.told(/^Cannot publish "cam": another [^\n]+; trying again in \d+ s$/);
  await publisher.stop();
  await waiting.told(/^Publishing "cam" to /);
  await using closed = await hub({ publish: "none" });
  const refused = await runInside(["--publish", "cam", "--input", GENERATOR, ...at(closed)]);
  assertEquals(refused.status, 1);
  assertMatch(
    refused.stderr,
    /^Cannot publish: this server takes nothing[^\n]+; name a file with it/,
  );
});

Deno.test("publish ends with status 1 when another publisher takes its place", async () => {
  await using server = await hub();
  const args = ["--publish", "cam", "--input", GENERATOR, ...at(server)];
  await using first = await publishInside(args);
  await using second = await publishInside([...args, "--replace"]);
  const { status, stderr } = await first.ended;
  assertEquals(status, 1);
  assertMatch(stderr, /^Cannot publish "cam": another publisher has taken its place\n$/);
  using viewer = await watchLive(server, { name: "cam" });
  await viewer.frames(2);
  assertEquals((await second.stop()).status, 130);
});

Deno.test("publish tells why a file cannot be read, before it connects", async () => {
  const missing = media.pathOf("missing.mp4");
  const where = ["--host", "127.0.0.1", "--port", "1"];
  const { status, stderr } = await runInside(["--publish", "x", "--input", missing, ...where]);
  assertEquals([status, stderr], [1, `Cannot read "${missing}": No such file or directory\n`]);
});

Deno.test("publish tells why a generator cannot start, by its name, before it connects", async () => {
  const where = ["--host", "127.0.0.1", "--port", "1"];
  const args = ["--publish", "x", "--input", "lavfi:nosuchfilter", ...where];
  const { status, stderr } = await runInside(args);
  assertEquals([status, stderr], [
    ...[1, `Cannot read "nosuchfilter": No such filter: 'nosuchfilter'\n`],
  ]);
});

Deno.test("publish starts a live input again, and tells the reason each time", async () => {
  await using server = await hub();
  const args = ["--publish", "cam", "--input", "lavfi:testsrc=size=64x48:rate=20:d=0.2"];
  await using publisher = await publishInside([...args, "--encoding", "raw", ...at(server)]);
  await publisher.told(/^Cannot read "testsrc=[^\n]+": it came to its end; it is tried again in /);
  await publisher.told(/^"testsrc=[^\n]+" is back$/);
  await publisher.told(/; it is tried again in /, 2);
  const { status } = await publisher.stop();
  assertEquals(status, 130);
});

Deno.test("publish refuses an input whose format FFmpeg does not know", async () => {
  const args = ["--publish", "cam", "--input", "mjpegg:cam.x", "--host", "127.0.0.1"];
  const { status, stderr } = await runInside([...args, "--port", "1"]);
  assertEquals([status, stderr], [
    ...[2, 'Cannot use --input "mjpegg:…": FFmpeg knows no format "mjpegg", did you mean mjpeg?\n'],
  ]);
});
