/** Standard output in formats of FFmpeg's, and programs that read it. */
import { assertEquals, assertMatch } from "@std/assert";
import { findPython } from "../../peers/python.ts";
import { mediaFolder, pictures, run, tone } from "../../support/media/media_folder.ts";
import { decodedBytes } from "../../support/media/reference.ts";
import { FormattedPipeSink } from "../../../lib/sinks/output/pipe.ts";
import { GREY } from "../../support/peers/scripted_server.ts";
import { type TestServer, testServer } from "../../support/peers/test_server.ts";
import { isInstalled } from "../../support/programs/machine.ts";
import { at, runInside } from "../../support/programs/run_inside.ts";
import { sourceCommand } from "../../support/programs/running_program.ts";

const media = mediaFolder();
const python = await findPython(["cv2"]);
const hasPlayer = isInstalled("ffplay");

/** The program that the guide for Python shows. */
const OPENCV = (await Deno.readTextFile(new URL("../../../docs/guide/python.md", import.meta.url)))
  .match(/```python\n(import cv2\n[^]*?)```/)?.[1] ?? "";

async function serverOfClip(): Promise<TestServer> {
  const codecs = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac"];
  await media.make("clip.mp4", [...pictures(), ...tone(), ...codecs]);
  return await testServer({ media: media.path });
}

/** Codecs and numbers of frames that ffprobe finds in bytes. */
async function streamsIn(name: string, bytes: Uint8Array<ArrayBuffer>): Promise<string[]> {
  const path = await media.write(name, bytes);
  const entries = "stream=codec_name,nb_read_frames";
  const args = ["-count_frames", "-show_entries", entries, "-of", "json", `file:${path}`];
  const { streams } = JSON.parse(new TextDecoder().decode(await run("ffprobe", args)));
  return streams.map((stream: Record<string, unknown>) =>
    ["aac", "vorbis", "mp2"].includes(`${stream.codec_name}`)
      ? stream.codec_name
      : `${stream.codec_name} ${stream.nb_read_frames}`
  );
}

for (
  const [format, encoding, expected] of [
    ["y4m", "raw", ["rawvideo 25"]],
    ["mpegts", "raw", ["h264 25", "mp2"]],
    ["mpegts", "copy", ["h264 25", "aac"]],
    ["matroska", "raw", ["h264 25", "aac"]],
    ["mp4", "raw", ["h264 25", "aac"]],
    ["mp4", "copy", ["h264 25", "aac"]],
    ["flv", "h264", ["h264 25", "aac"]],
    ["h264", "copy", ["h264 25"]],
    ["apng", "mjpeg", ["apng 25"]],
  ] as const
) {
  Deno.test(`FormattedPipeSink writes ${format} of ${encoding} frames`, async () => {
    await using server = await serverOfClip();
    const how = ["--encoding", encoding, "--output", "-", "--format", format];
    const { status, bytes, stderr } = await runInside([
      "--video",
      "clip.mp4",
      ...how,
      ...at(server),
    ]);
    assertEquals(status, 0, stderr);
    assertMatch(stderr, /^Received 25 frames in [^;\n]+\n$/);
    assertEquals(await streamsIn(`${encoding}.${format}`, bytes), [...expected]);
  });
}

Deno.test("FormattedPipeSink writes every pixel, and nothing else, as rawvideo", async () => {
  await using server = await serverOfClip();
  const how = ["--pixel-format", "bgr24", "--output", "-", "--format", "rawvideo"];
  const { bytes } = await runInside(["--video", "clip.mp4", ...how, ...at(server)]);
  const pixels = ["-map", "0:v", "-pix_fmt", "bgr24", "-f", "rawvideo"];
  const expected = await decodedBytes(media.pathOf("clip.mp4"), pixels);
  assertEquals([bytes.length, expected.length], [25 * 64 * 48 * 3, 25 * 64 * 48 * 3]);
  const difference = bytes.reduce((sum, byte, at) => sum + Math.abs(byte - expected[at]), 0);
  assertEquals(difference / bytes.length < 2, true);
});

Deno.test("FormattedPipeSink takes the next raw frame when the last one is written", async () => {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const dialect = () => Promise.reject(new Error("FFmpeg is not needed"));
  await using sink = new FormattedPipeSink(writable, { format: "rawvideo", dialect });
  await sink.begin({
    ...{ name: "cam", live: true, streams: [GREY] },
    ...{ still: false, encoding: "raw", speed: 1, lead: 0, firstPicture: 0 },
  });
  const reader = readable.getReader();
  const written: number[] = [];
  const show = async (timestamp: number) => {
    const data = new Uint8Array(256).fill(timestamp);
    await sink.show({ streamId: GREY.id, timestamp, keyframe: true, data });
    written.push(timestamp);
  };
  const showing = [1, 2].map(show);
  for (const timestamp of [1, 2]) {
    const { value } = await reader.read();
    assertEquals([value?.length, value?.[0]], [256, timestamp]);
    await showing[timestamp - 1];
    assertEquals(written.length, timestamp);
  }
  const [, { done }] = await Promise.all([sink.finish(true), reader.read()]);
  assertEquals(done, true);
});

Deno.test("FormattedPipeSink writes the audio alone as WAV", async () => {
  await using server = await serverOfClip();
  const args = ["--video", "clip.mp4", "--output", "-", "--format", "wav", ...at(server)];
  const { bytes } = await runInside(args);
  assertEquals(new TextDecoder("latin1").decode(bytes.subarray(0, 4)), "RIFF");
  assertMatch(`${await streamsIn("song.wav", bytes)}`, /^pcm_s16le \d+$/);
});

for (const [format, begin] of [["png", "\x89PNG"], ["jpg", "\xff\xd8\xff"], ["bmp", "BM"]]) {
  Deno.test(`FormattedPipeSink writes one picture as ${format}`, async () => {
    await using server = await serverOfClip();
    const args = ["--image", "clip.mp4", "--output", "-", "--format", format, ...at(server)];
    const { status, bytes, stderr } = await runInside(args);
    assertEquals(status, 0, stderr);
    const head = new TextDecoder("latin1").decode(bytes.subarray(0, begin.length));
    assertEquals(head, new TextDecoder("latin1").decode(latin1(begin)));
  });
}

for (
  const [what, count] of [
    [["--video", "clip.mp4"], 25],
    [["--video", "clip.mp4", "--encoding", "h264", "--start", "0.5"], 12],
    [["--image", "clip.mp4", "--every", "0.5"], 2],
  ] as const
) {
  Deno.test(`FormattedPipeSink writes consecutive PNGs of ${what.join(" ")}`, async () => {
    await using server = await serverOfClip();
    const { status, bytes, stderr } = await runInside([
      ...[...what, "--output", "-", "--format", "png", ...at(server)],
    ]);
    assertEquals(status, 0, stderr);
    const text = new TextDecoder("latin1").decode(bytes);
    assertEquals(text.split("PNG\r\n").length - 1, count);
  });
}

function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

Deno.test("FormattedPipeSink takes encoders and arguments of the user", async () => {
  await using server = await serverOfClip();
  const how = ["--output", "-", "--format", "matroska", "--codec", "ffv1,none"];
  const more = ["--", "-metadata", "title=hello"];
  const { status, bytes, stderr } = await runInside([
    ...["--video", "clip.mp4", ...how, ...at(server), ...more],
  ]);
  assertEquals(status, 0, stderr);
  assertEquals(await streamsIn("chosen.mkv", bytes), ["ffv1 25"]);
  const title = ["-show_entries", "format_tags=title", "-of", "csv=p=0"];
  const found = await run("ffprobe", [...title, media.pathOf("chosen.mkv")]);
  assertEquals(new TextDecoder().decode(found).trim(), "hello");
});

Deno.test("FormattedPipeSink ends when its reader closes the pipe", async () => {
  await using server = await serverOfClip();
  let chunks = 0;
  const stdout = new WritableStream<Uint8Array>({
    write() {
      if (++chunks > 2) throw new Deno.errors.BrokenPipe("Broken pipe (os error 32)");
    },
  });
  const how = ["--loop", "--output", "-", "--format", "rawvideo"];
  const args = ["--video", "clip.mp4", ...how, "--speed", "max", ...at(server)];
  const outcome = await runInside(args, { environment: { stdout } });
  assertEquals(outcome.status, 0);
  assertMatch(outcome.stderr, /^Received \d+ frames? in [^\n]+\n$/);
});

Deno.test("FormattedPipeSink fails with any other failure of its output", async () => {
  await using server = await serverOfClip();
  const stdout = new WritableStream<Uint8Array>({
    write() {
      throw new Error("No space left on device (os error 28)");
    },
  });
  const args = ["--video", "clip.mp4", "--output", "-", "--format", "y4m", ...at(server)];
  const outcome = await runInside(args, { environment: { stdout } });
  assertEquals(outcome.status, 1);
  assertMatch(outcome.stderr, /^Cannot write to standard output: No space left [^\n]+\n$/);
});

Deno.test("FormattedPipeSink reports what a format cannot store", async () => {
  await using server = await serverOfClip();
  const how = ["--no-audio", "--output", "-", "--format", "wav"];
  const { status, stderr } = await runInside(["--video", "clip.mp4", ...how, ...at(server)]);
  assertEquals(status, 1);
  assertEquals(
    stderr,
    "Cannot write wav to standard output: this type stores none of the streams, expected one for " +
      "audio or video\n",
  );
});

/** Runs `stream-client --video … --output - | …` in a shell. */
async function pipe(server: TestServer, reader: string): Promise<{ code: number; stdout: string }> {
  const flags = ["--video", "clip.mp4", "--output", "-", ...at(server)];
  const client = [...sourceCommand("client"), ...flags].map((word) => `'${word}'`).join(" ");
  const { code, stdout } = await new Deno.Command("bash", {
    args: ["-o", "pipefail", "-c", `${client} | ${reader}`],
    cwd: media.path,
    env: { SDL_AUDIODRIVER: "dummy", PATH: `${Deno.env.get("PATH")}` },
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).output();
  return { code, stdout: new TextDecoder().decode(stdout) };
}

Deno.test({
  name: `stream-client --output - is what ffplay plays${hasPlayer ? "" : " (ignored: no ffplay)"}`,
  ignore: !hasPlayer,
  async fn() {
    await using server = await serverOfClip();
    assertEquals((await pipe(server, "ffplay -v error -nodisp -autoexit -")).code, 0);
  },
});

Deno.test({
  name: `stream-client --output - is what OpenCV reads${python ? "" : " (ignored: no cv2)"}`,
  ignore: python === undefined,
  async fn() {
    await using server = await serverOfClip();
    await media.write("show.py", OPENCV);
    const { code, stdout } = await pipe(server, `${python} show.py`);
    assertEquals([code, stdout], [0, "(48, 64, 3) uint8\n".repeat(25)]);
  },
});
