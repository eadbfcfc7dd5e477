import { assert, assertEquals, assertLess, assertMatch } from "@std/assert";
import { encodeRequest, type MediaRequest } from "../../../lib/protocol/native/request.ts";
import { decodingThreads } from "../../../lib/server/playback/play_file.ts";
import { mediaFolder, pictures, tone } from "../../support/media/media_folder.ts";
import { ask } from "../../support/peers/native_client.ts";
import { testServer } from "../../support/peers/test_server.ts";
import { mediaChildren } from "../../support/programs/machine.ts";
import { linuxTest } from "../../support/test_if.ts";

const media = mediaFolder();

async function clip(): Promise<void> {
  await media.make("clip.mp4", [...pictures({ seconds: 1 }), ...tone({ seconds: 1 }), "-shortest"]);
  await media.make("image.png", [...pictures(), "-frames:v", "1"]);
}

Deno.test("reserveFrames() keeps large frames from taking all memory, and gives it back", async () => {
  await clip();
  await using server = await testServer({ media: media.path, maxMemory: 8e6 });
  const large = { command: "get_video", name: "clip.mp4", width: 2000, height: 2000 } as const;
  for (let round = 0; round < 2; round++) {
    const refused = await ask(server, large);
    assertEquals(refused.error?.code, "busy");
    const served = await ask(server, { ...large, width: 200, height: 200, speed: 0 });
    assertEquals(served.error, undefined);
  }
});

Deno.test("startPlayback() gives the last frame up to the end, and refuses a start behind it", async () => {
  await clip();
  await using server = await testServer({ media: media.path });
  const all = await ask(server, { command: "get_video", name: "clip.mp4", audio: false });
  const late = await ask(server, { command: "get_image", name: "clip.mp4", start: 0.999 });
  assertEquals(late.frames.map(({ md5 }) => md5), [all.frames.at(-1)?.md5]);
  const behind = await ask(server, { command: "get_image", name: "clip.mp4", start: 2 });
  assertEquals(behind.error?.code, "bad_request");
  assertMatch(behind.error?.message ?? "", /^Cannot start "clip.mp4" at 2 s: it lasts 1/);
});

Deno.test("startPlayback() gives an image whatever the start, and takes tiny numbers", async () => {
  await clip();
  await using server = await testServer({ media: media.path });
  const image = await ask(server, { command: "get_image", name: "image.png", start: 3 });
  assertEquals(image.end?.frames, 1);
  const tiny = { command: "get_video", name: "clip.mp4", start: 1e-7, speed: 0 } as const;
  assertEquals((await ask(server, tiny)).end?.frames, 25);
});

Deno.test("startPlayback() stops an FFmpeg without output", async () => {
  await media.make("long.mkv", [...pictures({ rate: "25", seconds: 60 }), "-c:v", "mpeg4"]);
  const timeouts = { request: 10_000, stall: 10_000, ping: 5_000, silence: 2_000 };
  await using server = await testServer({ media: media.path, timeouts });
  let frozen = 0;
  const onFrame = async () => {
    if (frozen++ > 0) return;
    for (const child of await mediaChildren()) Deno.kill(child, "SIGSTOP");
  };
  // In real time, so that FFmpeg is not through with it before it is stopped.
  const response = await ask(server, { command: "get_video", name: "long.mkv", speed: 1 }, {
    onFrame: () => void onFrame(),
  });
  assertEquals(response.error?.code, "media_error");
  assertMatch(response.error?.message ?? "", /came to nothing for too long/);
  assertEquals(await mediaChildren(), []);
});

Deno.test("startPlayback() passes on the conversion of frames", async () => {
  await clip();
  await using server = await testServer({ media: media.path });
  const video = { command: "get_video", name: "clip.mp4", audio: false, width: 32 } as const;
  const raw = await ask(server, { ...video, fps: 5 });
  assertEquals([raw.end?.frames, raw.description?.streams[0].codec], [5, "rawvideo"]);
  const bytes = async (request: Partial<MediaRequest>) => {
    const { end, description } = await ask(server, { ...video, ...request });
    assertEquals(description?.streams[0].codec, request.encoding);
    return end?.bytes ?? 0;
  };
  const low = await bytes({ encoding: "mjpeg", quality: 1 });
  assertLess(low, await bytes({ encoding: "mjpeg", quality: 100 }));
  const narrow = await bytes({ encoding: "h264", bitrate: 20_000 });
  assertLess(narrow, await bytes({ encoding: "h264", bitrate: 2_000_000 }));
});

Deno.test("startPlayback() gives a series of images at once, and notes the changes", async () => {
  await clip();
  await using server = await testServer({ media: media.path });
  const series = { command: "get_image", name: "clip.mp4", every: 0.25, start: 0.1 } as const;
  const begun = performance.now();
  const { frames, end } = await ask(server, { ...series, speed: 0.01 });
  assertEquals([frames.map(({ seconds }) => seconds), end?.frames], [[0, 0.25, 0.5, 0.75], 4]);
  // In real time they would take 75 seconds.
  assertLess(performance.now() - begun, 60_000);
  const odd = await ask(server, {
    command: "get_video",
    name: "clip.mp4",
    width: 31,
    encoding: "h264",
  });
  assertEquals(odd.description?.notes?.length, 1);
});

Deno.test("playMedia() waits at the end for what it still reads of the file", async () => {
  // Its etag must not be known from before.
  await media.make("read.mp4", pictures({ seconds: 2 }));
  const { digest } = crypto.subtle;
  const { now } = Date;
  let [begun, ended] = [0, 0];
  try {
    // The file seems to have changed just now, so that its etag is not remembered.
    Date.now = () => 0;
    crypto.subtle.digest = async (...args) => {
      begun++;
      await new Promise((resolve) => setTimeout(resolve, 200));
      ended++;
      return await digest.apply(crypto.subtle, args);
    };
    await using server = await testServer({ media: media.path });
    {
      using client = await server.connect();
      await client.ask({ command: "get_video", name: "read.mp4", speed: 1 });
      await client.until("describe");
      while (begun < 2) await client.frame("video");
    }
    await server.quiet();
    assertEquals([begun, ended], [2, 2]);
  } finally {
    Date.now = now;
    crypto.subtle.digest = digest;
  }
});

Deno.test("decodingThreads() gives a decoder more threads if it is alone, at speed 0", () => {
  const hurried = decodingThreads(0, 1);
  assert(hurried >= 3 && hurried <= 16, `${hurried} threads`);
  const usual = Math.min(16, navigator.hardwareConcurrency);
  assertEquals([decodingThreads(1, 1), decodingThreads(0, 2)], [usual, usual]);
});

linuxTest("startPlayback() tells FFmpeg by how many threads to decode", async () => {
  await media.make("long.mkv", [...pictures({ rate: "25", seconds: 60 }), "-c:v", "mpeg4"]);
  const threadsFor = async (speed: number) => {
    await using server = await testServer({ media: media.path });
    using client = await server.connect();
    const request = { command: "get_video", name: "long.mkv", speed } as const;
    await client.connection.send("request", encodeRequest(request));
    // As it is not read any further, it goes on.
    await client.until("describe");
    const [id] = await mediaChildren();
    const words = (await Deno.readTextFile(`/proc/${id}/cmdline`)).split("\0");
    const ofInput = words.slice(0, words.indexOf("-i"));
    const at = ofInput.indexOf("-threads");
    return at < 0 ? undefined : ofInput[at + 1];
  };
  assertEquals(await threadsFor(0), `${decodingThreads(0, 1)}`);
  assertEquals(await threadsFor(1), `${decodingThreads(1, 1)}`);
});
