/** Video with a high dynamic range: what is sent, recorded and shown of it. */
import { assertAlmostEquals, assertEquals } from "@std/assert";
import { mediaFolder } from "../../support/media/media_folder.ts";
import { decodedBy } from "../../support/media/reference.ts";
import { averageColor, videoFields } from "../../support/media/shown.ts";
import { ask, framesOf, streamOf } from "../../support/peers/native_client.ts";
import { testServer } from "../../support/peers/test_server.ts";
import { at, runInside } from "../../support/programs/run_inside.ts";
import { testPage } from "../../support/screens/page.ts";

const media = mediaFolder();
const results = mediaFolder();

/** Red, green and blue of the reference white of HDR on a screen without, and unconverted. */
const WHITE = { shown: 221, unconverted: { smpte2084: 148, "arib-std-b67": 191 } };

const TAGS = ["color_transfer", "color_primaries", "color_space", "color_range"];
const FIELDS = ["codec_name", "pix_fmt", ...TAGS];
const SDR = ["bt709", "bt709", "bt709", "tv"];

/** Six pictures of the reference white, by code of luma and encoder. */
function whiteOf(
  luma: number,
  transfer: string,
  encoder: readonly string[],
): string[] {
  return [
    ...["-f", "lavfi", "-i", "color=gray:size=64x48:rate=25:d=0.24"],
    ...["-vf", `format=yuv420p10le,geq=lum=${luma}:cb=512:cr=512`, ...encoder],
    ...["-color_primaries", "bt2020", "-color_trc", transfer],
    ...["-colorspace", "bt2020nc", "-color_range", "tv"],
  ];
}

/** HEVC states its colours itself; of VP9, the container does. */
const FILES = [
  {
    name: "pq.mp4",
    transfer: "smpte2084",
    args: whiteOf(573, "smpte2084", [
      ...["-c:v", "libx265", "-preset", "ultrafast"],
      ...[
        "-x265-params",
        "log-level=none:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc",
      ],
    ]),
  },
  {
    name: "hlg.webm",
    transfer: "arib-std-b67",
    args: whiteOf(721, "arib-std-b67", ["-c:v", "libvpx-vp9", "-cpu-used", "8"]),
  },
] as const;

async function recorded(name: string, args: readonly string[], output: string): Promise<string> {
  await using server = await testServer({ media: media.path });
  const path = results.pathOf(output);
  const kind = args.includes("--image") ? [] : ["--video", name];
  const { status, stderr } = await runInside([...kind, ...args, "--output", path, ...at(server)]);
  assertEquals(status, 0, stderr);
  return path;
}

for (const { name, transfer, args } of FILES) {
  Deno.test(`get_video sends ${name} exactly as raw, and in the usual range as h264`, async () => {
    const path = await media.make(name, args);
    await using server = await testServer({ media: media.path });
    const raw = await ask(server, { command: "get_video", name });
    const expected = await decodedBy(path, { stream: "V:0" });
    assertEquals(framesOf(raw, "video").map(({ md5 }) => md5), expected.map(({ md5 }) => md5));
    const colors = (response: typeof raw) => {
      const video = streamOf(response, "video");
      return [
        ...[video?.pixelFormat, video?.colorTransfer, video?.colorPrimaries],
        ...[video?.colorSpace, video?.colorRange],
      ];
    };
    const stated = [transfer, "bt2020", "bt2020nc", "tv"];
    assertEquals(colors(raw), ["yuv420p10le", ...stated]);
    const copied = await ask(server, { command: "get_video", name, encoding: "copy" });
    assertEquals(colors(copied), ["yuv420p10le", ...stated]);
    const h264 = await ask(server, { command: "get_video", name, encoding: "h264" });
    assertEquals(colors(h264), ["yuv420p", undefined, undefined, "bt709", "tv"]);
    const kept = await ask(server, {
      ...{ command: "get_video", name, encoding: "h264", toneMap: false },
    });
    assertEquals(colors(kept), ["yuv420p", ...stated]);
    const mapped = await ask(server, { command: "get_video", name, toneMap: true });
    assertEquals(colors(mapped), ["yuv420p", undefined, undefined, "bt709", "tv"]);
  });

  Deno.test(`recordings of ${name} state its colours, raw as well as copied`, async () => {
    await media.make(name, args);
    for (const type of ["mp4", "mkv", "webm"]) {
      const path = await recorded(name, [], `raw_${name}.${type}`);
      const [, format, ...tags] = await videoFields(path, FIELDS);
      assertEquals([format, ...tags], ["yuv420p10le", transfer, "bt2020", "bt2020nc", "tv"], type);
    }
    for (const type of ["mp4", "mkv"]) {
      const path = await recorded(name, ["--encoding", "copy"], `copy_${name}.${type}`);
      const tags = await videoFields(path, TAGS);
      assertEquals(tags, [transfer, "bt2020", "bt2020nc", "tv"], `copy ${type}`);
    }
  });

  Deno.test(`${name} is shown in the usual range, unless with --no-tone-map`, async () => {
    await media.make(name, args);
    const h264 = await recorded(name, ["--encoding", "h264"], `h264_${name}.mp4`);
    assertEquals(await videoFields(h264, FIELDS), ["h264", "yuv420p", ...SDR]);
    const png = await recorded(name, ["--image", name], `${name}.png`);
    const jpeg = await recorded(name, ["--image", name, "--encoding", "mjpeg"], `${name}.jpg`);
    const gif = await recorded(name, [], `${name}.gif`);
    for (const path of [h264, png, jpeg, gif]) {
      for (const part of await averageColor(path)) assertAlmostEquals(part, WHITE.shown, 5, path);
    }
    const kept = await recorded(name, ["--image", name, "--no-tone-map"], `kept_${name}.png`);
    const [red] = await averageColor(kept);
    assertAlmostEquals(red, WHITE.unconverted[transfer], 5);
  });
}

Deno.test("the page shows HDR in the usual range: plays, pictures and thumbnails", async () => {
  const [{ name, args }] = FILES;
  await media.make(name, args);
  await using server = await testServer({ media: media.path });
  await using page = await testPage(server);
  const paths = [`/api/play?name=${name}&can=h264`, `/api/image?name=${name}`];
  for (const [index, url] of [...paths, `/api/thumbnail?name=${name}`].entries()) {
    const response = await page.fetch(url);
    assertEquals(response.status, 200, url);
    const path = await results.write(`page_${index}`, await response.bytes());
    for (const part of await averageColor(path)) assertAlmostEquals(part, WHITE.shown, 5, url);
  }
});
