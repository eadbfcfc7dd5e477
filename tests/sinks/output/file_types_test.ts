/** Outputs that are not one file. */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { checkOutput } from "../../../lib/sinks/output/overwrite.ts";
import { mediaFolder, pictures, run, tone } from "../../support/media/media_folder.ts";
import { testServer } from "../../support/peers/test_server.ts";
import { at, runInside } from "../../support/programs/run_inside.ts";

const media = mediaFolder();

const REFUSED = {
  "x.ism": "a .ism is a playlist of many files",
  "x.xyz": "FFmpeg knows no type .xyz",
  "x": "its name tells no type",
};

for (const [path, reason] of Object.entries(REFUSED)) {
  Deno.test(`checkOutput() refuses ${path}`, async () => {
    await assertRejects(() => checkOutput(path, { overwrite: false, still: false }), Error, reason);
  });
}

Deno.test("FileSink leaves no file of an image that cannot be written", async () => {
  await media.make("wide.png", [...pictures({ size: "400x300" }), "-frames:v", "1"]);
  const place = await Deno.makeTempDir({ dir: media.path });
  await using server = await testServer({ media: media.path });
  const args = ["--image", "wide.png", "--output", `${place}/x.ico`, ...at(server)];
  const { status, stderr } = await runInside(args);
  assertEquals(status, 1);
  assertStringIncludes(stderr, `Cannot write "${place}/x.ico"`);
  assertEquals([...Deno.readDirSync(place)], []);
});

Deno.test("FileSink writes 3GP with codecs that its players support", async () => {
  await media.make("clip.mp4", [...pictures({ seconds: 1 }), ...tone({ seconds: 1 }), "-shortest"]);
  const place = await Deno.makeTempDir({ dir: media.path });
  await using server = await testServer({ media: media.path });
  await runInside(["--video", "clip.mp4", "--output", `${place}/x.3gp`, ...at(server)]);
  const codecs = ["-show_entries", "stream=codec_name", "-of", "csv=p=0"];
  const found = await run("ffprobe", [...codecs, `${place}/x.3gp`]);
  assertEquals(new TextDecoder().decode(found).trim().split("\n"), ["h264", "aac"]);
});
