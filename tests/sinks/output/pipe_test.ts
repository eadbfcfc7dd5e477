/** NUT on standard output, as other programs read it. */
import { assertEquals, assertMatch } from "@std/assert";
import { mediaFolder, pictures, tone } from "../../support/media/media_folder.ts";
import { decodedBy, decodedBytes } from "../../support/media/reference.ts";
import { testServer } from "../../support/peers/test_server.ts";
import { at, runInside } from "../../support/programs/run_inside.ts";

const media = mediaFolder();

const SOURCES: Record<string, string[]> = {
  "clip.mp4": [
    ...[...pictures({ rate: "30000/1001" }), ...tone()],
    ...["-c:v", "libx264", "-pix_fmt", "yuv420p", "-bf", "2", "-c:a", "aac"],
  ],
  "odd.mkv": [...pictures({ size: "33x17" }), "-c:v", "ffv1", "-pix_fmt", "yuv444p10le"],
  "song.wav": [...tone({ layout: "mono", rate: 44_100 }), "-c:a", "pcm_s16le"],
};

for (const [name, args] of Object.entries(SOURCES)) {
  Deno.test(`PipeSink gives ffmpeg the frames, timestamps and samples of ${name}`, async () => {
    const path = await media.make(name, args);
    await using server = await testServer({ media: media.path });
    const { status, bytes, stdout } = await runInside([
      "--video",
      name,
      "--output",
      "-",
      ...at(server),
    ]);
    assertEquals([status, stdout], [0, ""]);
    const nut = await media.write(`${name}.nut`, bytes);
    const [isPicture, isSound] = [!name.endsWith(".wav"), !name.endsWith(".mkv")];
    if (isPicture) {
      assertEquals(
        await decodedBy(nut, { stream: "V:0" }),
        await decodedBy(path, { stream: "V:0" }),
      );
    }
    if (isSound) {
      const samples = ["-map", "0:a:0", "-c:a", "pcm_s16le", "-f", "md5"];
      assertEquals(await decodedBytes(nut, samples), await decodedBytes(path, samples));
    }
  });
}

Deno.test("PipeSink gives ffmpeg the exact pixels of an image", async () => {
  const path = await media.make("still.png", [...pictures(), "-frames:v", "1"]);
  await using server = await testServer({ media: media.path });
  const { bytes } = await runInside(["--image", "still.png", "--output", "-", ...at(server)]);
  const nut = await media.write("still.png.nut", bytes);
  const pixels = ["-f", "md5"];
  assertEquals(await decodedBytes(nut, pixels), await decodedBytes(path, pixels));
});

Deno.test("PipeSink ends when its reader closes the pipe", async () => {
  await media.make("clip.mp4", SOURCES["clip.mp4"]);
  await using server = await testServer({ media: media.path });
  let chunks = 0;
  const stdout = new WritableStream<Uint8Array>({
    write() {
      if (++chunks > 5) throw new Deno.errors.BrokenPipe("Broken pipe (os error 32)");
    },
  });
  const args = ["--video", "clip.mp4", "--output", "-", ...at(server)];
  const outcome = await runInside(args, { environment: { stdout } });
  assertEquals(outcome.status, 0);
  assertMatch(outcome.stderr, /^Received \d+ frames? in [^\n]+\n$/);
});

Deno.test("PipeSink fails with any other failure of its output", async () => {
  await media.make("clip.mp4", SOURCES["clip.mp4"]);
  await using server = await testServer({ media: media.path });
  const stdout = new WritableStream<Uint8Array>({
    write() {
      throw new Error("No space left on device (os error 28)");
    },
  });
  const args = ["--video", "clip.mp4", "--output", "-", ...at(server)];
  const outcome = await runInside(args, { environment: { stdout } });
  assertEquals(outcome.status, 1);
  assertMatch(
    outcome.stderr,
    /^Cannot write to standard output: No space left on device [^\n]+\n$/,
  );
});

Deno.test("PipeSink refuses a terminal", async () => {
  const args = ["--video", "--output", "-", "--host", "127.0.0.1", "--port", "1"];
  const outcome = await runInside(args, { environment: { stdoutIsTerminal: true } });
  assertEquals(outcome.status, 2);
  assertMatch(outcome.stderr, /^Cannot write media to a terminal: expected a pipe/);
});
