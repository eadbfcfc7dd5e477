/** A server that encodes and decodes by hardware, for which the processor stands in. */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { RequestError } from "../../lib/base/errors.ts";
import type { ServerOptions } from "../../lib/server/options.ts";
import { parseLiveSource } from "../../lib/sources/live/source_spec.ts";
import { mediaFolder, pictures } from "../support/media/media_folder.ts";
import { askWhole, pointsOf } from "../support/peers/cut_responses.ts";
import { watchLive } from "../support/peers/native_client.ts";
import { type TestServer, testServer } from "../support/peers/test_server.ts";
import { hardwareStandIn } from "../support/programs/hardware_stand_in.ts";
import { unixTest } from "../support/test_if.ts";

const media = mediaFolder();

/** H.264 with the pixel formats of 8 and of 10 bits, and MPEG-2, which states no exact pixels. */
const CLIPS = {
  "clip.mp4": ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p"],
  "deep.mp4": ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p10le"],
  "old.mkv": ["-c:v", "mpeg2video", "-pix_fmt", "yuv420p"],
};

async function hardwareServer(options: Partial<ServerOptions> = {}): Promise<TestServer> {
  for (const [name, codec] of Object.entries(CLIPS)) {
    await media.make(name, [...pictures({ seconds: 0.6 }), ...codec]);
  }
  const sources = ["cam", "door"]
    .map((name) => parseLiveSource(`${name}=lavfi:testsrc=size=64x48:rate=25`));
  return await testServer({ media: media.path, live: { sources, linger: 0 }, ...options });
}

/** Codecs of what a live source sends, once three frames of it have come. */
async function seen(server: TestServer, name: string): Promise<string[]> {
  using viewer = await watchLive(server, { name, encoding: "h264" });
  await viewer.frames(3);
  return viewer.description.streams.map(({ codec }) => codec);
}

function linesOf(server: TestServer, pattern: RegExp): string[] {
  return server.lines.filter((line) => pattern.test(line));
}

unixTest(
  "a server of --encoder auto encodes live sources by hardware, and files by x264",
  async () => {
    using ffmpeg = await hardwareStandIn({ works: ["h264_vaapi"] });
    await using server = await hardwareServer({ encoder: "auto" });
    assertEquals(linesOf(server, /h264/).length, 2);
    await server.logged(/ info +h264 is encoded by h264_vaapi\n/);
    await server.logged(
      / info +h264 of files is encoded by libx264, so that they can be resumed\n/,
    );
    assertEquals(await seen(server, "cam"), ["h264"]);
    const { description } = await askWhole(server, { name: "clip.mp4", encoding: "h264" });
    assertMatch(description.etag ?? "", /^\S+$/);
    const [live, file] = ffmpeg.streams;
    assertMatch(live, /-init_hw_device vaapi=encoder .*-c:v h264_vaapi .*-rc_mode CQP/s);
    assertMatch(live, /-vf \S+,format=nv12,hwupload /);
    assertMatch(file, /-c:v libx264 /);
  },
);

unixTest("a server of a named encoder makes files by it, which cannot be resumed", async () => {
  using ffmpeg = await hardwareStandIn({ works: ["h264_nvenc"] });
  await using server = await hardwareServer({ encoder: "h264_nvenc" });
  const request = { name: "clip.mp4", encoding: "h264", bitrate: 500_000 } as const;
  const whole = await askWhole(server, request);
  assertEquals([whole.frames.length, whole.description.etag], [15, undefined]);
  // The second one is not started from what was kept of the first.
  assertEquals((await askWhole(server, request)).frames.length, 15);
  assertEquals(ffmpeg.streams.length, 2);
  for (const line of ffmpeg.streams) {
    assertMatch(line, /-c:v h264_nvenc .*-bf 0 -g 50 -rc vbr -b:v 500000 -maxrate 500000 /);
    assertMatch(
      line,
      /-force_key_frames expr:if\(isnan\(prev_forced_t\),1,gte\(t,prev_forced_t\+2/,
    );
  }
  const resume = pointsOf(whole.frames.slice(0, 5), whole.description.streams);
  const refusal = await assertRejects(
    () => askWhole(server, { ...request, resume }),
    RequestError,
    'Cannot resume "clip.mp4": the server makes it with hardware',
  );
  assertEquals(refusal.code, "unsupported");
  const raw = await askWhole(server, { name: "clip.mp4" });
  assert(raw.description.etag !== undefined);
});

unixTest("a server goes on by x264 where an encoder fails, and tells so once", async () => {
  using ffmpeg = await hardwareStandIn({ failsLater: ["h264_nvenc"] });
  await using server = await hardwareServer({ encoder: "h264_nvenc" });
  assertEquals(linesOf(server, / warn /), []);
  assertEquals(await seen(server, "cam"), ["h264"]);
  assertEquals(await seen(server, "door"), ["h264"]);
  const { frames } = await askWhole(server, { name: "clip.mp4", encoding: "h264" });
  assertEquals(frames.length, 15);
  const encoders = ffmpeg.streams.map((line) => line.match(/-c:v (\S+)/)?.[1]);
  assertEquals(encoders, Array(3).fill(["h264_nvenc", "libx264"]).flat());
  const told = linesOf(server, /is not plugged in/);
  assertEquals(told.length, 2, told.join(""));
  assertMatch(told[0], /warn +Cannot use h264_nvenc for "cam": h264_nvenc is not plugged in; the/);
  assertMatch(told[1], /for "clip\.mp4"/);
});

unixTest("a server tells at its start that a named encoder and a method do not work", async () => {
  using ffmpeg = await hardwareStandIn();
  await using server = await hardwareServer({ encoder: "h264_vaapi", hwaccel: "cuda" });
  const warnings = linesOf(server, / warn /).map((line) => line.replace(/^.* warn +/, ""));
  assertEquals(warnings, [
    "Cannot encode with h264_vaapi: h264_vaapi is not plugged in; libx264 is used instead\n",
    "Cannot decode with cuda: cuda is not plugged in; the processor decodes instead\n",
  ]);
  assertEquals(await seen(server, "cam"), ["h264"]);
  assertMatch(ffmpeg.streams[0], /-c:v libx264 /);
});

unixTest(
  "frames decoded by hardware have the bytes and the pixel format of the processor",
  async () => {
    const requests = [
      { name: "clip.mp4" },
      { name: "deep.mp4" },
      { name: "clip.mp4", pixelFormat: "bgr24", width: 40 },
      { name: "clip.mp4", encoding: "h264" },
    ] as const;
    await using plain = await hardwareServer();
    const expected = [];
    for (const request of requests) expected.push(await askWhole(plain, request));
    using ffmpeg = await hardwareStandIn({ devices: ["vaapi"] });
    await using server = await hardwareServer({ hwaccel: "vaapi" });
    for (const [index, request] of requests.entries()) {
      const { description, frames } = await askWhole(server, request);
      const said = JSON.stringify(request);
      assertEquals(description, expected[index].description, said);
      assertEquals(
        frames.map(({ md5 }) => md5),
        expected[index].frames.map(({ md5 }) => md5),
        said,
      );
    }
    for (const line of ffmpeg.streams) assertMatch(line, /-hwaccel vaapi .*-i /);
    // Its standard lets decoders differ.
    const { description } = await askWhole(server, { name: "old.mkv" });
    assertEquals(description.etag, undefined);
    const copied = await askWhole(server, { name: "old.mkv", encoding: "copy" });
    assert(copied.description.etag !== undefined);
    assert(!ffmpeg.streams.at(-1)?.includes("-hwaccel"), ffmpeg.streams.at(-1));
  },
);
