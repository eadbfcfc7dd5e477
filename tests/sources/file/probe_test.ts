import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { RequestError } from "../../../lib/base/errors.ts";
import { PassingError, probe } from "../../../lib/sources/file/probe.ts";
import { mediaFolder, pictures, tone, turnClockwise } from "../../support/media/media_folder.ts";
import { standIn } from "../../support/programs/stand_in.ts";

const media = mediaFolder();
const STILL = [...pictures({ seconds: 0.04 }), "-frames:v", "1"];

function probeNamed(name: string) {
  return probe(media.pathOf(name), name);
}

/** The refusal of a file, by that name. */
async function refusalOf(name: string): Promise<RequestError> {
  const error = await assertRejects(() => probeNamed(name), RequestError, `"${name}"`, name);
  assertEquals(error.code, "media_error");
  assert(!error.message.includes(media.path), error.message);
  assert(!error.message.includes("\n"), error.message);
  return error;
}

Deno.test("probe() describes a video", async () => {
  const args = [...pictures({ size: "64x48", rate: "30000/1001" }), ...tone(), "-shortest"];
  args.push("-c:v", "libx264", "-pix_fmt", "yuv420p", "-colorspace", "bt709", "-c:a", "aac");
  await media.make("video.mp4", args);
  const { kind, format, duration, video, audio } = await probeNamed("video.mp4");
  assertEquals([kind, format.split(",")[0]], ["video", "mov"]);
  assert(duration !== undefined && Math.abs(duration - 1) < 0.05, `${duration} s`);
  assertEquals(video, {
    codec: "h264",
    width: 64,
    height: 48,
    pixelFormat: "yuv420p",
    timeBase: [1, 30_000],
    frameRate: [30_000, 1001],
    sampleAspectRatio: [1, 1],
    rotation: 0,
    colorRange: "tv",
    colorSpace: "bt709",
    decodeDelay: 2,
  });
  const expected = { codec: "aac", sampleRate: 48_000, channels: 2, sampleFormat: "fltp" };
  assertEquals(audio, expected);
});

Deno.test("probe() returns the size as shown of a rotated video", async () => {
  const path = await media.make("phone.mp4", [...pictures({ size: "64x48" }), "-c:v", "libx264"]);
  await turnClockwise(path, { height: 48 });
  const { video } = await probeNamed("phone.mp4");
  assertEquals([video?.width, video?.height, video?.rotation], [48, 64, 90]);
});

Deno.test("probe() calls stills images and gives them no duration", async () => {
  for (const name of ["a.png", "a.jpg", "a.bmp", "a.webp", "a.tiff", "a.ppm", "a.qoi", "a%d.png"]) {
    await media.make(`still.${name.split(".")[1]}`, STILL);
    await Deno.copyFile(media.pathOf(`still.${name.split(".")[1]}`), media.pathOf(name));
    const { kind, duration } = await probeNamed(name);
    assertEquals([kind, duration], ["image", undefined], name);
  }
});

Deno.test("probe() calls an animation a video, even with a name like a series", async () => {
  await media.make("animated.gif", pictures({ seconds: 0.4 }));
  await Deno.copyFile(media.pathOf("animated.gif"), media.pathOf("animated %03d.gif"));
  for (const name of ["animated.gif", "animated %03d.gif"]) {
    const { kind, duration } = await probeNamed(name);
    assertEquals([kind, duration], ["video", 0.4]);
  }
});

Deno.test("probe() refuses what is no media", async () => {
  const video = await media.make("whole.mp4", [...pictures(), "-c:v", "libx264"]);
  const bytes = await Deno.readFile(video);
  await media.write("cut.mp4", bytes.subarray(0, bytes.length / 2));
  const noise = Uint8Array.from({ length: 20_000 }, (_, at) => Math.imul(at, 0x9e3779b1) >>> 21);
  await media.write("noise.mp4", noise);
  await media.write("zeros.mkv", new Uint8Array(20_000));
  await media.write("page.html", "<html><body><p>Nothing to see</p></body></html>\n");
  await media.write("text.png", "just a text\n");
  await media.write("one byte.mp4", "x");
  await media.write("readme.txt", "A text that FFmpeg would draw as on a terminal.\n".repeat(50));
  for (
    const name of [
      "cut.mp4",
      "noise.mp4",
      "zeros.mkv",
      "page.html",
      "text.png",
      "one byte.mp4",
      "readme.txt",
    ]
  ) await refusalOf(name);
  assertStringIncludes((await refusalOf("cut.mp4")).message, "moov atom not found");
});

Deno.test("probe() refuses lists that name other files", async () => {
  const secret = await media.make("elsewhere/secret.mp4", [...pictures(), "-c:v", "libx264"]);
  await media.write(
    "list.m3u8",
    `#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n${secret}\n#EXT-X-ENDLIST\n`,
  );
  await media.write("list.mp4", await Deno.readTextFile(media.pathOf("list.m3u8")));
  await media.write("list.ffconcat", `ffconcat version 1.0\nfile '${secret}'\n`);
  await media.write("list.avi", await Deno.readTextFile(media.pathOf("list.ffconcat")));
  await media.write("description.sdp", "v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n");
  await media.write(
    "list.mpd",
    `<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static">` +
      `<Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1">` +
      `<BaseURL>${secret}</BaseURL></Representation></AdaptationSet></Period></MPD>`,
  );
  const names = [
    "list.m3u8",
    "list.mp4",
    "list.ffconcat",
    "list.avi",
    "description.sdp",
    "list.mpd",
  ];
  for (const name of names) await refusalOf(name);
});

Deno.test("probe() refuses a file that is gone, which may pass", async () => {
  assert(await refusalOf("nowhere.mp4") instanceof PassingError);
});

Deno.test("probe() distinguishes bad data from failures that may pass", async () => {
  await media.write("still noise.mp4", new Uint8Array(3000).fill(0xa5));
  assert(!(await refusalOf("still noise.mp4") instanceof PassingError));
  await media.write("list of none.m3u8", "#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:1/a.ts\n");
  assert(!(await refusalOf("list of none.m3u8") instanceof PassingError));
});

Deno.test("probe() names a format that is not served, however FFmpeg writes addresses", async () => {
  await media.write("list.bin", new Uint8Array(9));
  for (const address of ["0x55d0c2", "000001d9b4d4a2c0"]) {
    const line = `[hls @ ${address}] Format not on whitelist 'mov,mp4'`;
    using _ffprobe = await standIn("ffprobe", `echo "${line}" >&2; exit 1`);
    assertStringIncludes((await refusalOf("list.bin")).message, "hls");
    assert(!(await refusalOf("list.bin")).message.includes("whitelist"));
  }
});
