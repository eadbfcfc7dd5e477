import { assertEquals } from "@std/assert";
import type { AudioStream, VideoStream } from "../../../lib/media/frame.ts";
import { nutInputArguments } from "../../../lib/sinks/filters.ts";
import { recodingNotes } from "../../../lib/sinks/output/containers.ts";
import { encoderArguments, type EncoderOptions } from "../../../lib/sinks/output/encode_args.ts";
import { fileTarget } from "../../../lib/sinks/output/target.ts";
import { pureTest } from "../../support/pure_test.ts";

const VIDEO: VideoStream = {
  type: "video",
  id: 0,
  codec: "rawvideo",
  fourcc: "I420",
  timeBase: [1001, 30000],
  extradata: new Uint8Array(),
  width: 64,
  height: 48,
  pixelFormat: "yuv420p",
  frameRate: [30000, 1001],
};

const SOUND: AudioStream = {
  type: "audio",
  id: 1,
  codec: "pcm_s16le",
  fourcc: "PSD\x10",
  timeBase: [1, 48_000],
  extradata: new Uint8Array(),
  sampleRate: 48_000,
  channels: 2,
};

/** The arguments between the input and the output. */
function between(path: string, video: Partial<VideoStream> = {}, still = false): string {
  const args = encoderArguments({ streams: [{ ...VIDEO, ...video }, SOUND] }, fileTarget(path), {
    still,
  });
  assertEquals(args.slice(0, 8).join(" "), "-v error -xerror -y -f nut -i pipe:0");
  assertEquals(args.at(-1), `file:${path}`);
  return args.slice(8, -1).join(" ");
}

const EXACT_TIME = "-fps_mode passthrough -enc_time_base:v 1001/30000";

const BY_AAC = "-c:a aac -b:a 160k";

/** Output arguments for a file name and a video stream. */
const CASES: [string, Partial<VideoStream>, string][] = [
  ["a.mp4", {}, EXACT_TIME],
  ["a.MP4", {}, EXACT_TIME],
  ["a.mkv", { pixelFormat: "gbrp10le" }, `${BY_AAC} ${EXACT_TIME}`],
  ["a.ts", {}, `-c:v h264 ${EXACT_TIME}`],
  ["a.nut", {}, EXACT_TIME],
  [
    "a.nut",
    { timeBase: [1, 1_000_000] },
    "-c:v h264 -fps_mode passthrough -enc_time_base:v 1/1000000",
  ],
  ["a.mp4", { pixelFormat: "yuv420p10le" }, EXACT_TIME],
  ["a.mp4", { pixelFormat: "bgr24" }, `-vf format=yuv420p ${EXACT_TIME}`],
  [
    "a.mp4",
    { pixelFormat: "yuvj420p" },
    `-vf scale=out_range=tv,format=yuv420p ${EXACT_TIME}`,
  ],
  ["a.mp4", { pixelFormat: undefined }, `-vf format=yuv420p ${EXACT_TIME}`],
  ["a.webm", { pixelFormat: "yuva444p" }, `-vf format=yuv420p|yuva420p ${EXACT_TIME}`],
  ["a.webm", { width: 65 }, EXACT_TIME],
  [
    "a.mp4",
    { width: 65, height: 47, pixelFormat: "yuv420p10le" },
    "-vf format=yuv444p10le,pad=66:48,fillborders=right=1:bottom=1:mode=smear,format=yuv420p10le " +
    EXACT_TIME,
  ],
  ["a.mkv", { height: 47 }, `${BY_AAC} -vf format=yuv444p ${EXACT_TIME}`],
  ["a.mkv", { height: 47, pixelFormat: "rgb24" }, `${BY_AAC} ${EXACT_TIME}`],
  ["a.avi", {}, "-af aresample=async=1:first_pts=0"],
  ["a.gif", {}, ""],
  ["a.gif", { frameRate: [60, 1] }, "-fps_mode vfr -enc_time_base:v 1/50"],
  ["a.gif", { frameRate: undefined }, "-fps_mode vfr -enc_time_base:v 1/50"],
  ["a.m4a", {}, "-vn"],
  ["a.wav", {}, ""],
];

for (const [path, video, expected] of CASES) {
  pureTest(
    `encoderArguments() for ${path} of ${JSON.stringify(video)}`,
    () => assertEquals(between(path, video), expected),
  );
}

pureTest("encoderArguments() writes one image, literally to that name", () => {
  assertEquals(between("a%03d.png", {}, true), "-frames:v 1 -update 1");
  assertEquals(between("a.JPG", {}, true), "-frames:v 1 -update 1 -q:v 2");
  assertEquals(between("a.mp4", {}, true), EXACT_TIME);
});

pureTest("encoderArguments() leaves audio-only files to FFmpeg", () => {
  const args = encoderArguments({ streams: [SOUND] }, fileTarget("a.mp4"), { still: false });
  assertEquals(args.slice(8), ["file:a.mp4"]);
});

pureTest("nutInputArguments() names colours that NUT does not carry", () => {
  const colours = (colorRange?: string, colorSpace?: string) =>
    nutInputArguments([{ ...VIDEO, colorRange, colorSpace }]).slice(0, -4).join(" ");
  assertEquals(colours(), "");
  assertEquals(colours("pc", "bt709"), "-color_range pc -colorspace bt709");
  assertEquals(colours("tv", "gbr"), "-color_range tv -colorspace rgb");
  assertEquals(colours("unknown", "unknown"), "");
  assertEquals(colours("-i", "file"), "");
  assertEquals(nutInputArguments([SOUND]), ["-f", "nut", "-i", "pipe:0"]);
});

const H264: VideoStream = { ...VIDEO, codec: "h264", fourcc: "H264", pixelFormat: undefined };
const AAC: AudioStream = { ...SOUND, codec: "aac", fourcc: "mp4a" };

/** The arguments for encoded streams, behind those that are always there. */
function kept(path: string, video: Partial<VideoStream> = {}, options = {}): string {
  const streams = [{ ...H264, ...video }, AAC];
  const args = encoderArguments({ streams }, fileTarget(path), {
    still: false,
    encoded: true,
    ...options,
  });
  return args.slice(4, -1).join(" ");
}

const INPUT = "-f nut -i pipe:0";

pureTest("encoderArguments() copies packets if the type supports them", () => {
  assertEquals(kept("a.mp4"), `${INPUT} -c:v copy -c:a copy`);
  assertEquals(
    kept("a.mov", {}, { lead: 2 }),
    `-copyts -itsoffset -2 ${INPUT} -c:v copy -c:a copy -copypriorss 1`,
  );
  assertEquals(kept("a.m4a"), `${INPUT} -vn -c:a copy`);
  assertEquals(
    kept("a.wav", {}, { lead: 1 }),
    `-copyts -itsoffset -1 ${INPUT} -af atrim=start=0 -vf trim=start=0`,
  );
  const flac = encoderArguments({ streams: [{ ...AAC, codec: "flac" }] }, fileTarget("a.mp4"), {
    ...{ still: false, encoded: true },
  });
  assertEquals(
    flac.slice(8, -1).join(" "),
    "-c:a copy -strict experimental -bsf:a setts=duration=if(N\\,PTS-PREV_INPTS)",
  );
  assertEquals(kept("a.mp4", { codec: "mjpeg" }).includes("-c:v copy"), false);
  assertEquals(kept("a.mkv", {}, { encoded: false }).includes("copy"), false);
});

pureTest("encoderArguments() keeps the rotation of copied packets, as this FFmpeg takes it", () => {
  assertEquals(
    kept("a.mp4", { rotation: 90 }, { rotationBy: "option" }),
    `-display_rotation:v:0 270 ${INPUT} -c:v copy -c:a copy`,
  );
  assertEquals(
    kept("a.mp4", { rotation: 270 }, { rotationBy: "tag" }),
    `${INPUT} -c:v copy -metadata:s:v:0 rotate=90 -c:a copy`,
  );
  assertEquals(
    kept("a.mkv", { rotation: 180 }, { rotationBy: "tag" }),
    `${INPUT} -c:a copy -vf hflip,vflip ${EXACT_TIME}`,
  );
});

pureTest("recodingNotes() gives the reasons why packets are not copied", () => {
  const notes = (path: string, video: Partial<VideoStream> = {}, still = false) =>
    recodingNotes([{ ...H264, ...video }, AAC], fileTarget(path), { still });
  assertEquals(notes("a.mp4", { rotation: 90 }), []);
  assertEquals(notes("a.webm"), [
    "pictures are re-encoded: h264 is not stored in .webm",
    "sound is re-encoded: aac is not stored in .webm",
  ]);
  assertEquals(notes("a.mkv", { rotation: 90 }), [
    "pictures are re-encoded: .mkv does not say which way up they are",
  ]);
  assertEquals(notes("a.avi", { codec: "mpeg4", decodeDelay: 1 }), [
    "pictures are re-encoded: .avi keeps no other order than that of showing",
    "sound is re-encoded: aac is not stored in .avi",
  ]);
  assertEquals(notes("a.wav"), ["sound is re-encoded: aac is not stored in .wav"]);
  assertEquals(notes("a.png", { codec: "mjpeg" }, true), [
    "the picture is re-encoded: mjpeg is not stored in .png",
  ]);
  assertEquals(notes("a.png", { codec: "png" }, true), []);
});

pureTest("encoderArguments() rotates pictures before it makes odd sizes even", () => {
  const odd = { codec: "mjpeg", width: 65, height: 48, rotation: 90 } as const;
  assertEquals(
    kept("a.mp4", odd, { lead: 1 }).match(/-vf (\S+)/)?.[1],
    "trim=start=0,transpose=clock,scale=out_range=tv,format=yuv444p,pad=48:66," +
      "fillborders=right=0:bottom=1:mode=smear,format=yuv420p",
  );
});

/** Output arguments of a target and the user's choices, between input and output. */
function chosen(path: string, options: Partial<EncoderOptions>, video: Partial<VideoStream> = {}) {
  const streams = [{ ...VIDEO, ...video }, SOUND];
  const args = encoderArguments({ streams }, fileTarget(path), { still: false, ...options });
  return args.slice(8, -1).join(" ");
}

pureTest("encoderArguments() leaves pixel formats to chosen encoders", () => {
  const rgb = { pixelFormat: "gbrp" };
  const odd = { width: 33 };
  for (
    const [path, codec, video, expected] of [
      ["a.mp4", { video: "libx265" }, rgb, `-c:v libx265 -tag:v:0 hvc1 ${EXACT_TIME}`],
      ["a.mp4", { video: "libx264" }, odd, `-c:v libx264 -vf format=yuv444p ${EXACT_TIME}`],
      ["a.mp4", { video: "ffv1" }, odd, `-c:v ffv1 ${EXACT_TIME}`],
      ["a.mp4", { video: "mpeg4" }, {}, "-c:v mpeg4"],
      ["a.mp4", { video: "none" }, {}, "-vn"],
      ["a.m4a", { video: "mjpeg" }, {}, "-c:v mjpeg"],
      ["a.mp4", { audio: "flac" }, {}, `-c:a flac -strict experimental ${EXACT_TIME}`],
      ["a.mkv", { audio: "none" }, {}, `-an ${EXACT_TIME}`],
      [
        "a.avi",
        { audio: "libmp3lame" },
        {},
        "-c:a libmp3lame -af aresample=async=1:first_pts=0",
      ],
    ] as const
  ) {
    assertEquals(chosen(path, { codec }, video), expected, `${path} ${JSON.stringify(codec)}`);
  }
});

pureTest(
  "encoderArguments() puts the user's arguments last, and adds none that contradict them",
  () => {
    assertEquals(chosen("a.mkv", { more: ["-crf", "40"] }), `${BY_AAC} ${EXACT_TIME} -crf 40`);
    assertEquals(chosen("a.mkv", { more: ["-r:v", "5"] }), `${BY_AAC} -r:v 5`);
  },
);

pureTest("encoderArguments() makes frequent keyframes for watched outputs", () => {
  const feed = { name: "rtmp://h/a/b", type: "flv", muxer: "flv", watched: "live" as const };
  const args = encoderArguments({ streams: [VIDEO, SOUND] }, feed, { still: false });
  const quick = "-c:v libx264 -preset veryfast -tune zerolatency";
  const often = "-force_key_frames expr:if(isnan(prev_forced_t),1,gte(t,prev_forced_t+2))";
  const sound = "-c:a aac -b:a 160k";
  assertEquals(
    args.slice(8).join(" "),
    `${quick} ${often} ${sound} ${EXACT_TIME} -f flv rtmp://h/a/b`,
  );
  const own = { still: false, codec: { video: "h264_nvenc", audio: "mp3" } };
  assertEquals(
    encoderArguments({ streams: [VIDEO, SOUND] }, feed, own).slice(8).join(" "),
    `-c:v h264_nvenc ${often} -c:a mp3 -f flv rtmp://h/a/b`,
  );
});

pureTest("encoderArguments() keeps the fields of frames where encoders code them", () => {
  const raw = { fieldOrder: "bb" } as const;
  const kept = "-flags:v +ildct+ilme";
  const fields = (path: string, video: Partial<VideoStream> = {}, codec = {}) => {
    const streams = [{ ...VIDEO, ...raw, ...video }];
    const line = encoderArguments({ streams }, fileTarget(path), { still: false, codec }).join(" ");
    return [line.includes(kept), line.includes("bff=1"), line.includes("bwdif")];
  };
  assertEquals(fields("a.mp4"), [true, true, false]);
  assertEquals(fields("a.mp4", { fieldOrder: "tt" }), [true, false, false]);
  assertEquals(fields("a.mp4", { height: 50 }), [false, false, true]);
  assertEquals(fields("a.mkv", { height: 50 }, { video: "ffv1" }), [true, false, false]);
  assertEquals(fields("a.mkv", {}, { video: "libx265" }), [false, false, true]);
  assertEquals(fields("a.webm"), [false, false, true]);
  assertEquals(fields("a.y4m", { height: 50 }), [true, false, false]);
  assertEquals(fields("a.mp4", { fieldOrder: undefined }), [false, false, false]);
});

pureTest("encoderArguments() states of copied packets what only the container may know", () => {
  const hdr = { colorTransfer: "smpte2084", colorPrimaries: "bt2020", fieldOrder: "tb" } as const;
  const copied = { still: false, encoded: true };
  const line = (video: Partial<VideoStream>) =>
    encoderArguments(
      { streams: [{ ...VIDEO, codec: "hevc", ...video }] },
      fileTarget("a.mov"),
      copied,
    )
      .slice(4).join(" ");
  const input = "-color_primaries bt2020 -color_trc smpte2084";
  assertEquals(
    line(hdr),
    `${input} -f nut -i pipe:0 -c:v copy -tag:v:0 hvc1 ${input} -field_order tb file:a.mov`,
  );
  assertEquals(line({}), "-f nut -i pipe:0 -c:v copy -tag:v:0 hvc1 file:a.mov");
});
