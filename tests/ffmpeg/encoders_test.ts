import { assert, assertEquals } from "@std/assert";
import {
  decodingArguments,
  deviceArguments,
  encoderArguments,
  encoderFilters,
  encodersOf,
  H264_ENCODERS,
  type HardwareEncoder,
  isRepeatable,
} from "../../lib/ffmpeg/encoders.ts";
import { pureTest } from "../support/pure_test.ts";

const HARDWARE = H264_ENCODERS.filter((name): name is HardwareEncoder => name !== "libx264");

/** Constant quality, a bitrate of 2 Mbit/s, and the filters of each encoder. */
const SETTINGS: Record<HardwareEncoder, [quality: string, bitrate: string, filters: string]> = {
  h264_vaapi: [
    "-async_depth 1 -bf 0 -g 50 -rc_mode CQP -qp 23",
    "-async_depth 1 -bf 0 -g 50 -rc_mode VBR -b:v 2000000 -maxrate 2000000 -bufsize 2000000",
    "format=nv12,hwupload",
  ],
  h264_nvenc: [
    "-preset p4 -tune ull -profile:v high -zerolatency 1 -delay 0 -forced-idr 1 -bf 0 -g 50 " +
    "-rc constqp -qp 23",
    "-preset p4 -tune ull -profile:v high -zerolatency 1 -delay 0 -forced-idr 1 -bf 0 -g 50 " +
    "-rc vbr -b:v 2000000 -maxrate 2000000 -bufsize 2000000",
    "format=yuv420p",
  ],
  h264_qsv: [
    "-preset veryfast -async_depth 1 -forced_idr 1 -bf 0 -g 50 -q:v 23",
    "-preset veryfast -async_depth 1 -forced_idr 1 -bf 0 -g 50 " +
    "-b:v 2000000 -maxrate 2000000 -bufsize 2000000",
    "format=nv12",
  ],
  h264_videotoolbox: [
    "-realtime 1 -profile:v high -bf 0 -g 50 -q:v 65",
    "-realtime 1 -profile:v high -bf 0 -g 50 -b:v 2000000 -maxrate 2000000 -bufsize 2000000",
    "format=nv12",
  ],
  h264_v4l2m2m: ["-bf 0 -g 50 -b:v 4000000", "-bf 0 -g 50 -b:v 2000000", "format=yuv420p"],
};

pureTest("encoderArguments() sets low delay, no B-frames, and quality or a bitrate", () => {
  for (const name of HARDWARE) {
    const [quality, bitrate, filters] = SETTINGS[name];
    const line = (options: { bitrate?: number }) =>
      encoderArguments(name, { ...options, keyframeDistance: 50 }).join(" ");
    assertEquals(line({}), `-c:v ${name} ${quality}`);
    assertEquals(line({ bitrate: 2_000_000 }), `-c:v ${name} ${bitrate}`);
    assertEquals(encoderFilters(name).join(","), filters);
  }
});

pureTest("deviceArguments() opens the device that frames are uploaded to", () => {
  for (const name of HARDWARE) {
    const device = deviceArguments(name);
    assertEquals(device.length > 0, encoderFilters(name).includes("hwupload"), name);
  }
  assertEquals(deviceArguments("h264_vaapi"), [
    ...["-init_hw_device", "vaapi=encoder", "-filter_hw_device", "encoder"],
  ]);
});

pureTest(
  "encodersOf() gives the encoders of a system, and never those that cannot be joined",
  () => {
    assertEquals(encodersOf("linux"), ["h264_nvenc", "h264_vaapi", "h264_qsv"]);
    assertEquals(encodersOf("darwin"), ["h264_videotoolbox"]);
    assertEquals(encodersOf("windows"), ["h264_nvenc", "h264_qsv"]);
    for (const system of ["linux", "darwin", "windows", "freebsd"]) {
      assert(!encodersOf(system).includes("h264_v4l2m2m"), system);
    }
  },
);

pureTest("decodingArguments() are none without hardware", () => {
  assertEquals(decodingArguments(), []);
  assertEquals(decodingArguments({ encoder: "h264_nvenc" }), []);
  assertEquals(decodingArguments({ encoder: "libx264", hwaccel: "cuda" }), ["-hwaccel", "cuda"]);
});

pureTest("isRepeatable() trusts the processor, and standards that state each pixel", () => {
  const cases: [encoder: "libx264" | "h264_qsv", hwaccel: string, codec: string, string[]][] = [
    ["libx264", "", "mpeg2video", ["raw", "copy", "h264", "mjpeg"]],
    ["h264_qsv", "", "h264", ["raw", "copy", "mjpeg"]],
    ["libx264", "vaapi", "h264", ["raw", "copy", "h264", "mjpeg"]],
    ["libx264", "vaapi", "mpeg2video", ["copy"]],
    ["h264_qsv", "vaapi", "hevc", ["raw", "copy", "mjpeg"]],
  ];
  for (const [encoder, hwaccel, codec, expected] of cases) {
    const hardware = { encoder, hwaccel: hwaccel || undefined };
    const repeatable = ["raw", "copy", "h264", "mjpeg"]
      .filter((encoding) => isRepeatable(hardware, { encoding, codec }));
    assertEquals(repeatable, expected, `${encoder} ${hwaccel} ${codec}`);
  }
});
