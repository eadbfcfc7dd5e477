/** Answers that begin out of memory, through a real connection: they are as the first one was. */
import { assert, assertEquals, assertGreater, assertMatch, assertStrictEquals } from "@std/assert";
import type { MediaRequest } from "../../../lib/protocol/native/request.ts";
import { scriptRequest } from "../../support/peers/script_messages.ts";
import { mediaFolder, pictures, tone } from "../../support/media/media_folder.ts";
import { askWhole } from "../../support/peers/cut_responses.ts";
import { ask, type NativeResponse, watch } from "../../support/peers/native_client.ts";
import { type TestServer, testServer } from "../../support/peers/test_server.ts";
import { mediaChildren } from "../../support/programs/machine.ts";
import { standIn } from "../../support/programs/stand_in.ts";
import { PATIENCE } from "../../support/time/patience.ts";

const media = mediaFolder();

/** In FFmpeg's place: everything that needs it fails. */
const GONE = "echo it is gone >&2; exit 1";

async function makeMedia(): Promise<void> {
  const talkie = [...pictures({ seconds: 2 }), ...tone({ seconds: 2 })];
  const h264 = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "10", "-c:a", "aac"];
  await Promise.all([
    media.make("image.png", [...pictures(), "-frames:v", "1"]),
    media.make("talkie.mp4", [...talkie, ...h264]),
    media.make("thirty.mkv", [...pictures({ rate: "30", seconds: 1.2 }), "-c:v", "ffv1"]),
    media.make("tone.flac", tone({ seconds: 2 })),
  ]);
}

/** The comparable part of a response; one stream may be ahead of the other for a while. */
function comparable({ description, frames, end }: NativeResponse) {
  const streams = description?.streams ?? [];
  const split = streams.map(({ id }) => frames.filter(({ streamId }) => streamId === id));
  return { description, split, end };
}

/** Asks without FFmpeg: what comes is out of memory. */
async function remembered(server: TestServer, request: MediaRequest): Promise<NativeResponse> {
  using _ffmpeg = await standIn("ffmpeg", GONE);
  return await ask(server, request);
}

const TALKIE = { command: "get_video", name: "talkie.mp4" } as const;

const BEGUN: Record<string, MediaRequest> = {
  "raw pictures with sound": TALKIE,
  "raw pictures of another size, from a moment on": { ...TALKIE, width: 32, start: 0.5 },
  "h264": { ...TALKIE, encoding: "h264" },
  "copied packets": { ...TALKIE, encoding: "copy" },
  "copied packets, from between keyframes on": { ...TALKIE, encoding: "copy", start: 0.5 },
  "mjpeg": { ...TALKIE, encoding: "mjpeg" },
  "sound alone": { command: "get_video", name: "tone.flac" },
  "a loop": { ...TALKIE, duration: 0.7, loop: true },
};

/** Whether all of a response is kept, and not only its start. */
const isKept = (request: MediaRequest) =>
  request.encoding !== undefined || request.name === "tone.flac";

for (const [what, request] of Object.entries(BEGUN)) {
  Deno.test(`a second response with ${what} equals the first, and starts from the cache`, async () => {
    await makeMedia();
    await using server = await testServer({ media: media.path });
    if (request.loop) return await compareLoops(server, request);
    const first = comparable(await ask(server, request));
    assertEquals(comparable(await ask(server, request)), first);
    const { error, ...begun } = await remembered(server, request);
    if (isKept(request)) return assertEquals(comparable(begun), first);
    const { description, split } = comparable(begun);
    assertEquals(description, first.description);
    assertStrictEquals(error?.code, "media_error");
    for (const [at, frames] of split.entries()) {
      assertGreater(frames.length, 1);
      assertEquals(frames, first.split[at].slice(0, frames.length));
    }
  });
}

/** The first frames of a loop, two rounds and a half of it. */
async function compareLoops(server: TestServer, request: MediaRequest): Promise<void> {
  const rounds = async () => {
    using viewer = await watch(server, { speed: 0, ...request });
    const frames = [];
    while (frames.length < 45) frames.push(await viewer.frame("video"));
    return frames;
  };
  const first = await rounds();
  assertEquals(await rounds(), first);
}

const WHOLE: Record<string, MediaRequest> = {
  "an image": { command: "get_image", name: "image.png" },
  "an untouched image": { command: "get_image", name: "image.png", encoding: "copy" },
  "an image as a video": { command: "get_video", name: "image.png" },
  "a still out of a video": { ...TALKIE, command: "get_image", start: 0.9 },
  "a short part of a video": { ...TALKIE, start: 0.5, duration: 0.2 },
};

for (const [what, request] of Object.entries(WHOLE)) {
  Deno.test(`a second response with ${what} needs no FFmpeg at all`, async () => {
    await makeMedia();
    await using server = await testServer({ media: media.path });
    const first = comparable(await ask(server, request));
    assertStrictEquals(first.end?.reason, "end");
    assertEquals(comparable(await remembered(server, request)), first);
  });
}

Deno.test("a still out of memory waits for no decoder", async () => {
  await makeMedia();
  await using server = await testServer({ media: media.path, maxDecoders: 1 });
  const still = { ...TALKIE, command: "get_image" } as const;
  const first = comparable(await ask(server, still));
  using viewer = await watch(server, { name: "talkie.mp4", speed: 0.1 });
  await viewer.frame();
  assertEquals(comparable(await ask(server, still)), first);
  await viewer.control({ action: "stop" });
  assertStrictEquals((await viewer.rest()).end.reason, "stopped");
});

Deno.test("a script gets the same bytes out of memory", async () => {
  await makeMedia();
  const defaults = { image: "image.png", video: "thirty.mkv" };
  await using server = await testServer({ media: media.path, defaults });
  const read = async (command: "get_image" | "get_video") => {
    using peer = await server.connect();
    await peer.write(scriptRequest(command));
    return await peer.readAll();
  };
  const image = await read("get_image");
  const video = await read("get_video");
  assertEquals(await read("get_video"), video);
  using _ffmpeg = await standIn("ffmpeg", GONE);
  assertEquals(await read("get_image"), image);
  const begun = await read("get_video");
  assertGreater(begun.length, 64 * 48 * 3 * 2);
  assertEquals(begun, video.subarray(0, begun.length));
});

Deno.test("a second response in real time has every frame once, and in order", async () => {
  await makeMedia();
  await using server = await testServer({ media: media.path });
  const thirty = { command: "get_video", name: "thirty.mkv", speed: 1, late: "drop" } as const;
  const first = comparable(await ask(server, thirty));
  assertEquals([first.end?.frames, first.end?.dropped], [36, 0]);
  // Time waits for an FFmpeg that is late: no frame is dropped for that.
  using _slow = await standIn("ffmpeg", `sleep 0.9; exec "$REAL" "$@"`);
  assertEquals(comparable(await ask(server, thirty)), first);
});

Deno.test("a response of a file that has changed never starts from the cache", async () => {
  await makeMedia();
  await using server = await testServer({ media: media.path });
  const colours = ["red", "green", "blue", "white"];
  const files = await Promise.all(colours.map(async (colour) => {
    const source = ["-f", "lavfi", "-i", `color=${colour}:size=16x16:d=1`];
    return await Deno.readFile(
      await media.make(`${colour}.bmp`, [...source, "-frames:v", "1", "-pix_fmt", "bgr24"]),
    );
  }));
  assertStrictEquals(new Set(files.map(({ length }) => length)).size, 1);
  const sums = new Set<string>();
  for (const file of files) {
    await media.write("changing.bmp", file);
    const responses = [];
    for (let round = 0; round < 3; round++) {
      responses.push(await ask(server, { command: "get_image", name: "changing.bmp" }));
    }
    for (const { frames } of responses) sums.add(frames[0].md5);
    assertEquals(new Set(responses.map(({ frames }) => frames[0].md5)).size, 1);
  }
  assertStrictEquals(sums.size, colours.length);
  // One that is gone is gone, whatever is remembered of it.
  await ask(server, { command: "get_image", name: "red.bmp" });
  await Deno.remove(media.pathOf("red.bmp"));
  const { error } = await ask(server, { command: "get_image", name: "red.bmp" });
  assertStrictEquals(error?.code, "not_found");
});

Deno.test("what FFmpeg complains about is made anew each time, and never fails for that", async () => {
  await makeMedia();
  await using server = await testServer({ media: media.path });
  const request = { ...TALKIE, encoding: "h264" } as const;
  {
    using _complaining = await standIn("ffmpeg", `echo damaged >&2; exec "$REAL" "$@"`);
    assertStrictEquals((await ask(server, request)).end?.warning, "damaged");
  }
  const { error, frames } = await remembered(server, request);
  assertEquals([error?.code, frames], ["media_error", []]);
});

Deno.test("a server that may remember nothing asks FFmpeg each time", async () => {
  await makeMedia();
  await using server = await testServer({ media: media.path, startCacheSize: 0 });
  for (const request of [TALKIE, WHOLE["an image"]]) {
    const first = comparable(await ask(server, request));
    assertEquals(comparable(await ask(server, request)), first);
    const { error, frames } = await remembered(server, request);
    assertEquals([error?.code, frames], ["media_error", []]);
  }
});

Deno.test("a viewer may seek, stop, pause and leave while it gets what is remembered", async () => {
  await makeMedia();
  await using server = await testServer({ media: media.path });
  const reference = comparable(await ask(server, TALKIE)).split[0];
  {
    using seeking = await watch(server, { name: "talkie.mp4", speed: 1 });
    assertStrictEquals((await seeking.frame("video")).timestamp, reference[0].timestamp);
    await seeking.seek(1, 7);
    const { frames, end } = await seeking.rest();
    const shown = frames.filter(({ type }) => type === "video");
    assertEquals(shown.map(({ md5 }) => md5), reference.slice(25).map(({ md5 }) => md5));
    assertEquals([shown[0].discontinuity, shown[1].discontinuity], [true, false]);
    assertStrictEquals(end.reason, "end");
  }
  {
    using stopping = await watch(server, { name: "talkie.mp4", speed: 1 });
    await stopping.frame();
    await stopping.control({ action: "stop" });
    assertStrictEquals((await stopping.rest()).end.reason, "stopped");
    // The end may be told before an FFmpeg has ended that was started ahead.
    const limit = AbortSignal.timeout(PATIENCE);
    while ((await mediaChildren()).length > 0) {
      if (limit.aborted) throw new Error(`FFmpegs are left: ${await mediaChildren()}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  {
    using pausing = await watch(server, { name: "talkie.mp4", speed: 1 });
    await pausing.frame();
    await pausing.control({ action: "pause" });
    await pausing.control({ action: "seek", to: 0, id: 8 });
    await pausing.answered(8);
    await pausing.control({ action: "resume" });
    const { frames } = await pausing.rest();
    const shown = frames.filter(({ type }) => type === "video");
    assertEquals(shown.map(({ md5 }) => md5), reference.map(({ md5 }) => md5));
  }
  {
    using leaving = await watch(server, { name: "talkie.mp4", speed: 1 });
    await leaving.frame();
  }
  const again = comparable(await ask(server, TALKIE)).split[0];
  assertEquals(again, reference);
});

Deno.test("viewers who get the same beginning at once do not disturb each other", async () => {
  await makeMedia();
  await using server = await testServer({ media: media.path });
  const perStream = async (request: { name: string; speed?: number; encoding?: "mjpeg" }) => {
    const { description, frames } = await askWhole(server, request);
    return description.streams.map(({ id }) => frames.filter(({ streamId }) => streamId === id));
  };
  const first = await perStream({ name: "talkie.mp4" });
  using seeking = await watch(server, { name: "talkie.mp4", speed: 1 });
  const others = [perStream({ name: "talkie.mp4" }), perStream({ name: "talkie.mp4", speed: 2 })];
  await seeking.frame();
  await seeking.seek(0, 1);
  const { frames } = await seeking.rest();
  assert(frames.some(({ discontinuity }) => discontinuity));
  for (const other of await Promise.all(others)) assertEquals(other, first);
});

Deno.test("metrics show the size of the start-up cache, and its hits", async () => {
  await makeMedia();
  const metrics = { hostname: "127.0.0.1", port: 0 };
  await using server = await testServer({ media: media.path, metrics });
  const [, url] = server.lines.join("").match(/Metrics are at (\S+)/) ?? [];
  const told = async () => await (await fetch(url)).text();
  await ask(server, TALKIE);
  assertMatch(await told(), /^stream_head_hits_total 0$/m);
  await ask(server, TALKIE);
  const text = await told();
  assertMatch(text, /^stream_head_hits_total 1$/m);
  assertMatch(text, /^stream_head_memory_bytes [1-9]\d{4,}$/m);
  assertMatch(text, /^stream_decoders 0$/m);
});

Deno.test("packets that an index finds need no FFmpeg, and nothing of the start-up cache", async () => {
  await makeMedia();
  const metrics = { hostname: "127.0.0.1", port: 0 };
  await using server = await testServer({ media: media.path, metrics });
  const [, url] = server.lines.join("").match(/Metrics are at (\S+)/) ?? [];
  for (let round = 0; round < 2; round++) {
    const { end, frames } = await remembered(server, { ...TALKIE, encoding: "copy" });
    assertEquals([end?.reason, frames.length > 100], ["end", true]);
    const text = await (await fetch(url)).text();
    assertMatch(text, /^stream_head_memory_bytes 0$/m);
    assertMatch(text, /^stream_head_hits_total 0$/m);
  }
});
