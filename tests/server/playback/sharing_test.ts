/** Viewers of one rendition through real connections: they share its decoder, and notice nothing. */
import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { createHash } from "node:crypto";
import type { MediaRequest } from "../../../lib/protocol/native/request.ts";
import { mediaFolder, pictures, tone } from "../../support/media/media_folder.ts";
import { askWhole, pointsOf } from "../../support/peers/cut_responses.ts";
import { ask, type NativeClient, watch } from "../../support/peers/native_client.ts";
import type { ReceivedFrame } from "../../support/peers/received.ts";
import { scriptRequest } from "../../support/peers/script_messages.ts";
import { type TestServer, testServer } from "../../support/peers/test_server.ts";
import { countedFfmpeg } from "../../support/programs/counted_ffmpeg.ts";
import { standIn } from "../../support/programs/stand_in.ts";

const media = mediaFolder();

const VIEWERS = 30;

async function serve(
  options: { startCacheSize?: number; maxDecoders?: number } = {},
  defaults: { video?: string } = {},
) {
  const h264 = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "25"];
  await Promise.all([
    media.make("class.mkv", [...pictures({ seconds: 6 }), ...h264]),
    media.make("talkie.mp4", [...pictures({ seconds: 6 }), ...tone({ seconds: 6 }), ...h264]),
  ]);
  return await testServer({ media: media.path, maxClients: 64, defaults, ...options });
}

/** All frames of a request, by stream, as a viewer alone gets them. */
async function alone(request: Omit<MediaRequest, "command">) {
  await using server = await serve({ startCacheSize: 0 });
  const { frames } = await ask(server, { command: "get_video", ...request, speed: 0 });
  return byStream(frames);
}

/** What is compared of frames, by stream. */
function byStream(frames: readonly ReceivedFrame[]) {
  const streams = Map.groupBy(frames, ({ streamId }) => streamId);
  return [...streams.keys()].sort().map((id) => streams.get(id)!.map(comparable));
}

function comparable({ timestamp, keyframe, size, md5 }: ReceivedFrame) {
  return [timestamp, keyframe, size, md5].join(" ");
}

async function restOf(viewer: NativeClient): Promise<ReceivedFrame[]> {
  return (await viewer.rest()).frames;
}

/** Viewers that start one after another, each when the one before has got some frames. */
async function startInTurn(
  server: TestServer,
  { count, distance, ...request }:
    & { count: number; distance: number }
    & Omit<MediaRequest, "command">,
): Promise<Promise<ReceivedFrame[]>[]> {
  const viewers = [];
  for (let started = 0; started < count; started++) {
    const viewer = await watch(server, request);
    const first = await viewer.frames(distance);
    viewers.push(
      restOf(viewer).then((rest) => {
        viewer.close();
        return [...first, ...rest];
      }),
    );
  }
  return viewers;
}

Deno.test("raw viewers who start one after another share a decoder", async () => {
  const request = { name: "class.mkv", speed: 1 };
  const expected = await alone(request);
  await using server = await serve();
  using ffmpeg = await countedFfmpeg();
  const viewers = await startInTurn(server, { ...request, count: VIEWERS, distance: 1 });
  for (const frames of await Promise.all(viewers)) {
    assertEquals(byStream(frames), expected);
  }
  assertStrictEquals(ffmpeg.starts.length, 1);
  await server.quiet();
});

Deno.test("a viewer who pauses, seeks or leaves does not disturb those with whom it shares", async () => {
  const request = { name: "talkie.mp4", speed: 1 };
  const expected = await alone(request);
  await using server = await serve();
  const others = await startInTurn(server, { ...request, count: 3, distance: 2 });
  using pausing = await watch(server, request);
  using seeking = await watch(server, request);
  const leaving = await watch(server, request);
  const beforePause = await pausing.frames(20);
  await pausing.control({ action: "pause" });
  await seeking.frames(5);
  await seeking.seek(4, 7);
  leaving.close();
  const sought = byStream(await restOf(seeking));
  assertEquals(sought[0], expected[0].slice(100));
  for (const frames of await Promise.all(others)) assertEquals(byStream(frames), expected);
  await pausing.control({ action: "resume" });
  assertEquals(byStream([...beforePause, ...await restOf(pausing)]), expected);
});

Deno.test("a viewer who has fallen behind goes on exactly with a decoder of its own", async () => {
  const request = { name: "talkie.mp4", speed: 1 };
  const expected = await alone(request);
  // A second of the pictures takes 230 kB.
  await using server = await serve({ startCacheSize: 400_000 });
  using ffmpeg = await countedFfmpeg();
  using pausing = await watch(server, request);
  const [other] = await startInTurn(server, { ...request, count: 1, distance: 2 });
  const before = await pausing.frames(20);
  await pausing.control({ action: "pause" });
  assertEquals(byStream(await other), expected);
  await pausing.control({ action: "resume" });
  assertEquals(byStream([...before, ...await restOf(pausing)]), expected);
  // Pictures and sound, twice.
  assertStrictEquals(ffmpeg.starts.length, 4);
  assert(server.lines.every((line) => !line.includes("error")));
});

Deno.test("viewers of a rendition wait for one slot", async () => {
  const request = { name: "class.mkv", speed: 2, width: 32 };
  const expected = await alone(request);
  await using server = await serve({ maxDecoders: 1 });
  using first = await watch(server, { name: "talkie.mp4", speed: 0.1 });
  await first.frame();
  const waiting = await Promise.all(["a", "b"].map(async () => {
    const viewer = await server.connect();
    await viewer.ask({ command: "get_video", ...request });
    await viewer.notice("waiting");
    return viewer;
  }));
  await first.control({ action: "stop" });
  for (const viewer of waiting) {
    await viewer.until("describe");
    assertEquals(byStream(await restOf(viewer)), expected);
    viewer.close();
  }
});

Deno.test("scripts share a decoder, and get the bytes that one alone gets", async () => {
  await using server = await serve({}, { video: "class.mkv" });
  const read = async () => {
    using peer = await server.connect();
    await peer.write(scriptRequest("get_video"));
    const bytes = await peer.readAll();
    return [bytes.length, createHash("md5").update(bytes).digest("hex")];
  };
  using ffmpeg = await countedFfmpeg();
  const all = await Promise.all(Array.from({ length: VIEWERS }, read));
  const [first] = all;
  assert(Number(first[0]) > 150 * 64 * 48 * 3);
  for (const other of all) assertEquals(other, first);
  assertStrictEquals(ffmpeg.starts.length, 1);
  await using another = await testServer({
    ...{ media: media.path, startCacheSize: 0, defaults: { video: "class.mkv" } },
  });
  using peer = await another.connect();
  await peer.write(scriptRequest("get_video"));
  assertStrictEquals((await peer.readAll()).length, first[0]);
});

/** FFmpegs that make pictures, as they were started. */
function encodersOf({ starts }: { starts: string[] }): string[] {
  return starts.filter((line) => line.includes("libx264"));
}

Deno.test("h264 viewers share encoders, and seek in what others have made", async () => {
  const request = { name: "talkie.mp4", encoding: "h264", speed: 1 } as const;
  const expected = await alone(request);
  const times = (await alone({ name: "talkie.mp4" }))[0].map((text) => Number(text.split(" ")[0]));
  await using server = await serve();
  using ffmpeg = await countedFfmpeg();
  const others = await startInTurn(server, { ...request, count: 3, distance: 5 });
  const targets = [0.5, 1.3, 2, 2.04, 3.3, 4.98, 5.5];
  const seeking = Array.from({ length: 20 }, async (_, at) => {
    using viewer = await watch(server, request);
    await viewer.frame();
    const to = targets[at % targets.length];
    await viewer.seek(to, at + 1);
    const [pictures] = await splitOf(await viewer.rest());
    const shown = pictures.filter(({ timestamp }) => timestamp >= to * 12_800);
    assertStrictEquals(pictures[0].keyframe, true);
    assertStrictEquals(pictures[0].discontinuity, true);
    assertEquals(
      shown.map(({ timestamp }) => timestamp),
      times.filter((time) => time >= to * 12_800),
    );
    // Those from the keyframe on, or from the beginning of an encoder that comes there within 4 s.
    assert(pictures.length - shown.length <= 100, `${pictures.length} from ${to} s on`);
    return pictures;
  });
  await Promise.all(seeking);
  for (const frames of await Promise.all(others)) assertEquals(byStream(frames), expected);
  assert(encodersOf(ffmpeg).length <= 4, `${encodersOf(ffmpeg).length} encoders`);
  await server.quiet();
});

Deno.test("a cut response in h264 resumes out of what is kept, without FFmpeg", async () => {
  const request = { name: "talkie.mp4", encoding: "h264" } as const;
  await using server = await serve();
  const whole = await askWhole(server, request);
  const { streams } = whole.description;
  using _ffmpeg = await standIn("ffmpeg", "echo it is gone >&2; exit 1");
  for (const count of [1, 40, whole.frames.length - 1]) {
    const resume = pointsOf(whole.frames.slice(0, count), streams);
    const rest = await askWhole(server, { ...request, resume });
    assertEquals(rest.frames, whole.frames.slice(count));
  }
});

function splitOf({ frames }: { frames: ReceivedFrame[] }): ReceivedFrame[][] {
  const streams = Map.groupBy(frames, ({ streamId }) => streamId);
  return [...streams.keys()].sort().map((id) => streams.get(id)!);
}
