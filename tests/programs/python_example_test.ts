/** The example of docs/PROTOCOL.md, written from that page alone, against this server. */
import { assert, assertEquals, assertGreater, assertLess, assertMatch } from "@std/assert";
import { findPython } from "../peers/python.ts";
import { mediaFolder, pictures, tone } from "../support/media/media_folder.ts";
import { decodedBy, decodedBytes, type FrameSum } from "../support/media/reference.ts";
import {
  frame,
  message,
  say,
  type Script,
  ScriptedServer,
} from "../support/peers/scripted_server.ts";
import { testServer } from "../support/peers/test_server.ts";
import {
  type Ending,
  pathOf,
  runProgram,
  startProgram,
} from "../support/programs/running_program.ts";
import { testIf } from "../support/test_if.ts";

const media = mediaFolder();
const python = await findPython([]);
const EXAMPLE = pathOf("docs/examples/client.py");
const BY_X264 = ["-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-pix_fmt", "yuv420p"];

/** Numbers of the kinds of message, as the page has them. */
const DESCRIBE = 2, FRAME = 3, END = 4, ERROR = 5, CONTROL = 6, PING = 8, PONG = 9, NOTICE = 10;

/** Bits of a frame's flags. */
const DISCONTINUITY = 4, LIVE = 8;

const HEADER_LENGTH = 16;
const HOUR = 3_600_000_000n;

/** What comes from a source of small grey pictures. */
const GREY = {
  ...{ version: 1, name: "grey" },
  streams: [{
    ...{ id: 0, type: "video", codec: "rawvideo", fourcc: "Y800", timeBase: [1, 25] },
    ...{ extradata: "", width: 16, height: 16, pixelFormat: "gray", frameRate: [25, 1] },
  }],
};

/** A line of the example about a frame. */
interface Line extends FrameSum {
  streamId: number;
}

const example = testIf(python !== undefined, "no python3");

function command([name, ...args]: string[], port: string | number) {
  const env = { PYTHONUNBUFFERED: "1" };
  return [[EXAMPLE, name, "--port", String(port), ...args], { path: python, env }] as const;
}

/** Runs the example to its end. */
function runExample(args: string[], port: string | number): Promise<Ending> {
  return runProgram("client", ...command(args, port));
}

/** Runs the example with a server that follows a script. */
async function follow(script: Script, args: string[]): Promise<Ending> {
  await using server = new ScriptedServer(script);
  return await runExample(args, server.address.port);
}

/** Reads `stream time size md5`. */
function parseFrame(text: string): Line {
  const [streamId, time, size, md5] = text.split(" ");
  const exact = time.includes("/") ? time : `${time}/1`;
  return { streamId: Number(streamId), time: exact, size: Number(size), md5 };
}

/** What the lines about a stream's frames say. */
function framesOf(stdout: string, streamId: number): FrameSum[] {
  return stdout.split("\n").filter((line) => line.startsWith(`${streamId} `)).map((line) => {
    const { time, size, md5 } = parseFrame(line);
    return { time, size, md5 };
  });
}

/** The number that a fraction stands for. */
function toNumber(fraction: string): number {
  const [numerator, denominator = 1] = fraction.split("/").map(Number);
  return numerator / denominator;
}

function sayJson(peer: Deno.TcpConn, kind: number, value: object): Promise<void> {
  return say(peer, message(kind, JSON.stringify(value)));
}

/** A report on so many pictures of {@linkcode GREY}. */
function report(frames: number, { bytes = 256 * frames, reason = "end" } = {}): object {
  return { frames, audioFrames: 0, bytes, dropped: 0, reason };
}

function now(): bigint {
  return BigInt(Date.now()) * 1000n;
}

/** Writes 64 bits into a message. */
function stamped(bytes: Uint8Array, offset: number, value: bigint): Uint8Array {
  new DataView(bytes.buffer, bytes.byteOffset).setBigInt64(offset, value, true);
  return bytes;
}

/** Reads the next message of a peer. */
async function hear(peer: Deno.TcpConn): Promise<{ kind: number; payload: string }> {
  const header = await readBytes(peer, HEADER_LENGTH);
  const length = new DataView(header.buffer).getUint32(0, true) - (HEADER_LENGTH - 4);
  return { kind: header[4], payload: new TextDecoder().decode(await readBytes(peer, length)) };
}

async function readBytes(peer: Deno.TcpConn, size: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(size);
  for (let filled = 0; filled < size;) {
    const count = await peer.read(bytes.subarray(filled));
    if (count === null) throw new Error("Cannot read a message: the example hung up");
    filled += count;
  }
  return bytes;
}

/** Makes a video with pictures out of order, and sound. */
function makeClip(): Promise<string> {
  const sources = [...pictures({ seconds: 2 }), ...tone({ seconds: 2 })];
  return media.make("clip.mp4", [...sources, ...BY_X264, "-c:a", "aac"]);
}

example("the example's list has every entry on a line of its own", async () => {
  await makeClip();
  await media.make("list/a.png", [...pictures({ seconds: 0.04 }), "-frames:v", "1"]);
  await media.make("list/two\nlines.mkv", [...pictures(), "-c:v", "ffv1"]);
  await using server = await testServer({ media: media.pathOf("list") });
  const { code, stdout, stderr } = await runExample(["list"], server.address.port);
  assertEquals([code, stderr], [0, ""]);
  assertEquals(stdout.trim().split("\n").sort(), [
    '"two\\nlines.mkv" video ffv1 64x48 1s',
    "a.png image png 64x48",
  ]);
});

example("the example's raw has the pixels, samples and moments of ffmpeg", async () => {
  const path = await makeClip();
  const output = media.pathOf("clip.raw");
  await using server = await testServer({ media: media.path });
  const args = ["raw", "clip.mp4", "--output", output];
  const { code, stdout, stderr } = await runExample(args, server.address.port);
  assertEquals([code, stderr], [0, ""]);
  assertEquals(framesOf(stdout, 0), await decodedBy(path, { stream: "V:0", beside: "a:0" }));
  assertEquals(framesOf(stdout, 1), await decodedBy(path, { stream: "a:0", beside: "V:0" }));
  const pixels = await decodedBytes(path, ["-map", "0:V:0", "-f", "rawvideo"]);
  assertEquals(await Deno.readFile(output), pixels);
  assertMatch(stdout, /^end reason=end frames=50 audioFrames=\d+ bytes=\d+ dropped=0\n$/m);
});

example("the example's raw has a part, in the pixel format that was asked for", async () => {
  const path = await media.make("part.mkv", [
    ...pictures({ size: "65x49", seconds: 2 }),
    ...["-c:v", "ffv1", "-pix_fmt", "bgr0"],
  ]);
  await using server = await testServer({ media: media.path });
  const args = ["raw", "part.mkv", "--start", "0.4", "--duration", "0.2", "--speed", "1"];
  const { code, stdout } = await runExample(
    [...args, "--pixel-format", "bgr24"],
    server.address.port,
  );
  const all = await decodedBy(path, { stream: "V:0", output: ["-pix_fmt", "bgr24"] });
  assertEquals(code, 0);
  assertEquals(
    framesOf(stdout, 0),
    all.slice(10, 15).map((sum, index) => ({ ...sum, time: all[index].time })),
  );
});

example("the example gives status 1 and the server's reason for what is refused", async () => {
  await using server = await testServer({ media: media.path });
  const ending = await runExample(["raw", "nothing.mkv"], server.address.port);
  assertEquals([ending.code, ending.stdout], [1, ""]);
  assertMatch(ending.stderr, /^error: not_found: [^\n]*nothing\.mkv[^\n]*\n$/);
});

example("the example ends at once where it is interrupted", async () => {
  await media.make("long.mkv", [...pictures({ seconds: 20 }), "-c:v", "ffv1"]);
  await using server = await testServer({ media: media.path });
  const args = ["raw", "long.mkv", "--speed", "1"];
  await using program = startProgram("client", ...command(args, server.address.port));
  await program.stdout.until(/\n/);
  program.kill("SIGINT");
  const { code, stderr } = await program.ending();
  assertEquals([code, stderr], [130, "interrupted\n"]);
});

example("the example's seek begins with the first picture at or after each moment", async () => {
  const path = await media.make("seek.mp4", [
    ...pictures({ seconds: 20 }),
    ...[...BY_X264, "-g", "50"],
  ]);
  const moments = [5, 2.51, 12.345, 0, 19.96];
  await using server = await testServer({ media: media.path });
  const args = ["seek", "seek.mp4", ...moments.map(String)];
  const { code, stdout, stderr } = await runExample(args, server.address.port);
  assertEquals([code, stderr], [0, ""]);
  const all = await decodedBy(path, { stream: "V:0" });
  const shown = [...stdout.matchAll(/^(first|seek \d to [\d.]+): (.*?)( discontinuity)?$/gm)];
  assertEquals(
    shown.map(([, , text, discontinuity]) => [parseFrame(text), discontinuity !== undefined]),
    [0, ...moments].map((to, index) => {
      const first = all.find(({ time }) => toNumber(time) >= to);
      assert(first !== undefined, `a picture at ${to}`);
      return [{ streamId: 0, ...first }, index > 0];
    }),
  );
  assertEquals([...stdout.matchAll(/^seek \d: \d+ frames from before, /gm)].length, 5);
  // The last moment is that of the last picture: the video may be over before the stop is read.
  assertMatch(stdout, /^end reason=(stopped|end) /m);
});

example("the example's live takes frames, tells how old they are, and stops", async () => {
  const source = "camera=lavfi:testsrc2=size=320x240:rate=30";
  await makeClip();
  const args = ["--media", media.path, "--live", source];
  await using program = startProgram("server", ["--port", "0", ...args]);
  const [, port] = await program.stdout.until(/^Listening on [\d.]+:(\d+)\n/);
  const listed = await runExample(["list"], port);
  assertMatch(listed.stdout, /^camera video .*live$/m);
  const { code, stdout } = await runExample(["live", "camera", "--frames", "20"], port);
  assertEquals(code, 0);
  const frames = [...stdout.matchAll(/^0 (\S+) (-?[\d.]+) ms$/gm)];
  assertEquals(frames.length, 20);
  const times = frames.map(([, time]) => toNumber(time));
  times.slice(1).forEach((time, index) => assertGreater(time, times[index]));
  for (const [line, , latency] of frames) {
    assertGreater(Number(latency), -100, line);
    assertLess(Number(latency), 60_000, line);
  }
  assertMatch(stdout, /^end reason=stopped /m);
});

example("the example tells frames from before a seek from those after it", async () => {
  const moved = frame(250);
  moved[5] |= DISCONTINUITY;
  const heard: string[] = [];
  const { code, stdout, stderr } = await follow(async (peer) => {
    await sayJson(peer, DESCRIBE, GREY);
    await say(peer, frame(0));
    const { payload } = await hear(peer);
    await say(peer, frame(1), frame(2), frame(3));
    await say(peer, message(CONTROL, payload));
    await say(peer, moved);
    heard.push(payload, (await hear(peer)).payload);
    await say(peer, frame(251));
    await sayJson(peer, END, report(6, { reason: "stopped" }));
  }, ["seek", "grey", "10"]);
  assertEquals([code, stderr], [0, ""]);
  assertEquals(heard.map((text) => JSON.parse(text)), [
    { action: "seek", to: 10, id: 1 },
    { action: "stop" },
  ]);
  assertMatch(stdout, /^seek 1 to 10\.0: 0 10 256 [0-9a-f]{32} discontinuity$/m);
  assertMatch(stdout, /^seek 1: 3 frames from before, 2 from after it$/m);
});

example("the example corrects latency by the distance of the clocks", async () => {
  const { code, stdout, stderr } = await follow(async (peer) => {
    // The first of the pings has been read.
    for (let heard = { kind: PING, payload: "" }; heard.kind === PING; heard = await hear(peer)) {
      await say(peer, stamped(message(PONG, heard.payload), 8, now() + HOUR));
    }
    await sayJson(peer, DESCRIBE, { ...GREY, live: true });
    const sent = stamped(frame(7, { size: 8 + 256 }), HEADER_LENGTH, now() + HOUR);
    sent[5] |= LIVE;
    await say(peer, sent);
    assertEquals(JSON.parse((await hear(peer)).payload), { action: "stop" });
    await sayJson(peer, END, report(1, { bytes: 256, reason: "stopped" }));
  }, ["live", "grey", "--frames", "1"]);
  assertEquals([code, stderr], [0, ""]);
  const [, latency] = stdout.match(/^0 7\/25 (-?[\d.]+) ms$/m) ?? [];
  assertLess(Math.abs(Number(latency)), 60_000);
});

example("the example answers pings, and prints notices of any kind", async () => {
  const { code, stdout, stderr } = await follow(async (peer) => {
    await sayJson(peer, NOTICE, { code: "slow_link", message: "early", needed: 2, achieved: 1 });
    await sayJson(peer, DESCRIBE, GREY);
    await sayJson(peer, NOTICE, { code: "brand_new", message: "two\nlines" });
    await say(peer, message(PING, "all this comes back"));
    const { kind, payload } = await hear(peer);
    assertEquals([kind, payload], [PONG, "all this comes back"]);
    await say(peer, frame(0));
    await sayJson(peer, END, report(1));
  }, ["raw", "grey"]);
  assertEquals([code, stdout.split("\n").length - 1], [0, 2]);
  assertEquals(stderr, 'notice slow_link: early\nnotice brand_new: "two\\nlines"\n');
});

example("the example gives status 1 for an answer that is not whole", async () => {
  const large = 65_536;
  const cases: [reason: RegExp, ...parts: Uint8Array[]][] = [
    [/the connection was cut/, frame(0)],
    [/the connection was cut/, frame(0).subarray(0, 100)],
    [/media_error: broken/, message(ERROR, '{"code":"media_error","message":"broken"}')],
    [/kind 4 and length 65549,/, message(END, "{}", { length: 12 + large + 1 })],
    [/kind 3 and length 268435457,/, message(FRAME, "", { length: 2 ** 28 + 1 })],
    [/kind 3 and length 11,/, message(FRAME, "", { length: 11 })],
    [/kind 99 and length/, message(99, "{}")],
    [/stream 5, which is not in the describe/, frame(0, { streamId: 5 })],
    [/received 1 frames, the server sent 2/, frame(0), message(END, JSON.stringify(report(2)))],
    [
      /received 1 frames, 256 bytes of stream 0, the server sent 1 frames, 255 bytes/,
      frame(0),
      message(END, JSON.stringify({ ...report(1), streams: [{ id: 0, frames: 1, bytes: 255 }] })),
    ],
    [/not a JSON object/, message(END, "[]")],
    [/JSONDecodeError/, message(END, "{")],
    [/RecursionError/, message(END, "[".repeat(large))],
  ];
  for (const [reason, ...parts] of cases) {
    const { code, stderr } = await follow(async (peer) => {
      await sayJson(peer, DESCRIBE, GREY);
      await say(peer, ...parts);
    }, ["raw", "grey"]);
    assertMatch(stderr, /^error: [^\n]+\n$/);
    assertMatch(stderr, reason);
    assertEquals(code, 1, stderr);
  }
});
