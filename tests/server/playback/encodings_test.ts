/** Encodings through a real connection. */
import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import type { MediaRequest } from "../../../lib/protocol/native/request.ts";
import { mediaFolder, pictures, tone } from "../../support/media/media_folder.ts";
import { decodedBy } from "../../support/media/reference.ts";
import { ask, framesOf, streamOf } from "../../support/peers/native_client.ts";
import { testServer } from "../../support/peers/test_server.ts";

const media = mediaFolder();
const NAME = "talkie.mp4";
const B_FRAMES = ["-x264-params", "b-adapt=0:bframes=3:keyint=10"];

async function makeTalkie(): Promise<string> {
  return await media.make(NAME, [
    ...[...pictures({ size: "65x48" }), ...tone(), "-c:v", "libx264", "-pix_fmt", "yuv444p"],
    ...[...B_FRAMES, "-c:a", "aac"],
  ]);
}

Deno.test("get_video copies the file's own packets", async () => {
  const path = await makeTalkie();
  await using server = await testServer({ media: media.path });
  const response = await ask(server, { command: "get_video", name: NAME, encoding: "copy" });
  const expected = await decodedBy(path, { stream: "V:0", output: ["-c", "copy"] });
  assertEquals(framesOf(response, "video"), expected);
  const video = streamOf(response, "video");
  assertEquals([video?.codec, video?.width, response.end?.frames], ["h264", 65, 25]);
  assertGreater(video?.decodeDelay ?? 0, 0);
  assertEquals(streamOf(response, "audio")?.codec, "aac");
});

Deno.test("get_video encodes h264 and mjpeg, and notes what differs from the request", async () => {
  await makeTalkie();
  await using server = await testServer({ media: media.path });
  const h264 = await ask(server, { command: "get_video", name: NAME, encoding: "h264" });
  assertEquals(h264.description?.notes, ["Pictures are 66×48: H.264 has even sizes only"]);
  assertEquals(h264.description?.streams.map(({ codec }) => codec), ["h264", "aac"]);
  assertEquals(h264.end?.frames, 25);
  const mjpeg = await ask(server, { command: "get_video", name: NAME, encoding: "mjpeg", fps: 5 });
  assertEquals(mjpeg.description?.streams.map(({ codec }) => codec), ["mjpeg", "pcm_s16le"]);
  assertEquals(mjpeg.end?.frames, 5);
});

Deno.test("get_image gives a series in one response", async () => {
  await makeTalkie();
  await using server = await testServer({ media: media.path });
  const request: MediaRequest = { command: "get_image", name: NAME, start: 0.1, every: 0.25 };
  const response = await ask(server, { ...request, encoding: "mjpeg" });
  assertEquals(response.frames.map(({ seconds }) => seconds), [0, 0.25, 0.5, 0.75]);
  assertEquals(response.end?.frames, 4);
});

Deno.test("get_video knows no series", async () => {
  await makeTalkie();
  await using server = await testServer({ media: media.path });
  const plain = await ask(server, { command: "get_video", name: NAME });
  const asked = await ask(server, { command: "get_video", name: NAME, every: 0.5 });
  assertEquals(asked.description, plain.description);
  // One stream may be ahead of the other for a moment.
  for (const type of ["video", "audio"] as const) {
    assertEquals(framesOf(asked, type), framesOf(plain, type));
  }
});

Deno.test("get_image ignores a frame rate, and get_video of an image a series", async () => {
  await media.make("image.png", [...pictures(), "-frames:v", "1"]);
  await using server = await testServer({ media: media.path });
  for (const command of ["get_image", "get_video"] as const) {
    const request: MediaRequest = { command, name: "image.png", encoding: "copy" };
    const other = command === "get_image" ? { fps: 5 } : { every: 5 };
    const [plain, asked] = [
      await ask(server, request),
      await ask(server, { ...request, ...other }),
    ];
    assertEquals([asked.error, asked.description], [undefined, plain.description]);
    assertEquals(asked.end?.frames, 1);
  }
});

Deno.test("get_video refuses options that contradict each other", async () => {
  await makeTalkie();
  await using server = await testServer({ media: media.path });
  const request: MediaRequest = { command: "get_video", name: NAME };
  for (const wish of [{ encoding: "copy", width: 32 }, { quality: 3 }] as const) {
    const { error } = await ask(server, { ...request, ...wish });
    assert(error !== undefined);
    assertEquals(error.code, "bad_request");
    assertLess(error.message.length, 200);
  }
});
