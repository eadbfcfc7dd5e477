/** Stills of videos: exactly the frame shown at a time, and image sequences. */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { mediaFolder, pictures, tone, turnClockwise } from "../../support/media/media_folder.ts";
import { convertNut, readAll, sumsOf, toNut } from "../../support/media/opened_file.ts";
import { decodedBy } from "../../support/media/reference.ts";

const media = mediaFolder();
const BY_X264 = ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p"];
const B_FRAMES = ["-x264-params", "b-adapt=0:bframes=3:keyint=20"];
const SEVEN = { seconds: 3 };
const BOTH = [...pictures(SEVEN), ...tone(SEVEN)];
const SLIDES = pictures({ rate: "1/5", seconds: 30 });

/** Adds a pause of 7 ticks of a millisecond before every third frame. */
const UNEVEN = ["-vf", "settb=1/1000,setpts=PTS+7*floor(N/3)", "-fps_mode", "passthrough"];

const VIDEOS: Record<string, readonly string[]> = {
  "b-frames.mp4": [...BOTH, ...BY_X264, ...B_FRAMES, "-c:a", "aac"],
  "b-frames.mkv": [...BOTH, ...BY_X264, ...B_FRAMES, "-c:a", "aac"],
  "b-frames.ts": [...BOTH, ...BY_X264, ...B_FRAMES, "-c:a", "aac"],
  "open groups.mp4": [
    ...[...pictures(SEVEN), ...BY_X264],
    ...["-x264-params", "b-adapt=0:bframes=3:keyint=20:open-gop=1"],
  ],
  "program.mpg": [...BOTH, "-c:v", "mpeg2video", "-bf", "2", "-c:a", "mp2"],
  "theora.ogv": [...BOTH, "-c:v", "libtheora", "-c:a", "libvorbis"],
  "coarse.avi": [...pictures(SEVEN), "-c:v", "mpeg4", "-bf", "2", "-g", "20"],
  "uneven.mkv": [
    ...[...pictures({ ...SEVEN, rate: "30" }), ...BY_X264, ...B_FRAMES],
    ...[...UNEVEN, "-enc_time_base", "1:1000"],
  ],
  "slides.mp4": [...SLIDES, ...BY_X264, "-x264-params", "b-adapt=0:bframes=2:keyint=4"],
  "untimed.h264": [...pictures(SEVEN), ...BY_X264, ...B_FRAMES],
  "gif.gif": pictures({ rate: "5", seconds: 2 }),
};

/** All frames of a video as ffmpeg decodes them: seconds at which each begins. */
async function framesOf(name: string): Promise<{ seconds: number; md5: string }[]> {
  const path = await media.make(name, VIDEOS[name]);
  const beside = / program|\.(ts|mpg|ogv)$/.test(name) ? "a:0" : undefined;
  const sums = await decodedBy(path, { stream: "V:0", beside });
  return sums.map(({ time, md5 }) => {
    const [numerator, denominator] = time.split("/").map(Number);
    return { seconds: numerator / denominator, md5 };
  });
}

Deno.test("openDecoder() finds the frame that is shown at a time", async (t) => {
  for (const name of Object.keys(VIDEOS)) {
    await t.step(name, async () => {
      const frames = await framesOf(name);
      const [middle, last] = [frames[Math.floor(frames.length * 0.6)], frames.at(-1)!];
      const length = last.seconds - frames.at(-2)!.seconds;
      const moments = [
        ...[0, middle.seconds, middle.seconds - 0.002, middle.seconds + length / 2],
        ...[last.seconds + length - 0.001, frames.at(-3)!.seconds + 0.003],
      ];
      for (const moment of moments) {
        const start = Math.round(moment * 1e6) / 1e6;
        const shown = frames.findLast(({ seconds }) => seconds <= start + 1e-6) ?? frames[0];
        const opened = await readAll(media, name, { still: true, start });
        assertEquals(sumsOf(opened, "video"), [{ seconds: 0, md5: shown.md5 }], `at ${start}`);
      }
    });
  }
});

Deno.test("openDecoder() gives an image sequence, each image as it is shown at its time", async (t) => {
  const cases = [
    { name: "b-frames.mp4", start: 0.5, every: 0.7, count: 4 },
    { name: "b-frames.ts", start: 0.5, every: 0.7, count: 4 },
    { name: "uneven.mkv", start: 0, every: 0.25, count: undefined },
    { name: "slides.mp4", start: 3, every: 2.5, count: 11 },
    { name: "slides.mp4", start: 0.5, every: 2.5, count: 12 },
    { name: "gif.gif", start: 0.1, every: 1 / 3, count: 6 },
  ];
  for (const { name, start, every, count } of cases) {
    await t.step(`${name} from ${start} s`, async () => {
      const frames = await framesOf(name);
      const opened = await readAll(media, name, { still: true, start, every });
      const found = sumsOf(opened, "video");
      for (const [index, { seconds, md5 }] of found.entries()) {
        assertAlmostEquals(seconds, index * every, 1e-6);
        const shown = frames.findLast((frame) => frame.seconds <= start + index * every + 1e-6);
        assertEquals(md5, (shown ?? frames[0]).md5, `picture ${index}`);
      }
      const length = frames.at(-1)!.seconds - frames.at(-2)!.seconds;
      const end = frames.at(-1)!.seconds + length;
      const expected = count ?? Math.ceil((end - start) / every - 1e-6);
      assert(Math.abs(found.length - expected) <= (count === undefined ? 1 : 0), `${found.length}`);
    });
  }
});

Deno.test("openDecoder() ends an image sequence after the duration", async () => {
  await framesOf("b-frames.mp4");
  for (const [duration, count] of [[1, 2], [1.01, 3], [0.1, 1]]) {
    const options = { still: true, start: 0.5, every: 0.5, duration };
    assertEquals((await readAll(media, "b-frames.mp4", options)).frames.length, count);
  }
});

Deno.test("openDecoder() gives stills in every encoding, turned upright", async (t) => {
  const path = await media.make("turned.mp4", [...pictures(SEVEN), ...BY_X264, ...B_FRAMES]);
  await turnClockwise(path, { height: 48 });
  const raw = await readAll(media, "turned.mp4", { still: true, start: 1.234 });
  const shown = await convertNut(await toNut(raw), ["-f", "rawvideo", "-pix_fmt", "rgb24"]);
  for (const encoding of ["h264", "mjpeg"] as const) {
    await t.step(encoding, async () => {
      const quality = encoding === "mjpeg" ? { quality: 100 } : { bitrate: 5_000_000 };
      const options = { encoding, still: true, start: 1.234, ...quality };
      const opened = await readAll(media, "turned.mp4", options);
      const [stream] = opened.streams;
      assert(stream.type === "video");
      assertEquals([stream.codec, stream.width, stream.height], [encoding, 48, 64]);
      assertEquals(sumsOf(opened, "video").map(({ seconds }) => seconds), [0]);
      const output = ["-f", "rawvideo", "-pix_fmt", "rgb24"];
      const pixels = await convertNut(await toNut(opened), output);
      const difference = pixels.reduce((sum, byte, at) => sum + Math.abs(byte - shown[at]), 0);
      assert(difference / pixels.length < 8, `${difference / pixels.length}`);
    });
  }
});

Deno.test("openDecoder() begins exactly at the start, in formats without an index, too", async (t) => {
  for (const name of ["b-frames.mp4", "b-frames.ts", "program.mpg", "theora.ogv"]) {
    await t.step(name, async () => {
      const start = 1.7;
      const frames = (await framesOf(name)).filter(({ seconds }) => seconds >= start);
      const found = sumsOf(await readAll(media, name, { start }), "video");
      assertEquals(found.map(({ md5 }) => md5), frames.map(({ md5 }) => md5));
      // To the nearest tick; in some formats, every tick is a frame.
      assertAlmostEquals(found[0].seconds, frames[0].seconds - start, 0.0201);
    });
  }
});
