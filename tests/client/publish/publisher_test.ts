import {
  assertAlmostEquals,
  assertEquals,
  assertGreater,
  assertLess,
  assertMatch,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { encodeMessage } from "../../../lib/protocol/native/framing.ts";
import { encodeAcceptance, encodeEnd } from "../../../lib/protocol/native/response.ts";
import {
  ConnectError,
  CutError,
  type Notice,
  type PublishOptions,
  RequestError,
  type Watch,
} from "../../../mod.ts";
import { mediaFolder, pictures } from "../../support/media/media_folder.ts";
import { clientOf } from "../../support/peers/module_client.ts";
import { heard, say, ScriptedServer, untilGone } from "../../support/peers/scripted_server.ts";
import { noise } from "../../support/peers/test_publisher.ts";
import { watchLive } from "../../support/peers/native_client.ts";
import { type TestServer, testServer } from "../../support/peers/test_server.ts";
import { freePort } from "../../support/programs/machine.ts";

const media = mediaFolder();

const VIDEO = { width: 8, height: 4, pixelFormat: "bgr24", frameRate: 25 };
const SIZE = 8 * 4 * 3;

const ACCEPTED = encodeMessage("accept", encodeAcceptance({ name: "cam", watched: true }));

function hub(options: Partial<Parameters<typeof testServer>[0]> = {}) {
  return testServer({ media: media.path, live: { sources: [], linger: 0 }, ...options });
}

/** Notices to wait for. */
class Notices {
  #notices: Notice[] = [];
  #changed = Promise.withResolvers<void>();
  readonly add = (notice: Notice) => {
    this.#notices.push(notice);
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  };

  /** Waits for the next notice of a code, and with a message. */
  async next(code: string, words = ""): Promise<void> {
    const isIt = (notice: Notice) => notice.code === code && notice.message.startsWith(words);
    while (!this.#notices.some(isIt)) await this.#changed.promise;
    this.#notices = this.#notices.slice(this.#notices.findIndex(isIt) + 1);
  }
}

Deno.test("publish() sends frames bit for bit, with their times", async () => {
  await using server = await hub();
  const notices = new Notices();
  await using publisher = await clientOf(server).publish("cam", {
    ...{ video: VIDEO, onDemand: true, onNotice: notices.add },
  });
  await notices.next("paused");
  using viewer = await watchLive(server, { name: "cam" });
  await notices.next("resumed");
  const frames = Array.from({ length: 5 }, () => noise(SIZE));
  for (const [at, frame] of frames.entries()) publisher.write(frame, { time: 100 + at / 25 });
  const { description } = await viewer.until("describe");
  const [stream] = description.streams;
  assertEquals(
    stream.type === "video" && [stream.codec, stream.width, stream.height, stream.pixelFormat],
    ["rawvideo", 8, 4, "bgr24"],
  );
  assertEquals(stream.type === "video" && stream.frameRate, [25000, 1000]);
  const came = await viewer.frames(5);
  assertEquals(came.map(({ data }) => data), frames);
  const offsets = came.map(({ timestamp }) => timestamp - came[0].timestamp);
  assertEquals(offsets, [0, 40_000, 80_000, 120_000, 160_000]);
  await publisher.finish();
  assertEquals((await viewer.rest()).end.reason, "end");
  const { frames: sent, bytes, dropped, reconnects } = publisher.totals;
  assertEquals([sent, bytes, dropped, reconnects], [5, 5 * SIZE, 0, 0]);
});

/** Messages as text, and other frames as their type, up to the end of the source. */
async function textsOf(watch: Watch): Promise<Map<string, number>> {
  const texts = new Map<string, number>();
  for await (const { stream, data, time } of watch) {
    texts.set(stream.type === "data" ? new TextDecoder().decode(data) : stream.type, time);
  }
  return texts;
}

Deno.test("publish() sends messages beside frames, with the same times", async () => {
  await using server = await hub();
  const notices = new Notices();
  await using publisher = await clientOf(server).publish("cam", {
    ...{ video: VIDEO, data: "json", onDemand: true, onNotice: notices.add },
  });
  const watched = textsOf(clientOf(server).watch("cam", { data: true }));
  await notices.next("resumed");
  publisher.write(noise(SIZE), { time: 1, data: { boxes: [[1, 2, 3, 4]] } });
  publisher.writeData("last words", { time: 1.5 });
  await publisher.finish();
  assertEquals([publisher.totals.frames, publisher.totals.messages], [1, 2]);
  const texts = await watched;
  const start = texts.get("video") ?? NaN;
  assertEquals(texts.get('{"boxes":[[1,2,3,4]]}'), start);
  assertAlmostEquals(texts.get('"last words"') ?? NaN, start + 0.5, 1e-5);
});

Deno.test("publish() sends messages alone, as bytes", async () => {
  await using server = await hub();
  const notices = new Notices();
  await using publisher = await clientOf(server).publish("log", {
    ...{ data: "bytes", onDemand: true, onNotice: notices.add },
  });
  const watched = textsOf(clientOf(server).watch("log", { data: "only" }));
  await notices.next("resumed");
  publisher.writeData(new TextEncoder().encode("one"));
  publisher.writeData(new TextEncoder().encode("two"));
  assertThrows(() => publisher.writeData("text"), TypeError, "expected a Uint8Array");
  await publisher.finish();
  assertEquals([...(await watched).keys()], ["one", "two"]);
});

Deno.test("publish() sends samples bit for bit, each after those before", async () => {
  await using server = await hub();
  const notices = new Notices();
  await using publisher = await clientOf(server).publish("mic", {
    audio: { sampleRate: 8000, channels: 2 },
    ...{ onDemand: true, onNotice: notices.add },
  });
  using viewer = await watchLive(server, { name: "mic" });
  await notices.next("resumed");
  // A tenth of a second each.
  const runs = Array.from({ length: 3 }, () => noise(800 * 2 * 2));
  for (const run of runs) publisher.writeAudio(run);
  // Far from the others, a time starts anew.
  publisher.writeAudio(runs[0], { time: 60 });
  publisher.writeAudio(runs[1]);
  const came = await viewer.frames(5);
  assertEquals(came.map(({ data }) => data), [...runs, runs[0], runs[1]]);
  const offsets = came.map(({ timestamp }) => timestamp - came[0].timestamp);
  assertEquals(offsets.slice(0, 3), [0, 100_000, 200_000]);
  assertGreater(offsets[3], 59_000_000);
  assertLess(offsets[4], 59_000_000);
  await publisher.finish();
  assertEquals(publisher.totals.audioFrames, 5);
});

Deno.test("publish() sends packets as they are", async () => {
  const path = await media.make("still.jpg", [...pictures(), "-frames:v", "1"]);
  const packet = await Deno.readFile(path);
  await using server = await hub();
  const notices = new Notices();
  await using publisher = await clientOf(server).publish("cam", {
    video: { width: 64, height: 48, codec: "mjpeg" },
    ...{ onDemand: true, onNotice: notices.add },
  });
  using viewer = await watchLive(server, { name: "cam", encoding: "copy" });
  await notices.next("resumed");
  publisher.write(packet);
  const [{ data, keyframe }] = await viewer.frames(1);
  assertEquals([data, keyframe], [packet, true]);
  await publisher.finish();
});

Deno.test("publish() goes on bit for bit when the server is restarted", async () => {
  const port = freePort();
  const notices = new Notices();
  const address: Deno.NetAddr = { transport: "tcp", hostname: "127.0.0.1", port };
  const frames = [noise(SIZE), noise(SIZE)];
  const came: Uint8Array<ArrayBuffer>[] = [];
  const watchOne = async (server: TestServer, frame: Uint8Array) => {
    await using watch = clientOf(server).watch("cam");
    const first = watch.next();
    await notices.next("resumed");
    publisher.write(frame);
    const { value } = await first;
    if (value !== undefined) came.push(value.data.slice());
  };
  const first = await hub({ port });
  await using publisher = await clientOf({ address }).publish("cam", {
    ...{ video: VIDEO, onDemand: true, onNotice: notices.add },
  });
  await watchOne(first, frames[0]);
  await first[Symbol.asyncDispose]();
  await notices.next("connection", "Connection lost");
  await using second = await hub({ port });
  await notices.next("connection", "Connected again");
  await watchOne(second, frames[1]);
  assertEquals(came, frames);
  await publisher.finish();
  assertEquals([publisher.totals.frames, publisher.totals.reconnects], [2, 1]);
});

Deno.test("publish() counts the viewers", async () => {
  await using server = await hub();
  const notices = new Notices();
  await using publisher = await clientOf(server).publish("cam", {
    ...{ video: VIDEO, onNotice: notices.add },
  });
  assertEquals(publisher.viewers, 0);
  using _viewer = await watchLive(server, { name: "cam" });
  await notices.next("viewers");
  assertEquals(publisher.viewers, 1);
});

Deno.test("write() never waits: while nothing is sent, the oldest frames are dropped", async () => {
  await using server = new ScriptedServer(async (peer) => {
    await say(peer, ACCEPTED);
    await released;
  });
  const { promise: released, resolve } = Promise.withResolvers<void>();
  const video = { width: 1000, height: 1000, pixelFormat: "bgr24" };
  {
    await using publisher = await clientOf(server).publish("cam", { video });
    const frame = new Uint8Array(3e6);
    for (let count = 0; count < 40; count++) publisher.write(frame);
    // At most ten wait, and a few are on their way.
    assertGreater(publisher.totals.dropped, 20);
    resolve();
  }
});

Deno.test("write() refuses frames of another size, and times that are none", async () => {
  await using server = await hub();
  await using publisher = await clientOf(server).publish("cam", { video: VIDEO, data: "json" });
  const error = assertThrows(() => publisher.write(noise(SIZE - 1)), RequestError);
  assertEquals(error.code, "bad_request");
  assertMatch(error.message, /: a frame of 95 bytes in stream 0, expected 96$/);
  assertThrows(
    () => publisher.write(noise(SIZE), { time: NaN }),
    TypeError,
    "time NaN, expected a f",
  );
  assertThrows(() => publisher.write(noise(SIZE), { capturedAt: 1e300 }), TypeError, "a smaller");
  assertThrows(() => publisher.writeData(undefined), TypeError, "expected a JSON value");
});

Deno.test("write() sends neither the frame nor the message if one of them is refused", async () => {
  await using server = await hub();
  const notices = new Notices();
  await using publisher = await clientOf(server).publish("cam", {
    ...{ video: VIDEO, data: "json", onDemand: true, onNotice: notices.add },
  });
  using _viewer = await watchLive(server, { name: "cam", data: true });
  await notices.next("resumed");
  const circle: unknown[] = [];
  circle.push(circle);
  const frame = noise(SIZE);
  for (const data of [1n, circle, () => {}]) {
    assertThrows(() => publisher.write(frame, { data }), TypeError, "expected a JSON value");
  }
  assertThrows(() => publisher.write(frame, { data: "x".repeat(2 ** 20) }), RequestError);
  assertThrows(() => publisher.write(noise(1), { data: {} }), RequestError);
  await publisher.finish();
  assertEquals([publisher.totals.frames, publisher.totals.messages], [0, 0]);
});

Deno.test("write() refuses what the options have no stream for", async () => {
  await using server = await hub();
  await using camera = await clientOf(server).publish("cam", { video: VIDEO });
  const data = "expected data in the options";
  assertThrows(() => camera.write(noise(SIZE), { data: {} }), TypeError, data);
  assertThrows(() => camera.writeData({}), TypeError, data);
  assertThrows(() => camera.writeAudio(noise(4)), TypeError, "expected audio in the options");
  await using log = await clientOf(server).publish("log", { data: "json" });
  assertThrows(() => log.write(noise(SIZE)), TypeError, "Cannot write video: expected video in");
});

Deno.test("publish() refuses options that contradict each other", async () => {
  const client = clientOf({ address: { transport: "tcp", hostname: "127.0.0.1", port: 1 } });
  const wrong = [
    ["cam", {}, "expected video, audio or data"],
    ["", { video: VIDEO }, "expected a name of 1 to 255 characters"],
    ["cam", { video: { width: 8, height: 4 } }, "no pixelFormat and no codec"],
    ["cam", { video: { ...VIDEO, width: 0 } }, "width 0, expected an integer"],
    ["cam", { video: VIDEO, data: "xml" }, "data xml, expected json or bytes"],
    ["cam", { data: true }, "data true, expected json or bytes"],
    ["cam", { video: { ...VIDEO, extradata: [1] } }, "expected a Uint8Array as extradata"],
  ] as const;
  for (const [name, options, message] of wrong) {
    // Programs in JavaScript pass anything.
    const any = options as unknown as PublishOptions;
    await assertRejects(() => client.publish(name, any), TypeError, message);
  }
  const odd = { video: { ...VIDEO, pixelFormat: "odd" } };
  await assertRejects(() => client.publish("cam", odd), RequestError, 'pixel format "odd"');
});

Deno.test("publish() throws why the server does not take it", async () => {
  const port = freePort();
  const nowhere: Deno.NetAddr = { transport: "tcp", hostname: "127.0.0.1", port };
  const options = { video: VIDEO };
  await assertRejects(() => clientOf({ address: nowhere }).publish("cam", options), ConnectError);
  await using foreign = new ScriptedServer((peer) => peer.closeWrite());
  const cut = () => clientOf(foreign).publish("cam", options);
  await assertRejects(cut, CutError, "the connection was cut; is that stream-server?");
  await using server = await hub();
  await using _first = await clientOf(server).publish("cam", options);
  const busy = await assertRejects(() => clientOf(server).publish("cam", options), RequestError);
  assertEquals(busy.code, "busy");
  await using closed = await hub({ publish: "none" });
  const refused = await assertRejects(() => clientOf(closed).publish("x", options), RequestError);
  assertEquals(refused.code, "unauthorized");
});

Deno.test("a publisher that is replaced throws that in every call", async () => {
  await using server = await hub();
  const first = await clientOf(server).publish("cam", { video: VIDEO });
  await using _second = await clientOf(server).publish("cam", { video: VIDEO, replace: true });
  const error = await assertRejects(() => first.finish(), RequestError, "has taken its place");
  assertEquals(error.code, "bad_request");
  assertThrows(() => first.write(noise(SIZE)), RequestError, "has taken its place");
  await first[Symbol.asyncDispose]();
});

Deno.test("finish() throws if the server has not got all", async () => {
  await using server = new ScriptedServer(async (peer) => {
    await say(peer, ACCEPTED);
    while ((await heard(peer)).kind !== "end");
    const streams = [{ id: 0, frames: 0, bytes: 0 }];
    const end = { frames: 0, audioFrames: 0, bytes: 0, dropped: 0, reason: "end", streams };
    await say(peer, encodeMessage("end", encodeEnd(end)));
    await untilGone(peer);
  });
  await using publisher = await clientOf(server).publish("cam", { video: VIDEO });
  publisher.write(noise(SIZE));
  await assertRejects(() => publisher.finish(), Error, 'Cannot finish "cam": 1 frames of 96 bytes');
});

Deno.test("a publisher may be finished and disposed twice, and takes nothing after that", async () => {
  await using server = await hub();
  const publisher = await clientOf(server).publish("cam", { video: VIDEO });
  await Promise.all([publisher.finish(), publisher.finish()]);
  await publisher[Symbol.asyncDispose]();
  await publisher[Symbol.asyncDispose]();
  assertThrows(() => publisher.write(noise(SIZE)), TypeError, "the publisher is finished");
  await server.logged(/request ends command=publish name=cam result=done/);
});

Deno.test("finish() needs no frames", async () => {
  await using server = await hub();
  await using unused = await clientOf(server).publish("unused", { video: VIDEO });
  await unused.finish();
  await using refused = await clientOf(server).publish("refused", { video: VIDEO });
  assertThrows(() => refused.write(noise(SIZE - 1)), RequestError);
  await refused.finish();
  const notices = new Notices();
  await using discarding = await clientOf(server).publish("discarding", {
    ...{ video: VIDEO, onDemand: true, onNotice: notices.add },
  });
  await notices.next("paused");
  discarding.write(noise(SIZE));
  using _viewer = await watchLive(server, { name: "discarding" });
  await notices.next("resumed");
  await discarding.finish();
  assertEquals([refused, discarding].map(({ totals }) => totals.frames), [0, 0]);
});

Deno.test("finish() does not wait for a viewer", async () => {
  await using server = await hub();
  const notices = new Notices();
  await using publisher = await clientOf(server).publish("cam", {
    ...{ video: VIDEO, onDemand: true, onNotice: notices.add },
  });
  await notices.next("paused");
  publisher.write(noise(SIZE));
  await publisher.finish();
  assertEquals(publisher.totals.frames, 0);
  await server.logged(/request ends command=publish name=cam result=done/);
});

Deno.test("the signal of publish() ends it, also before it is accepted", async () => {
  await using server = await hub();
  const controller = new AbortController();
  const { signal } = controller;
  await using publisher = await clientOf(server).publish("cam", { video: VIDEO, signal });
  controller.abort(new Error("enough"));
  await assertRejects(() => publisher.finish(), Error, "enough");
  assertThrows(() => publisher.write(noise(SIZE)), Error, "enough");
  await using silent = new ScriptedServer(untilGone);
  const waiting = new AbortController();
  const options = { video: VIDEO, signal: waiting.signal };
  const refused = assertRejects(() => clientOf(silent).publish("cam", options), Error, "enough");
  waiting.abort(new Error("enough"));
  await refused;
});
