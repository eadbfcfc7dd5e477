/** Animations, pictures of cameras and AVIF are what they are: videos, or images. */
import { assert, assertAlmostEquals, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { RequestError } from "../../../../lib/base/errors.ts";
import { toSeconds } from "../../../../lib/media/frame.ts";
import { emptiness, isStill } from "../../../../lib/sources/file/listing/kind.ts";
import { Library } from "../../../../lib/sources/file/library.ts";
import { mediaFolder, pictures } from "../../../support/media/media_folder.ts";
import { type Opened, readAll, sumsOf } from "../../../support/media/opened_file.ts";
import { countFrames, decodedBy, presentedBy } from "../../../support/media/reference.ts";
import { testServer } from "../../../support/peers/test_server.ts";
import { countedFfmpeg } from "../../../support/programs/counted_ffmpeg.ts";
import { at, runInside } from "../../../support/programs/run_inside.ts";
import { pureTest } from "../../../support/pure_test.ts";

const media = mediaFolder();
const results = mediaFolder();

/** Each picture takes more than FFmpeg looks at to recognise a file. */
const LARGE = [...pictures({ size: "320x240", rate: "5" }), "-q:v", "1", "-f", "mjpeg"];

/** Five pictures, the third of which is shown for longer. */
const UNEVEN = [
  ...[...pictures({ rate: "5" }), "-vf", "settb=1/100,setpts=PTS+30*gte(N\\,3)"],
  ...["-fps_mode", "passthrough"],
];
const ONE = [...pictures(), "-frames:v", "1"];
const BY_AOM = ["-c:v", "libaom-av1", "-cpu-used", "8", "-pix_fmt", "yuv420p"];

/** Files, how they are made, their kind, and the codec that `copy` sends. */
const FILES: Record<string, { args: readonly string[]; kind: string; copied: string }> = {
  "camera.mjpg": { args: LARGE, kind: "video", copied: "mjpeg" },
  "multipart.mjpg": {
    args: [...pictures({ rate: "5" }), "-f", "mpjpeg"],
    kind: "video",
    copied: "mjpeg",
  },
  "one.mjpg": { args: [...ONE, "-f", "mjpeg"], kind: "image", copied: "mjpeg" },
  "moving.apng": { args: [...UNEVEN, "-f", "apng"], kind: "video", copied: "h264" },
  "one.apng": { args: [...ONE, "-f", "apng"], kind: "image", copied: "png" },
  "moving.gif": { args: UNEVEN, kind: "video", copied: "gif" },
  "one.gif": { args: ONE, kind: "image", copied: "gif" },
  "moving.avif": { args: [...pictures({ rate: "5" }), ...BY_AOM], kind: "video", copied: "av1" },
  "one.avif": { args: [...ONE, ...BY_AOM], kind: "image", copied: "av1" },
};

function timesOf({ streams, frames }: Opened): number[] {
  return frames.map(({ timestamp }) => toSeconds(timestamp, streams[0].timeBase));
}

function secondsOf(times: readonly string[]): number[] {
  return times.map((time) => {
    const [numerator, denominator] = time.split("/").map(Number);
    return numerator / denominator;
  });
}

function assertTimes(found: readonly number[], expected: readonly number[]): void {
  assertEquals(found.length, expected.length);
  found.forEach((seconds, index) => assertAlmostEquals(seconds, expected[index], 2e-3));
}

for (const [name, { args, kind, copied }] of Object.entries(FILES)) {
  Deno.test(`probe() knows that ${name} is ${kind === "image" ? "an image" : "a video"}, and so do all encodings`, async (t) => {
    const path = await media.make(name, args);
    const still = kind === "image";
    const { info } = await new Library(media.path).find(name);
    assertEquals(info.kind, kind);
    const decoded = await decodedBy(path, { stream: "V:0" });
    const times = still ? [0] : secondsOf(decoded.map(({ time }) => time));
    assertEquals(decoded.length, still ? 1 : 5);

    await t.step("raw", async () => {
      const opened = await readAll(media, name, { still });
      assertEquals(sumsOf(opened, "video").map(({ md5 }) => md5), decoded.map(({ md5 }) => md5));
      assertTimes(timesOf(opened), times);
    });

    await t.step("copy", async () => {
      const opened = await readAll(media, name, { still, encoding: "copy" });
      const [stream] = opened.streams;
      assert(stream.type === "video");
      assertEquals(stream.codec, copied);
      assertTimes(timesOf(opened), times);
      if (copied !== info.video?.codec) return;
      const packets = await decodedBy(path, { stream: "V:0", output: ["-c", "copy"] });
      assertEquals(sumsOf(opened, "video").map(({ md5 }) => md5), packets.map(({ md5 }) => md5));
    });

    await t.step("h264", async () => {
      const opened = await readAll(media, name, { still, encoding: "h264" });
      assert(opened.streams[0].type === "video");
      assertEquals(opened.streams[0].codec, "h264");
      assertTimes(timesOf(opened).sort((a, b) => a - b), times);
    });

    await t.step("recording", async () => {
      await using server = await testServer({ media: media.path });
      const output = results.pathOf(`${name}.${still ? "png" : "mkv"}`);
      const { status, stderr } = await runInside([name, "--output", output, ...at(server)]);
      assertEquals(status, 0, stderr);
      assertMatch(stderr, still ? /^Received 1 picture in / : /^Received 5 frames in /);
      assertEquals(await countFrames(output), still ? 1 : 5);
      if (!still) assertTimes(secondsOf(await presentedBy(output, "V:0")), times);
    });
  });
}

Deno.test("probe() knows animations and pictures of cameras by other names, too", async () => {
  const names = { "other.mjpeg": "camera.mjpg", "other.png": "moving.apng" };
  for (const [name, original] of Object.entries(names)) {
    const path = await media.make(original, FILES[original].args);
    await media.write(name, await Deno.readFile(path));
    assertEquals((await new Library(media.path).find(name)).info.kind, "video", name);
  }
});

Deno.test("openDecoder() starts in the middle of animations and pictures of cameras", async () => {
  for (const name of ["camera.mjpg", "moving.apng", "moving.gif", "moving.avif"]) {
    const decoded = await decodedBy(await media.make(name, FILES[name].args), { stream: "V:0" });
    const times = secondsOf(decoded.map(({ time }) => time));
    const opened = await readAll(media, name, { start: times[3] });
    assertEquals(
      sumsOf(opened, "video").map(({ md5 }) => md5),
      decoded.slice(3).map(({ md5 }) => md5),
      name,
    );
    const still = await readAll(media, name, { still: true, start: times[2] + 0.001 });
    assertEquals(sumsOf(still, "video").map(({ md5 }) => md5), [decoded[2].md5], name);
  }
});

Deno.test("probe() says of an animated WebP that this FFmpeg cannot decode it, or plays it", async () => {
  await media.make("moving.webp", pictures({ rate: "5" }));
  const library = new Library(media.path);
  const found = await library.find("moving.webp").catch((error) => error);
  if (!(found instanceof RequestError)) return assertEquals(found.info.kind, "video");
  assertEquals(
    found.message,
    'Cannot serve "moving.webp": it is damaged, or the installed FFmpeg cannot decode its ' +
      "pictures (webp); animations need FFmpeg 9.0 or later",
  );
  await media.make("one.webp", ONE);
  assertEquals((await library.find("one.webp")).info.kind, "image");
});

Deno.test("probe() counts pictures without another process if the extension asks for that", async () => {
  await media.make("counted.gif", ONE);
  await Deno.copyFile(media.pathOf("counted.gif"), media.pathOf("counted.bin"));
  const library = new Library(media.path);
  for (const [name, processes] of [["counted.gif", 1], ["counted.bin", 2]] as const) {
    using counted = await countedFfmpeg("ffprobe");
    assertEquals((await library.find(name)).info.kind, "image");
    assertEquals(counted.starts.length, processes, name);
  }
});

pureTest("isStill() counts only where the format leaves it open", async () => {
  const never = () => Promise.reject(new Error("counted"));
  for (const format_name of ["png_pipe", "image2", "ico", "webp_pipe"]) {
    assertEquals(await isStill({ format_name }, never), true, format_name);
  }
  for (const format_name of ["matroska,webm", "mov,mp4,m4a,3gp,3g2,mj2", "mpegts", undefined]) {
    const tags = { major_brand: "isom" };
    assertEquals(await isStill({ format_name, tags }, never), false, format_name);
  }
  const counted = (nb_read_packets?: string) => () =>
    Promise.resolve([{ codec_type: "audio", nb_read_packets: "1" }, {
      codec_type: "video",
      nb_read_packets,
    }]);
  assertEquals(await isStill({ format_name: "apng" }, counted("1")), true);
  assertEquals(await isStill({ format_name: "apng" }, counted("2")), false);
  assertEquals(await isStill({ format_name: "apng" }, counted()), false);
  assertEquals(await isStill({ format_name: "apng" }, () => Promise.resolve(undefined)), false);
  const heif = { format_name: "mov,mp4,m4a,3gp,3g2,mj2", tags: { major_brand: "mif1" } };
  assertEquals(await isStill(heif, counted("1")), true);
});

pureTest("emptiness() names the codec that FFmpeg cannot decode", () => {
  assertEquals(emptiness(), "no picture and no sound in it");
  assertEquals(
    emptiness("av1"),
    "it is damaged, or the installed FFmpeg cannot decode its pictures (av1)",
  );
});

Deno.test("probe() refuses a file without pictures and sound as before", async () => {
  await media.write("empty.mjpg", "no JPEG at all, but long enough".repeat(20));
  const find = () => new Library(media.path).find("empty.mjpg");
  const { code } = await assertRejects(find, RequestError);
  assertEquals(code, "media_error");
});
