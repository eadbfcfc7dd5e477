import { assert, assertEquals } from "@std/assert";
import type { AudioStream, VideoStream } from "../../../lib/media/frame.ts";
import {
  BROWSER_CODECS,
  browserNotes,
  fragmentArguments,
  isPlayable,
  snapshotArguments,
} from "../../../lib/sinks/browser/fragment_args.ts";
import { pureTest } from "../../support/pure_test.ts";

const ALL = new Set<string>(BROWSER_CODECS);
const PICTURE: VideoStream = {
  ...{ id: 0, type: "video", codec: "h264", fourcc: "H264", timeBase: [1, 1000] },
  ...{ extradata: new Uint8Array(0), width: 64, height: 48, pixelFormat: "yuv420p" },
};
const SOUND: AudioStream = {
  ...{ id: 1, type: "audio", codec: "aac", fourcc: "mp4a", timeBase: [1, 48000] },
  ...{ extradata: new Uint8Array(0), sampleRate: 48000, channels: 6 },
};
const USUAL = { can: ALL, live: false, lead: 2, trims: true };

/** Value of an option; `undefined` if it is missing. */
function valueOf(args: readonly string[], option: string): string | undefined {
  const at = args.indexOf(option);
  return at < 0 ? undefined : args[at + 1];
}

pureTest("isPlayable() accepts codecs of the browser, in pixel formats that browsers play", () => {
  const playable = (stream: Partial<VideoStream>, can = ALL) =>
    isPlayable({ ...PICTURE, ...stream }, can);
  assert(playable({}));
  assert(playable({ pixelFormat: "yuvj420p" }));
  assert(playable({ pixelFormat: undefined }));
  assert(!playable({}, new Set(["vp9"])));
  assert(!playable({ pixelFormat: "yuv444p" }));
  assert(!playable({ pixelFormat: "yuv420p10le" }));
  assert(playable({ codec: "vp9", pixelFormat: "yuv420p10le" }));
  assert(!playable({ codec: "vp9", pixelFormat: "yuv444p" }));
  assert(!playable({ codec: "mpeg4" }, new Set(["mpeg4"])));
  assert(!playable({ fieldOrder: "tt" }));
  assert(playable({ codec: "hevc", pixelFormat: "yuv420p10le", colorTransfer: "smpte2084" }));
  assert(isPlayable(SOUND, ALL));
  assert(!isPlayable({ ...SOUND, codec: "ac3" }, ALL));
});

pureTest("fragmentArguments() copies playable streams", () => {
  const args = fragmentArguments([PICTURE, SOUND], USUAL);
  assertEquals([valueOf(args, "-c:v"), valueOf(args, "-c:a")], ["copy", "copy"]);
  assertEquals([valueOf(args, "-vf"), valueOf(args, "-af")], [undefined, undefined]);
  const hevc = fragmentArguments([{ ...PICTURE, codec: "hevc" }], USUAL);
  assertEquals(valueOf(hevc, "-tag:v"), "hvc1");
});

pureTest("fragmentArguments() encodes the others, from the beginning on", () => {
  const args = fragmentArguments([PICTURE, SOUND], { ...USUAL, can: new Set() });
  assertEquals([valueOf(args, "-c:v"), valueOf(args, "-c:a")], ["libx264", "aac"]);
  assert(valueOf(args, "-vf")?.startsWith("trim=start=2,"));
  assertEquals([valueOf(args, "-af"), valueOf(args, "-ac")], ["atrim=start=2", "2"]);
  const whole = fragmentArguments([SOUND], { ...USUAL, can: new Set(), trims: false });
  assertEquals(valueOf(whole, "-af"), undefined);
});

pureTest("fragmentArguments() rotates encoded video, and tags copied video", () => {
  const phone = { ...PICTURE, rotation: 90 as const };
  const encoded = fragmentArguments([phone], { ...USUAL, can: new Set(), rotationBy: "tag" });
  assert(valueOf(encoded, "-vf")?.includes("transpose=clock"));
  assertEquals(valueOf(encoded, "-metadata:s:v:0"), undefined);
  const tagged = fragmentArguments([phone], { ...USUAL, rotationBy: "tag" });
  assertEquals(valueOf(tagged, "-metadata:s:v:0"), "rotate=270");
  const told = fragmentArguments([phone], { ...USUAL, rotationBy: "option" });
  assertEquals(valueOf(told, "-display_rotation:v:0"), "270");
  assert(told.indexOf("-display_rotation:v:0") < told.indexOf("-i"));
});

pureTest("fragmentArguments() does not delay live media", () => {
  const args = fragmentArguments([PICTURE], { ...USUAL, can: new Set(), live: true });
  assertEquals(valueOf(args, "-tune"), "zerolatency");
  assertEquals(valueOf(args, "-frag_duration"), "1");
});

pureTest("fragmentArguments() names a level that decoders support", () => {
  const level = (width: number, height: number) =>
    valueOf(
      fragmentArguments([{ ...PICTURE, width, height }], { ...USUAL, can: new Set() }),
      "-level:v",
    );
  assertEquals([level(64, 48), level(1920, 1080), level(3840, 2160), level(7680, 4320)], [
    ...["4.2", "4.2", "5.2", "6.2"],
  ]);
});

pureTest("browserNotes() gives the reasons for encoding", () => {
  const streams = [{ ...PICTURE, pixelFormat: "yuv444p" }, { ...SOUND, codec: "ac3" }];
  assertEquals(browserNotes(streams, { can: ALL }), [
    "pictures are re-encoded: this browser does not play h264 yuv444p",
    "sound is re-encoded: this browser does not play ac3",
  ]);
  assertEquals(browserNotes([PICTURE, { ...SOUND, codec: "pcm_s16le" }], { can: ALL }), []);
  // A user who allows no codec knows the reason.
  assertEquals(browserNotes(streams, { can: new Set() }), []);
});

pureTest("snapshotArguments() makes an upright image with square pixels", () => {
  const wide = { ...PICTURE, rotation: 90 as const, sampleAspectRatio: [2, 1] as const };
  const args = snapshotArguments([wide], "png");
  assertEquals(valueOf(args, "-vf"), "transpose=clock,scale=iw*1/2:ih,setsar=1");
  assertEquals(valueOf(args, "-c:v"), "png");
  assertEquals(valueOf(snapshotArguments([PICTURE], "jpeg"), "-c:v"), "mjpeg");
});

pureTest("fragmentArguments() encodes HDR in the usual range, and fields as whole frames", () => {
  const hdr: Partial<VideoStream> = { pixelFormat: "yuv420p10le", colorTransfer: "smpte2084" };
  const filtersOf = (stream: Partial<VideoStream>, toneMap?: boolean) =>
    valueOf(fragmentArguments([{ ...PICTURE, ...stream }], { ...USUAL, toneMap }), "-vf") ?? "";
  assert(/lutrgb=.*colorspace=/.test(filtersOf(hdr)));
  assert(!filtersOf(hdr, false).includes("lutrgb"));
  assert(filtersOf({ fieldOrder: "tt" }).startsWith("bwdif="));
  assert(!/lutrgb|bwdif/.test(filtersOf({ pixelFormat: "yuv420p10le" })));
});
