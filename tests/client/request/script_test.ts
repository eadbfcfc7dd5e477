/** `--classic`: scripts that send pickled arrays, our own server among them. */
import { assertEquals, assertMatch } from "@std/assert";
import { SCRIPT_END } from "../../../lib/protocol/script/framing.ts";
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
    name: `requestScript() takes every pixel from a Python server with protocol ${protocol}` +
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

Deno.test("requestScript() takes every pixel from stream-server", async () => {
  const { image, video } = await sources();
  await using server = await testServer({ media: media.path });
  assertEquals(await receive(["--image", ...at(server)]), image);
  assertEquals(await receive(["--video", ...at(server)]), video);
});

Deno.test("requestScript() counts and records frames", async () => {
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

Deno.test("requestScript() takes an image from a script that closes without an end", async () => {
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

/** Broken scripts, and the expected error. */
const SCRIPTS: [string, Script, RegExp][] = [
  ["says nothing", () => {}, /the connection was cut; is that a script that pickles/],
  ["says only that it ends", (peer) => say(peer, SCRIPT_END), /the server had nothing to send/],
  [
    "ends without saying so",
    (peer) => say(peer, FRAME, FRAME),
    /^Cannot finish "video" after 2 frames \(.*\): the connection was cut/,
  ],
  [
    "ends in the middle of a frame",
    (peer) => say(peer, FRAME, FRAME.subarray(0, 40)),
    /^Cannot finish "video" after 1 frame \(.*\): the connection was cut/,
  ],
  ["is a web server", (peer) => say(peer, latin1("HTTP/1.1 400 Bad\r\n\r\n")), /length 1347703880/],
  ["names a giant length", (peer) => say(peer, latin1("\xff\xff\xff\x7f")), /length 2147483647/],
  ["names a negative length", (peer) => say(peer, latin1("\xff\xff\xff\xff")), /length -1/],
  ["names no length", (peer) => say(peer, new Uint8Array(4)), /length 0/],
  [
    "names a large length and sends little",
    (peer) => say(peer, latin1("\0\0\0\x0f"), new Uint8Array(100)),
    /the connection was cut/,
  ],
  [
    "wants something to be run",
    (peer) => say(peer, classic(latin1(`\x80\x04cos\nsystem\n${text("touch /tmp/x")}\x85R.`))),
    /Cannot read pickle: .*os\.system/,
  ],
  ["sends text", (peer) => say(peer, classic(latin1(`\x80\x04${text("end")}.`))), /text "end"/],
  [
    "sends an array of floats",
    (peer) =>
      say(
        peer,
        classic(
          numpyPickle({ dtype: "f4", byteOrder: "<", shape: [1, 1, 1], data: new Uint8Array(4) }),
        ),
      ),
    /expected uint8 of height/,
  ],
  [
    "sends frames of another size",
    (peer) => say(peer, FRAME, classic(numpyPickle({ shape: [2, 1, 3] }))),
    /a frame of 1×2, expected 2×1/,
  ],
];

for (const [what, script, reason] of SCRIPTS) {
  Deno.test(`requestScript() refuses a script that ${what}`, async () => {
    await using server = new ScriptedServer(script);
    const args = ["--video", "--classic", "--view", "none", ...at(server)];
    const { status, stdout, stderr } = await runInside(args);
    assertEquals([status, stdout], [1, ""]);
    assertMatch(stderr, /^Cannot [^\n]+\n$/);
    assertMatch(stderr, reason);
  });
}

Deno.test("requestScript() stops when the signal aborts", async () => {
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
