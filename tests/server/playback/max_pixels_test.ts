import { assertEquals, assertMatch } from "@std/assert";
import { startPlayback } from "../../../lib/server/playback/play_file.ts";
import { Library } from "../../../lib/sources/file/library.ts";
import { mediaFolder, pictures } from "../../support/media/media_folder.ts";
import { testServer } from "../../support/peers/test_server.ts";
import { mediaChildren } from "../../support/programs/machine.ts";

const folder = mediaFolder();

/** Files with pictures of 64 × 48 pixels, and one with smaller ones. */
async function makeMedia(): Promise<string> {
  const large = pictures({ size: "64x48", seconds: 0.5 });
  await folder.make("large.png", [...large, "-frames:v", "1"]);
  await folder.make("large.mp4", [...large, "-c:v", "mpeg4"]);
  await folder.make("large.mkv", [...large, "-c:v", "ffv1"]);
  await folder.make("small.png", [...pictures({ size: "32x24" }), "-frames:v", "1"]);
  return folder.path;
}

Deno.test("files with larger frames than allowed are refused before they are decoded", async () => {
  const media = await makeMedia();
  await using server = await testServer({ media, maxPixels: 64 * 48 - 1 });
  using peer = await server.connect();
  for (const name of ["large.png", "large.mp4", "large.mkv"]) {
    for (const encoding of ["raw", "copy"] as const) {
      await peer.ask({ command: "get_video", name, encoding });
      const { error } = await peer.response();
      assertEquals(error?.code, "media_error", name);
      assertEquals(
        error?.message,
        `Cannot serve "${name}": its pictures have 64x48 pixels, expected at most 3071 in all`,
      );
    }
  }
  await peer.ask({ command: "get_image" });
  assertEquals((await peer.response()).frames.length, 1);
  peer.close();
  await server.quiet();
});

Deno.test("a file whose frames turn out larger is not decoded either", async () => {
  const library = new Library(await makeMedia(), { maxPixels: 64 * 48 });
  const signal = new AbortController().signal;
  // As if the file had claimed less than it holds.
  const file = { ...await library.find("large.mkv"), maxPixels: 1000 };
  let message = "";
  try {
    await using _source = await startPlayback(file, {}, { signal });
  } catch (error) {
    message = String(error);
  }
  assertMatch(message, /Cannot decode "large.mkv": /);
  assertEquals(await mediaChildren(), []);
});
