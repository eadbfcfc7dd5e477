import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { UsageError } from "../../../lib/base/errors.ts";
import { parseClientFlags } from "../../../lib/client/options.ts";
import { CLIENT_FLAGS, clientUsage } from "../../../lib/client/flags.ts";
import {
  PUBLISHING_FLAGS,
  type PublishPlan,
  RECEIVING_FLAGS,
} from "../../../lib/client/publish/plan.ts";
import { pureTest } from "../../support/pure_test.ts";

function planOf(line: string): PublishPlan {
  const action = parseClientFlags(line.split(" "));
  assert(action.kind === "publish", line);
  return action.plan;
}

/** The fields of a rendition that are set. */
function renditionOf(line: string) {
  const { rendition } = planOf(line);
  return Object.fromEntries(Object.entries(rendition).filter(([, value]) => value !== undefined));
}

pureTest("toPublishPlan() takes what --live takes, and sends h264", () => {
  assertEquals(planOf("--publish cam --input v4l2:/dev/video0").source, {
    ...{ name: "/dev/video0", kind: "device", format: "v4l2", input: "/dev/video0" },
  });
  const { source, opened, ...plan } = planOf("--publish cam --input rtsp://u:secret@host/x");
  assertEquals([source.kind, source.input, opened], [
    "network",
    "rtsp://u:secret@host/x",
    undefined,
  ]);
  assert(!source.name.includes("secret"), source.name);
  assertEquals([plan.name, plan.isSilent, plan.onDemand, plan.replace], [
    ...["cam", false, false, false],
  ]);
  assertEquals(renditionOf("--publish cam --input lavfi:testsrc"), { encoding: "h264" });
});

pureTest("toPublishPlan() plays a file to its end, or in a loop", () => {
  const { source, opened } = planOf("--publish show --input clip.ts");
  assertEquals([source.kind, source.name], ["file", "clip.ts"]);
  assertEquals(opened, { arguments: ["-i", "file:clip.ts"], isStdin: false });
  assertEquals(planOf("--publish show --input mpegts:a:b --loop").opened?.arguments, [
    ...["-stream_loop", "-1", "-f", "mpegts", "-i", "file:a:b"],
  ]);
});

pureTest("toPublishPlan() hands on the flags of the encoding", () => {
  const cam = "--publish cam --input v4l2:/dev/video0";
  assertEquals(renditionOf(`${cam} --bitrate 2M --size 640x --fps 15`), {
    ...{ encoding: "h264", bitrate: 2_000_000, width: 640, fps: 15 },
  });
  assertEquals(renditionOf(`${cam} --encoding mjpeg --quality 90`), {
    ...{ encoding: "mjpeg", quality: 90 },
  });
  assertEquals(renditionOf(`${cam} --encoding raw --pixel-format bgr24`), {
    ...{ encoding: "raw", pixelFormat: "bgr24" },
  });
  assertEquals(renditionOf(`${cam} --encoding copy`), { encoding: "copy" });
  const plan = planOf(`${cam} --no-audio --on-demand --replace`);
  assertEquals([plan.isSilent, plan.onDemand, plan.replace], [true, true, true]);
});

pureTest("toPublishPlan() has size, rate and pixel format describe raw standard input", () => {
  const raw = "--publish cam --input - --format rawvideo --pixel-format bgr24 --size 64x48";
  assertEquals(planOf(`${raw} --fps 30`).opened, {
    isStdin: true,
    arguments: [
      ...["-fpsprobesize", "0", "-f", "rawvideo", "-pixel_format", "bgr24"],
      ...["-video_size", "64x48", "-framerate", "30", "-i", "pipe:0"],
    ],
  });
  assertEquals(renditionOf(`${raw} --fps 30`), { encoding: "h264" });
  assertEquals(renditionOf(`${raw} --encoding copy`), { encoding: "raw" });
  assertEquals(planOf("--publish cam --input - --format mjpeg --fps 10").opened?.arguments, [
    ...["-fpsprobesize", "0", "-f", "mjpeg", "-framerate", "10", "-i", "pipe:0"],
  ]);
  assertEquals(renditionOf("--publish cam --input - --format mjpeg --fps 10 --size 64x48"), {
    ...{ encoding: "h264", width: 64, height: 48 },
  });
  assertEquals(planOf("--publish cam --input -").opened?.arguments, [
    ...["-fpsprobesize", "0", "-f", "nut", "-i", "pipe:0"],
  ]);
  assertEquals(renditionOf("--publish cam --input - --fps 10"), { encoding: "h264", fps: 10 });
});

/** Flags that are for publishing and for receiving. */
const SHARED_FLAGS = [
  ...["host", "port", "token-file", "tls", "ca-cert", "tls-fingerprint", "retries", "format"],
  ...["encoding", "bitrate", "quality", "pixel-format", "size", "fps", "no-audio", "loop"],
  ...["json", "explain", "completions", "version", "help"],
];

pureTest("each flag is for publishing, for receiving, or for both", () => {
  const lists = ["publish", ...PUBLISHING_FLAGS, ...RECEIVING_FLAGS, ...SHARED_FLAGS];
  assertEquals(lists.toSorted(), Object.keys(CLIENT_FLAGS).toSorted());
});

pureTest("parseClientFlags() takes the longest name that a server takes", () => {
  assertEquals(planOf(`--publish ${"n".repeat(255)} --input x`).name.length, 255);
  const line = `--publish ${"n".repeat(256)} --input x`;
  assertThrows(() => planOf(line), UsageError, "expected a name of at most 255 characters");
});

pureTest("clientUsage() says that it publishes, also what a program writes", () => {
  const usage = clientUsage();
  assertStringIncludes(usage.slice(0, usage.indexOf("--image")), "publishes");
  assertMatch(usage, /\| stream-client --publish \w+ --input -$/m);
});

/** Command lines that are refused, and how. */
const REFUSED: Record<string, string> = {
  "--publish cam": 'Cannot use --publish "cam" alone: expected --input with it',
  "--input v4l2:/dev/video0": "Cannot use --input alone: expected --publish NAME with it",
  "--on-demand": "Cannot use --on-demand alone: expected --publish NAME with it",
  "--video --replace": "Cannot use --replace alone: expected --publish NAME with it",
  "--publish cam --input x --video": "Cannot use --video with --publish: the client either",
  "--publish cam --input x --output y.mp4": "Cannot use --output with --publish",
  "--publish cam --input x --data -": "Cannot use --data with --publish",
  "--publish cam --input x --view none": "Cannot use --view with --publish",
  "--publish cam --input x --start 1": "Cannot use --start with --publish",
  "--publish cam --input x --speed 2": "Cannot use --speed with --publish",
  "--publish cam --input x --late drop": "Cannot use --late with --publish",
  "--publish cam --input x --classic": "Cannot use --classic with --publish",
  "--publish cam --input x -- -crf 20": "Cannot use -- with --publish",
  "--publish c\u0007 --input x": 'Cannot use --publish "c\\u0007": expected a name',
  "--publish cam --input x --host http://a": 'Cannot use "http://a": stream-client speaks no HTTP',
  "--publish cam --input v4l2:": 'Cannot use --input "v4l2:": expected [FORMAT:]INPUT',
  "--publish cam --input stream://host/cam": "a stream-server gets it from another one by --live",
  "--publish cam --input x --format mjpeg": 'Cannot use --format with --input "x": it is for',
  "--publish cam --input v4l2:/dev/video0 --loop": "Cannot use --loop with --input",
  "--publish cam --input - --loop": "Cannot use --loop with --input -: it is for files",
  "--publish cam --input x --encoding copy --fps 5": "Cannot use --fps with --encoding copy",
  "--publish cam --input x --encoding copy --size 64x": "Cannot use --size with --encoding copy",
  "--publish cam --input x --quality 5": "Cannot use --quality alone: expected --encoding mjpeg",
  "--publish cam --input x --encoding raw --bitrate 1M": "expected --encoding h264 with it",
  "--publish cam --input x --pixel-format bgr24": "Cannot use --pixel-format with --encoding h264",
  "--publish cam --input - --format rawvideo --size 64x48": "expected --pixel-format",
  "--publish cam --input - --format rawvideo --pixel-format gray": "expected --size WIDTHxHEIGHT",
  "--publish cam --input - --format rawvideo --pixel-format gray --size 64x": "expected --size",
  "--publish cam --input - --format rawvideo --pixel-format p010le --size 6x4 --encoding raw":
    'Cannot use --pixel-format "p010le" with --encoding raw: expected one that can be sent raw',
  "--publish cam --input - --pixel-format gray": "Cannot use --pixel-format with --encoding h264",
};

for (const [line, reason] of Object.entries(REFUSED)) {
  pureTest(`parseClientFlags() refuses "${line.replace("\u0007", "BEL")}"`, () => {
    assertThrows(() => parseClientFlags(line.split(" ")), UsageError, reason);
  });
}

pureTest("toPublishPlan() takes hardware for what is decoded and encoded", () => {
  const cam = "--publish cam --input v4l2:/dev/video0";
  assertEquals(planOf(`${cam} --encoder auto --hwaccel cuda`).hardware, {
    ...{ encoder: "auto", hwaccel: "cuda" },
  });
  assertEquals(planOf(cam).hardware, { encoder: undefined, hwaccel: undefined });
  assertEquals(planOf(`${cam} --encoding mjpeg --hwaccel cuda`).hardware.hwaccel, "cuda");
  const refused = {
    "--encoding mjpeg --encoder auto": "Cannot use --encoder with --encoding mjpeg",
    "--encoding copy --hwaccel auto": "Cannot use --hwaccel with --encoding copy",
  };
  for (const [flags, reason] of Object.entries(refused)) {
    assertThrows(() => planOf(`${cam} ${flags}`), UsageError, reason);
  }
});
