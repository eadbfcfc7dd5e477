import { assert, assertEquals, assertRejects } from "@std/assert";
import { RequestError } from "../../../lib/base/errors.ts";
import type { MediaRequest } from "../../../lib/protocol/native/request.ts";
import { mediaFolder, pictures, tone } from "../../support/media/media_folder.ts";
import type { NativeClient } from "../../support/peers/native_client.ts";
import { packetMessages } from "../../support/peers/packet_server.ts";
import {
  dataStream,
  rawStream,
  type StreamFields,
  TestPublisher,
} from "../../support/peers/test_publisher.ts";
import { type TestServer, testServer } from "../../support/peers/test_server.ts";

const folder = mediaFolder();
const clip = await folder.make("clip.mp4", [
  ...[...pictures({ seconds: 1 }), ...tone({ seconds: 1 }), "-c:v", "libx264", "-bf", "2"],
  ...["-g", "12", "-pix_fmt", "yuv420p", "-c:a", "aac"],
]);

/** Milliseconds between the frames of a camera. */
const INTERVAL = 20;

/** A camera: publishes something again and again, until it is disposed. */
class Camera implements AsyncDisposable {
  readonly publisher: TestPublisher;
  #isOver = false;
  #sending: Promise<void>;

  constructor(publisher: TestPublisher, round: (frame: () => Promise<void>) => Promise<void>) {
    this.publisher = publisher;
    this.#sending = this.#run(round);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await this.#sending;
    this.publisher.close();
  }

  async #run(round: (frame: () => Promise<void>) => Promise<void>): Promise<void> {
    const frame = async () => {
      await new Promise((resolve) => setTimeout(resolve, INTERVAL));
      if (this.#isOver) throw new Error("It is over");
    };
    try {
      while (!this.#isOver) await round(frame);
    } catch (error) {
      if (!this.#isOver) throw error;
    }
  }
}

/** Publishes the packets of the clip as `cam`. */
async function clipCamera(server: TestServer): Promise<Camera> {
  const messages = await packetMessages(clip);
  const publisher = await TestPublisher.begin(server.address.port, { name: "cam" });
  return new Camera(publisher, async (frame) => {
    for (const message of messages.slice(0, -1)) {
      await publisher.write(message);
      await frame();
    }
  });
}

/** Publishes white frames, and a message with each, as `cam`. */
async function whiteCamera(server: TestServer, ...streams: StreamFields[]): Promise<Camera> {
  const publisher = await TestPublisher.begin(server.address.port, { name: "cam" });
  await publisher.describe(rawStream(64, 48), ...streams);
  let at = 0;
  return new Camera(publisher, async (frame) => {
    const timestamp = at++ * INTERVAL;
    await publisher.send({ timestamp, data: new Uint8Array(64 * 48).fill(255) });
    if (streams.length > 0) await publisher.say(9, timestamp, { at });
    await frame();
  });
}

/** Asks for `cam`. */
async function watch(
  server: TestServer,
  request: Partial<MediaRequest> = {},
): Promise<NativeClient<Deno.TcpConn>> {
  const viewer = await server.connect();
  await viewer.ask({ command: "get_video", name: "cam", ...request });
  return viewer;
}

Deno.test("packets of a publisher are copied, decoded, scaled and encoded for viewers", async () => {
  await using server = await testServer({ media: folder.path });
  await using _camera = await clipCamera(server);
  const wanted: [Partial<MediaRequest>, string][] = [
    [{ encoding: "copy" }, "h264 aac 64x48"],
    [{}, "rawvideo pcm_s16le 64x48"],
    [{ width: 32, audio: false }, "rawvideo 32x24"],
    [{ encoding: "mjpeg", height: 24 }, "mjpeg pcm_s16le 32x24"],
    [{ encoding: "h264", fps: 5 }, "h264 aac 64x48"],
  ];
  for (const [request, expected] of wanted) {
    using viewer = await watch(server, request);
    const frames = await viewer.frames(4, 0);
    const { streams } = viewer.description;
    const [video] = streams;
    assert(video.type === "video");
    const codecs = streams.map(({ codec }) => codec).join(" ");
    assertEquals(`${codecs} ${video.width}x${video.height}`, expected);
    assert(frames[0].keyframe);
    for (const { captured = 0 } of frames) assert(Math.abs(captured / 1000 - Date.now()) < 60_000);
  }
  using still = await server.connect();
  const image = await still.request({ command: "get_image", name: "cam" });
  assertEquals([image.frames.length, image.end?.reason], [1, "end"]);
  using list = await server.connect();
  const { list: entries = [] } = await list.request({ command: "list_media" });
  const cam = entries.find(({ name }) => name === "cam");
  assertEquals([cam?.codec, cam?.width, cam?.live], ["h264+aac", 64, true]);
});

Deno.test("raw pictures of a publisher keep their grey as JPEG and H.264", async () => {
  await using server = await testServer({ media: folder.path });
  await using _camera = await whiteCamera(server);
  using jpeg = await watch(server, { encoding: "mjpeg" });
  const [frame] = await jpeg.frames(1);
  assertEquals([...frame.data.subarray(0, 2)], [0xff, 0xd8]);
  using h264 = await watch(server, { encoding: "h264" });
  await h264.frames(1);
  const [stream] = h264.description.streams;
  assertEquals(stream.type === "video" && stream.colorRange, "tv");
  using scaled = await watch(server, { width: 32, pixelFormat: "bgr24" });
  const [small] = await scaled.frames(1);
  assertEquals([small.data.length, Math.min(...small.data)], [32 * 24 * 3, 255]);
});

Deno.test("messages reach who asks for them, also beside frames that FFmpeg makes", async () => {
  await using server = await testServer({ media: folder.path });
  await using _camera = await whiteCamera(server, dataStream(9));
  using none = await watch(server);
  await none.frames(3);
  assertEquals(none.description.data, undefined);
  for (const request of [{}, { encoding: "mjpeg" }, { width: 32 }] as Partial<MediaRequest>[]) {
    using viewer = await watch(server, { ...request, data: true });
    const pairs = new Map<number, string[]>();
    while ([...pairs.values()].filter((types) => types.length === 2).length < 5) {
      const { frame } = await viewer.until("frame");
      const at = Math.round(frame.seconds * 1000);
      pairs.set(at, [...pairs.get(at) ?? [], frame.type]);
    }
    assertEquals(viewer.description.data?.map(({ codec }) => codec), ["json"]);
    // A message and the picture of its time are at the same place of the timeline.
    const both = [...pairs.values()].filter((types) => types.length === 2);
    for (const types of both) assertEquals(types.toSorted(), ["data", "video"]);
  }
  using only = await watch(server, { data: "only" });
  const messages = await only.frames(20);
  assertEquals(only.description.streams, []);
  const values = messages.map(({ data }) => JSON.parse(new TextDecoder().decode(data)).at);
  assertEquals(values, Array.from(values, (_, index) => values[0] + index));
});

Deno.test("a source of messages alone is listed and sent to who asks for data", async () => {
  await using server = await testServer({ media: folder.path });
  const publisher = await TestPublisher.begin(server.address.port, { name: "cam" });
  await publisher.describe(dataStream(9), dataStream(3, "bytes"));
  let at = 0;
  await using _camera = new Camera(publisher, async (frame) => {
    await publisher.say(9, at++ * INTERVAL, "x");
    await frame();
  });
  using viewer = await watch(server, { data: true, encoding: "mjpeg" });
  await viewer.frames(3);
  assertEquals(viewer.description.data?.map(({ id, codec }) => `${id} ${codec}`), [
    "2 json",
    "3 bytes",
  ]);
  using list = await server.connect();
  const names = async (request: Partial<MediaRequest>) => {
    const { list: entries } = await list.request({ command: "list_media", ...request });
    return entries?.filter(({ live }) => live).map(({ name, kind }) => `${name} ${kind}`);
  };
  assertEquals([await names({}), await names({ data: true })], [[], ["cam data"]]);
  using blind = await watch(server);
  const error = await assertRejects(() => blind.frames(1), RequestError);
  assertEquals(error.message, 'Cannot send "cam": it has no picture');
});

Deno.test("viewers go on when raw frames become packets, and packets raw frames", async () => {
  await using server = await testServer({ media: folder.path });
  const messages = await packetMessages(clip);
  const publisher = await TestPublisher.begin(server.address.port, { name: "cam" });
  let isRaw = true;
  await using _camera = new Camera(publisher, async (frame) => {
    const sendsRaw = isRaw;
    if (sendsRaw) await publisher.describe(rawStream(64, 48, "yuv420p"));
    for (const [index, message] of messages.slice(0, -1).entries()) {
      if (sendsRaw) await publisher.send({ timestamp: index * 20, data: new Uint8Array(4608) });
      else await publisher.write(message);
      await frame();
    }
  });
  using viewer = await watch(server, { redescribe: true });
  await viewer.frames(2);
  isRaw = false;
  // The packets are decoded for this viewer now: the same picture, and sound with it.
  const { description } = await viewer.until("describe");
  assertEquals(description.streams.map(({ codec }) => codec), ["rawvideo", "pcm_s16le"]);
  await viewer.frames(2, 0);
  await viewer.frames(2, 1);
  isRaw = true;
  const back = await viewer.until("describe");
  assertEquals(back.description.streams.map(({ codec }) => codec), ["rawvideo"]);
  await viewer.frames(2, 0);
});

Deno.test("a capture time is moved from the publisher's clock to the server's", async () => {
  await using server = await testServer({ media: folder.path });
  const publisher = await TestPublisher.begin(server.address.port, { name: "cam" });
  await publisher.describe(rawStream(64, 48));
  // Its clock is an hour ahead, and each picture half a second old.
  const now = () => Math.round((performance.timeOrigin + performance.now()) * 1000);
  const own = () => now() + 3_600_000_000;
  const answering = (async () => {
    while (true) {
      const message = await publisher.connection.receive();
      if (message === undefined || message.kind === "frame") return;
      if (message.kind !== "ping") continue;
      await publisher.connection.send("pong", message.payload, { timestamp: own() });
    }
  })().catch(() => {});
  let at = 0;
  {
    await using _camera = new Camera(publisher, async (frame) => {
      const data = new Uint8Array(64 * 48);
      await publisher.send({ timestamp: at++ * INTERVAL, captured: own() - 500_000, data });
      await frame();
    });
    using viewer = await watch(server);
    let age = 0;
    // Until the server has measured the offset, a capture time is that of the arrival.
    while (age < 400) {
      const [{ captured = 0 }] = await viewer.frames(1);
      age = (now() - captured) / 1000;
    }
    assert(age < 5000, `${age} ms`);
  }
  await answering;
});

Deno.test("a publisher of packets is asked for a keyframe when somebody joins", async () => {
  await using server = await testServer({ media: folder.path });
  const messages = await packetMessages(clip);
  const publisher = await TestPublisher.begin(server.address.port, { name: "cam" });
  await publisher.write(messages[0]);
  using first = await watch(server, { encoding: "copy" });
  await publisher.asked("keyframe");
  await publisher.write(...messages.slice(1, 4));
  await first.frames(1);
  using second = await watch(server, { encoding: "copy" });
  await publisher.asked("keyframe");
  await publisher.write(...messages.slice(1, 4));
  const [frame] = await second.frames(1, 0);
  assert(frame.keyframe);
  publisher.close();
});

Deno.test("a paused viewer of packets gets a keyframe when it goes on", async () => {
  await using server = await testServer({ media: folder.path });
  const publisher = await TestPublisher.begin(server.address.port, { name: "cam" });
  await publisher.describe({ ...rawStream(16, 16), codec: "vp8" });
  let wanted = true;
  const listening = (async () => {
    while (true) {
      if ((await publisher.until("control")).control.action === "keyframe") wanted = true;
    }
  })().catch(() => {});
  {
    let at = 0;
    await using _camera = new Camera(publisher, async (frame) => {
      await publisher.send({
        ...{ timestamp: at++ * INTERVAL, keyframe: wanted, data: new Uint8Array(9) },
      });
      wanted = false;
      await frame();
    });
    using viewer = await watch(server, { encoding: "copy" });
    await viewer.frames(3);
    await viewer.control("pause");
    await viewer.connection.send("ping", new Uint8Array(1));
    await viewer.until("pong");
    const paused = at;
    while (at < paused + 5) await new Promise((resolve) => setTimeout(resolve, INTERVAL));
    await viewer.control("resume");
    let frame = (await viewer.frames(1))[0];
    while (!frame.discontinuity) [frame] = await viewer.frames(1);
    assert(frame.keyframe);
  }
  await listening;
});

Deno.test("the last frames of a source that ends reach viewers of a rendition", async () => {
  await using server = await testServer({ media: folder.path });
  const messages = await packetMessages(clip);
  const publisher = await TestPublisher.begin(server.address.port, { name: "cam" });
  await publisher.write(messages[0]);
  using viewer = await watch(server, { encoding: "mjpeg", audio: false });
  const packets = messages.slice(1, -1);
  let frames = 0;
  // Until FFmpeg runs for the viewer; then the rest of the clip, and the end.
  const first = viewer.until("frame").then(() => frames++);
  for (let round = 0; frames === 0; round++) {
    for (const packet of packets) {
      await publisher.write(packet);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await publisher.write(messages[0]);
  }
  await first;
  await publisher.write(...packets.slice(-6));
  await publisher.finish();
  const { end } = await viewer.until("end");
  assertEquals(end.reason, "end");
  publisher.close();
});

Deno.test("a viewer waits for a publisher that is back and has yet to send", async () => {
  await using server = await testServer({ media: folder.path });
  const { port } = server.address;
  const publisher = await TestPublisher.begin(port, { name: "cam", onDemand: true });
  await publisher.describe(rawStream(8, 4));
  using first = await watch(server);
  await publisher.asked("resume");
  await publisher.send({ data: new Uint8Array(32) });
  await first.frames(1);
  publisher.close();
  assertEquals(await first.notice("source_lost").then(({ code }) => code), "source_lost");
  const back = await TestPublisher.begin(port, { name: "cam", onDemand: true });
  await back.describe(rawStream(8, 8));
  using second = await watch(server);
  using third = await watch(server, { redescribe: true });
  while ((await back.notice("viewers")).viewers !== 3);
  await back.send({ timestamp: 5, data: new Uint8Array(64).fill(7) });
  await back.send({ timestamp: 6, data: new Uint8Array(64).fill(8) });
  for (const viewer of [second, third]) {
    const { frame, before } = await viewer.until("frame");
    assertEquals([frame.data.length, frame.data[0]], [64, 7]);
    assertEquals(before.filter((kind) => kind !== "ping"), ["describe"]);
    assertEquals((await viewer.frame()).data[0], 8);
  }
  await back.finish();
  back.close();
});
