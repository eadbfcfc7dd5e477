/** `--classic`: scripts that listen, our own server among them. */
import { assertEquals, assertMatch } from "@std/assert";
import { openScript } from "../../../lib/client/request/script.ts";
import { SCRIPT_END } from "../../../lib/protocol/script/request.ts";
import { concat, latin1 } from "../../support/media/bytes.ts";
import { mediaFolder, pictures } from "../../support/media/media_folder.ts";
import { numpyPickle, text, uint32 } from "../../support/media/pickles.ts";
import { decodedBy, type FrameSum } from "../../support/media/reference.ts";
import { PYTHON, ScriptServer } from "../../support/peers/script_server.ts";
import {
  say,
  type Script,
  ScriptedServer,
  untilGone,
} from "../../support/peers/scripted_server.ts";
import { testServer } from "../../support/peers/test_server.ts";
import { HandClock } from "../../support/time/hand_clock.ts";
import { at, runInside } from "../../support/programs/run_inside.ts";

const media = mediaFolder();
const results = mediaFolder();

/** Creates the media to serve, and gives the checksums of its frames as BGR. */
async function sources(): Promise<{ image: string[]; video: string[] }> {
  const image = await media.make("a.png", [...pictures({ size: "33x17" }), "-frames:v", "1"]);
  const lossless = ["-c:v", "ffv1", "-pix_fmt", "bgr0"];
  const video = await media.make("b.mkv", [...pictures({ seconds: 0.4 }), ...lossless]);
  const bgr = { stream: "V:0", output: ["-pix_fmt", "bgr24"] };
  return {
    image: checksums(await decodedBy(image, bgr)),
    video: checksums(await decodedBy(video, bgr)),
  };
}

function checksums(frames: readonly FrameSum[]): string[] {
  return frames.map(({ md5 }) => md5);
}

/** Runs the client and gives the checksums of the frames that it received. */
async function receive(args: readonly string[]): Promise<string[]> {
  const { status, bytes, stdout, stderr } = await runInside([
    ...args,
    "--classic",
    "--output",
    "-",
  ]);
  assertEquals([status, stdout], [0, ""], stderr);
  const nut = await results.write(`${crypto.randomUUID()}.nut`, bytes);
  return checksums(await decodedBy(nut, { stream: "V:0" }));
}

for (const protocol of [2, 3, 4, 5]) {
  Deno.test({
    name: `openScript() takes every pixel from a Python server with protocol ${protocol}` +
      (PYTHON === undefined ? " (ignored: no Python with numpy and OpenCV)" : ""),
    ignore: PYTHON === undefined,
    async fn() {
      const { image, video } = await sources();
      await using server = await ScriptServer.start(media.path, ["--protocol", String(protocol)]);
      const where = ["--host", "127.0.0.1", "--port", server.port];
      assertEquals(await receive(["--image", ...where]), image);
      assertEquals(await receive(["--video", ...where]), video);
    },
  });
}

Deno.test("openScript() takes every pixel from stream-server", async () => {
  const { image, video } = await sources();
  await using server = await testServer({ media: media.path });
  assertEquals(await receive(["--image", ...at(server)]), image);
  assertEquals(await receive(["--video", ...at(server)]), video);
});

Deno.test("openScript() counts and records frames", async () => {
  const { video } = await sources();
  await using server = await testServer({ media: media.path });
  const path = results.pathOf("copy.mkv");
  const args = ["--video", "--classic", "--output", path, "--json", ...at(server)];
  const { status, stdout } = await runInside(args);
  const { name, frames, bytes, audioFrames } = JSON.parse(stdout);
  assertEquals([status, name, frames, audioFrames], [0, "video", video.length, 0]);
  assertEquals(bytes, video.length * 64 * 48 * 3);
  assertEquals((await decodedBy(path, { stream: "V:0" })).length, video.length);
});

function classic(pickle: Uint8Array): Uint8Array {
  return concat(uint32(pickle.byteLength), pickle);
}

/** A frame of two pixels. */
const FRAME = classic(numpyPickle());

Deno.test("openScript() takes an image from a script that closes without an end", async () => {
  await using server = new ScriptedServer((peer) => say(peer, FRAME));
  const { status, stderr } = await runInside([
    "--image",
    "--classic",
    "--view",
    "none",
    ...at(server),
  ]);
  assertEquals(status, 0, stderr);
});

Deno.test("openScript() takes a video from a script that closes without an end", async () => {
  await using server = new ScriptedServer((peer) => say(peer, FRAME, FRAME));
  const args = ["--video", "--classic", "--view", "none", ...at(server)];
  const { status, stderr } = await runInside(args);
  assertEquals(status, 0, stderr);
  assertMatch(stderr, /^Received 2 frames in /);
});

/** Broken scripts, and the expected error. */
const SCRIPTS: [string, Script, RegExp][] = [
  [
    "says nothing",
    () => {},
    /closed without a frame; is that a script that sends arrays or JPEGs\?/,
  ],
  ["says only that it ends", (peer) => say(peer, SCRIPT_END), /the script had nothing to send/],
  [
    "ends in the middle of a frame",
    (peer) => say(peer, FRAME, FRAME.subarray(0, 40)),
    /^Cannot finish "video" after 1 frame \(.*\): the connection was cut inside a frame, after 36 of/,
  ],
  ["is a web server", (peer) => say(peer, latin1("HTTP/1.1 400 Bad\r\n\r\n")), /sends: HTTP, /],
  [
    "names a giant length",
    (peer) => say(peer, FRAME, latin1("\xff\xff\xff\x7f")),
    /after 1 frame .* length 2147483647, expected 1 to/,
  ],
  [
    "names a negative length",
    (peer) => say(peer, FRAME, latin1("\xff\xff\xff\xff")),
    /after 1 frame .* length -1, expected 1 to/,
  ],
  ["names no length", (peer) => say(peer, FRAME, new Uint8Array(4)), /length 0, expected 1 to/],
  [
    "names a large length and sends little",
    (peer) => say(peer, FRAME, latin1("\0\0\0\x0f"), new Uint8Array(100)),
    /cut inside a frame, after 100 of 251658240 bytes/,
  ],
  [
    "wants something to be run",
    (peer) => say(peer, classic(latin1(`\x80\x04cos\nsystem\n${text("touch /tmp/x")}\x85R.`))),
    /Cannot read pickle: .*os\.system/,
  ],
  [
    "sends a cube",
    (peer) => say(peer, classic(numpyPickle({ shape: [1, 1, 2, 3] }))),
    /Cannot .*\(1, 1, 2, 3\)/,
  ],
];

for (const [what, script, reason] of SCRIPTS) {
  Deno.test(`openScript() refuses a script that ${what}`, async () => {
    await using server = new ScriptedServer(script);
    const args = ["--video", "--classic", "--view", "none", ...at(server)];
    const { status, stdout, stderr } = await runInside(args);
    assertEquals([status, stdout], [1, ""]);
    assertMatch(stderr, /^Cannot [^\n]+\n$/);
    assertMatch(stderr, reason);
  });
}

Deno.test("openScript() reads frames when they arrive, however slow the sink is", async () => {
  const clock = new HandClock();
  const sent = Promise.withResolvers<void>();
  await using server = new ScriptedServer(async (peer) => {
    for (let count = 0; count < 3; count++) {
      await say(peer, FRAME);
      await peer.read(new Uint8Array(2));
      clock.pass(200);
    }
    sent.resolve();
  });
  const { hostname: host, port } = server.address;
  const { signal } = new AbortController();
  const target = { host, port, script: { request: "go", ack: "ok" } };
  using response = await openScript({ command: "get_video" }, target, { signal, clock });
  const parts = response[Symbol.asyncIterator]();
  const described = await parts.next();
  assertEquals(described.value?.kind, "describe");
  // Nothing is taken meanwhile.
  await sent.promise;
  const moments: number[] = [];
  for await (const part of { [Symbol.asyncIterator]: () => parts }) {
    if (part.kind === "frame") moments.push(part.frame.timestamp);
  }
  assertEquals(moments, [0, 200_000, 400_000]);
});

Deno.test("openScript() stops when the signal aborts", async () => {
  const controller = new AbortController();
  await using server = new ScriptedServer(async (peer) => {
    await say(peer, FRAME);
    controller.abort();
    await untilGone(peer);
  });
  const args = ["--video", "--classic", "--view", "none", ...at(server)];
  const { status, stderr } = await runInside(args, { signal: controller.signal });
  assertEquals(status, 130);
  assertMatch(stderr, /^Stopped after [01] frames? in [^\n]+\n$/);
});
