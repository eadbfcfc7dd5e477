import { assert, assertEquals, assertGreater, assertLess, assertMatch } from "@std/assert";
import type { MediaRequest } from "../../../lib/protocol/native/request.ts";
import { parseLiveSource } from "../../../lib/sources/live/source_spec.ts";
import { MAX_QUEUED_BYTES } from "../../../lib/sources/live/subscriber_queue.ts";
import { mediaFolder, pictures } from "../../support/media/media_folder.ts";
import { type NativeClient, watchLive } from "../../support/peers/native_client.ts";
import type { WholeFrame } from "../../support/peers/received.ts";
import { liveServer, type TestServer, testServer } from "../../support/peers/test_server.ts";
import { noise, rawStream, TestPublisher } from "../../support/peers/test_publisher.ts";
import { HandClock } from "../../support/time/hand_clock.ts";
import { LeapingTime } from "../../support/time/leaping_time.ts";
import { mediaChildren } from "../../support/programs/machine.ts";

/** A picture that changes, and a tone, as they come from a camera. */
const CAMERA = "lavfi:testsrc2=size=64x48:rate=25[out0];sine=sample_rate=48000[out1]";

/** Why a request is refused. */
async function refusal(server: TestServer, request: Partial<MediaRequest>): Promise<string> {
  using viewer = await watchLive(server, request);
  const { error } = await viewer.until("error");
  return `${error.code}: ${error.message}`;
}

/** Stops a viewer's response and gives the totals. */
async function stop(viewer: NativeClient) {
  await viewer.control("stop");
  return (await viewer.until("end")).end;
}

Deno.test("playLive() describes a live source, and sends video and audio as they come", async () => {
  {
    const before = Date.now() * 1000;
    await using server = await liveServer([`cam=${CAMERA}`]);
    using viewer = await watchLive(server, { name: "cam" });
    const { description } = await viewer.until("describe");
    assertEquals([description.name, description.live, description.duration], [
      "cam",
      true,
      undefined,
    ]);
    assertEquals(description.streams.map(({ id, codec }) => [id, codec]), [
      ...[[0, "rawvideo"], [1, "pcm_s16le"]],
    ]);
    const [picture] = description.streams;
    assert(picture.type === "video");
    assertEquals([picture.width, picture.height, picture.pixelFormat], [64, 48, "yuv420p"]);
    const frames = await viewer.frames(40);
    const after = (Date.now() + 1) * 1000;
    const pictures = frames.filter(({ streamId }) => streamId === 0);
    const sounds = frames.filter(({ streamId }) => streamId === 1);
    assertEquals(pictures[0].data.byteLength, 64 * 48 * 1.5);
    assertLess(Math.abs(pictures[0].seconds), 0.1);
    assertLess(Math.abs(pictures[0].seconds - sounds[0].seconds), 0.1);
    for (const [at, { seconds, captured }] of pictures.entries()) {
      assertLess(Math.abs(seconds - pictures[0].seconds - at / 25), 0.001);
      assert(captured !== undefined && captured >= before && captured <= after, `${captured}`);
    }
    const end = await stop(viewer);
    assertEquals([end.reason, end.dropped], ["stopped", 0]);
    assertGreater(end.audioFrames, 5);
  }
  assertEquals(await mediaChildren(), []);
});

Deno.test("playLive() sends a viewer with credit the newest frame once it has taken another", async () => {
  const clock = new HandClock();
  await using server = await testServer({ media: mediaFolder().path, clock });
  const { port } = server.address;
  using publisher = await TestPublisher.begin(port, { name: "cam", onDemand: true });
  await publisher.describe(rawStream(4, 2));
  using viewer = await watchLive(server, { name: "cam", late: "drop", credit: true });
  await publisher.asked("resume");
  await publisher.send({ timestamp: 0, data: noise(8) });
  const [first] = await viewer.frames(1);
  // Sees when the server has a frame.
  using witness = await watchLive(server, { name: "cam" });
  await witness.until("describe");
  const publish = async (timestamp: number) => {
    clock.pass(100);
    await publisher.send({ timestamp, data: noise(8) });
    await witness.frames(1);
  };
  const nextFrame = async () => {
    const [{ timestamp, dropped }] = await viewer.frames(1);
    return [timestamp - first.timestamp, dropped];
  };
  for (const timestamp of [1, 2, 3, 4, 5]) await publish(timestamp);
  assertEquals(await nextFrame(), [1, false]);
  await viewer.control({ action: "taken", frames: 1 });
  assertEquals(await nextFrame(), [5, true]);
  // More than it can have taken, and what it has told already.
  for (const frames of [4, 1]) await viewer.control({ action: "taken", frames });
  for (const timestamp of [6, 7]) await publish(timestamp);
  await viewer.control({ action: "taken", frames: 3 });
  assertEquals(await nextFrame(), [7, true]);
  assertEquals((await stop(viewer)).dropped, 4);
});

Deno.test("one FFmpeg is enough for all viewers of a rendition, with audio or without", async () => {
  await using server = await liveServer([`cam=${CAMERA}`]);
  const requests = [{}, {}, { audio: false }, { late: "drop" as const }];
  const viewers = await Promise.all(requests.map((request) => watchLive(server, request)));
  for (const viewer of viewers) await viewer.frames(3);
  assertEquals((await mediaChildren()).length, 1);
  assertEquals(viewers[2].description?.streams.length, 1);
  using small = await watchLive(server, { width: 32, encoding: "mjpeg" });
  await small.frames(2, 0);
  const [picture] = small.description?.streams ?? [];
  assert(picture.type === "video");
  assertEquals([picture.codec, picture.width, picture.height], ["mjpeg", 32, 24]);
  assertEquals((await mediaChildren()).length, 2);
  for (const viewer of viewers) viewer[Symbol.dispose]();
  await server.logged(/"cam" is stopped/);
  await small.frames(1);
  small[Symbol.dispose]();
  await server.logged(/"cam" is stopped/, 2);
  assertEquals(await mediaChildren(), []);
});

Deno.test("a late joiner of h264 begins with a keyframe", async () => {
  await using server = await liveServer([`cam=${CAMERA}`]);
  using first = await watchLive(server, { encoding: "h264" });
  const pictures = await first.frames(8, 0);
  assertEquals(pictures.map(({ keyframe }) => keyframe), [true, ...Array(7).fill(false)]);
  using second = await watchLive(server, { encoding: "h264" });
  const [joined] = await second.frames(1, 0);
  assert(joined.keyframe);
  assertGreater(joined.seconds, pictures[7].seconds);
  // It is one of the same encoder.
  for (let isSame = false; !isSame;) {
    const [{ keyframe, timestamp }] = await first.frames(1, 0);
    assert(timestamp <= joined.timestamp);
    isSame = keyframe && timestamp === joined.timestamp;
  }
});

Deno.test("get_image of a live source is its next video frame, in every encoding but copy", async () => {
  await using server = await liveServer([`cam=${CAMERA}`], { linger: 10 });
  for (const encoding of ["raw", "mjpeg", "h264"] as const) {
    using viewer = await watchLive(server, { command: "get_image", name: "cam", encoding });
    const { description } = await viewer.until("describe");
    assertEquals(description.streams.length, 1);
    const [frame] = await viewer.frames(1);
    assert(frame.keyframe);
    const { end } = await viewer.until("end");
    assertEquals([end.frames, end.audioFrames, end.reason], [1, 0, "end"]);
    assertEquals(end.streams?.map(({ frames, bytes }) => [frames, bytes]), [[1, end.bytes]]);
  }
});

Deno.test("renditions that linger give their memory back to new ones", async () => {
  // Four renditions may linger, and take all that there is.
  const live = { sources: [parseLiveSource(`cam=${CAMERA}`)], linger: 60 };
  const maxMemory = 4 * MAX_QUEUED_BYTES + 1e6;
  await using server = await testServer({ media: mediaFolder().path, live, maxMemory });
  using peer = await server.connect();
  for (const width of [16, 32, 48, 64, 80]) {
    await peer.ask({ command: "get_image", name: "cam", width });
    const kinds: string[] = [];
    while (!["end", "error"].includes(kinds.at(-1) ?? "")) {
      const message = await peer.connection.receive();
      assert(message !== undefined);
      kinds.push(message.kind);
    }
    assertEquals(kinds.filter((kind) => kind !== "ping"), ["describe", "frame", "end"]);
  }
});

Deno.test("playLive() ends after the duration", async () => {
  await using server = await liveServer([`cam=${CAMERA}`]);
  const counts: number[] = [];
  // On a busy machine, FFmpeg may give nothing for longer than the frames that still come are awaited.
  while (counts.at(-1) !== 10 && counts.length < 5) {
    using viewer = await watchLive(server, { duration: 0.4, audio: false });
    const { end } = await viewer.until("end");
    assertEquals(end.reason, "end");
    counts.push(end.frames);
  }
  assert(counts.at(-1) === 10 && counts.every((count) => count <= 10), `${counts}`);
});

Deno.test("playLive() waits for frames that come more slowly than their times say, not for ever", async () => {
  using time = new LeapingTime();
  await using server = await liveServer([], { linger: 0 });
  const { port } = server.address;
  using publisher = await TestPublisher.begin(port, { name: "cam", onDemand: true });
  await publisher.describe(rawStream(4, 2));
  let timestamp = 0;
  const watched = async (step: number) => {
    await publisher.asked("pause");
    using viewer = await watchLive(server, { name: "cam", duration: 1 });
    await publisher.asked("resume");
    const begun = performance.now();
    for (let sent = 0;; sent++) {
      await publisher.send({ timestamp: timestamp += step, data: noise(8) });
      let received = await viewer.next();
      if (received.kind === "describe") received = await viewer.next();
      if (received.kind === "end") return { ...received.end, took: performance.now() - begun };
      if (sent === 0) await time.running(2000);
      await time.leap(250);
    }
  };
  const whole = await watched(100);
  assertEquals([whole.frames, whole.reason], [10, "end"]);
  assertGreater(whole.took, 2400);
  const cut = await watched(1);
  assertEquals(cut.reason, "end");
  assertGreater(cut.took, 11_000);
  assertLess(cut.frames, 100);
});

Deno.test("playLive() ends after the duration although sound goes on without pictures", async () => {
  using time = new LeapingTime();
  await using server = await liveServer([], { linger: 0 });
  const { port } = server.address;
  using publisher = await TestPublisher.begin(port, { name: "cam", onDemand: true });
  const sound = { id: 1, type: "audio", codec: "pcm_s16le", sampleRate: 8000, channels: 1 };
  await publisher.describe(rawStream(4, 2), { ...sound, timeBase: [1, 8000] });
  using viewer = await watchLive(server, { name: "cam", duration: 1 });
  await publisher.asked("resume");
  await publisher.send({ timestamp: 0, data: noise(8) });
  await viewer.frames(1);
  await time.running(2000);
  let sounds = 0;
  do {
    await publisher.send({ streamId: 1, timestamp: 2000 * sounds++, data: noise(4000) });
    await time.leap(250);
  } while ((await viewer.next()).kind !== "end");
  // Two seconds of the clock.
  assertLess(sounds, 30);
});

Deno.test("playLive() refuses options that only files have", async () => {
  await using server = await liveServer([`cam=${CAMERA}`]);
  assert(/^bad_request: Cannot use start with "cam"/.test(await refusal(server, { start: 2 })));
  assert(/^bad_request: Cannot use loop with "cam"/.test(await refusal(server, { loop: true })));
  const series = { command: "get_image", name: "cam", every: 1 } as const;
  assert(/^bad_request: Cannot use every/.test(await refusal(server, series)));
  const resume = [{ id: 0, after: 1 }];
  assert(/^bad_request: Cannot use resume/.test(await refusal(server, { resume })));
  assert(/^bad_request: .*"x1" *:/.test(await refusal(server, { pixelFormat: "x1" })));
  const copy = { encoding: "copy" as const };
  assert(/^bad_request: .* copy with a size/.test(await refusal(server, { ...copy, width: 9 })));
  const still = await refusal(server, { ...copy, command: "get_image", name: "cam" });
  assert(/^unsupported: Cannot copy a picture out of "cam"/.test(still));
  assert(/^not_found: .*did you mean "cam"\?/.test(await refusal(server, { name: "cat" })));
  assertEquals(await mediaChildren(), []);
});

Deno.test("playLive() ignores options that only another command has", async () => {
  await using server = await liveServer([`cam=${CAMERA}`], { linger: 10 });
  using viewer = await watchLive(server, { every: 1, audio: false });
  const [first, second] = await viewer.frames(2);
  assertLess(second.seconds - first.seconds, 0.5);
  using other = await watchLive(server, { command: "get_image", name: "cam", loop: true, fps: 5 });
  const { description: { streams: [stream] } } = await other.until("describe");
  assertEquals(stream.type === "video" && stream.frameRate, undefined);
  assertEquals((await other.until("end")).end.frames, 1);
});

/** Pings the server, and gives the time of the last frame that comes before its reply, seconds. */
async function lastBeforePong(viewer: NativeClient, { seconds }: WholeFrame): Promise<number> {
  await viewer.connection.send("ping", new Uint8Array());
  while (true) {
    const received = await viewer.next();
    if (received.kind === "pong") return seconds;
    if (received.kind === "frame") seconds = received.frame.seconds;
  }
}

Deno.test("a paused viewer gets nothing, and goes on with the latest frame", async () => {
  await using server = await liveServer([`cam=${CAMERA}`]);
  using viewer = await watchLive(server, { audio: false });
  using other = await watchLive(server, { audio: false });
  const [first] = await viewer.frames(1);
  await viewer.control("pause");
  // What comes before the server knows, and what has waited for the other one.
  let last = await lastBeforePong(viewer, first);
  const start = await lastBeforePong(other, (await other.frames(1))[0]);
  while ((await other.frames(1))[0].seconds < start + 1);
  await viewer.control("resume");
  let gap = 0;
  while (gap < 0.5) {
    const [frame] = await viewer.frames(1);
    gap = frame.seconds - last;
    if (gap >= 0.5) assert(frame.discontinuity && !frame.dropped);
    last = frame.seconds;
  }
  assertEquals((await stop(viewer)).dropped, 0);
});

Deno.test("a stuck viewer loses frames and is notified, the others lose none", async () => {
  const source = "lavfi:testsrc2=size=640x360:rate=50";
  await using server = await liveServer([`cam=${source}`]);
  using stuck = await watchLive(server, { late: "drop" });
  await stuck.frames(1);
  const others = await Promise.all([1, 2, 3].map(() => watchLive(server)));
  const counts = await Promise.all(others.map(async (viewer) => {
    const frames = await viewer.frames(150);
    const steps = frames.slice(1).map(({ seconds }, at) => seconds - frames[at].seconds);
    assertLess(Math.max(...steps), 0.021);
    return frames.filter(({ dropped }) => dropped).length;
  }));
  assertEquals(counts, [0, 0, 0]);
  // It wakes up: what waited in the sockets, then news of the gap, and behind it a flagged frame.
  assertGreater((await stuck.notice("dropped")).dropped ?? 0, 0);
  const slow = await stuck.notice("slow_link");
  assert((await stuck.frames(1))[0].dropped);
  assertMatch(
    slow.message,
    /^The link takes [\d.]+ .B\/s and these frames need [\d.]+ MB\/s: ask /,
  );
  assertGreater((await stop(stuck)).dropped, 10);
  assertEquals((await stop(others[0])).dropped, 0);
  for (const viewer of others) viewer[Symbol.dispose]();
  await server.logged(/"cam": dropped \d+ frames of slow clients/);
});

Deno.test("the list shows live sources first, and in place of files of their name", async () => {
  const folder = mediaFolder();
  await folder.make("file.mkv", [...pictures(), "-c:v", "ffv1"]);
  await folder.make("both.mkv", [...pictures(), "-c:v", "ffv1"]);
  const sources = [`cam=${CAMERA}`, `both.mkv=${CAMERA}`].map((text) => parseLiveSource(text));
  const live = { sources, linger: 0 };
  await using server = await testServer({ media: folder.path, live });
  await server.logged(/warn .*"both\.mkv" is the name of a file, too/);
  using viewer = await watchLive(server, { name: "cam" });
  await viewer.frames(1);
  // What somebody has made smaller says nothing of the source.
  using thumbnail = await watchLive(server, { name: "cam", width: 32 });
  await thumbnail.frames(1);
  using peer = await server.connect();
  await peer.ask({ command: "list_media" });
  const { list: entries } = await peer.until("list");
  assertEquals(entries.map(({ name, live, codec, width }) => [name, live, codec, width]), [
    ["cam", true, "rawvideo+pcm_s16le", 64],
    ["both.mkv", true, "", undefined],
    ["file.mkv", false, "ffv1", 64],
  ]);
});

/** The first message behind its length, int32 little-endian; closes the connection. */
async function firstMessage(connection: Deno.TcpConn): Promise<Uint8Array> {
  let bytes = new Uint8Array();
  for await (const chunk of connection.readable) {
    bytes = new Uint8Array([...bytes, ...chunk]);
    const length = bytes.byteLength < 4 ? Infinity : new DataView(bytes.buffer).getInt32(0, true);
    if (bytes.byteLength >= 4 + length) return bytes.subarray(4, 4 + length);
  }
  throw new Error("Cannot read a message: the connection has ended");
}

Deno.test("the script protocol shows a live source if there is no video, or if it is the default", async () => {
  const folder = mediaFolder();
  await folder.make("file.mkv", [...pictures(), "-c:v", "ffv1"]);
  const live = { sources: [`cam=${CAMERA}`].map((text) => parseLiveSource(text)), linger: 0 };
  for (
    const options of [{ media: mediaFolder().path }, {
      media: folder.path,
      defaults: { video: "cam" },
    }]
  ) {
    await using server = await testServer({ ...options, live });
    const { hostname, port } = server.address;
    const script = await Deno.connect({ hostname, port });
    await script.write(new TextEncoder().encode("get_video"));
    using native = await watchLive(server, { name: "cam", pixelFormat: "bgr24" });
    let [frame] = await native.frames(1);
    // Sound may come first.
    while (frame.streamId !== 0) [frame] = await native.frames(1);
    assertEquals(frame.data.byteLength, 64 * 48 * 3);
    const message = await firstMessage(script);
    assertGreater(message.byteLength, 64 * 48 * 3);
    assertEquals(message.at(-1), ".".charCodeAt(0), "the end of a pickle");
  }
});

Deno.test("playLive() notes if H.264 has another size than requested", async () => {
  await using server = await liveServer([`cam=${CAMERA}`]);
  using viewer = await watchLive(server, { encoding: "h264", width: 33 });
  const { description } = await viewer.until("describe");
  assertEquals(description.notes, ["Pictures are 34×26: H.264 has even sizes only"]);
  await stop(viewer);
});

Deno.test("playLive() ends after the duration, even if no further frame comes", async () => {
  await using server = await liveServer(["cam=lavfi:testsrc2=size=64x48:rate=25"]);
  const begun = performance.now();
  using viewer = await watchLive(server, { fps: 0.02, duration: 0.1 });
  const { end } = await viewer.until("end");
  assertEquals([end.frames, end.reason], [1, "end"]);
  // The next frame is 50 seconds away.
  assertLess(performance.now() - begun, 40_000);
});
