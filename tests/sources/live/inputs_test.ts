import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { mediaFolder, pictures, run, tone } from "../../support/media/media_folder.ts";
import { watchLive } from "../../support/peers/native_client.ts";
import { liveServer } from "../../support/peers/test_server.ts";
import { mediaChildren } from "../../support/programs/machine.ts";
import { XScreen } from "../../support/screens/x_screen.ts";
import { testWith } from "../../support/test_if.ts";

const test = testWith("Xvfb");

const media = mediaFolder();

/** A transport stream of two seconds, a keyframe every half. */
function transportStream(): Promise<string> {
  return media.make("clip.ts", [
    ...[...pictures({ seconds: 2 }), ...tone({ seconds: 2 })],
    ...["-c:v", "libx264", "-preset", "ultrafast", "-g", "12", "-bf", "2", "-c:a", "aac"],
  ]);
}

for (const encoding of ["raw", "copy", "h264", "mjpeg"] as const) {
  Deno.test(`a file that loops has no end, and time goes on: ${encoding}`, async () => {
    const path = await media.make("short.mkv", [
      ...[...pictures({ seconds: 0.6 }), ...tone({ seconds: 0.6 })],
      ...["-c:v", "mpeg4", "-c:a", "mp2"],
    ]);
    {
      await using server = await liveServer(`film=${path}`, { loop: true });
      const begun = performance.now();
      using viewer = await watchLive(server, { encoding });
      const frames = await viewer.frames(40, 0);
      const steps = frames.slice(1).map(({ seconds }, at) => seconds - frames[at].seconds);
      assertGreater(Math.min(...steps), 0);
      assertLess(Math.max(...steps), 0.1);
      assert(frames[0].keyframe && frames.every(({ discontinuity }) => !discontinuity));
      // In real time, although FFmpeg could be faster.
      assertGreater(performance.now() - begun, 1400);
    }
    assertEquals(await mediaChildren(), []);
  });
}

Deno.test("a growing file is followed as it grows, from near its end", async () => {
  const path = await transportStream();
  const whole = await Deno.readFile(path);
  const growing = media.pathOf("growing.ts");
  await Deno.writeFile(growing, whole);
  {
    await using server = await liveServer(`film=${growing}`);
    using viewer = await watchLive(server, { encoding: "copy", audio: false });
    // FFmpeg analyses some seconds before it begins.
    for (let times = 0; times < 2; times++) await Deno.writeFile(growing, whole, { append: true });
    const before = await viewer.frames(40, 0);
    assert(before[0].keyframe);
    await Deno.writeFile(growing, whole, { append: true });
    await viewer.frames(100, 0);
  }
  assertEquals(await mediaChildren(), []);
});

Deno.test("http: a transport stream from a server that goes on and on", async () => {
  const whole = await Deno.readFile(await transportStream());
  await using source = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => {
    const body = new ReadableStream({ pull: (controller) => controller.enqueue(whole.slice()) });
    return new Response(body, { headers: { "content-type": "video/mp2t" } });
  });
  const url = `http://me:word@127.0.0.1:${source.addr.port}/live.ts`;
  {
    await using server = await liveServer(`door=${url}`);
    using viewer = await watchLive(server, { encoding: "copy" });
    const { description } = await viewer.until("describe");
    assertEquals(description.streams.map(({ codec }) => codec), ["h264", "aac"]);
    const frames = await viewer.frames(20, 0);
    assert(frames[0].keyframe);
    assert(!server.lines.join("").includes("word"));
  }
  assertEquals(await mediaChildren(), []);
});

Deno.test("http: JPEG frames one after another, as cameras send them", async () => {
  const picture = await run("ffmpeg", [
    ...[...pictures(), "-frames:v", "1", "-c:v", "mjpeg", "-f", "mjpeg", "pipe:1"],
  ]);
  const part = new Blob([
    `--next\r\nContent-Type: image/jpeg\r\nContent-Length: ${picture.byteLength}\r\n\r\n`,
    ...[picture, "\r\n"],
  ]);
  await using source = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => {
    const body = new ReadableStream({
      pull: async (controller) => controller.enqueue(await part.bytes()),
    });
    const headers = { "content-type": "multipart/x-mixed-replace; boundary=next" };
    return new Response(body, { headers });
  });
  await using server = await liveServer(`cam=http://127.0.0.1:${source.addr.port}/`);
  using viewer = await watchLive(server);
  const [frame] = await viewer.frames(3);
  const [stream] = viewer.description?.streams ?? [];
  assert(stream.type === "video");
  assertEquals([stream.codec, stream.width, stream.height], ["rawvideo", 64, 48]);
  assertGreater(frame.data.byteLength, 64 * 48);
});

test("x11grab: a screen", async () => {
  {
    await using screen = await XScreen.start();
    await using server = await liveServer(`screen=x11grab:${screen.display}`, { linger: 600 });
    using viewer = await watchLive(server, { name: "screen" });
    const frames = await viewer.frames(5);
    const [stream] = viewer.description?.streams ?? [];
    assert(stream.type === "video");
    assertEquals([stream.width, stream.height, stream.pixelFormat], [320, 240, "bgr0"]);
    assertEquals(frames[4].data.byteLength, 320 * 240 * 4);
    // Both are made from one capture, and the rendition without viewers lingers.
    viewer[Symbol.dispose]();
    await server.logged(/ disconnected\n$/);
    using image = await watchLive(server, { command: "get_image", name: "screen", width: 160 });
    assertEquals((await image.frames(1))[0].data.byteLength, 160 * 120 * 4);
    assertEquals((await mediaChildren()).length, 3);
  }
  assertEquals(await mediaChildren(), []);
});
