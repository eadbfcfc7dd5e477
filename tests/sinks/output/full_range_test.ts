/** Full-range sources in H.264, encoded by the client or the server. */
import { assertEquals, assertGreater, assertLess } from "@std/assert";
import { mediaFolder, run } from "../../support/media/media_folder.ts";
import { ask, streamOf } from "../../support/peers/native_client.ts";
import { testServer } from "../../support/peers/test_server.ts";
import { at, runInside } from "../../support/programs/run_inside.ts";
import { testPage } from "../../support/screens/page.ts";

const media = mediaFolder();
const results = mediaFolder();

/** Black on the left, white on the right. */
const HALVES = "format=FORMAT,geq=lum='255*gte(X,32)':cb=128:cr=128,setparams=range=pc";

const SOURCES: Record<string, readonly string[]> = {
  "mjpeg.avi": [...halves("yuvj420p"), "-c:v", "mjpeg", "-q:v", "2"],
  "ffv1.mkv": [...halves("yuv420p"), "-c:v", "ffv1", "-color_range", "pc"],
};

function halves(format: string): string[] {
  const source = `nullsrc=size=64x48:rate=10:d=0.3,${HALVES.replace("FORMAT", format)}`;
  return ["-f", "lavfi", "-i", source];
}

/** Checks that a recording is in limited range, tagged so, and shows black and white. */
async function checkPictures(path: string, where: string): Promise<void> {
  const entries = ["-select_streams", "v", "-show_entries", "stream=codec_name,color_range"];
  const found = await run("ffprobe", [...entries, "-of", "json", `file:${path}`]);
  const [{ codec_name: codec, color_range: range = "tv" }] =
    JSON.parse(new TextDecoder().decode(found)).streams;
  // The players' own assumption, unless it is stated, is the usual range.
  assertEquals([codec, range === "unknown" ? "tv" : range], ["h264", "tv"], where);
  const raw = ["-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"];
  const pixels = await run("ffmpeg", ["-i", `file:${path}`, ...raw]);
  const row = pixels.subarray(0, 64 * 3);
  assertLess(row[8 * 3], 6, `${where}: black`);
  assertGreater(row[56 * 3], 249, `${where}: white`);
}

for (const [name, args] of Object.entries(SOURCES)) {
  Deno.test(`H.264 of the full-range ${name} is converted to limited range, and tagged so`, async () => {
    await media.make(name, args);
    await using server = await testServer({ media: media.path });
    const response = await ask(server, { command: "get_video", name, encoding: "h264" });
    const video = streamOf(response, "video");
    assertEquals(video?.type === "video" && video.colorRange, "tv");
    const recordings = { h264: ["mp4", "mkv"], raw: ["mp4", "ts"], mjpeg: ["mp4", "flv"] };
    const all = Object.entries(recordings).flatMap(([encoding, types]) =>
      types.map((type) => [encoding, type])
    );
    for (const [encoding, type] of all) {
      const path = results.pathOf(`${name} as ${encoding}.${type}`);
      const flags = ["--video", name, "--encoding", encoding, "--output", path, ...at(server)];
      const { status, stderr } = await runInside(flags);
      assertEquals(status, 0, stderr);
      await checkPictures(path, `${encoding} in ${type}`);
    }
    await using page = await testPage(server);
    for (const query of ["&can=h264&keep=0", "&can="]) {
      const response = await page.fetch(`/api/play?name=${name}${query}`);
      const path = await results.write(`${name}${query}.mp4`, await response.bytes());
      await checkPictures(path, `page ${query}`);
    }
  });
}
