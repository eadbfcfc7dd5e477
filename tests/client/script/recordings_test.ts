/** Recordings of scripts: timestamps, changes of size, and values beside the images. */
import { assertAlmostEquals, assertEquals, assertMatch } from "@std/assert";
import { concat } from "../../support/media/bytes.ts";
import { mediaFolder, run } from "../../support/media/media_folder.ts";
import { momentsOf } from "../../support/media/moments.ts";
import { decodedBytes } from "../../support/media/reference.ts";
import {
  framed,
  makePictures,
  pickled,
  push,
  usualPictures,
} from "../../support/peers/script_sender.ts";
import { say } from "../../support/peers/scripted_server.ts";
import { ListeningClient } from "../../support/programs/listening_client.ts";
import { HandClock } from "../../support/time/hand_clock.ts";

const media = mediaFolder();
const usual = usualPictures(media);

/** Milliseconds between the frames of a camera of 5 fps. */
const INTERVAL = 200;

const RAW = ["-fps_mode", "passthrough", "-pix_fmt", "bgr24", "-f", "rawvideo"];

/** Sends messages at 5 a second of a clock, each once the one before was received. */
async function paced(
  address: Deno.ConnectOptions,
  clock: HandClock,
  messages: readonly Uint8Array[],
): Promise<void> {
  using camera = await Deno.connect(address);
  const reply = new Uint8Array(2);
  for (const message of messages) {
    await say(camera, message);
    for (let have = 0; have < reply.byteLength;) {
      have += await camera.read(reply.subarray(have)) ?? Infinity;
    }
    clock.pass(INTERVAL);
  }
}

/** Records messages that come at 5 a second. */
async function record(
  messages: readonly Uint8Array[],
  output: string,
  ...flags: string[]
): Promise<string> {
  const clock = new HandClock();
  const args = ["--listen", "0", "--ack", "ok", "--output", output, ...flags];
  await using client = await ListeningClient.start(args, { environment: { clock } });
  await paced(client.address, clock, messages);
  const { status, stderr } = await client.outcome;
  assertEquals(status, 0, stderr);
  return stderr;
}

/** The codec of a file, its duration in seconds, and its frame rate. */
async function described(path: string) {
  const entries = "stream=codec_name,pix_fmt,avg_frame_rate:format=duration";
  const text = await run("ffprobe", ["-show_entries", entries, "-of", "json", path]);
  const { streams: [stream], format } = JSON.parse(new TextDecoder().decode(text));
  const [frames, seconds] = stream.avg_frame_rate.split("/").map(Number);
  return { ...stream, duration: Number(format.duration), rate: frames / seconds };
}

/** Containers, and the codecs of arrays and of JPEGs in them. */
const CODECS = {
  mp4: ["h264", "h264"],
  mkv: ["h264", "mjpeg"],
  mov: ["h264", "mjpeg"],
  avi: ["mpeg4", "mjpeg"],
  webm: ["vp9", "vp9"],
};

for (const [extension, codecs] of Object.entries(CODECS)) {
  for (const [at, kind] of ["arrays", "JPEGs"].entries()) {
    Deno.test(`a script of ${kind} at 5 fps is recorded at 5 fps in .${extension}`, async () => {
      const { bgr, jpeg } = await usual();
      const messages = kind === "JPEGs"
        ? jpeg.map((each) => framed("u64le", each))
        : bgr.map((each) => framed("u64le", pickled(each)));
      const path = media.pathOf(`${kind}.${extension}`);
      await record(messages, path);
      const { codec_name, duration } = await described(path);
      assertEquals(codec_name, codecs[at]);
      const moments = (await momentsOf(path, "v")).sort((a, b) => a - b);
      assertEquals(moments.length, 4);
      moments.forEach((moment, index) => assertAlmostEquals(moment, index * 0.2, 0.002));
      // Copied packets have no duration of their own.
      assertAlmostEquals(duration, 0.7, 0.11);
    });
  }
}

Deno.test("JPEGs in .mkv and as images are those of the script, byte for byte", async () => {
  const { jpeg } = await usual();
  const path = media.pathOf("copied.mkv");
  await record(jpeg.map((each) => framed("u32be", each)), path);
  const copied = await run("ffmpeg", ["-i", path, "-c", "copy", "-f", "image2pipe", "pipe:1"]);
  assertEquals(copied, concat(...jpeg));
  const pattern = media.pathOf("frame%d.jpg");
  await record(jpeg.map((each) => framed("u32be", each)), pattern);
  assertEquals(await Deno.readFile(media.pathOf("frame3.jpg")), jpeg[2]);
});

Deno.test("JPEGs are copied into .mp4 as well if that is wanted", async () => {
  const { jpeg } = await usual();
  const path = media.pathOf("wanted.mp4");
  await record(jpeg.map((each) => framed("u32be", each)), path, "--codec", "copy");
  assertEquals((await described(path)).codec_name, "mjpeg");
});

Deno.test("JPEGs become pixels in .png and in raw video", async () => {
  const { jpeg, decoded } = await usual();
  const messages = jpeg.map((each) => framed("i32le", each));
  const png = media.pathOf("first.png");
  await using client = await ListeningClient.start(["--listen", "0", "--image", "--output", png]);
  await push(client.address, ...messages);
  const { status, stderr } = await client.outcome;
  assertEquals(status, 0, stderr);
  assertEquals(await decodedBytes(png, ["-pix_fmt", "bgr24", "-f", "rawvideo"]), decoded[0]);
  const raw = media.pathOf("all.raw");
  await record(messages, raw, "--format", "rawvideo", "--", "-pix_fmt", "bgr24");
  assertEquals(await Deno.readFile(raw), concat(...decoded));
});

Deno.test("JPEGs keep their brightness in .mp4, which has the limited range", async () => {
  const white = await run("ffmpeg", [
    ...["-f", "lavfi", "-i", "color=white:size=64x48", "-frames:v", "1"],
    ...["-c:v", "mjpeg", "-f", "image2pipe", "pipe:1"],
  ]);
  const path = media.pathOf("white.mp4");
  await record([white, white, white], path);
  assertEquals((await described(path)).pix_fmt, "yuv420p");
  const grey = ["-pix_fmt", "gray", "-frames:v", "1", "-f", "rawvideo"];
  const [level] = await decodedBytes(path, grey);
  assertAlmostEquals(level, 255, 3);
});

Deno.test("a recording goes on in another file when the size changes", async () => {
  const { bgr } = await usual();
  const small = await makePictures(media, { size: "32x24", count: 2 });
  const path = media.pathOf("change.mkv");
  const stderr = await record([
    ...bgr.slice(0, 2).map((each) => framed("u32be", pickled(each))),
    ...small.bgr.map((each) => framed("u32be", pickled(each, { width: 32, height: 24 }))),
  ], path);
  const [, second] = stderr.match(/Goes on in "([^"]+)": the source is 32x24 now/) ?? [];
  assertMatch(stderr, /Received 4 frames/);
  assertEquals((await momentsOf(path, "v")).length, 2);
  assertEquals((await momentsOf(second, "v")).length, 2);
});

Deno.test("frames are received on when JPEGs change their size", async () => {
  const { jpeg } = await usual();
  const small = await makePictures(media, { size: "32x24", count: 1 });
  const clock = new HandClock();
  const args = ["--listen", "0", "--ack", "ok", "--view", "none", "--json"];
  await using client = await ListeningClient.start(args, { environment: { clock } });
  await paced(client.address, clock, [jpeg[0], small.jpeg[0], jpeg[1]]);
  const { status, stdout } = await client.outcome;
  assertEquals([status, JSON.parse(stdout).frames], [0, 3]);
});

Deno.test("NUT of a script plays with the moments of its frames", async () => {
  const { bgr } = await usual();
  const clock = new HandClock();
  const args = ["--listen", "0", "--ack", "ok", "--output", "-"];
  await using client = await ListeningClient.start(args, { environment: { clock } });
  await paced(client.address, clock, bgr.map((each) => framed("ascii16", pickled(each))));
  const { status, bytes, stderr } = await client.outcome;
  assertEquals(status, 0, stderr);
  const nut = await media.write("stdout.nut", bytes);
  assertEquals(await momentsOf(nut), [0, 0.2, 0.4, 0.6]);
  assertEquals(await decodedBytes(nut, RAW), concat(...bgr));
});
