import { assertEquals, assertGreater } from "@std/assert";
import { RequestError } from "../../../lib/base/errors.ts";
import { Library } from "../../../lib/sources/file/library.ts";
import type { MediaOptions } from "../../../lib/sources/file/plan.ts";
import { mediaFolder, pictures, tone } from "../../support/media/media_folder.ts";
import { play, type Played } from "../../support/media/played_file.ts";
import { comparable, pointsOf } from "../../support/peers/cut_responses.ts";

const media = mediaFolder();

/** Seconds of a file that is worth a plan. */
const SECONDS = 32;

const X264 = ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-g", "50"];
const B_FRAMES = [...X264, "-bf", "3"];

/** One of five frames is missing, and the others are not evenly apart. */
const VARIABLE = [
  ...["-vf", "select='not(eq(mod(n,5),2))',setpts=PTS+mod(N\\,3)*0.004/TB"],
  ...["-fps_mode", "passthrough"],
];

const VP8 = ["-c:v", "libvpx", "-g", "60", "-b:v", "100k", "-auto-alt-ref", "1"];

/** Makes a file, and finds it. */
async function clip(name: string, args: readonly string[] = B_FRAMES) {
  const sound = tone({ seconds: SECONDS, rate: 16_000, layout: "mono" });
  const rate = name.startsWith("ntsc") ? "30000/1001" : "10";
  const both = [...pictures({ seconds: SECONDS, rate }), ...sound, "-map", "0", "-map", "1"];
  await media.make(name, name.endsWith("wav") ? sound : [...both, ...args]);
  return await new Library(media.path).find(name);
}

/** Where a file was opened besides the first time: seconds, and what of it. */
function openings({ opened }: Played): [number, string][] {
  return opened.slice(1).map(({ start = 0, audio, video }) => [
    start,
    audio === false ? "pictures" : video === false ? "sound" : "both",
  ]);
}

/** Cuts a response late and checks that the rest follows, and that not all is read for it. */
async function checkPlan(name: string, args: readonly string[], options: MediaOptions) {
  const file = await clip(name, args);
  const whole = await play(file, options);
  const { frames, streams } = whole;
  for (const cut of [0.86, 0.93, 1]) {
    const at = Math.floor(frames.length * cut);
    const resume = pointsOf(frames.slice(0, at), streams);
    const rest = await play(file, options, { resume });
    assertEquals(comparable(rest.frames, streams), comparable(frames.slice(at), streams));
    assertEquals(rest.warning, undefined);
    // One for each stream, and no further try.
    assertEquals(rest.opened.length, 1 + streams.length);
    assertGreater(Math.max(...openings(rest).map(([from]) => from)), 10);
  }
}

const FILES: [name: string, args: readonly string[], options: MediaOptions][] = [
  ["clip.mp4", B_FRAMES, { encoding: "raw" }],
  ["clip.mp4", B_FRAMES, { encoding: "raw", start: 1.37, duration: 29.3, audio: false }],
  ["clip.mp4", B_FRAMES, { encoding: "mjpeg", start: 1.37, duration: 29.3 }],
  ["clip.mp4", B_FRAMES, { encoding: "copy" }],
  ["clip.mp4", B_FRAMES, { encoding: "copy", start: 1.37, duration: 29.3 }],
  ["open_gop.mp4", [...B_FRAMES, "-x264-params", "open-gop=1:scenecut=0"], { encoding: "raw" }],
  ["ntsc.mp4", B_FRAMES, { encoding: "copy", start: 0.517 }],
  ["refresh.mkv", [...X264, "-x264-params", "intra-refresh=1"], { encoding: "raw" }],
  ["variable.mkv", [...B_FRAMES, ...VARIABLE], { encoding: "raw", start: 0.7 }],
  ["variable.mkv", [...B_FRAMES, ...VARIABLE], { encoding: "copy", start: 0.7 }],
  ["clip.webm", VP8, { encoding: "raw" }],
  ["clip.webm", VP8, { encoding: "copy" }],
  ["tone.wav", [], { encoding: "raw", start: 1.37, duration: 29.3 }],
  ["tone.wav", [], { encoding: "copy" }],
];

for (const [name, args, options] of FILES) {
  const { encoding, start = 0 } = options;
  const what = `${encoding} of ${name} from ${start} s`;
  Deno.test(`a late cut is resumed by reading only nearby frames: ${what}`, async () => {
    await checkPlan(name, args, options);
  });
}

Deno.test("frames that depend on earlier ones are read from the beginning", async () => {
  const file = await clip("clip.mp4");
  const { frames, streams } = await play(file, { encoding: "raw" });
  const resume = pointsOf(frames.slice(0, Math.floor(frames.length * 0.9)), streams);
  // Audio of a lossy codec, whose packets depend on earlier ones.
  const raw = await play(file, { encoding: "raw" }, { resume });
  assertEquals(openings(raw), [[16, "pictures"], [0, "sound"]]);
  const encoded = await play(file, { encoding: "h264" });
  const points = pointsOf(encoded.frames.slice(0, -20), encoded.streams);
  assertEquals(openings(await play(file, { encoding: "h264" }, { resume: points })), []);
  // A filter that counts from where it begins.
  const options = { encoding: "raw", fps: 7, audio: false } as const;
  const slower = await play(file, options);
  const rest = await play(file, options, {
    resume: pointsOf(slower.frames.slice(0, -3), slower.streams),
  });
  assertEquals(openings(rest), []);
  assertEquals(
    comparable(rest.frames, slower.streams),
    comparable(slower.frames.slice(-3), slower.streams),
  );
});

Deno.test("a plan that leads elsewhere, or nowhere, is given up for the whole file", async () => {
  const file = await clip("clip.mp4");
  const options = { encoding: "copy" } as const;
  const { frames, streams } = await play(file, options);
  const at = Math.floor(frames.length * 0.9);
  const resume = pointsOf(frames.slice(0, at), streams);
  const wrongTurns: ((part: MediaOptions) => MediaOptions)[] = [
    // Timestamps that are none of the file's.
    (part) => part.audio === false ? { ...part, start: part.start! + 0.033 } : part,
    (part) => part.video === false ? { ...part, start: part.start! + 0.033 } : part,
    // Behind the end, where there is nothing.
    (part) => part.audio === false ? { ...part, start: 100 } : part,
    (part) => {
      if (part.audio !== false) return part;
      throw new RequestError("media_error", "Cannot read here");
    },
  ];
  for (const instead of wrongTurns) {
    const rest = await play(file, options, { resume, instead });
    assertEquals(comparable(rest.frames, streams), comparable(frames.slice(at), streams));
    assertEquals(openings(rest).at(-1), [0, "both"]);
  }
});
