/** Copied packets, with their own timestamps. */
import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertGreater,
  assertLess,
  assertRejects,
} from "@std/assert";
import type { VideoStream } from "../../../lib/media/frame.ts";
import { mediaFolder, pictures, tone, turnClockwise } from "../../support/media.ts";
import { convertNut, open, type Opened, readAll, sumsOf, toNut } from "../../support/opened.ts";
import { decodedBy, decodedBytes } from "../../support/reference.ts";

const media = mediaFolder();
const PICTURES = pictures({ seconds: 1.2 });
const SOUND = tone({ seconds: 1.2 });
const BY_X264 = ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p"];
const B_FRAMES = ["-x264-params", "b-adapt=0:bframes=3:keyint=10"];
/** FFmpeg alone would leave out the timestamps that follow from others. */
const GENERATED = ["-fflags", "+genpts"];
const COPY = ["-c", "copy"];
const BOTH = [...PICTURES, ...SOUND];

/** Videos by name, of various codecs of video and audio. */
const COPIED: Record<string, readonly string[]> = {
  "h264 and aac.mp4": [...BOTH, ...BY_X264, ...B_FRAMES, "-c:a", "aac"],
  "h264 and aac.ts": [...BOTH, ...BY_X264, ...B_FRAMES, "-c:a", "aac"],
  "hevc and flac.mkv": [
    ...[...BOTH, "-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none"],
    ...["-c:a", "flac"],
  ],
  "vp8 and vorbis.webm": [...BOTH, "-c:v", "libvpx", "-cpu-used", "8", "-c:a", "libvorbis"],
  "vp9 and opus.webm": [...BOTH, "-c:v", "libvpx-vp9", "-cpu-used", "8", "-c:a", "libopus"],
  "av1.mkv": [...pictures({ seconds: 0.2 }), "-c:v", "libaom-av1", "-cpu-used", "8"],
  "mpeg4 and mp3.avi": [...BOTH, "-c:v", "mpeg4", "-bf", "2", "-c:a", "libmp3lame"],
  "mpeg2 and mp2.mpg": [...BOTH, "-c:v", "mpeg2video", "-bf", "2", "-c:a", "mp2"],
  "mpeg1 and ac3.ts": [...BOTH, "-c:v", "mpeg1video", "-c:a", "ac3"],
  "mjpeg and pcm.mov": [...BOTH, "-c:v", "mjpeg", "-c:a", "pcm_s16be"],
  "theora and vorbis.ogv": [...BOTH, "-c:v", "libtheora", "-c:a", "libvorbis"],
  "ffv1 and pcm of 24 bits.mkv": [...BOTH, "-c:v", "ffv1", "-c:a", "pcm_s24le"],
  "prores.mov": [...PICTURES, "-c:v", "prores"],
  "sound only.mp3": [...SOUND, "-c:a", "libmp3lame"],
};

function videoOf({ streams }: Opened): VideoStream {
  const stream = streams.find((stream) => stream.type === "video");
  assert(stream?.type === "video");
  return stream;
}

Deno.test("openDecoder() copies packets bit by bit", async (t) => {
  for (const [name, args] of Object.entries(COPIED)) {
    await t.step(name, async () => {
      const path = await media.make(name, args);
      const opened = await readAll(media, name, { encoding: "copy" });
      assertEquals(opened.notes, []);
      for (const { type } of opened.streams) {
        const [stream, other] = type === "video" ? ["V:0", "a:0"] : ["a:0", "V:0"];
        const beside = opened.streams.length > 1 ? other : undefined;
        const expected = await decodedBy(path, { stream, beside, output: COPY, input: GENERATED });
        const found = sumsOf(opened, type);
        assertEquals(found.map(({ md5 }) => md5), expected.map(({ md5 }) => md5));
        for (const [index, { time }] of expected.entries()) {
          const [numerator, denominator] = time.split("/").map(Number);
          // FFmpeg refines the coarse timestamps of audio, differently in each format.
          const tolerance = type === "video" ? 2e-5 : 1e-3;
          assertAlmostEquals(found[index].seconds, numerator / denominator, tolerance);
        }
      }
    });
  }
});

Deno.test("Decoder.frames() gives packets in the order in which they are due", async () => {
  await media.make("h264 and aac.mp4", COPIED["h264 and aac.mp4"]);
  const opened = await readAll(media, "h264 and aac.mp4", { encoding: "copy" });
  const { id, decodeDelay = 0 } = videoOf(opened);
  assertGreater(decodeDelay, 0);
  const own = opened.frames.filter(({ streamId }) => streamId === id);
  const isSorted = (numbers: number[]) =>
    numbers.every((number, at) => at === 0 || number >= numbers[at - 1]);
  assert(!isSorted(own.map(({ timestamp }) => timestamp)));
  assert(isSorted(own.map(({ due }) => due)));
  // Audio stays close to the video all the time.
  const dues = opened.frames.map(({ due }) => due);
  for (const [at, due] of dues.entries()) assertGreater(due, Math.max(...dues.slice(0, at)) - 0.3);
});

Deno.test("openDecoder() copies from the keyframe before the start on", async (t) => {
  for (const name of ["h264 and aac.mp4", "h264 and aac.ts", "mpeg4 and mp3.avi"]) {
    await t.step(name, async () => {
      const path = await media.make(name, COPIED[name]);
      const all = await decodedBy(path, {
        stream: "V:0",
        beside: "a:0",
        output: COPY,
        input: GENERATED,
      });
      // AVI's ticks are whole frames, and FFmpeg shifts timestamps by whole ticks.
      const start = 0.88;
      const opened = await readAll(media, name, { encoding: "copy", start });
      const found = sumsOf(opened, "video");
      const first = all.findIndex(({ md5 }) => md5 === found[0].md5);
      assertEquals(found.map(({ md5 }) => md5), all.slice(first).map(({ md5 }) => md5));
      const [numerator, denominator] = all[first].time.split("/").map(Number);
      assertAlmostEquals(found[0].seconds, numerator / denominator - start, 2e-5);
      assertLess(found[0].seconds, 0.001);
      const keyframes = opened.frames.filter(({ keyframe, streamId, timestamp }) =>
        streamId === videoOf(opened).id && keyframe && timestamp <= 0
      );
      assertEquals(keyframes.length, 1);
      // Packets of up to 0.1 s of audio, which set up the decoder.
      const sound = sumsOf(opened, "audio").map(({ seconds }) => seconds);
      assertGreater(sound[0], -0.15);
      assertLess(sound[0], 0.03);
    });
  }
});

Deno.test("openDecoder() describes copies as they are coded, and how to turn them", async () => {
  const args = [...pictures({ size: "64x48", seconds: 0.4 }), ...BY_X264];
  const colors = ["-colorspace", "bt709", "-color_range", "tv"];
  const path = await media.make("turned.mp4", [...args, ...colors, ...B_FRAMES]);
  const upright = await decodedBy(path, { stream: "V:0", output: ["-c", "copy"] });
  await turnClockwise(path, { height: 48 });
  const opened = await readAll(media, "turned.mp4", { encoding: "copy" });
  const { codec, width, height, rotation, colorSpace, colorRange, frameRate, extradata, timeBase } =
    videoOf(opened);
  assertEquals([codec, width, height, rotation], ["h264", 64, 48, 90]);
  assertEquals([colorSpace, colorRange, frameRate], ["bt709", "tv", [25, 1]]);
  assertEquals([timeBase, extradata.length > 20], [[1, 12800], true]);
  assertEquals(sumsOf(opened, "video").map(({ md5 }) => md5), upright.map(({ md5 }) => md5));
  const turned = videoOf(await readAll(media, "turned.mp4", { encoding: "h264" }));
  assertEquals([turned.width, turned.height, turned.rotation], [48, 64, undefined]);
});

Deno.test("openDecoder() sends what NUT does not carry as something else, and says so", async (t) => {
  const cases: Record<string, { args: readonly string[]; codecs: string[]; notes: string[] }> = {
    "alac.m4a": {
      args: [...SOUND, "-c:a", "alac"],
      codecs: ["flac"],
      notes: ["Sound is sent as flac: NUT carries no alac"],
    },
    "animation.mov": {
      args: [...PICTURES, "-c:v", "qtrle"],
      codecs: ["h264"],
      notes: ["Pictures are sent as h264: NUT carries no qtrle"],
    },
    "eac3.mkv": {
      args: [...BOTH, ...BY_X264, "-c:a", "eac3"],
      codecs: ["h264", "aac"],
      notes: ["Sound is sent as aac: NUT carries no eac3"],
    },
    "untimed.h264": {
      args: [...PICTURES, ...BY_X264, ...B_FRAMES],
      codecs: ["h264"],
      notes: ["Pictures are sent as h264: the file does not say when each is shown"],
    },
    "raw.avi": { args: [...PICTURES, "-c:v", "rawvideo"], codecs: ["rawvideo"], notes: [] },
    "two sounds.mkv": {
      args: [...BOTH, "-map", "0", "-map", "1", "-map", "1", ...BY_X264, "-c:a", "mp2"],
      codecs: ["h264", "mp2"],
      notes: ["Further streams are dropped: 1 of sound"],
    },
    "picture.webp": {
      args: [...PICTURES, "-frames:v", "1"],
      codecs: ["rawvideo"],
      notes: ["Pictures are sent as raw: NUT carries no webp"],
    },
  };
  for (const [name, { args, codecs, notes }] of Object.entries(cases)) {
    await t.step(name, async () => {
      await media.make(name, args);
      const opened = await readAll(media, name, { encoding: "copy" });
      assertEquals(opened.streams.map(({ codec }) => codec), codecs);
      assertEquals(opened.notes, notes);
    });
  }
});

Deno.test("openDecoder() keeps every sample of lossless audio that NUT does not carry", async () => {
  const path = await media.make("alac.m4a", [...SOUND, "-c:a", "alac"]);
  const opened = await readAll(media, "alac.m4a", { encoding: "copy" });
  const samples = await convertNut(await toNut(opened), ["-f", "s16le"]);
  assertEquals(samples, await decodedBytes(path, ["-f", "s16le"]));
});

Deno.test("openDecoder() gives the untouched file of an image", async () => {
  for (const name of ["picture.png", "picture.jpg"]) {
    const path = await media.make(name, [...PICTURES, "-frames:v", "1"]);
    const { frames } = await readAll(media, name, { encoding: "copy", still: true });
    assertEquals(frames.map(({ data }) => data), [await Deno.readFile(path)]);
  }
});

Deno.test("openDecoder() refuses to copy a still of a video", async () => {
  await media.make("h264 and aac.mp4", COPIED["h264 and aac.mp4"]);
  const opening = () => open(media, "h264 and aac.mp4", { encoding: "copy", still: true });
  await assertRejects(opening, Error, "ask for raw, h264 or mjpeg");
});
