/** Python receivers, as people have them, that this server sends to: FFmpeg is the measure. */
import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { LENGTH_NAMES } from "../../../lib/protocol/script/format.ts";
import { parseScriptOutput } from "../../../lib/server/script_spec.ts";
import { mediaFolder, pictures } from "../../support/media/media_folder.ts";
import { decodedBy } from "../../support/media/reference.ts";
import { Camera } from "../../support/peers/camera.ts";
import { ask, watchLive } from "../../support/peers/native_client.ts";
import { relayOf, serverOf } from "../../support/peers/relays.ts";
import { type ReceivedStream, ScriptReceiver } from "../../support/peers/script_receiver.ts";
import { PYTHON } from "../../support/peers/script_server.ts";
import { rawStream, TestPublisher } from "../../support/peers/test_publisher.ts";
import { type TestServer, testServer } from "../../support/peers/test_server.ts";
import { testIf } from "../../support/test_if.ts";

const media = mediaFolder();

const interop = testIf(PYTHON !== undefined, "no python3 with numpy and cv2");

const CLIP = "clip.mkv";

/** Frames of the clip. */
const FRAMES = 8;

/** A video whose matrix OpenCV ignores. */
function makeClip(): Promise<string> {
  return media.make(CLIP, [
    ...pictures({ rate: "20", seconds: FRAMES / 20 }),
    ...["-c:v", "libx264", "-pix_fmt", "yuv420p", "-colorspace", "bt709"],
  ]);
}

/** A server that sends media in framings, each at a free port. */
function scriptServer(name: string, framings: readonly string[]): Promise<TestServer> {
  const scripts = framings.map((framing) => parseScriptOutput(`0=${name},${framing}`));
  return testServer({ media: media.path, scripts, maxClients: 64 });
}

/** The ports at which scripts get what they get, in the order of the command line. */
function portsOf({ lines }: TestServer): number[] {
  return lines.flatMap((line) => line.match(/Scripts get ".*" at 127\.0\.0\.1:(\d+) \(/)?.[1] ?? [])
    .map(Number);
}

/** Connects receivers to all ports of a server; gives what each was sent. */
async function receiveAll(framings: readonly string[]): Promise<ReceivedStream[]> {
  await using server = await scriptServer(CLIP, framings);
  const ports = portsOf(server);
  assertStrictEquals(ports.length, framings.length);
  return await Promise.all(framings.map(async (framing, at) => {
    await using receiver = ScriptReceiver.connect(ports[at], framing);
    return await receiver.result();
  }));
}

/** Checks that frames have come whole, and that the connection was closed behind the last one. */
function assertWhole({ frames, end }: ReceivedStream, shape: number[], framing: string): void {
  assertEquals([frames.length, end], [FRAMES, "closed"], framing);
  for (const frame of frames) assertEquals(frame.shape, shape, framing);
}

for (const payload of ["pickle", "npy", "raw:64x48:bgr24"]) {
  interop(`a script receives ${payload} behind every length: FFmpeg's pixels`, async () => {
    const expected = await decodedBy(await makeClip(), {
      stream: "V:0",
      output: ["-vf", "scale=in_color_matrix=bt601", "-c:v", "rawvideo", "-pix_fmt", "bgr24"],
    });
    const lengths = LENGTH_NAMES.filter((length) =>
      length !== "line" && (length !== "none" || payload !== "pickle")
    );
    const framings = lengths.map((length) => `${length}+${payload}`);
    for (const [at, stream] of (await receiveAll(framings)).entries()) {
      assertWhole(stream, [48, 64, 3], framings[at]);
      assertEquals(stream.frames.map(({ md5 }) => md5), expected.map(({ md5 }) => md5));
    }
  });
}

for (const payload of ["jpeg", "pickled-jpeg", "base64"]) {
  interop(`a script receives ${payload} behind every length: the server's JPEGs`, async () => {
    await makeClip();
    const lengths = LENGTH_NAMES.filter((length) =>
      length === "line" ? payload === "base64" : length !== "none" || payload === "jpeg"
    );
    const framings = lengths.map((length) => `${length}+${payload}`);
    await using server = await testServer({ media: media.path });
    const { frames } = await ask(server, {
      ...{ command: "get_video", name: CLIP, encoding: "mjpeg", audio: false },
    });
    const expected = frames.map(({ md5 }) => md5);
    const streams = await receiveAll(framings);
    for (const [at, stream] of streams.entries()) {
      assertWhole(stream, [48, 64, 3], framings[at]);
      assertEquals(stream.frames.map(({ jpeg }) => jpeg), expected, framings[at]);
      assertEquals(stream, streams[0]);
    }
  });
}

interop("a script receives raw frames of the size and the format that it expects", async () => {
  const path = await makeClip();
  const formats: Record<string, { shape: number[]; filter: string }> = {
    "32x24:rgb24": { shape: [24, 32, 3], filter: "scale=32:24:in_color_matrix=bt601" },
    "100x50:gray": { shape: [50, 100], filter: "scale=100:50" },
    "64x48:bgra": { shape: [48, 64, 4], filter: "scale=64:48:in_color_matrix=bt601" },
    "64x48:yuv420p": { shape: [72, 64], filter: "null" },
  };
  const framings = Object.keys(formats).map((format) => `u64le+raw:${format}`);
  const streams = await receiveAll(framings);
  for (const [at, [format, { shape, filter }]] of Object.entries(formats).entries()) {
    assertWhole(streams[at], shape, format);
    const pixelFormat = format.split(":")[1];
    const expected = await decodedBy(path, {
      stream: "V:0",
      output: ["-vf", filter, "-c:v", "rawvideo", "-pix_fmt", pixelFormat],
    });
    assertEquals(streams[at].frames.map(({ md5 }) => md5), expected.map(({ md5 }) => md5), format);
  }
});

interop("a script receives u64le+pickle if no framing is named, and may acknowledge", async () => {
  await makeClip();
  const scripts = [parseScriptOutput(`0=${CLIP}`)];
  await using server = await testServer({ media: media.path, scripts });
  assert(
    server.lines.some((line) =>
      / \(8-byte length \(little-endian\), then a pickle\)\n$/.test(line)
    ),
  );
  await using receiver = ScriptReceiver.connect(portsOf(server)[0], "u64le+pickle", "--ack=got it");
  assertWhole(await receiver.result(), [48, 64, 3], "acknowledged");
  await server.logged(/request ends .* name=clip.mkv .*result=done .* frames=8 /);
});

interop("a script receives an image once", async () => {
  await media.make("still.png", [...pictures(), "-frames:v", "1"]);
  await using server = await scriptServer("still.png", ["u32be+pickle"]);
  await using receiver = ScriptReceiver.connect(portsOf(server)[0], "u32be+pickle");
  const { frames, end } = await receiver.result();
  assertEquals([frames.length, end], [1, "closed"]);
});

interop("a script receives the JPEGs of a live source that native viewers get", async () => {
  const scripts = [parseScriptOutput("0=cam,u64le+pickled-jpeg")];
  await using server = await serverOf(["cam=lavfi:testsrc2=size=320x240:rate=25"], { scripts });
  using viewer = await watchLive(server, { name: "cam", encoding: "mjpeg" });
  const seen: string[] = [];
  const watch = async () => {
    for (const { md5 } of await viewer.frames(1)) seen.push(md5);
  };
  await watch();
  const args = ["u64le+pickled-jpeg", "--frames=10"] as const;
  await using receiver = ScriptReceiver.connect(portsOf(server)[0], ...args);
  let isOver = false;
  const ended = receiver.result().finally(() => isOver = true);
  while (!isOver) await watch();
  const { frames } = await ended;
  const found = frames.map(({ jpeg = "" }) => seen.indexOf(jpeg));
  // A script that is slow misses some.
  assert(found.every((index, at) => index > (found[at - 1] ?? -1)), `${found}`);
});

interop("a script receives a live source on when its size changes", async () => {
  await using origin = await serverOf([]);
  const scripts = [parseScriptOutput("0=cam")];
  await using server = await relayOf(origin, { scripts });
  using publisher = await TestPublisher.begin(origin.address.port, { name: "cam" });
  await using receiver = ScriptReceiver.connect(portsOf(server)[0], "u64le+pickle");
  let from = 0;
  for (const [width, height] of [[64, 48], [32, 24]]) {
    await publisher.describe(rawStream(width, height, "gray"));
    const data = new Uint8Array(width * height).fill(100);
    const camera = new Camera(publisher, () => ({ data }), { from });
    await receiver.stdout.until(new RegExp(`"shape": \\[${height}, ${width}, 3\\]`));
    from = await camera.stop();
  }
});
