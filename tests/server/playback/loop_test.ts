import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { mediaFolder, pictures, tone } from "../../support/media/media_folder.ts";
import { ask, type NativeClient, watch } from "../../support/peers/native_client.ts";
import type { ReceivedFrame } from "../../support/peers/received.ts";
import { testServer } from "../../support/peers/test_server.ts";
import { mediaChildren } from "../../support/programs/machine.ts";
import { HandClock } from "../../support/time/hand_clock.ts";

const media = mediaFolder();

/** Twelve frames at a rate that milliseconds cannot hold, and audio that lasts a little longer. */
async function clip(name: string): Promise<void> {
  await media.make(name, [
    ...pictures({ rate: "30000/1001", seconds: 0.4 }),
    ...tone({ seconds: 0.5, layout: "mono" }),
    ...["-c:v", "mpeg4", "-g", "6", "-c:a", "pcm_s16le"],
  ]);
}

/** Takes frames of one type. */
async function take(viewer: NativeClient, type: "video" | "audio", count: number) {
  const frames: ReceivedFrame[] = [];
  while (frames.length < count) frames.push(await viewer.frame(type));
  return frames;
}

Deno.test("a loop goes on without a gap, every round as the first", async () => {
  await clip("clip.mov");
  await using server = await testServer({ media: media.path });
  using viewer = await watch(server, { name: "clip.mov", loop: true, speed: 0 });
  const frames = await take(viewer, "video", 60);
  for (let at = 12; at < 60; at++) {
    assertEquals(frames[at].md5, frames[at - 12].md5);
    // The audio lasts longest: half a second, which is a whole number of ticks of neither stream.
    const round = Math.floor(at / 12);
    assertAlmostEquals(frames[at].seconds, frames[at % 12].seconds + round * 0.5, 1 / 30_000);
    assertEquals([frames[at].discontinuity, frames[at].dropped], [false, false]);
  }
  await viewer.control({ action: "stop" });
  assertEquals((await viewer.rest()).end.reason, "stopped");
  assertEquals(await mediaChildren(), []);
});

Deno.test("the audio of a loop has no gap of a single sample", async () => {
  await clip("clip.mov");
  await using server = await testServer({ media: media.path });
  using viewer = await watch(server, { name: "clip.mov", loop: true, speed: 0 });
  let next = 0;
  while (next < 5 * 24_000) {
    const { timestamp, size } = await viewer.frame("audio");
    assertEquals(timestamp, next);
    next += size / 2;
  }
});

Deno.test("a loop repeats the requested part", async () => {
  await clip("clip.mov");
  await using server = await testServer({ media: media.path });
  const part = { start: 0.1, duration: 0.2, audio: false };
  const once = await ask(server, { command: "get_video", name: "clip.mov", ...part });
  using viewer = await watch(server, { name: "clip.mov", ...part, loop: true, speed: 0 });
  const each = once.frames.length;
  const frames = await take(viewer, "video", 4 * each);
  for (const [at, { md5, seconds }] of frames.entries()) {
    const first = once.frames[at % each];
    assertEquals(md5, first.md5);
    assertAlmostEquals(seconds, first.seconds + 0.2 * Math.floor(at / each), 1 / 30_000);
  }
});

Deno.test("a loop keeps the time of its frames across the seam", async () => {
  await clip("clip.mov");
  const clock = new HandClock();
  await using server = await testServer({ media: media.path, clock });
  // Audio comes from its own FFmpeg, which may be late.
  using viewer = await watch(server, { name: "clip.mov", loop: true, audio: false });
  // Five rounds and more.
  for (let last = 0; last < 2.1;) {
    for (const { seconds } of await viewer.due(clock)) {
      assertAlmostEquals(seconds, clock.time / 1000, 1e-3);
      last = seconds;
    }
    await clock.passToNext();
  }
  await viewer.control({ action: "stop" });
  await viewer.rest();
});

Deno.test("a loop after a seek goes on from there, then from the start", async () => {
  await clip("clip.mov");
  await using server = await testServer({ media: media.path });
  using viewer = await watch(server, { name: "clip.mov", loop: true });
  await take(viewer, "video", 15);
  await viewer.seek(0.3, 1);
  const frames = await take(viewer, "video", 5);
  // Frames 9, 10 and 11, then the next round.
  const expected = [9, 10, 11].map((at) => at * 1001 / 30_000).concat([0.5, 0.5 + 1001 / 30_000]);
  for (const [at, { seconds }] of frames.entries()) {
    assertAlmostEquals(seconds, expected[at], 1 / 30_000);
  }
  await viewer.seek(100, 2);
  assertAlmostEquals((await viewer.frame("video")).seconds, 0.5, 1 / 30_000);
});

Deno.test("a loop after a seek to the end goes on by the length of the media, though no round was played", async () => {
  await clip("clip.mov");
  await using server = await testServer({ media: media.path });
  using viewer = await watch(server, { name: "clip.mov", loop: true });
  await take(viewer, "video", 3);
  await viewer.seek(100, 1);
  const frames = await take(viewer, "video", 25);
  for (const [at, { seconds }] of frames.entries()) {
    const expected = 0.5 * (1 + Math.floor(at / 12)) + (at % 12) * 1001 / 30_000;
    assertAlmostEquals(seconds, expected, 1 / 30_000);
  }
});

Deno.test("a loop whose length is not known goes on where each round ends", async () => {
  await media.make("untimed.h264", [
    ...pictures({ rate: "25", seconds: 1 }),
    ...["-c:v", "libx264", "-pix_fmt", "yuv420p"],
  ]);
  await using server = await testServer({ media: media.path });
  using viewer = await watch(server, { name: "untimed.h264", loop: true });
  await take(viewer, "video", 5);
  await viewer.seek(100, 1);
  // The first of them begins where the viewer was, since nothing says when the media ends.
  const times = (await take(viewer, "video", 75)).map(({ seconds }) => seconds);
  for (let at = 1; at < times.length; at++) {
    assertAlmostEquals(times[at], times[at - 1] + 1 / 25, 1e-3);
  }
});

Deno.test("a loop of copied packets goes on by the length of its media", async () => {
  await clip("clip.mov");
  await using server = await testServer({ media: media.path });
  using viewer = await watch(server, { name: "clip.mov", loop: true, speed: 0, encoding: "copy" });
  const frames = await take(viewer, "video", 60);
  for (let at = 12; at < 60; at++) {
    assertEquals(frames[at].md5, frames[at - 12].md5);
    const round = Math.floor(at / 12);
    assertAlmostEquals(frames[at].seconds, frames[at % 12].seconds + round * 0.5, 0.001);
  }
});

Deno.test("a loop without frames ends with the reason, and a loop of an image ends with the image", async () => {
  await clip("clip.mov");
  await media.make("image.png", [...pictures(), "-frames:v", "1"]);
  await using server = await testServer({ media: media.path });
  const nothing = { command: "get_video", name: "clip.mov", audio: false, start: 0.45 } as const;
  const empty = await ask(server, { ...nothing, loop: true });
  assertEquals([empty.error?.code, empty.frames.length], ["media_error", 0]);
  const image = await ask(server, { command: "get_video", name: "image.png", loop: true });
  assertEquals([image.end?.reason, image.frames.length], ["end", 1]);
  assert(image.error === undefined);
});
