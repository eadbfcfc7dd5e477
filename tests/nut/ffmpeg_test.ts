import { assert, assertEquals, assertMatch } from "@std/assert";
import { NutMuxer, type NutMuxStream } from "../../lib/nut/muxer.ts";
import { concat, seeded } from "../support/media/bytes.ts";
import {
  demuxAll,
  demuxAnything,
  describeFrames,
  frameMd5,
  makeNut,
  muxAll,
  probePackets,
} from "../support/media/nut_files.ts";
import { testWith } from "../support/test_if.ts";

const PICTURES = ["-f", "lavfi", "-i", "testsrc2=s=64x48:r=10:d=1"];
const SOUND = ["-f", "lavfi", "-i", "sine=d=0.5"];

/** Media of many kinds, as arguments to ffmpeg. */
const MEDIA: Record<string, readonly string[]> = {
  "H.264 and AAC": [...PICTURES, ...SOUND, "-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac"],
  "MPEG-4 with B-frames": [...PICTURES, "-c:v", "mpeg4", "-bf", "2"],
  "VP9": [...PICTURES, "-c:v", "libvpx-vp9", "-cpu-used", "8"],
  "AV1": [...PICTURES, "-c:v", "libaom-av1", "-cpu-used", "8", "-t", "0.3"],
  "MJPEG": [...PICTURES, "-c:v", "mjpeg"],
  "FFV1": [...PICTURES, "-c:v", "ffv1"],
  "PNG": [...PICTURES, "-c:v", "png"],
  "GIF": [...PICTURES, "-c:v", "gif"],
  "PCM": [...SOUND, "-c:a", "pcm_s16le"],
  "Opus": [...SOUND, "-c:a", "libopus"],
  "raw and PCM": [...PICTURES, ...SOUND, "-c:v", "rawvideo", "-c:a", "pcm_s16le"],
  "three streams": [
    ...[...PICTURES, ...SOUND, ...SOUND, "-map", "0", "-map", "1", "-map", "2"],
    ...["-c:v", "mjpeg", "-c:a:0", "pcm_s16le", "-c:a:1", "libmp3lame"],
  ],
  "no syncpoints": [
    ...[...PICTURES, ...SOUND, "-c:v", "mjpeg", "-c:a", "aac"],
    ...["-strict", "experimental", "-syncpoints", "none"],
  ],
  "wall clocks and side data": [
    ...[...PICTURES, ...SOUND, "-c:v", "libx264", "-c:a", "libopus"],
    ...["-strict", "experimental", "-syncpoints", "timestamped"],
  ],
  "variable frame rate": [
    ...[...PICTURES, "-vf", "setpts=N*N*N/10/TB", "-fps_mode", "passthrough"],
    ...["-c:v", "rawvideo", "-enc_time_base", "1:90000"],
  ],
};

const PIXEL_FORMATS = "yuv420p yuv422p yuv444p nv12 gray bgr24 rgba yuva420p yuv420p10le gray16le"
  .split(" ");
for (const format of PIXEL_FORMATS) {
  MEDIA[`raw ${format}`] = [...PICTURES, "-c:v", "rawvideo", "-pix_fmt", format, "-t", "0.3"];
}

const real = testWith("ffmpeg");

for (const [name, args] of Object.entries(MEDIA)) {
  real(
    `NutDemuxer.parse() reads ffmpeg's ${name}, and ffmpeg what NutMuxer makes of it`,
    async () => {
      const nut = await makeNut(args);
      const read = demuxAll(nut);
      assertEquals(read.rest, 0);
      assertEquals(await describeFrames(read.frames), await probePackets(nut));
      assert(read.frames.length > 0);

      const random = seeded(nut.length);
      const split = demuxAll(nut, () => 1 + Math.floor(random() * 5000));
      assertEquals(split.frames, read.frames);
      if (nut.length < 30000) assertEquals(demuxAll(nut, () => 1).frames, read.frames);

      const again = muxAll(read, [10, 1]);
      assertEquals(demuxAll(again).frames, read.frames);
      const [expected, actual] = [await frameMd5(nut), await frameMd5(again)];
      assertEquals(comparable(actual.list), comparable(expected.list));
      assertEquals(withoutAddresses(actual.said), withoutAddresses(expected.said));
    },
  );
}

/**
 * A list of frames without what differs though the frames are the same: side data, which stays
 * behind, and lengths, which FFmpeg reckons from a frame rate that it may have forgotten.
 */
function comparable(list: string): string {
  return list.replaceAll(/, S=.*$/gm, "").replaceAll(/^(\d+(?:, +-?\d+){2}), +\d+,/gm, "$1,");
}

/** Complaints without where in its memory FFmpeg has what complains. */
function withoutAddresses(said: string): string {
  return said.replaceAll(/ @ 0x[0-9a-f]+/g, "");
}

real("NutMuxer makes 1080p and PCM that ffmpeg reads without a warning", async () => {
  const video = {
    id: 3,
    type: "video",
    codec: "rawvideo",
    fourcc: "I420",
    timeBase: [1, 90000],
    extradata: new Uint8Array(),
    width: 1920,
    height: 1080,
    frameRate: [30, 1],
  } as const satisfies NutMuxStream;
  const audio = {
    id: 8,
    type: "audio",
    codec: "pcm_s16le",
    fourcc: "PSD\x10",
    timeBase: [1, 48000],
    extradata: new Uint8Array(),
    sampleRate: 48000,
    channels: 2,
  } as const satisfies NutMuxStream;
  const muxer = new NutMuxer([video, audio]);
  const parts: Uint8Array[] = [muxer.header()];
  // Uneven steps, a pause of three seconds among them.
  for (const timestamp of [0, 3000, 7500, 277500, 280500]) {
    const data = new Uint8Array(1920 * 1080 * 3 / 2).fill(timestamp % 251);
    const frame = { streamId: video.id, timestamp, keyframe: true, data };
    parts.push(muxer.frameHeader(frame), data);
    for (let part = 0; part < 2; part++) {
      const sound = {
        streamId: audio.id,
        timestamp: Math.floor(timestamp * 48 / 90) + part * 800,
        keyframe: true,
        data: new Uint8Array(3200).fill(part),
      };
      parts.push(muxer.frameHeader(sound), sound.data);
    }
  }
  const { list, said } = await frameMd5(concat(...parts));
  // NUT has no channel layout: ffmpeg says this of its own files as well.
  assertMatch(said, /^(\[[^\]]*\] )?Guessed Channel Layout[^:\n]*: stereo$/);
  const rows = list.split("\n").filter((line) => /^\d/.test(line)).map((line) => line.split(","));
  const times = (stream: string) => rows.filter((row) => row[0] === stream).map((row) => +row[2]);
  assertEquals(times("0"), [0, 3000, 7500, 277500, 280500]);
  assertEquals(times("1").length, 10);
});

real("NutDemuxer.parse() answers to altered files with a value or a FormatError", async () => {
  const random = seeded(5);
  const files = await Promise.all(
    ["H.264 and AAC", "raw gray", "three streams", "wall clocks and side data"].map((name) =>
      makeNut(MEDIA[name])
    ),
  );
  const outcomes = new Set<string>();
  for (let round = 0; round < 400; round++) {
    const whole = files[round % files.length];
    const bytes = whole.slice(0, random() < 0.3 ? random() * whole.length : whole.length);
    for (let change = 0; change < 1 + random() * 8; change++) {
      bytes[Math.floor(random() * bytes.length)] = random() * 256;
    }
    outcomes.add(demuxAnything(bytes));
  }
  assert(outcomes.size > 20, `${outcomes.size} different outcomes`);
});
