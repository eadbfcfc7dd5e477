/** Copies by the index of a file are those that FFmpeg makes. */
import { assert, assertEquals, assertLess } from "@std/assert";
import type { FrameSource } from "../../../../lib/media/source.ts";
import { openDecoder } from "../../../../lib/sources/file/decoder.ts";
import { Library, type MediaFile } from "../../../../lib/sources/file/library.ts";
import { PacketFiles } from "../../../../lib/sources/file/packets/packet_files.ts";
import type { MediaOptions } from "../../../../lib/sources/file/plan.ts";
import { mediaFolder, pictures, tone } from "../../../support/media/media_folder.ts";
import {
  countDescriptors,
  installedDialect,
  mediaChildren,
} from "../../../support/programs/machine.ts";

const media = mediaFolder();
const PICTURES = pictures({ seconds: 2.4 });
const SOUND = tone({ seconds: 2.4, rate: 44_100, layout: "mono" });
const BOTH = [...PICTURES, ...SOUND];
const H264 = [
  ...["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p"],
  ...["-x264-params", "b-adapt=0:bframes=3:keyint=25"],
];
const HEVC = ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none"];

/** Options that copies are compared with. Seeks of FFmpeg begin a second before the start. */
const PARTS: readonly MediaOptions[] = [
  {},
  { start: 1.7, duration: 0.4 },
];

/** The same for Matroska with reordered video, of which the end of a part is not known. */
const ENDLESS_PARTS: readonly MediaOptions[] = [{}, { start: 1.7 }];

/** Further ones for the files with the most common codecs, and with the most peculiar timestamps. */
const MORE_PARTS: readonly MediaOptions[] = [
  { start: 1.04 },
  { duration: 0.5 },
  { audio: false, start: 2.3 },
  { video: false, start: 1.2 },
];

/** Videos by name. */
const FILES: Record<string, readonly string[]> = {
  "h264 and aac.mp4": [...BOTH, ...H264, "-c:a", "aac"],
  "h264 and aac.mkv": [...BOTH, ...H264, "-c:a", "aac"],
  "hevc and ac3.mp4": [...BOTH, ...HEVC, "-tag:v", "hev1", "-c:a", "ac3"],
  "hevc of 10 bits and flac.mkv": [...BOTH, ...HEVC, "-pix_fmt", "yuv420p10le", "-c:a", "flac"],
  "mpeg4 and mp3.mkv": [...BOTH, "-c:v", "mpeg4", "-bf", "2", "-c:a", "libmp3lame"],
  "vp9 and opus.webm": [
    ...[...BOTH, "-c:v", "libvpx-vp9", "-cpu-used", "8", "-g", "25"],
    ...["-c:a", "libopus"],
  ],
  "av1.mp4": [...pictures({ seconds: 2.4, rate: "10" }), "-c:v", "libaom-av1", "-cpu-used", "8"],
  "mjpeg and pcm.mov": [...BOTH, "-c:v", "mjpeg", "-c:a", "pcm_s16be"],
  "sound.m4a": [...SOUND, "-c:a", "aac"],
  "uneven.mp4": [
    ...[...pictures({ seconds: 2.4, rate: "50" }), "-fps_mode", "vfr"],
    ...["-vf", "select=not(mod(n\\,3))+not(mod(n\\,7))", ...H264],
  ],
};

/** Files made of the first one, by the arguments behind its name. */
const MADE_OF_IT: Record<string, (path: string) => string[]> = {
  "turned.mp4": (path) => ["-i", path, "-c", "copy", "-metadata:s:v", "rotate=90"],
  "cut.mp4": (path) => ["-ss", "1.3", "-i", path, "-c", "copy"],
  "sound later.mp4": (path) => late(path, ["0:v", "1:a"]),
  "video later.mp4": (path) => late(path, ["1:v", "0:a"]),
  "sound later.mkv": (path) => late(path, ["0:v", "1:a"]),
  "sound shorter.mp4": (path) => [
    ...["-t", "1", "-i", path, "-i", path, "-map", "1:v", "-map", "0:a", "-c", "copy"],
  ],
};

function late(path: string, [video, audio]: string[]): string[] {
  return ["-i", path, "-itsoffset", "0.7", "-i", path, "-map", video, "-map", audio, "-c", "copy"];
}

/** Opens a copy by the index or by FFmpeg. */
async function open(file: MediaFile, options: MediaOptions): Promise<FrameSource> {
  const { signal } = new AbortController();
  return await openDecoder(file, {
    ...{ encoding: "copy", ...options },
    ...{ maxFrameSize: 1 << 26, signal },
  });
}

/** Streams, and the frames of each of them. */
async function read(file: MediaFile, options: MediaOptions) {
  await using source = await open(file, options);
  const frames: Record<number, unknown[]> = {};
  for await (const { streamId, timestamp, keyframe, due, data } of source.frames()) {
    (frames[streamId] ??= []).push({ timestamp, keyframe, due, data: data.slice() });
  }
  const { streams, notes, warning, isIndexed } = source;
  return { same: { streams, notes, warning, frames }, isIndexed };
}

/** Whether the end of the part is known without FFmpeg: see `isExact()`. */
function isIndexable(name: string, { duration, video }: MediaOptions): boolean {
  return duration === undefined || video === false || !/^(h264|hevc|mpeg4|sound).*mkv/.test(name);
}

Deno.test("openPackets() gives the frames that FFmpeg copies", async (t) => {
  const dialect = await installedDialect();
  const first = await media.make("h264 and aac.mp4", FILES["h264 and aac.mp4"]);
  const made = Object.entries(MADE_OF_IT).map(([name, args]) => [name, args(first)] as const);
  for (const [name, args] of [...Object.entries(FILES), ...made]) {
    await t.step(name, async () => {
      await media.make(name, args);
      const library = new Library(media.path, { packets: new PacketFiles(dialect) });
      const file = await library.find(name);
      const isCommon = name.startsWith("h264 and aac");
      const own = isIndexable(name, { duration: 1 }) ? PARTS : ENDLESS_PARTS;
      for (const part of isCommon ? [...PARTS, ...MORE_PARTS] : own) {
        const indexed = await read(file, part);
        assertEquals(
          indexed.isIndexed ?? false,
          isIndexable(name, part),
          JSON.stringify(part),
        );
        const byFfmpeg = await read({ ...file, packets: undefined }, part);
        assertEquals(byFfmpeg.isIndexed, undefined);
        assertEquals(indexed.same, byFfmpeg.same, JSON.stringify(part));
      }
    });
  }
});

Deno.test("openPackets() gives the frames of all streams in the order in which they are due", async () => {
  const path = await media.make("h264 and aac.mp4", FILES["h264 and aac.mp4"]);
  for (const name of ["h264 and aac.mp4", "sound later.mp4", "sound shorter.mp4"]) {
    if (name in MADE_OF_IT) await media.make(name, MADE_OF_IT[name](path));
    const file = await new Library(media.path).find(name);
    await using source = await open(file, { start: 1.2 });
    let latest = 0;
    for await (const { due, borrowed } of source.frames()) {
      assert(borrowed);
      assertLess(latest - due, 0.1);
      latest = Math.max(latest, due);
    }
  }
});

Deno.test("openPackets() leaves all other encodings, formats and stills to FFmpeg", async () => {
  await media.make("h264 and aac.mp4", FILES["h264 and aac.mp4"]);
  await media.make("h264.ts", [...pictures({ seconds: 0.4 }), ...H264]);
  await media.make("still.png", [...pictures({ seconds: 0.04 }), "-frames:v", "1"]);
  const library = new Library(media.path);
  const cases = [
    ["h264 and aac.mp4", { encoding: "mjpeg" }],
    ["h264.ts", {}],
    ["still.png", { still: true }],
  ] as const;
  for (const [name, options] of cases) {
    await using source = await open(await library.find(name), options);
    assertEquals(source.isIndexed, undefined);
  }
});

Deno.test("openPackets() needs no FFmpeg, and few descriptors, for many viewers", async () => {
  await media.make("h264 and aac.mp4", FILES["h264 and aac.mp4"]);
  const file = await new Library(media.path).find("h264 and aac.mp4");
  {
    await using stack = new AsyncDisposableStack();
    const sources = await Promise.all(
      Array.from({ length: 50 }, (_, at) => open(file, { start: at / 25 })),
    );
    for (const source of sources) stack.use(source);
    const runs = sources.map((source) => source.frames());
    const firsts = await Promise.all(runs.map((frames) => frames.next()));
    assert(firsts.every(({ done }) => !done));
    assertEquals(file.packets?.open, 1);
    if (Deno.build.os === "linux") {
      assertEquals(await mediaChildren(), []);
      // Four, and a copy of each while Deno reads by it.
      assertLess(countDescriptors(file.path), 9);
    }
  }
  assertEquals(file.packets?.open, 0);
  // What is read in advance is read to its end.
  if (Deno.build.os === "linux") {
    for (let turn = 0; turn < 1000 && countDescriptors(file.path) > 0; turn++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assertEquals(countDescriptors(file.path), 0);
  }
});

Deno.test("PacketSource.frames() throws the reason of the signal", async () => {
  await media.make("h264 and aac.mp4", FILES["h264 and aac.mp4"]);
  const file = await new Library(media.path).find("h264 and aac.mp4");
  const stop = new AbortController();
  await using source = await openDecoder(file, {
    ...{ encoding: "copy", maxFrameSize: 1 << 26, signal: stop.signal },
  });
  const frames = source.frames();
  await frames.next();
  stop.abort(new Error("stopped"));
  const error = await frames.next().then(() => undefined, (error) => error);
  assertEquals(error?.message, "stopped");
});

Deno.test("openPackets() goes on with FFmpeg if the index does not hold, from then on", async () => {
  const whole = await media.make("whole.mp4", [...BOTH, ...H264, "-c:a", "ac3"]);
  const bytes = await Deno.readFile(whole);
  // Behind the first batch, so that frames have been sent.
  const middle = Math.floor(bytes.byteLength * 0.6);
  await Deno.writeFile(`${media.path}/damaged.mp4`, bytes.fill(0, middle, middle + 4096));
  const first = await media.make("open.mp4", [
    ...BOTH,
    ...["-c:v", "libx264", "-pix_fmt", "yuv420p"],
    ...["-x264-params", "open-gop=1:keyint=20:min-keyint=20:bframes=4:b-adapt=0", "-c:a", "aac"],
  ]);
  await media.make("cut.mkv", ["-ss", "1.1", "-i", first, "-c", "copy"]);
  const library = new Library(media.path, { packets: new PacketFiles(await installedDialect()) });
  for (const name of ["damaged.mp4", "cut.mkv"]) {
    const file = await library.find(name);
    const indexed = await read(file, {});
    assert(indexed.isIndexed, name);
    const byFfmpeg = await read({ ...file, packets: undefined }, {});
    assertEquals(indexed.same, byFfmpeg.same, name);
    assertEquals((await read(file, {})).isIndexed, undefined, name);
    assertEquals(file.packets?.open, 0);
  }
  assertEquals(await mediaChildren(), []);
});
