import { assert, assertEquals, assertMatch } from "@std/assert";
import { ByteReader, fromSocket } from "../../../lib/base/byte_reader.ts";
import { ByteWriter } from "../../../lib/base/byte_writer.ts";
import { wallClock } from "../../../lib/base/clock.ts";
import { Connection } from "../../../lib/protocol/native/connection.ts";
import { encodeFrame, encodeMessage, HEADER_LENGTH } from "../../../lib/protocol/native/framing.ts";
import { mediaFolder, pictures, tone } from "../../support/media/media_folder.ts";
import { ask, watchLive } from "../../support/peers/native_client.ts";
import type { WholeFrame } from "../../support/peers/received.ts";
import { relayOf, serverOf } from "../../support/peers/relays.ts";
import {
  type Asked,
  describe,
  frame,
  say,
  ScriptedServer,
} from "../../support/peers/scripted_server.ts";
import { dataStream, noise, rawStream, TestPublisher } from "../../support/peers/test_publisher.ts";
import { testServer } from "../../support/peers/test_server.ts";
import { mediaChildren } from "../../support/programs/machine.ts";

// What passes a server that relays a source of another one.

const folder = mediaFolder();

/** A camera. */
const CAMERA = "cam=lavfi:testsrc2=size=64x48:rate=25";

/** What a relay must not change: bytes, flags, and the time since the first frame of all. */
function contentOf(frames: readonly WholeFrame[]) {
  return frames.map(({ streamId, timestamp, keyframe, dropped, discontinuity, md5 }) => ({
    ...{ streamId, keyframe, dropped, discontinuity, md5 },
    passed: timestamp - (frames.find((other) => other.streamId === streamId)?.timestamp ?? 0),
  }));
}

Deno.test("two relays change nothing of what is published, and lose nothing", async () => {
  await using hub = await testServer({ media: folder.path });
  await using edge = await relayOf(hub);
  await using far = await relayOf(edge);
  const port = hub.address.port;
  using publisher = await TestPublisher.begin(port, { name: "cam", onDemand: true });
  const sound = { type: "audio", codec: "pcm_s16le", sampleRate: 8000, channels: 1 } as const;
  const audio = { ...sound, id: 1, timeBase: [1, 8000] as const };
  await publisher.describe(rawStream(8, 4), audio, dataStream(2));
  const request = { name: "cam", encoding: "copy", data: true } as const;
  using near = await watchLive(hub, request);
  using viewer = await watchLive(far, request);
  await publisher.asked("resume");
  // The relays join while nothing is sent, so that all get the same.
  while ((await publisher.notice("viewers")).viewers !== 2);
  const sent: Uint8Array[] = [];
  for (let at = 0; at < 20; at++) {
    const data = noise(32);
    await publisher.send({ timestamp: at * 40, data });
    await publisher.send({ streamId: 1, timestamp: at * 320, data: noise(640) });
    await publisher.say(2, at * 40, { at });
    sent.push(data);
  }
  const [expected, found] = await Promise.all([near.frames(60), viewer.frames(60)]);
  assertEquals(found.filter(({ type }) => type === "video").map(({ data }) => data), sent);
  assertEquals(contentOf(found), contentOf(expected));
  const described = ({ name: _name, ...description }: typeof viewer.description) => description;
  assertEquals(described(viewer.description), described(near.description));
  await publisher.finish();
  assertMatch((await viewer.notice("source_lost")).message, /: it came to its end; it is tried/);
});

Deno.test("packets of a compressed video pass two relays unchanged", async () => {
  const media = (await folder.make("served/clip.mkv", [
    ...[...pictures({ seconds: 1 }), ...tone({ seconds: 1, rate: 16_000 })],
    ...["-c:v", "libx264", "-g", "10", "-bf", "2", "-c:a", "aac"],
  ])).replace(/\/[^/]+$/, "");
  await using hub = await testServer({ media });
  await using edge = await relayOf(hub, { name: "clip.mkv" });
  await using far = await relayOf(edge);
  const request = { command: "get_video", encoding: "copy" } as const;
  const { frames, description } = await ask(hub, { ...request, name: "clip.mkv" });
  using viewer = await watchLive(far, { ...request, name: "cam" });
  const found = await viewer.frames(frames.length);
  const kept = ({ streamId, keyframe, size, md5 }: typeof frames[number]) => [
    ...[streamId, keyframe, size, md5],
  ];
  assertEquals(found.map(kept), frames.map(kept));
  assertEquals(viewer.description.streams, description?.streams);
});

Deno.test("raw frames and renditions of a relayed source come from one connection", async () => {
  {
    await using hub = await serverOf([CAMERA]);
    await using edge = await relayOf(hub);
    using raw = await watchLive(edge, { name: "cam" });
    using small = await watchLive(edge, { name: "cam", width: 32 });
    using packets = await watchLive(edge, { name: "cam", encoding: "h264" });
    for (const viewer of [raw, small, packets]) await viewer.frames(3);
    assertEquals(small.description.streams[0].codec, "rawvideo");
    assertEquals(packets.description.streams[0].codec, "h264");
    using lister = await edge.connect();
    const { list } = await lister.request({ command: "list_media" });
    const entry = { name: "cam", kind: "video", live: true, size: 0, codec: "h264" } as const;
    const stated = JSON.parse(JSON.stringify(list?.filter(({ live }) => live)));
    assertEquals(stated, [{ ...entry, width: 64, height: 48 }]);
    assertEquals(hub.lines.filter((line) => / request begins /.test(line)).length, 1);
  }
  assertEquals(await mediaChildren(), []);
});

Deno.test("the other server is connected to only while somebody watches", async () => {
  await using hub = await serverOf([CAMERA]);
  await using edge = await relayOf(hub);
  for (let times = 1; times <= 2; times++) {
    assertEquals(hub.lines.filter((line) => / request begins /.test(line)).length, times - 1);
    {
      using viewer = await watchLive(edge, { name: "cam" });
      await viewer.frames(2);
    }
    await hub.logged(/ disconnected\n$/, times);
    await edge.logged(/"cam" is stopped/, times);
  }
});

Deno.test("other streams in the middle reach viewers of a relay, and nothing is lost", async () => {
  await using hub = await testServer({ media: folder.path });
  await using edge = await relayOf(hub);
  await using far = await relayOf(edge);
  using publisher = await TestPublisher.begin(hub.address.port, { name: "cam", onDemand: true });
  await publisher.describe(rawStream(8, 4));
  using viewer = await watchLive(far, { name: "cam", encoding: "copy", redescribe: true });
  await publisher.asked("resume");
  const sizes = [[8, 4], [4, 4], [16, 2], [8, 4]] as const;
  const sent: Uint8Array[] = [];
  for (const [turn, [width, height]] of sizes.entries()) {
    if (turn > 0) await publisher.describe(rawStream(width, height));
    for (let at = 0; at < 5; at++) {
      const data = noise(width * height);
      sent.push(data);
      await publisher.send({ timestamp: (turn * 5 + at) * 40, data });
    }
  }
  const found: Uint8Array[] = [];
  const described: number[] = [];
  while (found.length < sent.length) {
    const received = await viewer.next();
    if (received.kind === "frame") found.push(received.frame.data);
    if (received.kind !== "describe") continue;
    const [stream] = received.description.streams;
    described.push(stream.type === "video" ? stream.width : 0);
  }
  assertEquals(found, sent);
  assertEquals(described, sizes.map(([width]) => width));
  assertEquals(edge.lines.filter((line) => /source_lost|tried again/.test(line)), []);
});

/** Serves one viewer, whose request is read, by hand. */
class Scripted {
  readonly connection: Connection;
  readonly request: Record<string, unknown>;

  constructor(peer: Deno.TcpConn, { bytes }: Asked) {
    const writer = new ByteWriter(peer, { stallTimeout: 20_000, onStall() {} });
    this.connection = new Connection(new ByteReader(fromSocket(peer)), writer);
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const payload = bytes.subarray(HEADER_LENGTH, view.getUint32(0, true) + 4);
    this.request = JSON.parse(new TextDecoder().decode(payload));
  }
}

Deno.test("capture times are moved by the offset of the other server's clock", async () => {
  const hour = 3600e6;
  const asked = Promise.withResolvers<Record<string, unknown>>();
  await using upstream = new ScriptedServer(async (peer, first) => {
    const { connection, request } = new Scripted(peer, first);
    asked.resolve(request);
    const live = describe();
    await say(peer, liveDescription(live));
    for (let at = 0;; at++) {
      const received = await connection.receive();
      if (received === undefined) return;
      if (received.kind !== "ping") continue;
      // The same moment for both, however long sending takes.
      const timestamp = wallClock() + hour;
      await connection.send("pong", received.payload, { timestamp });
      const data = new Uint8Array(64 + 256).subarray(64);
      const captured = timestamp - 500_000;
      await say(peer, encodeFrame({ streamId: 0, timestamp: at, keyframe: true, captured, data }));
    }
  });
  await using edge = await relayOf(upstream);
  using viewer = await watchLive(edge, { name: "cam", encoding: "copy" });
  const [{ captured = 0 }] = await viewer.frames(1);
  const age = (wallClock() - captured) / 1e6;
  assert(age >= 0.45 && age < 60, `${age} seconds`);
  const { command, encoding, late, data, redescribe, via } = await asked.promise;
  assertEquals([command, encoding, late], ["get_video", "copy", "wait"]);
  assertEquals([data, redescribe, Array.isArray(via) && via.length], [true, true, 1]);
});

/** A description as of a live source. */
function liveDescription(bytes: Uint8Array): Uint8Array {
  const said = JSON.parse(new TextDecoder().decode(bytes.subarray(HEADER_LENGTH)));
  return encodeMessage(
    "describe",
    new TextEncoder().encode(JSON.stringify({ ...said, live: true })),
  );
}

Deno.test("gaps and breaks before the relay are passed on", async () => {
  await using upstream = new ScriptedServer(async (peer) => {
    await say(peer, liveDescription(describe()));
    for (const flags of [0, 2, 4, 0]) {
      const bytes = frame(flags);
      bytes[5] |= flags;
      await say(peer, bytes);
    }
    await peer.read(new Uint8Array(1000));
    await peer.read(new Uint8Array(1000));
  });
  await using edge = await relayOf(upstream);
  using viewer = await watchLive(edge, { name: "cam", encoding: "copy" });
  const found = await viewer.frames(4);
  assertEquals(found.map(({ dropped }) => dropped), [false, true, false, false]);
  assertEquals(found.map(({ discontinuity }) => discontinuity), [false, false, true, false]);
});

Deno.test("a publisher is asked for a keyframe when somebody joins at a relay", async () => {
  await using hub = await testServer({ media: folder.path });
  await using edge = await relayOf(hub);
  const request = { name: "cam", encoding: "copy" } as const;
  using publisher = await TestPublisher.begin(hub.address.port, { name: "cam", onDemand: true });
  const video = { id: 0, type: "video", codec: "h264", width: 8, height: 4 } as const;
  await publisher.describe({ ...video, timeBase: [1, 1000] });
  using first = await watchLive(edge, request);
  await publisher.asked("keyframe");
  await publisher.send({ data: noise(9) });
  await first.frames(1);
  // All that it was asked until then.
  await publisher.connection.send("ping", new Uint8Array());
  const { before } = await publisher.until("pong");
  assertEquals(before.filter((kind) => kind === "control"), []);
  using second = await watchLive(edge, request);
  await publisher.asked("keyframe");
  await publisher.send({ timestamp: 40, data: noise(9) });
  assertEquals((await second.frames(1))[0].keyframe, true);
});

Deno.test("a source of messages alone is relayed, too", async () => {
  await using hub = await testServer({ media: folder.path });
  await using edge = await relayOf(hub, { name: "cam/objects" });
  const request = { name: "cam/objects", onDemand: true };
  using publisher = await TestPublisher.begin(hub.address.port, request);
  await publisher.describe(dataStream(0));
  using viewer = await watchLive(edge, { name: "cam", data: "only" });
  await publisher.asked("resume");
  for (let at = 0; at < 3; at++) await publisher.say(0, at * 1000, { at });
  const found = await viewer.frames(3);
  assertEquals(found.map(({ data }) => JSON.parse(new TextDecoder().decode(data)).at), [0, 1, 2]);
  assertEquals(found.map(({ timestamp }) => timestamp - found[0].timestamp), [0, 1000, 2000]);
  using lister = await edge.connect();
  const { list } = await lister.request({ command: "list_media", data: true });
  assertEquals(list?.map(({ name, kind, codec }) => [name, kind, codec]), [[
    "cam",
    "data",
    "json",
  ]]);
});
