/** Renditions: sizes, frame rates, colours, and audio in sync with video. */
import { assert, assertAlmostEquals, assertEquals, assertGreater, assertLess } from "@std/assert";
import type { Encoding } from "../../../lib/media/frame.ts";
import type { MediaOptions } from "../../../lib/sources/file/plan.ts";
import { mediaFolder, pictures, run, tone } from "../../support/media/media_folder.ts";
import { run as runWith } from "../../support/media/nut_files.ts";
import {
  convertNut,
  LEAD,
  type Opened,
  readAll,
  sumsOf,
  toNut,
} from "../../support/media/opened_file.ts";
import { decodedBy } from "../../support/media/reference.ts";

const media = mediaFolder();
const BY_X264 = ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p"];
const RGB = ["-f", "rawvideo", "-pix_fmt", "rgb24"];

/** Bars of colours that differ most between one matrix and the other. */
const BARS = ["-f", "lavfi", "-i", "smptehdbars=size=128x96:rate=10:d=0.3"];

/** Source formats, and how to make each. */
const COLORED: Record<string, readonly string[]> = {
  "rgb.mkv": ["-c:v", "ffv1", "-pix_fmt", "bgr0"],
  "planar rgb.mkv": ["-c:v", "libx264rgb", "-qp", "0", "-pix_fmt", "bgr24"],
  "alpha.mov": ["-c:v", "png", "-pix_fmt", "rgba"],
  "palette.gif": ["-vf", "split[a][b];[a]palettegen[p];[b][p]paletteuse=dither=none"],
  "bt601.mkv": ["-c:v", "ffv1", "-pix_fmt", "yuv444p"],
  "bt709.mkv": [
    ...["-vf", "scale=out_color_matrix=bt709", "-c:v", "libx264", "-qp", "0"],
    ...["-pix_fmt", "yuv444p", "-colorspace", "bt709", "-color_range", "tv"],
  ],
  "full range.avi": ["-c:v", "mjpeg", "-q:v", "2", "-pix_fmt", "yuvj444p"],
  "10 bits.mkv": ["-c:v", "ffv1", "-pix_fmt", "yuv420p10le"],
  "grey.mkv": ["-c:v", "ffv1", "-pix_fmt", "gray"],
  "alpha in 4:2:0.mkv": ["-c:v", "ffv1", "-pix_fmt", "yuva420p"],
};

/** Mean difference of bytes. */
function difference(a: Uint8Array, b: Uint8Array): number {
  assertEquals(a.length, b.length);
  return a.reduce((sum, byte, at) => sum + Math.abs(byte - b[at]), 0) / a.length;
}

/** The range and the matrix that ffmpeg finds in packets. */
async function colorsIn(nut: Uint8Array<ArrayBuffer>): Promise<string[]> {
  const args = ["-f", "nut", "-select_streams", "v", "-show_streams", "-of", "json", "pipe:0"];
  const { stdout } = await runWith("ffprobe", args, nut);
  const [stream] = JSON.parse(new TextDecoder().decode(stdout)).streams;
  // H.264 says nothing of the usual range.
  return [stream.color_range ?? "tv", stream.color_space ?? "unknown"];
}

for (const encoding of ["h264", "mjpeg"] as const) {
  Deno.test(`openDecoder() keeps the colours of all sources in ${encoding}`, async (t) => {
    const options = encoding === "h264" ? { bitrate: 20_000_000 } : { quality: 100 };
    for (const [name, args] of Object.entries(COLORED)) {
      await t.step(name, async () => {
        const path = await media.make(name, [...BARS, ...args]);
        const opened = await readAll(media, name, { encoding, ...options });
        const output = ["-frames:v", "1", ...RGB];
        const [found, expected] = [
          await convertNut(await toNut(opened), output),
          await run("ffmpeg", ["-i", `file:${path}`, ...output, "pipe:1"]),
        ];
        // H.264 has half as many colours as pixels.
        assertLess(difference(found, expected), encoding === "h264" ? 4 : 2.5);
        const [stream] = opened.streams;
        assert(stream.type === "video");
        const { colorSpace = "unknown", colorRange = "tv" } = stream;
        assertEquals(await colorsIn(await toNut(opened)), [colorRange, colorSpace]);
      });
    }
  });
}

Deno.test("openDecoder() makes odd sizes in every encoding", async (t) => {
  await media.make("odd.mkv", [...pictures({ size: "65x49" }), "-c:v", "ffv1"]);
  const evened = "Pictures are 66×50: H.264 has even sizes only";
  const cases: [Encoding, { width?: number; height?: number }, number[], string[]][] = [
    ["raw", {}, [65, 49], []],
    ["raw", { width: 33, height: 21 }, [33, 21], []],
    ["mjpeg", {}, [65, 49], []],
    ["mjpeg", { width: 33, height: 21 }, [33, 21], []],
    ["mjpeg", { width: 33 }, [33, 25], []],
    ["h264", {}, [66, 50], [evened]],
    ["h264", { width: 32, height: 24 }, [32, 24], []],
    ["h264", { width: 33, height: 21 }, [34, 22], [
      "Pictures are 34×22: H.264 has even sizes only",
    ]],
    ["copy", {}, [65, 49], []],
  ];
  for (const [encoding, size, [width, height], notes] of cases) {
    await t.step(`${encoding} ${JSON.stringify(size)}`, async () => {
      const opened = await readAll(media, "odd.mkv", { encoding, ...size, duration: 0.2 });
      const [stream] = opened.streams;
      assert(stream.type === "video");
      assertEquals([stream.width, stream.height], [width, height]);
      assertEquals(opened.notes, notes);
      const decoded = await convertNut(await toNut(opened), ["-frames:v", "1", ...RGB]);
      assertEquals(decoded.length, width * height * 3);
    });
  }
});

Deno.test("openDecoder() gives the frames of ffmpeg's own rate filter", async (t) => {
  const path = await media.make("rate.mkv", [...pictures({ seconds: 2 }), "-c:v", "ffv1"]);
  for (const [fps, rate] of [[10, [10, 1]], [7.5, [15, 2]], [50, [50, 1]]] as const) {
    await t.step(`${fps}`, async () => {
      const opened = await readAll(media, "rate.mkv", { fps });
      const output = ["-vf", `fps=${fps}`, "-enc_time_base", `${rate[1]}/${rate[0]}`];
      const expected = await decodedBy(path, { stream: "V:0", output });
      const found = sumsOf(opened, "video");
      assertEquals(found.map(({ md5 }) => md5), expected.map(({ md5 }) => md5));
      for (const [index, { seconds }] of found.entries()) {
        assertAlmostEquals(seconds, index / fps, 1e-9);
      }
      const [stream] = opened.streams;
      assertEquals(stream.type === "video" && stream.frameRate, rate);
      for (const encoding of ["h264", "mjpeg"] as const) {
        const { frames } = await readAll(media, "rate.mkv", { fps, encoding });
        assertEquals(frames.length, expected.length);
      }
    });
  }
});

Deno.test("openDecoder() fills a frame rate with the frame of that time, above one a second with the nearest", async () => {
  await media.make("rate.mkv", [...pictures({ seconds: 2 }), "-c:v", "ffv1"]);
  const all = sumsOf(await readAll(media, "rate.mkv"), "video");
  for (const fps of [0.4, 0.8, 1, 7, 10, 50]) {
    const found = sumsOf(await readAll(media, "rate.mkv", { fps }), "video");
    const isIn = (seconds: number, tick: number) =>
      fps > 1 ? seconds * fps < tick + 0.5 : seconds * fps <= tick;
    const expected = found.map((_, tick) => ({
      seconds: tick / fps,
      md5: all.findLast(({ seconds }) => isIn(seconds, tick))?.md5,
    }));
    assertEquals(found, expected, `${fps}`);
    assertEquals(found.length, Math.ceil(2 * fps), `${fps}`);
  }
});

Deno.test("openDecoder() gives a video that is shorter than a frame its first one", async (t) => {
  // Encoders of audio put some silence in front, so that the first frame is not at 0.
  const sounding = [...pictures(), ...tone(), ...BY_X264, "-c:a", "aac"];
  const cases = [
    { name: "short.mp4", args: sounding, fps: 0.01 },
    { name: "short.mkv", args: sounding, fps: 0.01 },
    { name: "blink.mkv", args: [...pictures({ seconds: 0.04 }), "-c:v", "ffv1"], fps: 10 },
  ];
  for (const { name, args, fps } of cases) {
    await t.step(`${name} at ${fps} a second`, async () => {
      await media.make(name, args);
      const [first] = sumsOf(await readAll(media, name), "video");
      const opened = await readAll(media, name, { fps });
      assertEquals(sumsOf(opened, "video"), [{ seconds: 0, md5: first.md5 }]);
      const { frames } = await readAll(media, name, { fps, encoding: "h264", audio: false });
      assertEquals(frames.length, 1);
    });
  }
});

Deno.test("openDecoder() keeps the shape of pixels if one side is given, that of the frame if both are", async () => {
  await media.make("anamorphic.mkv", [...pictures(), "-c:v", "ffv1", "-aspect", "16:9"]);
  const cases: { size: MediaOptions; expected: unknown[] }[] = [
    { size: {}, expected: [64, 48, [4, 3]] },
    { size: { width: 32 }, expected: [32, 24, [4, 3]] },
    { size: { height: 96 }, expected: [128, 96, [4, 3]] },
    { size: { width: 48, height: 48 }, expected: [48, 48, [16, 9]] },
  ];
  for (const { size, expected } of cases) {
    const { streams: [stream] } = await readAll(media, "anamorphic.mkv", {
      ...size,
      duration: 0.1,
    });
    assert(stream.type === "video");
    const { width, height, sampleAspectRatio } = stream;
    assertEquals<unknown[]>([width, height, sampleAspectRatio], expected);
  }
});

Deno.test("openDecoder() cuts h264 into as many slices on every machine", async () => {
  await media.make("slices.mkv", [...pictures(), "-c:v", "ffv1"]);
  const { frames } = await readAll(media, "slices.mkv", { encoding: "h264", height: 256 });
  for (const { data } of frames) assertEquals(countSlices(data), 4);
});

Deno.test("openDecoder() makes h264 of a given bitrate by one thread, the same each time", async () => {
  await media.make("slices.mkv", [...pictures(), "-c:v", "ffv1"]);
  const options = { encoding: "h264", height: 256, bitrate: 100_000 } as const;
  const opened = await readAll(media, "slices.mkv", options);
  // Each thread of x264 would make a slice of its own.
  for (const { data } of opened.frames) assertEquals(countSlices(data), 1);
  const again = await readAll(media, "slices.mkv", options);
  assertEquals(sumsOf(again, "video"), sumsOf(opened, "video"));
});

/** Slices of an H.264 frame that has start codes. */
function countSlices(data: Uint8Array): number {
  return [...data.keys()].filter((at) =>
    data[at] === 0 && data[at + 1] === 0 && data[at + 2] === 1 &&
    [1, 5].includes(data[at + 3] & 31)
  ).length;
}

Deno.test("openDecoder() describes what it encodes", async () => {
  await media.make("both.mp4", [...pictures(), ...tone(), ...BY_X264, "-c:a", "aac"]);
  const codecs = async (encoding: Encoding) =>
    (await readAll(media, "both.mp4", { encoding })).streams.map(({ codec }) => codec);
  assertEquals(await codecs("raw"), ["rawvideo", "pcm_s16le"]);
  assertEquals(await codecs("copy"), ["h264", "aac"]);
  assertEquals(await codecs("h264"), ["h264", "aac"]);
  assertEquals(await codecs("mjpeg"), ["mjpeg", "pcm_s16le"]);
  const small = await readAll(media, "both.mp4", { encoding: "mjpeg", quality: 5 });
  const large = await readAll(media, "both.mp4", { encoding: "mjpeg", quality: 95 });
  assertGreater(bytesOf(large), 2 * bytesOf(small));
});

function bytesOf({ frames }: Opened): number {
  return frames.filter(({ streamId }) => streamId === 0)
    .reduce((sum, { data }) => sum + data.byteLength, 0);
}

/** Seconds at which video first becomes bright, and audio loud. */
async function flashAndClick(nut: Uint8Array<ArrayBuffer>): Promise<[number, number]> {
  const grey = ["-map", "0:v", "-vf", "scale=1:1,format=gray", "-fps_mode", "passthrough"];
  const pixels = await convertNut(nut, [...grey, "-enc_time_base", "1/1000000", "-f", "framehash"]);
  const dark = new TextDecoder().decode(pixels).trim().split("\n")
    .filter((line) => line.startsWith("0,")).map((line) => line.split(",").map((s) => s.trim()));
  const levels = await convertNut(nut, [...grey, "-f", "rawvideo"]);
  const bright = levels.findIndex((level, at) => level > 128 && Number(dark[at][2]) >= LEAD * 1e6);
  const sound = ["-map", "0:a", "-af", "aresample=48000:async=1:first_pts=0", "-ac", "1"];
  const bytes = await convertNut(nut, [...sound, "-f", "s16le"]);
  const samples = new Int16Array(bytes.buffer, 0, bytes.length >> 1);
  const loud = samples.findIndex((sample, at) => at >= LEAD * 48_000 && Math.abs(sample) > 8000);
  assert(bright >= 0 && loud >= 0, `bright ${bright}, loud ${loud}`);
  return [Number(dark[bright][2]) / 1e6 - LEAD, loud / 48_000 - LEAD];
}

/** White frames and a loud tone for 0.2 s from 2 s on, in dark and silent media. */
const FLASH = ["-f", "lavfi", "-i", "color=black:size=64x48:rate=25:d=4"];
FLASH.push("-f", "lavfi", "-i", "aevalsrc=0.8*sin(2*PI*1000*t)*between(t\\,2\\,2.2):s=48000:d=4");
const WHITE = ["-vf", "drawbox=c=white:t=fill:enable='between(t,2,2.19)'"];

/** Drops the first 1.5 s of the audio, or of the video. */
const LATE_SOUND = ["-af", "atrim=start=1.5"];
const LATE_PICTURES = ["-vf", `${WHITE[1]},trim=start=1.5`];

const OFFSETS: Record<string, readonly string[]> = {
  "late sound.mp4": [...FLASH, ...WHITE, ...LATE_SOUND, ...BY_X264, "-g", "20", "-c:a", "aac"],
  "late sound.ts": [...FLASH, ...WHITE, ...LATE_SOUND, ...BY_X264, "-g", "20", "-c:a", "aac"],
  "late pictures.mkv": [...FLASH, ...LATE_PICTURES, ...BY_X264, "-g", "20", "-c:a", "libopus"],
};

Deno.test("openDecoder() keeps video and audio in sync at any start", async (t) => {
  for (const [name, args] of Object.entries(OFFSETS)) {
    await media.make(name, args);
    // Formats whose first packet comes later than 0 begin then.
    const whole = await flashAndClick(await toNut(await readAll(media, name)));
    assertLess(Math.abs(whole[0] - whole[1]), 0.03);
    for (const encoding of ["raw", "copy", "h264", "mjpeg"] as const) {
      for (const start of [0, 0.7, 1.73]) {
        await t.step(`${name}, ${encoding} from ${start} s`, async () => {
          const opened = await readAll(media, name, { encoding, start });
          const [flash, click] = await flashAndClick(await toNut(opened));
          assertAlmostEquals(flash, whole[0] - start, 0.03);
          assertAlmostEquals(click, whole[1] - start, 0.03);
          assertAlmostEquals(flash - click, whole[0] - whole[1], 0.03);
        });
      }
    }
  }
});
