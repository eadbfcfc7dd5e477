import { assertEquals, assertMatch } from "@std/assert";
import { mediaFolder, pictures, tone } from "../support/media.ts";
import { ask } from "../support/native_client.ts";
import { testServer } from "../support/server.ts";
import { mediaChildren } from "./watched_server.ts";

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

Deno.test("startPlayback() refuses an image of a moment that has no picture", async () => {
  await clip();
  await using server = await testServer({ media: media.path });
  const late = await ask(server, { command: "get_image", name: "clip.mp4", start: 0.999 });
  assertEquals(late.error?.code, "media_error");
  assertMatch(late.error?.message ?? "", /nothing at 0.999 s or later/);
});

Deno.test("startPlayback() gives an image whatever the start, and takes tiny numbers", async () => {
  await clip();
  await using server = await testServer({ media: media.path });
  const image = await ask(server, { command: "get_image", name: "image.png", start: 3 });
  assertEquals(image.end?.frames, 1);
  const tiny = { command: "get_video", name: "clip.mp4", start: 1e-7, speed: 0 } as const;
  assertEquals((await ask(server, tiny)).end?.frames, 25);
});

Deno.test("startPlayback() gives up an FFmpeg that comes to nothing any more", async () => {
  await media.make("long.mkv", [...pictures({ rate: "25", seconds: 60 }), "-c:v", "mpeg4"]);
  const timeouts = { request: 10_000, stall: 10_000, ping: 5_000, silence: 2_000 };
  await using server = await testServer({ media: media.path, timeouts });
  let frozen = 0;
  const onFrame = async () => {
    if (frozen++ > 0) return;
    for (const child of await mediaChildren()) Deno.kill(child, "SIGSTOP");
  };
  const answer = await ask(server, { command: "get_video", name: "long.mkv" }, {
    onFrame: () => void onFrame(),
  });
  assertEquals(answer.error?.code, "media_error");
  assertMatch(answer.error?.message ?? "", /came to nothing for too long/);
  assertEquals(await mediaChildren(), []);
});
