import { createHash } from "node:crypto";
import {
  assert,
  assertEquals,
  assertGreater,
  assertLess,
  assertNotEquals,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { encodeMessage, HEADER_LENGTH } from "../../lib/protocol/native/framing.ts";
import { encodeControl, parseControl, parseRequest } from "../../lib/protocol/native/request.ts";
import {
  encodeDescription,
  encodeEnd,
  encodeError,
  encodeNotice,
} from "../../lib/protocol/native/response.ts";
import { ConnectError, CutError, type Notice, RequestError } from "../../mod.ts";
import { LiveServer } from "../support/peers/changing_source.ts";
import { CuttingProxy } from "../support/peers/cutting_proxy.ts";
import { clientOf, watchAll } from "../support/peers/module_client.ts";
import {
  frame,
  GREY,
  heard,
  say,
  ScriptedServer,
  untilGone,
} from "../support/peers/scripted_server.ts";
import { liveServer, testServer } from "../support/peers/test_server.ts";
import { mediaFolder, pictures, tone } from "../support/media/media_folder.ts";
import { decodedBy } from "../support/media/reference.ts";
import { freePort } from "../support/programs/machine.ts";

const media = mediaFolder();

/** Bytes of a frame of the clip. */
const SIZE = 64 * 48 * 1.5;

/** Twenty seconds of 64 × 48, 25 frames a second, with sound. */
async function clip(): Promise<string> {
  return await media.make("clip.mkv", [
    ...[...pictures({ seconds: 20 }), ...tone({ seconds: 20, layout: "mono", rate: 8000 })],
    ...["-c:v", "ffv1", "-pix_fmt", "yuv420p", "-c:a", "pcm_s16le"],
  ]);
}

async function mediaServer() {
  await clip();
  return await testServer({ media: media.path });
}

/** A description and an end of a file that can be resumed. */
const FILE = encodeMessage(
  "describe",
  encodeDescription({ name: "grey", live: false, streams: [GREY], etag: "one" }),
);

function endOf(frames: number): Uint8Array {
  const bytes = 256 * frames;
  const streams = [{ id: 0, frames, bytes }];
  const report = { frames, audioFrames: 0, bytes, dropped: 0, reason: "end", streams };
  return encodeMessage("end", encodeEnd(report));
}

Deno.test("watch() gives the frames of a file as FFmpeg decodes them, with their times", async () => {
  const path = await clip();
  await using server = await mediaServer();
  const options = { audio: false, duration: 1, speed: 0 };
  const frames = await watchAll(clientOf(server).watch("clip.mkv", options));
  const reference = await decodedBy(path, { stream: "V:0", output: ["-t", "1"] });
  assertEquals(frames.map(({ md5 }) => md5), reference.map(({ md5 }) => md5));
  assertEquals(frames.map(({ time }) => Math.round(time * 25)), reference.map((_, at) => at));
  assertEquals(frames[0], {
    ...{ type: "video", timestamp: 0, time: 0, keyframe: true, size: SIZE },
    md5: reference[0].md5,
  });
});

Deno.test("watch() counts times from the beginning of the media, and timestamps from start", async () => {
  await using server = await mediaServer();
  const options = { audio: false, start: 5, duration: 0.1, speed: 0 };
  const [first] = await watchAll(clientOf(server).watch("clip.mkv", options));
  assertEquals([first.time, first.timestamp], [5, 0]);
});

Deno.test("watch() describes the media before its first frame", async () => {
  await using server = await mediaServer();
  await using watch = clientOf(server).watch("clip.mkv");
  const { name, live, duration, streams } = await watch.description;
  assertEquals([name, live, streams.map(({ type }) => type)], ["clip.mkv", false, [
    ...["video", "audio"],
  ]]);
  assertEquals(Math.round(duration ?? 0), 20);
  const { value } = await watch.next();
  assertEquals(value?.stream, streams.find(({ id }) => id === value?.stream.id));
});

Deno.test("watch() gives each frame once although the connection is cut in the middle", async () => {
  await using server = await mediaServer();
  const options = { duration: 4, speed: 0, pixelFormat: "gray" };
  const whole = await watchAll(clientOf(server).watch("clip.mkv", options));
  await using proxy = new CuttingProxy(server, [{ cutAfter: 100_000 }, { cutAfter: 90_001 }]);
  const notices: Notice[] = [];
  const onNotice = (notice: Notice) => void notices.push(notice);
  const cut = await watchAll(clientOf(proxy).watch("clip.mkv", { ...options, onNotice }));
  const videoOf = (frames: typeof whole) => frames.filter(({ type }) => type === "video");
  assertEquals(videoOf(cut), videoOf(whole));
  const samples = (frames: typeof whole) =>
    frames.filter(({ type }) => type === "audio").reduce((sum, { size }) => sum + size, 0);
  assertEquals(samples(cut), samples(whole));
  assertEquals(proxy.connections, 3);
  const lost = notices.filter(({ message }) => message.startsWith("Connection lost at "));
  assertEquals([lost.length, lost[0].code], [2, "connection"]);
});

Deno.test("watch() tells when a live frame was captured, and how long it took", async () => {
  await using server = await liveServer("cam=lavfi:testsrc=size=64x48:rate=50");
  for await (const { latency, capturedAt, time } of clientOf(server).watch("cam")) {
    if (latency === undefined || capturedAt === undefined) continue;
    assert(latency >= 0);
    // The clocks are the same one.
    assertLess(Math.abs(Date.now() - capturedAt), 60_000);
    assertGreater(time, -1);
    break;
  }
});

Deno.test("watch() gives the streams that a live source has now", async () => {
  await using live = await LiveServer.start();
  await using watch = clientOf(live.server).watch("cam");
  const sizes: number[] = [];
  const watched = (async () => {
    for await (const { stream } of watch) {
      if (stream.type === "video") sizes.push(stream.width);
    }
  })();
  await live.publisher.asked("resume");
  await live.publish({ width: 8, height: 4, frames: 2 });
  await live.publish({ width: 16, height: 4, frames: 1 });
  await live.publisher.finish();
  await watched;
  assertEquals(sizes, [8, 8, 16]);
  const [stream] = (await watch.description).streams;
  assertEquals(stream.type === "video" && stream.width, 16);
});

Deno.test("seek() drops the frames of the old position, and pause() holds up new ones", async () => {
  await using server = await mediaServer();
  await using watch = clientOf(server).watch("clip.mkv", { audio: false });
  await watch.next();
  await watch.pause();
  await watch.seek(10);
  // In a pause, the frame at that position comes alone.
  const { value: sought } = await watch.next();
  assertEquals(sought?.time, 10);
  assert(sought?.discontinuity);
  await watch.resume();
  const { value: following } = await watch.next();
  assertEquals(following?.time, 10.04);
  await watch.seek(1e6);
  assertEquals(await watchAll(watch), []);
});

Deno.test("frames that were on their way when seek() was called do not arrive", async () => {
  await using server = new ScriptedServer(async (peer) => {
    await say(peer, FILE, frame(0));
    while (true) {
      const { kind, payload } = await heard(peer);
      if (kind !== "control") continue;
      const { id, to } = parseControl(payload);
      const echo = encodeMessage("control", encodeControl({ action: "seek", id, to }));
      // The server has not read the second seek when it echoes the first.
      await say(peer, frame(1), frame(2), echo, frame(75));
      if (to === 4) return await untilGone(peer);
    }
  });
  await using watch = clientOf(server).watch("grey");
  const { value: first } = await watch.next();
  await watch.seek(3);
  const { value: sought } = await watch.next();
  await Promise.all([watch.seek(3), watch.seek(4)]);
  const { value: again } = await watch.next();
  assertEquals([first, sought, again].map((found) => found?.timestamp), [0, 75, 75]);
});

Deno.test("seek() sends a number for Infinity, too", async () => {
  const { promise: sought, resolve } = Promise.withResolvers<unknown>();
  await using server = new ScriptedServer(async (peer) => {
    await say(peer, FILE, frame(0));
    while (true) {
      const { kind, payload } = await heard(peer);
      if (kind === "control") return resolve(parseControl(payload).to);
    }
  });
  await using watch = clientOf(server).watch("grey");
  await watch.next();
  await watch.seek(Infinity);
  assertEquals(await sought, 1e8);
});

Deno.test("the controls of watch() reach the server in order", async () => {
  const { promise: controls, resolve } = Promise.withResolvers<unknown[]>();
  await using server = new ScriptedServer(async (peer) => {
    await say(peer, FILE, frame(0));
    const actions: unknown[] = [];
    while (actions.at(-1) !== "stop") {
      const { kind, payload } = await heard(peer);
      if (kind === "control") actions.push(parseControl(payload).action);
    }
    resolve(actions);
    await say(peer, endOf(1));
    await untilGone(peer);
  });
  await using watch = clientOf(server).watch("grey");
  await watch.next();
  await watch.pause();
  await watch.resume();
  await watch.seek(3);
  await watch.stop();
  assertEquals(await controls, ["pause", "resume", "seek", "stop"]);
  assertEquals(await watch.next(), { done: true, value: undefined });
});

Deno.test("seek() refuses what is no time, and live media", async () => {
  await using server = await liveServer("cam=lavfi:testsrc=size=64x48:rate=50");
  await using watch = clientOf(server).watch("cam");
  await assertRejects(() => watch.seek(-1), TypeError, "Cannot seek to -1: expected seconds");
  await assertRejects(() => watch.seek(NaN), TypeError, "Cannot seek to NaN");
  await assertRejects(() => watch.seek(1), TypeError, 'Cannot seek in "cam": it is live');
});

Deno.test("stop() ends a live source", async () => {
  await using server = await liveServer("cam=lavfi:testsrc=size=64x48:rate=50");
  const watch = clientOf(server).watch("cam");
  let count = 0;
  for await (const _ of watch) {
    if (++count === 3) await watch.stop();
  }
  assert(count >= 3);
  await server.logged(/request ends .* result=stopped/);
});

Deno.test("stop() before the first frame asks for nothing", async () => {
  await using watch = clientOf({ address: nowhere() }).watch("x");
  await watch.stop();
  assertEquals(await watch.next(), { done: true, value: undefined });
});

Deno.test("the description of a watch that is stopped before it comes fails with that", async () => {
  await using watch = clientOf({ address: nowhere() }, { retries: 9 }).watch("x");
  const refused = assertRejects(() => watch.description, DOMException, "The watch was stopped");
  await watch.stop();
  await refused;
});

Deno.test("stop() reaches a server that has not described the media yet", async () => {
  const { promise: waiting, resolve } = Promise.withResolvers<Notice>();
  await using server = new ScriptedServer(async (peer) => {
    const notice = { code: "waiting", message: "Waiting for a decoder", position: 1 };
    await say(peer, encodeMessage("notice", encodeNotice(notice)));
    while ((await heard(peer)).kind !== "control");
    const busy = new RequestError("busy", "Cannot serve now: stopped");
    await say(peer, encodeMessage("error", encodeError(busy)));
    await untilGone(peer);
  });
  await using watch = clientOf(server).watch("grey", { onNotice: resolve });
  const next = watch.next();
  assertEquals((await waiting).position, 1);
  await watch.stop();
  assertEquals(await next, { done: true, value: undefined });
});

Deno.test("leaving the loop closes the connection", async () => {
  await using server = await mediaServer();
  for await (const _ of clientOf(server).watch("clip.mkv")) break;
  await server.logged(/ disconnected\n$/);
});

Deno.test("a watch may be disposed twice, before it began, and while a frame is awaited", async () => {
  await using server = new ScriptedServer(async (peer) => {
    await say(peer, FILE);
    await untilGone(peer);
  });
  const unused = clientOf(server).watch("grey");
  await unused[Symbol.asyncDispose]();
  assertEquals(await unused.next(), { done: true, value: undefined });
  const watch = clientOf(server).watch("grey");
  await watch.description;
  const awaited = watch.next();
  await Promise.all([watch[Symbol.asyncDispose](), watch[Symbol.asyncDispose]()]);
  assertEquals(await awaited, { done: true, value: undefined });
  await watch[Symbol.asyncDispose]();
});

Deno.test("the signal of watch() ends a wait for frames, and for a connection", async () => {
  await using server = new ScriptedServer(async (peer) => {
    await say(peer, FILE);
    await untilGone(peer);
  });
  const reason = new Error("enough");
  const waiting = new AbortController();
  await using watch = clientOf(server).watch("grey", { signal: waiting.signal });
  await watch.description;
  const awaited = assertRejects(() => watch.next(), Error, "enough");
  waiting.abort(reason);
  await awaited;
  const connecting = new AbortController();
  const { promise: refused, resolve } = Promise.withResolvers<Notice>();
  const client = clientOf({ address: nowhere() }, { retries: 9 });
  const options = { signal: connecting.signal, onNotice: resolve };
  await using late = client.watch("grey", options);
  const failed = assertRejects(() => late.next(), Error, "enough");
  assert((await refused).message.includes("nothing listens there"));
  connecting.abort(reason);
  await failed;
});

Deno.test("watch() throws what the server refuses, with its code", async () => {
  await using server = await mediaServer();
  const client = clientOf(server);
  const missing = await assertRejects(() => watchAll(client.watch("clop.mkv")), RequestError);
  assertEquals(missing.code, "not_found");
  const wrong = () => client.watch("clip.mkv", { quality: 50 }).next();
  assertEquals((await assertRejects(wrong, RequestError)).code, "bad_request");
});

Deno.test("watch() fails in words of its options if there is no server", async () => {
  const watch = clientOf({ address: nowhere() }).watch("x");
  const error = await assertRejects(() => watch.next(), ConnectError);
  assert(error.message.endsWith("start stream-server or name it with the options host and port"));
});

Deno.test("watch() throws a CutError when no connection can be restored", async () => {
  await using server = new ScriptedServer(async (peer, { index, bytes }) => {
    assertEquals(parseRequest(bytes.subarray(HEADER_LENGTH)).name, "grey");
    if (index === 0) await say(peer, FILE, frame(0), frame(50));
  });
  const frames: number[] = [];
  const error = await assertRejects(async () => {
    for await (const { time } of clientOf(server, { retries: 0 }).watch("grey")) frames.push(time);
  }, CutError);
  assertEquals(frames, [0, 2]);
  assertEquals(error.message, 'Cannot finish "grey" after 00:02.0: the connection was cut');
});

Deno.test("watch() asks whether that is stream-server if nothing came", async () => {
  await using server = new ScriptedServer((peer) => peer.closeWrite());
  const watch = clientOf(server).watch("x");
  const { message } = await assertRejects(() => watch.next(), CutError);
  assert(message.endsWith("the connection was cut; is that stream-server?"), message);
});

Deno.test("watch() fails if frames are missing at the end", async () => {
  await using server = new ScriptedServer(async (peer) => {
    await say(peer, FILE, frame(0), endOf(2));
    await untilGone(peer);
  });
  const watch = clientOf(server).watch("grey");
  await watch.next();
  await assertRejects(() => watch.next(), Error, "the server sent 2 frames of stream 0 and 1 came");
});

Deno.test("image() gives the frame at a time, and its data stays valid", async () => {
  const path = await clip();
  await using server = await mediaServer();
  const client = clientOf(server);
  const [wanted] = await decodedBy(path, { stream: "V:0", input: ["-ss", "2"] });
  const image = await client.image("clip.mkv", { time: 2 });
  const other = await client.image("clip.mkv", { time: 4 });
  assertEquals([image.time, image.data.byteLength, image.stream.type], [2, SIZE, "video"]);
  const md5Of = (data: Uint8Array) => createHash("md5").update(data).digest("hex");
  assertEquals(md5Of(image.data), wanted.md5);
  assertNotEquals(md5Of(other.data), wanted.md5);
});

Deno.test("watch() and image() refuse numbers that are not finite", async () => {
  const client = clientOf({ address: nowhere() });
  for (const options of [{ start: NaN }, { speed: Infinity }, { duration: Infinity }]) {
    assertThrows(() => client.watch("x", options), TypeError, "expected a finite number");
  }
  const image = () => client.image("x", { time: NaN });
  await assertRejects(image, TypeError, "Cannot use time NaN: expected a finite number");
});

Deno.test("image() throws what the server refuses, and the reason of its signal", async () => {
  await using server = await mediaServer();
  const client = clientOf(server);
  const missing = await assertRejects(() => client.image("none.png"), RequestError);
  assertEquals(missing.code, "not_found");
  const signal = AbortSignal.abort(new Error("enough"));
  await assertRejects(() => client.image("clip.mkv", { signal }), Error, "enough");
});

/** An address at which nobody listens. */
function nowhere(): Deno.NetAddr {
  return { transport: "tcp", hostname: "127.0.0.1", port: freePort() };
}
