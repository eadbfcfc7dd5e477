/** Sources whose streams change while the client plays or records them. */
import { assertEquals, assertMatch } from "@std/assert";
import { Camera } from "../../support/peers/camera.ts";
import { LiveServer } from "../../support/peers/changing_source.ts";
import { mediaFolder, namesIn, run } from "../../support/media/media_folder.ts";
import { rawStream } from "../../support/peers/test_publisher.ts";

const media = mediaFolder();

/** Size and number of frames of a file. */
async function framesOf(path: string): Promise<string> {
  const entries = "stream=width,height,nb_read_frames";
  const args = ["-count_frames", "-show_entries", entries, "-of", "csv=p=0", path];
  // Of a playlist, a line for each of its programs.
  return new TextDecoder().decode(await run("ffprobe", args)).split("\n")[0];
}

for (const encoding of ["raw", "copy"]) {
  Deno.test(`a recording of ${encoding} goes on in a second file when the size changes`, async () => {
    await using source = await LiveServer.start();
    const folder = await media.folder(`sizes_${encoding}`);
    const path = `${folder}/cam.mkv`;
    const { status, stderr } = await source.play(
      [...["--output", path], ...["--encoding", encoding]],
      async ({ publish }) => {
        await publish({ width: 64, height: 48, frames: 10 });
        await publish({ width: 128, height: 96, frames: 12 });
        await publish({ width: 64, height: 48, frames: 5 });
      },
    );
    assertEquals(status, 0, stderr);
    assertMatch(stderr, /^Goes on in ".*\/cam-2\.mkv": the source is 128x96 now$/m);
    assertMatch(stderr, /^Goes on in ".*\/cam-3\.mkv": the source is 64x48 now$/m);
    assertMatch(
      stderr,
      /; wrote ".*\/cam\.mkv"; .*wrote ".*\/cam-2\.mkv"; .*wrote ".*\/cam-3\.mkv"/m,
    );
    assertEquals(namesIn(folder), ["cam-2.mkv", "cam-3.mkv", "cam.mkv"]);
    assertEquals(await framesOf(path), "64,48,10");
    assertEquals(await framesOf(`${folder}/cam-2.mkv`), "128,96,12");
    assertEquals(await framesOf(`${folder}/cam-3.mkv`), "64,48,5");
  });
}

for (const encoding of ["mjpeg", "h264"] as const) {
  Deno.test(`a recording of ${encoding} goes on in a second file when the size changes`, async () => {
    await using source = await LiveServer.start();
    const folder = await media.folder(`sizes_${encoding}`);
    const path = `${folder}/cam.mkv`;
    const { status, stderr } = await source.play(
      ["--output", path, "--encoding", encoding],
      async ({ publisher }) => {
        using viewer = await source.server.connect();
        await viewer.ask({ command: "get_video", name: "cam", encoding, redescribe: true });
        for (const [width, height] of [[64, 48], [128, 96]]) {
          await publisher.describe(rawStream(width, height));
          const data = new Uint8Array(width * height).fill(width);
          await using _camera = new Camera(publisher, () => ({ data }));
          await viewer.until("describe");
          await viewer.frames(5);
        }
      },
    );
    assertEquals(status, 0, stderr);
    assertMatch(stderr, /^Goes on in ".*\/cam-2\.mkv": the source is 128x96 now$/m);
    assertEquals(namesIn(folder), ["cam-2.mkv", "cam.mkv"]);
    assertMatch(await framesOf(path), /^64,48,\d+$/);
    assertMatch(await framesOf(`${folder}/cam-2.mkv`), /^128,96,\d+$/);
  });
}

Deno.test("a second file that exists is skipped without --overwrite", async () => {
  const folder = await media.folder("existing");
  const path = `${folder}/cam.mkv`;
  for (const overwrite of [[], ["--overwrite"]]) {
    await Deno.writeTextFile(`${folder}/cam-2.mkv`, "precious");
    await using source = await LiveServer.start();
    const { status, stderr } = await source.play(
      ["--output", path, ...overwrite],
      async ({ publish }) => {
        await publish({ width: 64, height: 48, frames: 10 });
        await publish({ width: 128, height: 96, frames: 12 });
      },
    );
    assertEquals(await framesOf(path), "64,48,10");
    if (overwrite.length > 0) {
      assertEquals(status, 0, stderr);
      assertEquals(await framesOf(`${folder}/cam-2.mkv`), "128,96,12");
    } else {
      assertEquals(status, 0, stderr);
      assertMatch(stderr, /^Goes on in ".*\/cam-3\.mkv": the source is 128x96 now$/m);
      assertEquals(await framesOf(`${folder}/cam-3.mkv`), "128,96,12");
      assertEquals(await Deno.readTextFile(`${folder}/cam-2.mkv`), "precious");
      await Deno.remove(path);
    }
  }
});

Deno.test("an image sequence goes on with the next number when the size changes", async () => {
  await using source = await LiveServer.start();
  const folder = await media.folder("pictures");
  const { status, stderr } = await source.play(
    ["--output", `${folder}/at%02d.png`],
    async ({ publish }) => {
      await publish({ width: 64, height: 48, frames: 3 });
      await publish({ width: 128, height: 96, frames: 2 });
    },
  );
  assertEquals(status, 0, stderr);
  assertMatch(stderr, /; wrote 5 files, ".*at01\.png" to ".*at05\.png"$/m);
  assertEquals(namesIn(folder), [1, 2, 3, 4, 5].map((number) => `at0${number}.png`));
  assertEquals(await framesOf(`${folder}/at03.png`), "64,48,1");
  assertEquals(await framesOf(`${folder}/at04.png`), "128,96,1");
});

Deno.test("a playlist goes on in a second one when the size changes", async () => {
  await using source = await LiveServer.start();
  const folder = await media.folder("lists");
  const { status, stderr } = await source.play(
    ["--output", `${folder}/cam.m3u8`],
    async ({ publish }) => {
      await publish({ width: 64, height: 48, frames: 10 });
      await publish({ width: 128, height: 96, frames: 12 });
    },
  );
  assertEquals(status, 0, stderr);
  assertMatch(stderr, /^Goes on in ".*\/cam-2\.m3u8": the source is 128x96 now$/m);
  assertEquals(await framesOf(`${folder}/cam.m3u8`), "64,48,10");
  assertEquals(await framesOf(`${folder}/cam-2.m3u8`), "128,96,12");
});

Deno.test("--view none counts on when the streams change", async () => {
  await using source = await LiveServer.start();
  const { status, stdout } = await source.play(
    ["--view", "none", "--json"],
    async ({ publish }) => {
      await publish({ width: 64, height: 48, frames: 10 });
      await publish({ width: 128, height: 96, pixelFormat: "bgr24", frames: 12 });
    },
  );
  const { frames, bytes } = JSON.parse(stdout);
  assertEquals([status, frames, bytes], [0, 22, 64 * 48 * 10 + 128 * 96 * 3 * 12]);
});

for (
  const [output, more, place] of [
    ["-", [], "standard output"],
    ["-", ["--format", "mpegts"], "standard output"],
    ["udp://127.0.0.1:9", [], '"udp://127.0.0.1:9"'],
  ] as const
) {
  Deno.test(`--output ${output} ${more} says that it cannot take other streams`, async () => {
    await using source = await LiveServer.start();
    const { status, stderr } = await source.play(
      ["--output", output, ...more],
      async ({ publish }) => {
        await publish({ width: 64, height: 48, frames: 10 });
        await publish({ width: 128, height: 96, frames: 12 });
      },
    );
    assertEquals(status, 1);
    assertMatch(
      stderr,
      new RegExp(
        `^Cannot go on writing to ${place}: the source is 128x96 now, and what .* cannot change`,
        "m",
      ),
    );
    // What was taken until then.
    if (place !== "standard output") {
      assertMatch(stderr, /start again for the rest; wrote to "udp:/);
    }
  });
}
