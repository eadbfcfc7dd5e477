import { assert, assertEquals } from "@std/assert";
import {
  audioArguments,
  pcmCodec,
  sequenceLength,
  videoArguments,
} from "../../../lib/sources/file/ffmpeg_args.ts";
import type { MediaFile } from "../../../lib/sources/file/library.ts";
import { type MediaOptions, planTracks } from "../../../lib/sources/file/plan.ts";
import type { MediaInfo } from "../../../lib/sources/file/probe.ts";
import { pureTest } from "../../support/pure_test.ts";

const VIDEO = {
  codec: "h264",
  width: 64,
  height: 48,
  pixelFormat: "yuv420p",
  timeBase: [1001, 60_000],
  rotation: 0,
} as const;
const AUDIO = { codec: "aac", sampleRate: 48_000, channels: 2, sampleFormat: "fltp" };

function file(info: Partial<MediaInfo> = {}): MediaFile {
  return {
    name: "a.mp4",
    path: "/media/a.mp4",
    size: 1,
    info: { kind: "video", format: "mov,mp4", video: VIDEO, audio: AUDIO, ...info },
  };
}

function videoFor(file: MediaFile, options: MediaOptions): string[] {
  return videoArguments({ file, options, plan: planTracks(file, options) });
}

function audioFor(file: MediaFile, options: MediaOptions): string[] {
  return audioArguments({ file, options, plan: planTracks(file, options) });
}

/** The argument that follows another, `undefined` if that is absent. */
function after(args: readonly string[], name: string): string | undefined {
  const at = args.indexOf(name);
  return at < 0 ? undefined : args[at + 1];
}

pureTest("videoArguments() keeps the source's frames, timestamps and pixel format", () => {
  const args = videoFor(file(), {});
  assertEquals(after(args, "-i"), "file:/media/a.mp4");
  assertEquals(after(args, "-map"), "0:V:0");
  assertEquals(after(args, "-fps_mode"), "passthrough");
  assertEquals(after(args, "-enc_time_base:v"), "1001/60000");
  assertEquals(after(args, "-c:v"), "rawvideo");
  for (const absent of ["-pix_fmt", "-vf", "-ss", "-t", "-frames:v"]) {
    assert(!args.includes(absent), absent);
  }
  assertEquals(args.slice(-3), ["-f", "nut", "pipe:1"]);
});

pureTest("videoArguments() has FFmpeg look for nothing that the file states", () => {
  const isLookedAt = (info: Partial<MediaInfo>, options: MediaOptions = {}) =>
    !videoFor(file(info), options).includes("-nofind_stream_info");
  assertEquals(isLookedAt({}), true);
  assertEquals(isLookedAt({ isStated: true }), false);
  // Stills and encoders need more than that.
  for (const options of [{ encoding: "h264" }, { still: true }] as const) {
    assertEquals(isLookedAt({ isStated: true }, options), true);
  }
});

pureTest("videoArguments() and audioArguments() read no input but the file", () => {
  for (const args of [videoFor(file(), {}), audioFor(file(), {})]) {
    assert(args.includes("-nostdin"));
    const whitelist = after(args.slice(0, args.indexOf("-i")), "-protocol_whitelist");
    assertEquals(whitelist, "file");
  }
});

pureTest("videoArguments() seeks in the input, not in the output", () => {
  const args = videoFor(file(), { start: 1.5, duration: 2 });
  const input = args.slice(0, args.indexOf("-i"));
  assertEquals([after(input, "-ss"), after(input, "-t")], ["1.500000", "2.000000"]);
});

pureTest("videoArguments() cuts off what is read for decoding before anything else is done", () => {
  const ts = file({ format: "mpegts", video: { ...VIDEO, timeBase: [1, 90_000] } });
  const args = videoFor(ts, { start: 15.5, fps: 10 });
  const cut = "trim=start=12.000000,setpts=PTS-round(12.000000/TB)";
  assertEquals(after(args, "-vf"), `${cut},fps=10000/1000`);
});

pureTest("videoArguments() scales only to what is asked for", () => {
  const scale = (width?: number, height?: number) =>
    after(videoFor(file(), { width, height }), "-vf");
  assertEquals(scale(32, 17), "scale=32:17");
  assertEquals(scale(32), "scale=32:-1");
  assertEquals(scale(undefined, 17), "scale=-1:17");
  const matrix = { colorMatrix: "bt601" };
  assertEquals(after(videoFor(file(), matrix), "-vf"), "scale=in_color_matrix=bt601");
  const both = videoFor(file(), { ...matrix, width: 32, height: 17 });
  assertEquals(after(both, "-vf"), "scale=32:17:in_color_matrix=bt601");
});

pureTest("videoArguments() converts what NUT does not carry, or to what is asked for", () => {
  const ya16 = file({ video: { ...VIDEO, pixelFormat: "ya16be" } });
  assertEquals(after(videoFor(ya16, {}), "-pix_fmt"), "rgba64le");
  assertEquals(after(videoFor(ya16, { pixelFormat: "gray" }), "-pix_fmt"), "gray");
});

pureTest("videoArguments() takes one frame of a still", () => {
  const args = videoFor(file({ kind: "image", format: "png_pipe" }), { still: true });
  assertEquals([after(args, "-frames:v"), after(args, "-enc_time_base:v")], ["1", "1/25"]);
});

pureTest("sequenceLength() counts the images until the end of the media or the duration", () => {
  assertEquals(sequenceLength({}, 10), 1);
  assertEquals(sequenceLength({ every: 2.5 }, 10), 4);
  assertEquals(sequenceLength({ every: 2.5, start: 0.5 }, 10), 4);
  assertEquals(sequenceLength({ every: 2.5, start: 2.5 }, 10), 3);
  assertEquals(sequenceLength({ every: 1 / 3 }, 4), 12);
  assertEquals(sequenceLength({ every: 2.5, start: 9, duration: 5 }, 10), 1);
  assertEquals(sequenceLength({ every: 2.5, duration: 5.1 }), 3);
  assertEquals(sequenceLength({ every: 2.5 }), undefined);
});

pureTest("videoArguments() and audioArguments() read both streams if timestamps may jump", () => {
  const ts = file({ format: "mpegts" });
  const beside = (args: string[]) => args.slice(args.indexOf("pipe:1") + 1);
  assertEquals(beside(videoFor(ts, {})).slice(0, 2), ["-map", "0:a:0"]);
  assertEquals(beside(audioFor(ts, {})).slice(0, 2), ["-map", "0:V:0"]);
  const still = beside(videoFor(ts, { still: true }));
  assertEquals([after(still, "-map"), after(still, "-t")], ["0:a:0", "1.000000"]);
  assertEquals(beside(videoFor(file(), {})), []);
  assertEquals(beside(videoFor(file({ format: "mpegts", audio: undefined }), {})), []);
});

pureTest("pcmCodec() keeps every bit of integer samples", () => {
  const codec = (sampleFormat: string) => pcmCodec({ ...AUDIO, sampleFormat });
  for (const format of ["u8", "u8p", "s16", "s16p", "flt", "fltp", "dbl", "dblp"]) {
    assertEquals(codec(format), "pcm_s16le");
  }
  for (const format of ["s32", "s32p", "s64", "s64p"]) assertEquals(codec(format), "pcm_s32le");
});

pureTest(
  "videoArguments() encodes by hardware, with the frames of two seconds between keyframes",
  () => {
    const video = { ...VIDEO, frameRate: [30_000, 1001] } as const;
    const options = { encoding: "h264", width: 640 } as const;
    const input = { file: file({ video }), options, plan: planTracks(file(), options) };
    const args = videoArguments({ ...input, hardware: { encoder: "h264_vaapi" } });
    assertEquals(after(args, "-c:v"), "h264_vaapi");
    assertEquals(after(args, "-g"), "60");
    assertEquals(after(args, "-vf"), "scale=640:-2:out_range=tv,format=nv12,hwupload");
    assertEquals(after(args, "-init_hw_device"), "vaapi=encoder");
    for (const absent of ["-pix_fmt", "-threads", "-crf", "-x264-params"]) {
      assert(!args.includes(absent), absent);
    }
  },
);

pureTest("videoArguments() gives frames of hardware the pixel format of the file again", () => {
  const hardware = { encoder: "libx264", hwaccel: "vaapi" } as const;
  const decoded = (options: MediaOptions, info: Partial<MediaInfo> = {}) => {
    const input = { file: file(info), options, plan: planTracks(file(info), options) };
    return videoArguments({ ...input, hardware });
  };
  const raw = decoded({});
  assertEquals(after(raw, "-hwaccel"), "vaapi");
  assert(raw.indexOf("-hwaccel") < raw.indexOf("-i"));
  assertEquals(after(raw, "-vf"), "format=yuv420p");
  assertEquals(
    after(decoded({ pixelFormat: "bgr24", fps: 5 }), "-vf"),
    "format=yuv420p,fps=5000/1000",
  );
  // The processor decodes it, whatever is asked for.
  const indexed = { video: { ...VIDEO, pixelFormat: "pal8" } };
  assertEquals(after(decoded({}, indexed), "-vf"), undefined);
  for (const args of [decoded({ encoding: "copy" }), decoded({ still: true }, { kind: "image" })]) {
    assert(!args.includes("-hwaccel"), args.join(" "));
  }
});
