import { assertEquals, assertRejects } from "@std/assert";
import { HardwareSearch, type WantedHardware } from "../../lib/ffmpeg/hardware_search.ts";
import { hardwareStandIn } from "../support/programs/hardware_stand_in.ts";
import { linuxTest, unixTest } from "../support/test_if.ts";
import { mediaChildren } from "../support/programs/machine.ts";
import { LeapingTime } from "../support/time/leaping_time.ts";

/** The result of a search on Linux, and its lines. */
async function find(wanted: WantedHardware, maxMemory?: number) {
  await using search = new HardwareSearch(wanted, { system: "linux", maxMemory });
  const { hardware, isNamed, notes } = await search.found;
  return { ...hardware, isNamed, lines: notes.map(({ level, message }) => `${level}: ${message}`) };
}

const NVENC_IS_OUT = "h264_nvenc: h264_nvenc is not plugged in";

unixTest("HardwareSearch runs no FFmpeg unless hardware is wanted", async () => {
  using ffmpeg = await hardwareStandIn({ works: ["h264_nvenc"], devices: ["cuda"] });
  const none = { encoder: "libx264", hwaccel: undefined, isNamed: true, lines: [] };
  assertEquals<unknown>(await find({}), none);
  assertEquals<unknown>(await find({ encoder: "libx264", hwaccel: "none" }), none);
  assertEquals(ffmpeg.runs, []);
});

unixTest("HardwareSearch takes the first encoder of the system that encodes a frame", async () => {
  const choices: [works: string[], chosen: string][] = [
    [["h264_qsv", "h264_vaapi", "h264_nvenc"], "h264_nvenc"],
    [["h264_qsv", "h264_vaapi"], "h264_vaapi"],
    [["h264_qsv", "h264_v4l2m2m"], "h264_qsv"],
  ];
  for (const [works, chosen] of choices) {
    using _ffmpeg = await hardwareStandIn({ works });
    const { encoder, isNamed, lines } = await find({ encoder: "auto" });
    assertEquals([encoder, isNamed, lines], [chosen, false, [
      `info: h264 is encoded by ${chosen}`,
    ]]);
  }
});

unixTest("HardwareSearch tells why no encoder of the system works", async () => {
  using ffmpeg = await hardwareStandIn({ built: ["h264_nvenc", "h264_vaapi"] });
  const { encoder, lines } = await find({ encoder: "auto" });
  assertEquals([encoder, lines], ["libx264", [
    `info: h264 is encoded by libx264: no hardware encodes it here (${NVENC_IS_OUT}; ` +
    "h264_vaapi: h264_vaapi is not plugged in; " +
    "h264_qsv: the installed FFmpeg has no such encoder)",
  ]]);
  assertEquals(ffmpeg.tried, ["h264_nvenc", "h264_vaapi"]);
});

unixTest("HardwareSearch takes a named encoder, or tells why that fails", async () => {
  using ffmpeg = await hardwareStandIn({ works: ["h264_v4l2m2m"] });
  const named = await find({ encoder: "h264_v4l2m2m" });
  assertEquals([named.encoder, named.isNamed, named.lines], ["h264_v4l2m2m", true, []]);
  const failed = await find({ encoder: "h264_nvenc" });
  assertEquals([failed.encoder, failed.lines], ["libx264", [
    "warn: Cannot encode with h264_nvenc: h264_nvenc is not plugged in; libx264 is used instead",
  ]]);
  const unknown = await find({ encoder: "h264_videotoolbox" });
  assertEquals([unknown.encoder, unknown.lines], ["libx264", [
    "warn: Cannot encode with h264_videotoolbox: the installed FFmpeg has no such encoder; " +
    "libx264 is used instead",
  ]]);
  assertEquals(ffmpeg.tried, ["h264_nvenc", "h264_v4l2m2m"]);
});

unixTest("HardwareSearch tries an encoder with the memory limit that it will have", async () => {
  using _ffmpeg = await hardwareStandIn({ works: ["h264_vaapi"] });
  const { encoder } = await find({ encoder: "h264_vaapi" }, 4e9);
  assertEquals(encoder, "h264_vaapi");
});

unixTest("HardwareSearch takes a method of decoding whose device opens", async () => {
  using _ffmpeg = await hardwareStandIn({
    devices: ["vaapi"],
    methods: ["opencl", "cuda", "vaapi"],
  });
  assertEquals((await find({ hwaccel: "vaapi" })).hwaccel, "vaapi");
  const auto = await find({ hwaccel: "auto" });
  assertEquals([auto.hwaccel, auto.lines], [
    "vaapi",
    ["info: Video is decoded by vaapi, as far as it can"],
  ]);
  const failed = await find({ hwaccel: "cuda" });
  assertEquals([failed.hwaccel, failed.lines], [undefined, [
    "warn: Cannot decode with cuda: cuda is not plugged in; the processor decodes instead",
  ]]);
  const unknown = await find({ hwaccel: "nosuch" });
  assertEquals([unknown.hwaccel, unknown.lines], [undefined, [
    "warn: Cannot decode with nosuch: the installed FFmpeg has no such method, expected one of " +
    "opencl cuda vaapi; the processor decodes instead",
  ]]);
});

unixTest("HardwareSearch tells of an FFmpeg without methods of decoding", async () => {
  using _ffmpeg = await hardwareStandIn({ methods: [] });
  assertEquals((await find({ hwaccel: "auto" })).lines, [
    "info: Video is decoded by the processor: no hardware decodes it here (FFmpeg: it was built " +
    "without)",
  ]);
  assertEquals((await find({ hwaccel: "cuda" })).lines, [
    "warn: Cannot decode with cuda: the installed FFmpeg has no such method, expected none, since " +
    "it was built without; the processor decodes instead",
  ]);
});

linuxTest("HardwareSearch does not wait for later encoders, and ends them", async () => {
  using _ffmpeg = await hardwareStandIn({ works: ["h264_nvenc"], hangs: ["h264_vaapi"] });
  assertEquals((await find({ encoder: "auto" })).encoder, "h264_nvenc");
  assertEquals(await mediaChildren(), []);
});

linuxTest("HardwareSearch gives up an encoder that hangs", async () => {
  using time = new LeapingTime();
  using ffmpeg = await hardwareStandIn({ hangs: ["h264_nvenc"] });
  await using search = new HardwareSearch({ encoder: "h264_nvenc" });
  while (ffmpeg.tried.length === 0) await new Promise((go) => setTimeout(go, 10));
  await time.leap(20_000);
  const { hardware, notes: [{ message }] } = await search.found;
  assertEquals([hardware.encoder, message], [
    "libx264",
    "Cannot encode with h264_nvenc: nothing came within 20 s; libx264 is used instead",
  ]);
  assertEquals(await mediaChildren(), []);
});

linuxTest("a HardwareSearch that is disposed ends its FFmpegs, and has no result", async () => {
  using ffmpeg = await hardwareStandIn({ hangs: ["h264_nvenc"] });
  const search = new HardwareSearch({ encoder: "h264_nvenc" });
  while (ffmpeg.tried.length === 0) await new Promise((go) => setTimeout(go, 10));
  await search[Symbol.asyncDispose]();
  await search[Symbol.asyncDispose]();
  await assertRejects(() => search.found, DOMException, "abort");
  assertEquals(await mediaChildren(), []);
});

Deno.test("HardwareSearch finds that the installed FFmpeg has no encoder of another system", async () => {
  const encoder = Deno.build.os === "darwin" ? "h264_v4l2m2m" : "h264_videotoolbox";
  await using search = new HardwareSearch({ encoder });
  const { hardware, notes: [note] } = await search.found;
  assertEquals([hardware.encoder, note.level], ["libx264", "warn"]);
});
