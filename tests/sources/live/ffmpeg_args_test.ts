import { assert, assertEquals, assertFalse } from "@std/assert";
import type { Rendition } from "../../../lib/ffmpeg/rendition.ts";
import {
  liveArguments,
  type LiveInputOptions,
  restatesColors,
} from "../../../lib/sources/live/ffmpeg_args.ts";
import { parseLiveSource } from "../../../lib/sources/live/source_spec.ts";
import { pureTest } from "../../support/pure_test.ts";

/** The arguments for a source, as they would be typed. */
function line(
  input: string,
  { rendition = {}, ...options }: Partial<LiveInputOptions> & { rendition?: Rendition } = {},
): string {
  const whole = { inputTimeBase: "demux", ...options } as const;
  return liveArguments(parseLiveSource(`cam=${input}`), rendition, whole).join(" ");
}

pureTest("liveArguments() names the device's format in front of the input", () => {
  assert(/-f v4l2 .*-i \/dev\/video0 /.test(line("v4l2:/dev/video0")));
  assert(/-f lavfi -i testsrc2=rate=5 /.test(line("lavfi:testsrc2=rate=5")));
});

pureTest("liveArguments() does not buffer network inputs", () => {
  const rtsp = line("rtsp://host/a");
  assert(rtsp.includes("-fflags nobuffer"), rtsp);
  assert(rtsp.includes("-rtsp_transport tcp"), rtsp);
  const copied = line("rtsp://host/a", { rendition: { encoding: "copy" } });
  assert(copied.includes("-analyzeduration 4000000 -rtsp_transport tcp -i rtsp://host/a"), copied);
  assertFalse(line("http://host/a").includes("-rtsp_transport"));
  assert(line("mpegts:udp://host:1").includes("-f mpegts -i udp://host:1"));
});

pureTest("liveArguments() begins near the end of a growing file if its format allows that", () => {
  const size = 10_000_000;
  assert(line("/a.ts", { size }).includes(`-skip_initial_bytes ${size - 512 * 1024}`));
  assert(line("/a.ts", { size }).includes("-follow 1 -seekable 0 -i file:/a.ts"));
  assertFalse(line("/a.ts", { size: 100 }).includes("skip"));
  assertFalse(line("/a.mkv", { size }).includes("skip"));
});

pureTest("liveArguments() loops a file if that is asked for", () => {
  const looped = line("/a.ts", { loop: true, size: 10_000_000 });
  assert(looped.includes("-stream_loop -1 -i file:/a.ts"), looped);
  assertFalse(looped.includes("follow"));
  assert(line("file:///a.ts", { loop: true }).includes("-i file:/a.ts "));
});

pureTest("liveArguments() takes audio only if there is any, and each frame at once", () => {
  const args = liveArguments(parseLiveSource("cam=/a.ts"), { encoding: "h264" }, {
    inputTimeBase: "demux",
  });
  assertEquals(args.slice(-4), ["1", "-f", "nut", "pipe:1"]);
  assert(args.includes("-flush_packets"));
  assert(args.includes("0:a:0?") && args.includes("0:V:0?"));
  assert(args.includes("expr:if(isnan(prev_forced_t),1,gte(t,prev_forced_t+1))"));
});

pureTest("liveArguments() deinterlaces what is marked, if that is asked for", () => {
  const filter = "bwdif=mode=send_frame:deint=interlaced";
  assert(line("/a.ts", { rendition: { encoding: "h264", deinterlace: true } }).includes(filter));
  assertFalse(line("/a.ts", { rendition: { encoding: "h264" } }).includes("bwdif"));
});

pureTest("liveArguments() does not delay a frame by half of its duration", () => {
  assert(line("lavfi:testsrc2", { rendition: { fps: 0.1 } }).includes("fps=100/1000:round=up"));
  assertFalse(line("lavfi:testsrc2", { rendition: { fps: 30 } }).includes("round="));
});

pureTest("liveArguments() does not name a source whose frames are fed", () => {
  const fed = line("v4l2:/dev/video0", { fed: {} });
  assert(fed.includes(" -f nut -i pipe:0 -map 0:V:0?"), fed);
  assertFalse(/v4l2|video0/.test(fed));
  // The output is the same as from the source itself.
  const outputOf = (line: string) => line.slice(line.indexOf("-map"));
  assertEquals(outputOf(fed), outputOf(line("v4l2:/dev/video0")));
});

pureTest("liveArguments() limits raw video to pixel formats that NUT identifies", () => {
  assert(/-vf format=yuv420p\|/.test(line("/a.ts")));
  assertFalse(line("/a.ts").includes("yuvj"));
  assertFalse(line("/a.ts", { rendition: { pixelFormat: "bgr24" } }).includes("format=yuv420p"));
  assertFalse(line("/a.ts", { rendition: { encoding: "copy" } }).includes("-vf"));
});

pureTest(
  "liveArguments() keeps the time base of the input by the option of the installed FFmpeg",
  () => {
    for (const inputTimeBase of ["-1", "demux"] as const) {
      assert(
        line("rtsp://host/a", { inputTimeBase }).includes(`-enc_time_base:v ${inputTimeBase} `),
      );
    }
    const slower = line("rtsp://host/a", { rendition: { fps: 5 } });
    assert(slower.includes("-enc_time_base:v 1000/5000 "), slower);
    // Nothing is encoded.
    assertFalse(
      line("rtsp://host/a", { rendition: { encoding: "copy" } }).includes("enc_time_base"),
    );
  },
);

pureTest("liveArguments() takes raw frames of a generator, also for copy", () => {
  const copied = line("lavfi:testsrc2", { rendition: { encoding: "copy" } });
  assertEquals(copied, line("lavfi:testsrc2"));
  assert(line("v4l2:/dev/video0", { rendition: { encoding: "copy" } }).includes("-c:v copy"));
});

pureTest(
  "restatesColors() selects the video whose colours are converted to the described ones",
  () => {
    const isRestated = (input: string, encoding: Rendition["encoding"]) =>
      restatesColors(parseLiveSource(`cam=${input}`), { encoding });
    for (const input of ["x11grab::0", "lavfi:testsrc"]) {
      assert(isRestated(input, "h264") && isRestated(input, "mjpeg"), input);
      assertFalse(isRestated(input, "raw") || isRestated(input, "copy"), input);
    }
    assert(isRestated("rtsp://host/a", "mjpeg"));
    assertFalse(isRestated("rtsp://host/a", "h264"));
    const h264 = line("x11grab::0", { rendition: { encoding: "h264" } });
    assert(h264.includes("out_color_matrix=bt601:out_range=tv"), h264);
    assert(h264.includes("-colorspace smpte170m -color_range tv"), h264);
  },
);

pureTest("liveArguments() opens a source as the caller says, and leaves out its audio", () => {
  const opened = ["-f", "mjpeg", "-i", "pipe:0"];
  const whole = line("v4l2:/dev/video0", { opened });
  assert(whole.includes(" -f mjpeg -i pipe:0 -map 0:V:0?"), whole);
  assertFalse(/v4l2|video0/.test(whole));
  assert(whole.includes("0:a:0?"));
  assertFalse(line("/a.ts", { isSilent: true }).includes("0:a"));
});

pureTest("liveArguments() encodes by hardware, with a keyframe each second", () => {
  const hardware = { encoder: "h264_nvenc" } as const;
  const h264 = { encoding: "h264" } as const;
  const slow = line("v4l2:/dev/video0", { rendition: h264, hardware });
  assert(slow.includes("-c:v h264_nvenc ") && slow.includes(" -bf 0 -g 250 -rc constqp "), slow);
  assert(slow.includes("gte(t,prev_forced_t+1)"), slow);
  assert(slow.includes("-colorspace smpte170m -color_range tv"), slow);
  const rated = line("v4l2:/dev/video0", { rendition: { ...h264, fps: 15 }, hardware });
  assert(rated.includes(" -g 15 "), rated);
  assertFalse(
    line("v4l2:/dev/video0", { rendition: { encoding: "copy" }, hardware }).includes("264"),
  );
});

pureTest("liveArguments() decodes by hardware if there is anything to decode", () => {
  const hardware = { encoder: "libx264", hwaccel: "cuda" } as const;
  const raw = line("rtsp://host/a", { hardware });
  assert(/-hwaccel cuda .*-i rtsp:/.test(raw), raw);
  // It would be the format of hardware, which is not that of the source.
  assertFalse(raw.includes("nv12"), raw);
  assert(line("rtsp://host/a").includes("|nv12|"));
  for (
    const other of [
      line("lavfi:testsrc", { hardware }),
      line("rtsp://host/a", { hardware, rendition: { encoding: "copy" } }),
      line("rtsp://host/a", { hardware, fed: { rawFormat: "bgr24" } }),
    ]
  ) assertFalse(other.includes("-hwaccel"), other);
});
