import { assert, assertAlmostEquals, assertEquals, assertLess } from "@std/assert";
import { concat, seeded } from "../../support/media/bytes.ts";
import { mediaFolder, pictures, tone } from "../../support/media/media_folder.ts";
import {
  decodedBy,
  decodedBytes,
  exactSeconds,
  type FrameSum,
} from "../../support/media/reference.ts";
import { watch } from "../../support/peers/native_client.ts";
import type { ReceivedFrame } from "../../support/peers/received.ts";
import { testServer } from "../../support/peers/test_server.ts";
import { mediaChildren } from "../../support/programs/machine.ts";

const media = mediaFolder();
const SECONDS = 6;
const H264 = [
  "-c:v",
  "libx264",
  "-preset",
  "veryfast",
  "-bf",
  "2",
  "-g",
  "40",
  "-sc_threshold",
  "0",
  "-pix_fmt",
];

function clip(name: string, rate = "25"): Promise<string> {
  return media.make(name, [
    ...pictures({ rate, seconds: SECONDS }),
    ...tone({ seconds: SECONDS, layout: "mono" }),
    ...[...H264, "yuv420p"],
  ]);
}

/** Seconds of an exact time. */
function toNumber(time: string): number {
  const [numerator, denominator] = time.split("/").map(Number);
  return numerator / denominator;
}

/** The first frame from a time on. */
function firstFrom(reference: FrameSum[], to: number): FrameSum | undefined {
  return reference.find(({ time }) => toNumber(time) >= to - 1e-6);
}

function sumOf({ time, size, md5 }: ReceivedFrame): FrameSum {
  return { time, size, md5 };
}

Deno.test("a hundred seeks each give the frame at their time, as the whole decode has it", async () => {
  const path = await clip("clip.mp4", "30000/1001");
  const reference = await decodedBy(path, { stream: "V:0" });
  await using server = await testServer({ media: media.path });
  using viewer = await watch(server, { name: "clip.mp4", audio: false });
  const random = seeded(3);
  for (let id = 1; id <= 100; id++) {
    const to = random() * (SECONDS - 0.5);
    await viewer.seek(to, id);
    const first = await viewer.frame();
    assertEquals([first.discontinuity, sumOf(first)], [true, firstFrom(reference, to)]);
    const second = await viewer.frame();
    assertEquals(second.discontinuity, false);
    assertEquals(sumOf(second), reference[reference.findIndex(({ md5 }) => md5 === first.md5) + 1]);
  }
  await viewer.control({ action: "stop" });
  assertEquals((await viewer.rest()).end.reason, "stopped");
  assertEquals(await mediaChildren(), []);
});

for (const name of ["clip.mkv", "clip.ts", "clip.webm", "clip.avi", "gop.mpg"]) {
  Deno.test(`seeks give the pictures of their moments in ${name}`, async () => {
    const codec = name.endsWith("webm") ? ["-c:v", "libvpx", "-g", "40"] : ["-c:v", "mpeg4"];
    const own = name.endsWith("mpg") ? ["-c:v", "mpeg2video", "-bf", "2"] : codec;
    const path = name === "clip.ts" || name === "clip.mkv"
      ? await clip(name)
      : await media.make(name, [...pictures({ seconds: SECONDS }), ...own, "-g", "40"]);
    const beside = name === "clip.ts" ? "a:0" : undefined;
    const reference = await decodedBy(path, { stream: "V:0", beside });
    // AVI counts frames: a time is that of the nearest.
    const nearby = name === "clip.avi" ? 0.02 : 0;
    await using server = await testServer({ media: media.path });
    using viewer = await watch(server, { name, audio: false });
    const random = seeded(1);
    for (let id = 1; id <= 8; id++) {
      const to = random() * (SECONDS - 0.5);
      await viewer.seek(to, id);
      const first = await viewer.frame();
      const expected = firstFrom(reference, to - nearby)!;
      assertEquals([first.md5, first.discontinuity], [expected.md5, true], `at ${to}`);
      assertAlmostEquals(first.seconds, toNumber(expected.time), 0.0011);
    }
  });
}

Deno.test("a seek counts from the media's beginning, and its frames from the request's start", async () => {
  const path = await clip("clip.mkv");
  const reference = await decodedBy(path, { stream: "V:0" });
  await using server = await testServer({ media: media.path });
  using viewer = await watch(server, { name: "clip.mkv", start: 2.01, duration: 2, audio: false });
  // Matroska counts milliseconds.
  const moved = ({ time, size, md5 }: FrameSum, by: number) => ({
    ...{ size, md5 },
    time: exactSeconds(Math.round(toNumber(time) * 1000) + by, [1, 1000]),
  });
  assertEquals(sumOf(await viewer.frame()), moved(firstFrom(reference, 2.01)!, -2010));
  for (const [id, to] of [3.5, 0.5, 2.5].entries()) {
    await viewer.seek(to, id);
    const first = await viewer.frame();
    assertEquals(sumOf(first), moved(firstFrom(reference, to)!, -2010));
  }
  // The end stays where it was.
  await viewer.control({ action: "seek", to: 3.9, id: 9 });
  await viewer.answered(9);
  const { frames, end } = await viewer.rest();
  const rest = reference.filter(({ time }) => toNumber(time) >= 3.9 && toNumber(time) < 4.01);
  assertEquals([frames.map(sumOf), end.reason], [rest.map((sum) => moved(sum, -2010)), "end"]);
});

Deno.test("after a seek video and audio go on together, the first of each flagged", async () => {
  const path = await clip("clip.mp4", "30000/1001");
  const pcm = await decodedBytes(path, ["-map", "0:a:0", "-f", "s16le"]);
  const samples = new Int16Array(pcm.buffer, 0, pcm.byteLength / 2);
  await using server = await testServer({ media: media.path });
  using viewer = await watch(server, { name: "clip.mp4" });
  const random = seeded(7);
  for (let id = 0; id < 10; id++) {
    const to = random() * (SECONDS - 1);
    await viewer.seek(to, id);
    const firsts = new Map<string, ReceivedFrame>();
    let sound: Int16Array | undefined;
    while (firsts.size < 2) {
      const frame = await viewer.frame();
      assertEquals(frame.discontinuity, !firsts.has(frame.type));
      if (!firsts.has(frame.type)) firsts.set(frame.type, frame);
      if (frame.type === "audio") sound = new Int16Array(frame.data.buffer);
    }
    const { timestamp } = firsts.get("audio")!;
    assertAlmostEquals(timestamp / 48_000, to, 0.001);
    assert(firsts.get("video")!.seconds - to < 0.034);
    // The samples of a lossy codec depend a little on the start of decoding.
    const expected = samples.subarray(timestamp);
    sound!.forEach((sample, at) => assertAlmostEquals(sample, expected[at], 2));
  }
});

Deno.test("a seek in copied packets begins with the keyframe before its target", async () => {
  await clip("clip.mp4", "30000/1001");
  await using server = await testServer({ media: media.path });
  using viewer = await watch(server, { name: "clip.mp4", encoding: "copy" });
  const random = seeded(5);
  for (let id = 0; id < 20; id++) {
    const to = random() * (SECONDS - 1);
    await viewer.seek(to, id);
    const first = await viewer.frame("video");
    // A keyframe every 40 pictures.
    const keyframe = Math.floor((to + 1e-6) * 30_000 / 1001 / 40) * 40;
    assertEquals([first.discontinuity, first.keyframe], [true, true]);
    assertAlmostEquals(first.seconds, keyframe * 1001 / 30_000, 0.001);
  }
});

Deno.test("copied packets behind a seek decode to the same frames", async () => {
  const path = await clip("clip.ts");
  const reference = await decodedBy(path, { stream: "V:0", beside: "a:0" });
  await using server = await testServer({ media: media.path });
  using viewer = await watch(server, { name: "clip.ts", encoding: "copy", audio: false });
  await viewer.frame();
  await viewer.control({ action: "seek", to: 5, id: 1 });
  await viewer.answered(1);
  const packets: Uint8Array[] = [];
  const moments: number[] = [];
  for (let seen = await viewer.next(); seen.kind !== "end"; seen = await viewer.next()) {
    // A notice may say that the machine is slow.
    if (seen.kind !== "frame") continue;
    packets.push(seen.frame.data);
    moments.push(seen.frame.seconds);
  }
  const path264 = await media.write("behind.h264", concat(...packets));
  const decoded = await decodedBy(path264, { stream: "V:0" });
  const expected = reference.slice(-decoded.length);
  assertEquals(decoded.map(({ md5 }) => md5), expected.map(({ md5 }) => md5));
  moments.sort((a, b) => a - b).forEach((moment, at) =>
    assertAlmostEquals(moment, toNumber(expected[at].time), 0.0001)
  );
  await Deno.remove(path264);
});

Deno.test("a seek in a pause sends as many packets as a decoder needs for a frame", async () => {
  await clip("clip.mp4", "30000/1001");
  const timeouts = { request: 10_000, stall: 10_000, ping: 40 };
  await using server = await testServer({ media: media.path, timeouts });
  using viewer = await watch(server, { name: "clip.mp4", encoding: "copy", audio: false });
  await viewer.frame();
  await viewer.control({ action: "pause" });
  await viewer.seek(3.3, 1);
  const stream = viewer.description.streams[0];
  let shown = 1 + (stream.type === "video" ? stream.decodeDelay ?? 0 : 0);
  assertLess(1, shown);
  while (shown > 0) {
    if ((await viewer.frame()).seconds >= 3.3) shown--;
  }
  await viewer.onlyPings(5);
});

Deno.test("a seek in H.264 that is made for viewers begins with the keyframe before", async () => {
  const path = await clip("clip.mp4", "30000/1001");
  const times = (await decodedBy(path, { stream: "V:0" })).map(({ time }) => toNumber(time));
  await using server = await testServer({ media: media.path });
  using viewer = await watch(server, { name: "clip.mp4", encoding: "h264" });
  for (const [id, to] of [4.5, 0, 2.25].entries()) {
    await viewer.seek(to, id);
    const first = await viewer.frame("video");
    assertEquals([first.discontinuity, first.keyframe], [true, true]);
    let shown = first;
    while (shown.seconds < to) shown = await viewer.frame("video");
    assertAlmostEquals(shown.seconds, times.find((time) => time >= to) ?? 0, 1e-4);
    assertLess(to - first.seconds, 2.1);
  }
});

Deno.test("H.264 behind a seek decodes from its first packet on", async () => {
  const path = await clip("clip.mp4", "30000/1001");
  const times = (await decodedBy(path, { stream: "V:0" })).map(({ time }) => toNumber(time));
  await using server = await testServer({ media: media.path });
  using viewer = await watch(server, {
    name: "clip.mp4",
    encoding: "h264",
    audio: false,
    speed: 3,
  });
  await viewer.frame();
  await viewer.seek(3.3, 1);
  const packets: Uint8Array[] = [];
  const moments: number[] = [];
  for (let seen = await viewer.next(); seen.kind !== "end"; seen = await viewer.next()) {
    // A notice may say that the machine is slow.
    if (seen.kind !== "frame") continue;
    packets.push(seen.frame.data);
    moments.push(seen.frame.seconds);
  }
  const [{ extradata }] = viewer.description.streams;
  const path264 = await media.write("encoded.h264", concat(extradata, ...packets));
  assertEquals((await decodedBy(path264, { stream: "V:0" })).length, packets.length);
  const expected = times.slice(-moments.length);
  for (const [at, moment] of moments.entries()) assertAlmostEquals(moment, expected[at], 1e-4);
});

Deno.test("of many seeks at once the last is carried out", async () => {
  await clip("clip.mp4", "30000/1001");
  await using server = await testServer({ media: media.path });
  using viewer = await watch(server, { name: "clip.mp4" });
  await viewer.frame();
  for (let id = 0; id < 200; id++) {
    await viewer.control({ action: "seek", to: id / 50, id });
  }
  await viewer.answered(199);
  assertAlmostEquals((await viewer.frame("video")).seconds, 199 / 50, 0.034);
  assertLess((await mediaChildren()).length, 3);
});

Deno.test("a seek in a pause sends one frame, and the pause holds", async () => {
  await clip("clip.mp4", "30000/1001");
  const timeouts = { request: 10_000, stall: 10_000, ping: 40 };
  await using server = await testServer({ media: media.path, timeouts });
  using viewer = await watch(server, { name: "clip.mp4", audio: false });
  await viewer.frame();
  await viewer.control({ action: "pause" });
  for (const [id, to] of [3, 1, 5].entries()) {
    await viewer.seek(to, id);
    assertAlmostEquals((await viewer.frame()).seconds, to, 0.034);
    await viewer.onlyPings(5);
  }
  await viewer.control({ action: "resume" });
  assertAlmostEquals((await viewer.frame()).seconds, 5.04, 0.034);
});

Deno.test("a seek beyond the end gets its response, and the end follows unless there is a pause", async () => {
  await clip("clip.mp4", "30000/1001");
  const timeouts = { request: 10_000, stall: 10_000, ping: 40 };
  await using server = await testServer({ media: media.path, timeouts });
  // The second is before the end, and yet there is no frame any more.
  for (const to of [1e300, SECONDS - 0.001]) {
    using viewer = await watch(server, { name: "clip.mp4", audio: false });
    await viewer.frame();
    await viewer.control({ action: "pause" });
    await viewer.seek(to, 1);
    await viewer.onlyPings(5);
    await viewer.seek(1, 2);
    assertAlmostEquals((await viewer.frame()).seconds, 1, 0.034);
    await viewer.seek(to, 3);
    await viewer.control({ action: "resume" });
    const { frames, end } = await viewer.rest();
    assertEquals([frames, end.reason], [[], "end"]);
  }
});

Deno.test("a seek without a target, and one in an image, are ignored", async () => {
  await clip("clip.mp4", "30000/1001");
  await media.make("image.png", [...pictures(), "-frames:v", "1"]);
  await using server = await testServer({ media: media.path });
  using viewer = await watch(server, { name: "clip.mp4", duration: 0.5, audio: false });
  for (const to of [-1, "3", null, undefined, [1]]) {
    await viewer.control({ action: "seek", to });
  }
  const { frames } = await viewer.rest();
  assertEquals(frames.map(({ discontinuity }) => discontinuity), frames.map(() => false));
  assertEquals(frames.length, 15);
  using picture = await watch(server, { name: "image.png" });
  await picture.control({ action: "seek", to: 0 });
  assertEquals((await picture.rest()).frames.length, 1);
});

Deno.test("a seek before its request's turn counts from the first frame on", async () => {
  await clip("clip.mp4", "30000/1001");
  await using server = await testServer({ media: media.path });
  using viewer = await watch(server, { name: "clip.mp4", audio: false });
  await viewer.control({ action: "seek", to: 2, id: 5 });
  await viewer.answered(5);
  assertAlmostEquals((await viewer.frame()).seconds, 2, 0.034);
});

Deno.test("seeks around the end never hang", async () => {
  await media.make("short.mkv", [...pictures({ seconds: 0.4 }), "-c:v", "ffv1"]);
  await using server = await testServer({ media: media.path });
  for (let round = 0; round < 10; round++) {
    using viewer = await watch(server, { name: "short.mkv", speed: 0 });
    for (let count = 0; count < round; count++) await viewer.frame();
    await viewer.control({ action: "seek", to: 0.2, id: 1 });
    assertEquals((await viewer.rest()).end.reason, "end");
  }
});

Deno.test("a seek while a frame cannot be written leaves the stream of messages whole", async () => {
  await media.make("large.mkv", [
    ...pictures({ size: "1280x720", seconds: 4 }),
    ...["-c:v", "mpeg4"],
  ]);
  await using server = await testServer({ media: media.path });
  using viewer = await watch(server, { name: "large.mkv", speed: 100, pixelFormat: "bgr24" });
  const random = seeded(11);
  for (let id = 0; id < 10; id++) {
    // Nothing is read until the server has stopped decoding, as it cannot write any more.
    await viewer.control({ action: "seek", to: random() * 3, id });
    await viewer.answered(id);
    const frame = await viewer.frame();
    assertEquals([frame.size, frame.discontinuity], [1280 * 720 * 3, true]);
  }
});
