/** When frames are shown: the source's own timestamps, whatever its rate, start and shape. */
import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertGreater,
  assertLess,
  assertStringIncludes,
} from "@std/assert";
import {
  mediaFolder,
  pictures,
  tone,
  turnClockwise,
  turnPhoto,
} from "../../support/media/media_folder.ts";
import { decodedBy, exactSeconds, presentedBy } from "../../support/media/reference.ts";
import { ask, framesOf, streamOf, watch } from "../../support/peers/native_client.ts";
import { testServer } from "../../support/peers/test_server.ts";
import { HandClock } from "../../support/time/hand_clock.ts";

const media = mediaFolder();
const BY_X264 = ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p"];

/** Adds a pause of 7 ticks of a millisecond before every third picture. */
const UNEVEN = ["-vf", "settb=1/1000,setpts=PTS+7*floor(N/3)", "-fps_mode", "passthrough"];
const MILLISECONDS = ["-enc_time_base", "1:1000"];

function video(options: Parameters<typeof pictures>[0]): string[] {
  return [...pictures(options), ...BY_X264];
}

Deno.test("get_video keeps the timestamps of a variable frame rate", async () => {
  const path = await media.make("uneven.mkv", [
    ...video({ rate: "30" }),
    ...UNEVEN,
    ...MILLISECONDS,
  ]);
  await using server = await testServer({ media: media.path });
  const response = await ask(server, { command: "get_video", name: "uneven.mkv" });
  const frames = framesOf(response, "video");
  assertEquals(frames, await decodedBy(path, { stream: "V:0" }));
  assertEquals(frames.map((frame) => frame.time), await presentedBy(path, "V:0"));
  const moments = response.frames.map((frame) => Math.round(frame.seconds * 1000));
  const steps = moments.slice(1).map((moment, index) => moment - moments[index]);
  assertEquals(new Set(steps), new Set([33, 34, 40]));
});

for (
  const { rate, name, step } of [
    { rate: "60000/1001", name: "59.94.mp4", step: 1001 },
    { rate: "24000/1001", name: "23.976.mp4", step: 1001 },
    { rate: "30000/1001", name: "29.97.mov", step: 1001 },
  ]
) {
  Deno.test(`get_video keeps ${rate} frames a second exactly, in ${name}`, async () => {
    const path = await media.make(name, video({ rate }));
    await using server = await testServer({ media: media.path });
    const response = await ask(server, { command: "get_video", name });
    const [frames, perSecond] = [framesOf(response, "video"), Number(rate.split("/")[0])];
    assertEquals(frames, await decodedBy(path, { stream: "V:0" }));
    assertEquals(
      frames.map((frame) => frame.time),
      frames.map((_, index) => exactSeconds(index * step, [1, perSecond])),
    );
    assertEquals(streamOf(response, "video")?.frameRate, [perSecond, step]);
  });
}

Deno.test("get_video turns what a phone filmed upright, without losing a bit", async () => {
  const path = await media.make("phone.mp4", video({ size: "64x48", seconds: 0.4 }));
  await turnClockwise(path, { height: 48 });
  await using server = await testServer({ media: media.path });
  const response = await ask(server, { command: "get_video", name: "phone.mp4" });
  const stream = streamOf(response, "video");
  assertEquals([stream?.width, stream?.height], [48, 64]);
  // Turned by a filter of its own, not by what ffmpeg does of itself.
  const turned = { input: ["-noautorotate"], output: ["-vf", "transpose=clock"] };
  assertEquals(framesOf(response, "video"), await decodedBy(path, { stream: "V:0", ...turned }));
  const { list } = await ask(server, { command: "list_media" });
  const entry = list?.find(({ name }) => name === "phone.mp4");
  assertEquals([entry?.width, entry?.height], [48, 64]);
});

Deno.test("get_image turns a photo as its camera was held", async () => {
  const path = await media.make("photo.jpg", [...pictures({ size: "64x48" }), "-frames:v", "1"]);
  const output = ["-vf", "transpose=clock"];
  const turned = await decodedBy(path, { stream: "V:0", output });
  await turnPhoto(path, 6);
  await using server = await testServer({ media: media.path });
  const response = await ask(server, { command: "get_image", name: "photo.jpg" });
  const stream = streamOf(response, "video");
  assertEquals([stream?.width, stream?.height], [48, 64]);
  assertEquals(framesOf(response, "video"), turned);
});

Deno.test("get_video begins at zero if the file begins later", async () => {
  const args = [...pictures(), ...tone(), ...BY_X264, "-bf", "2", "-c:a", "mp2"];
  const path = await media.make("begins later.ts", [...args, "-output_ts_offset", "5000"]);
  await using server = await testServer({ media: media.path });
  const response = await ask(server, { command: "get_video", name: "begins later.ts" });
  const frames = framesOf(response, "video");
  assertEquals(frames, await decodedBy(path, { stream: "V:0", beside: "a:0" }));
  assertEquals(frames.map((frame) => frame.time), await presentedBy(path, "V:0"));
  assertLess(Math.min(...response.frames.map((frame) => frame.seconds)), 0.1);
});

Deno.test("get_video states no duration if the file has none", async () => {
  await media.make("endless.h264", video({ seconds: 0.4 }));
  await media.make("with an end.mp4", video({ seconds: 0.4 }));
  await using server = await testServer({ media: media.path });
  const without = await ask(server, { command: "get_video", name: "endless.h264" });
  assertEquals(without.description?.duration, undefined);
  assertEquals(without.end?.frames, 10);
  const withOne = await ask(server, { command: "get_video", name: "with an end.mp4" });
  assertEquals(withOne.description?.duration, 0.4);
});

Deno.test("get_video sends a still image once", async () => {
  const path = await media.make("still.png", [...pictures(), "-frames:v", "1"]);
  await using server = await testServer({ media: media.path });
  const response = await ask(server, { command: "get_video", name: "still.png" });
  assertEquals(framesOf(response, "video"), await decodedBy(path, { stream: "V:0" }));
  assertEquals(response.frames.length, 1);
  assertEquals(response.description?.duration, undefined);
  assertEquals(response.end?.reason, "end");
});

Deno.test("get_image sends a video's first frame, and no audio", async () => {
  const args = [...pictures(), ...tone(), ...BY_X264, "-c:a", "aac"];
  const path = await media.make("talkie.mp4", args);
  await using server = await testServer({ media: media.path });
  const response = await ask(server, { command: "get_image", name: "talkie.mp4" });
  const [first] = await decodedBy(path, { stream: "V:0" });
  assertEquals(response.frames.map(({ md5 }) => md5), [first.md5]);
  assertEquals(response.description?.streams.length, 1);
});

Deno.test("get_image with a start sends the frame that is shown then", async () => {
  const path = await media.make("frames.mp4", video({ seconds: 2 }));
  await using server = await testServer({ media: media.path });
  const all = await decodedBy(path, { stream: "V:0" });
  for (const [start, index] of [[0, 0], [1, 25], [1.24, 31], [1.96, 49]]) {
    const response = await ask(server, { command: "get_image", name: "frames.mp4", start });
    assertEquals(response.frames.map(({ md5 }) => md5), [all[index].md5], `start ${start}`);
  }
});

Deno.test("get_video with start and duration sends just that part", async () => {
  const args = [...pictures({ seconds: 2 }), ...tone({ seconds: 2 }), ...BY_X264];
  const path = await media.make("part.mkv", [...args, "-c:a", "pcm_s16le"]);
  await using server = await testServer({ media: media.path });
  const wanted = { start: 0.6, duration: 0.4 };
  const response = await ask(server, { command: "get_video", name: "part.mkv", ...wanted });
  const all = await decodedBy(path, { stream: "V:0" });
  const frames = framesOf(response, "video");
  assertEquals(frames.map(({ md5 }) => md5), all.slice(15, 25).map(({ md5 }) => md5));
  assertEquals(frames[0].time, "0/1");
  const samples = framesOf(response, "audio").reduce((sum, { size }) => sum + size / 4, 0);
  assertEquals(samples, 0.4 * 48_000);
});

Deno.test("get_video refuses a start behind the end", async () => {
  await media.make("short.mp4", video({ seconds: 0.4 }));
  await using server = await testServer({ media: media.path });
  const { error } = await ask(server, { command: "get_video", name: "short.mp4", start: 9 });
  assertEquals(error?.code, "bad_request");
  assertStringIncludes(error?.message ?? "", "it lasts 0.4 s");
});

Deno.test("get_video sends video and audio side by side", async () => {
  const args = [...pictures({ seconds: 3 }), ...tone({ seconds: 3 }), ...BY_X264];
  await media.make("both.mp4", [...args, "-c:a", "aac"]);
  await using server = await testServer({ media: media.path });
  const { frames } = await ask(server, { command: "get_video", name: "both.mp4" });
  const newest = [0, 0];
  const last = [0, 1].map((id) => frames.findLast((frame) => frame.streamId === id)!.seconds);
  for (const { streamId, seconds } of frames) {
    newest[streamId] = seconds;
    const other = 1 - streamId;
    const goesOn = newest[other] < last[other];
    assert(!goesOn || seconds - newest[other] < 0.3, `${newest} s of picture and sound`);
  }
});

for (const { speed, step } of [{ speed: undefined, step: 40 }, { speed: 4, step: 10 }]) {
  Deno.test(`get_video sends each frame when it is due, at speed ${speed ?? 1}`, async () => {
    await media.make("second.mp4", video({ seconds: 1 }));
    const clock = new HandClock();
    await using server = await testServer({ media: media.path, clock });
    using viewer = await watch(server, { name: "second.mp4", speed });
    for (let count = 1; count < 25; count++) {
      assertEquals((await viewer.due(clock)).length, 1);
      assertAlmostEquals(await clock.passToNext(), step, 1e-6);
    }
    assertEquals((await viewer.rest()).frames.length, 1);
  });
}

Deno.test("get_video never waits at speed 0", async () => {
  await media.make("second.mp4", video({ seconds: 1 }));
  await using server = await testServer({ media: media.path, clock: new HandClock() });
  const { frames } = await ask(server, { command: "get_video", name: "second.mp4", speed: 0 });
  assertEquals(frames.length, 25);
});

Deno.test("get_video lasts as long as the video in real time", async () => {
  await media.make("second.mp4", video({ seconds: 1 }));
  await using server = await testServer({ media: media.path });
  const begun = performance.now();
  let first: number | undefined;
  const onFrame = () => first ??= performance.now();
  await ask(server, { command: "get_video", name: "second.mp4", speed: 0.25 }, { onFrame });
  // The last of 25 frames is due 0.96 s of the video after the first. However busy the machine is,
  // it cannot be quicker.
  const end = performance.now();
  assertGreater((end - begun) / 1000, 4 * 0.96 - 0.01);
  // Nor does it only begin late; the first frame may have been seen so.
  assertGreater((end - (first ?? end)) / 1000, 4 * 0.5);
});

Deno.test("get_video converts to the requested pixel format and size", async () => {
  const path = await media.make("source.mp4", video({ size: "64x48", seconds: 0.4 }));
  await using server = await testServer({ media: media.path });
  for (
    const { request, output, size } of [
      { request: { pixelFormat: "bgr24" }, output: ["-pix_fmt", "bgr24"], size: [64, 48] },
      { request: { width: 32 }, output: ["-vf", "scale=32:24"], size: [32, 24] },
      { request: { height: 96 }, output: ["-vf", "scale=128:96"], size: [128, 96] },
      {
        request: { width: 31, height: 17, pixelFormat: "gray" },
        output: ["-vf", "scale=31:17", "-pix_fmt", "gray"],
        size: [31, 17],
      },
    ]
  ) {
    const response = await ask(server, { command: "get_video", name: "source.mp4", ...request });
    const stream = streamOf(response, "video");
    assertEquals([stream?.width, stream?.height], size);
    assertEquals(stream?.pixelFormat, request.pixelFormat ?? "yuv420p");
    assertEquals(framesOf(response, "video"), await decodedBy(path, { stream: "V:0", output }));
  }
});

Deno.test("get_video refuses frames that are larger than a message", async () => {
  await media.make("scaled.mp4", video({ size: "64x48", seconds: 0.4 }));
  await media.make("deep.png", [
    ...pictures({ size: "64x48" }),
    ...["-frames:v", "1", "-pix_fmt", "ya16be"],
  ]);
  await using server = await testServer({ media: media.path });
  for (const size of [{ width: 16384 }, { height: 16384 }, { width: 16384, height: 16384 }]) {
    const { error } = await ask(server, { command: "get_video", name: "scaled.mp4", ...size });
    assertEquals(error?.code, "unsupported", JSON.stringify(size));
  }
  // 64 bits a pixel, once it is laid out as it travels.
  const { error } = await ask(server, { command: "get_image", name: "deep.png", width: 7000 });
  assertEquals(error?.code, "unsupported");
});

Deno.test("get_video refuses pixel formats that cannot be sent raw", async () => {
  await media.make("any.mp4", video({ seconds: 0.4 }));
  await using server = await testServer({ media: media.path });
  for (const pixelFormat of ["p010le", "nonsense", "vaapi"]) {
    const { error } = await ask(server, { command: "get_video", name: "any.mp4", pixelFormat });
    assertEquals(error?.code, "bad_request");
    assertStringIncludes(error?.message ?? "", `"${pixelFormat}"`);
  }
});

Deno.test("get_video sends the intact frames of a damaged file, and warns", async () => {
  const path = await media.make("damaged.mkv", [...pictures(), "-c:v", "ffv1", "-slicecrc", "1"]);
  const bytes = await Deno.readFile(path);
  const hole = Math.floor(bytes.length / 2);
  bytes.fill(0xa5, hole, hole + 2000);
  await Deno.writeFile(path, bytes);
  await using server = await testServer({ media: media.path });
  const { end, error } = await ask(server, { command: "get_video", name: "damaged.mkv" });
  assertEquals(error, undefined);
  assertGreater(end?.frames ?? 0, 10);
  assertGreater(end?.warning?.length ?? 0, 0);
  assert(!end?.warning?.includes(media.path), "the path is nobody's business");
});

Deno.test("get_video sends as much of a cut file as there is", async () => {
  const path = await media.make("cut.mkv", [...pictures(), "-c:v", "ffv1"]);
  const bytes = await Deno.readFile(path);
  await Deno.writeFile(path, bytes.subarray(0, bytes.length / 2));
  await using server = await testServer({ media: media.path });
  const { end, error } = await ask(server, { command: "get_video", name: "cut.mkv" });
  assertEquals(error, undefined);
  assertGreater(end?.frames ?? 0, 8);
  assertLess(end?.frames ?? 0, 18);
});
