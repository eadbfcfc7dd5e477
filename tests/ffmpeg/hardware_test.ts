import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { SOFTWARE } from "../../lib/ffmpeg/encoders.ts";
import { HardwareError, HardwareFallback, hardwareReason } from "../../lib/ffmpeg/hardware.ts";
import { pureTest } from "../support/pure_test.ts";

const NVENC = { encoder: "h264_nvenc" } as const;
const VAAPI = { encoder: "h264_vaapi" } as const;

/** What FFmpeg writes about hardware that fails, and the reason. */
const FAILURES: Record<string, string> = {
  "Cannot open the X11 display": `[AVHWDeviceContext @ 0x55e] Cannot open the X11 display .
Device creation failed: -1313558101.
`,
  "Cannot load libcuda.so.1": `[h264_nvenc @ 0x562110244580] Cannot load libcuda.so.1
Error initializing output stream 0:0 -- Error while opening encoder for output stream #0:0 - maybe incorrect parameters such as bit_rate, rate, width or height
`,
  "OpenEncodeSessionEx failed: out of memory (10)":
    `[h264_nvenc @ 0x562110244580] OpenEncodeSessionEx failed: out of memory (10)
[vost#0:0/h264_nvenc @ 0x56] [enc:h264_nvenc @ 0x55] Error while opening encoder - maybe incorrect parameters such as bit_rate, rate, width or height.
[vost#0:0/h264_nvenc @ 0x56] Task finished with error code: -1 (Operation not permitted)
`,
  "Could not find a valid device": `[h264_v4l2m2m @ 0x55c] Could not find a valid device
[h264_v4l2m2m @ 0x55c] can't configure encoder
Error initializing output stream 0:0 -- Error while opening encoder for output stream #0:0 - maybe incorrect parameters such as bit_rate, rate, width or height
`,
  "No VA display found for device /dev/dri/renderD128":
    `[AVHWDeviceContext @ 0x55b8688b9a40] No VA display found for device /dev/dri/renderD128.
Device creation failed: -22.
Failed to set value 'vaapi=encoder' for option 'init_hw_device': Invalid argument
Error parsing global options: Invalid argument
`,
  "Failed to set value 'vaapi=encoder' for option 'init_hw_device': Generic error in an external library":
    `Device creation failed: -542398533.
Failed to set value 'vaapi=encoder' for option 'init_hw_device': Generic error in an external library
Error parsing global options: Generic error in an external library
`,
};

pureTest("hardwareReason() finds what FFmpeg says before it gives up", () => {
  for (const [reason, stderr] of Object.entries(FAILURES)) {
    assertEquals(hardwareReason(stderr, VAAPI), reason);
    assertEquals(hardwareReason(stderr, { encoder: "libx264", hwaccel: "cuda" }), reason);
    assertEquals([hardwareReason(stderr), hardwareReason(stderr, SOFTWARE)], [
      undefined,
      undefined,
    ]);
  }
  const other = "[mov @ 0x1f] moov atom not found\nfile:/a: Invalid data found";
  assertEquals(hardwareReason(other, NVENC), undefined);
});

/** Opens with hardware that fails, and gives what it was opened with. */
function failing(used: string[]) {
  return ({ encoder }: { encoder: string }) => {
    used.push(encoder);
    if (encoder === "libx264") return Promise.resolve(encoder);
    return Promise.reject(new HardwareError("Cannot read: it is unplugged", "it is unplugged"));
  };
}

pureTest("HardwareFallback opens again without hardware, and tells so once", async () => {
  const lines: string[] = [];
  const fallback = new HardwareFallback(NVENC, (line) => lines.push(line));
  const used: string[] = [];
  assertEquals(await fallback.open("cam", failing(used)), "libx264");
  assertEquals(await fallback.open("door", failing(used)), "libx264");
  assertEquals(used, ["h264_nvenc", "libx264", "h264_nvenc", "libx264"]);
  assertEquals(lines, [
    'Cannot use h264_nvenc for "cam": it is unplugged; the processor is used instead, here and ' +
    "where it fails again",
  ]);
});

pureTest("HardwareFallback passes on other failures", async () => {
  const fallback = new HardwareFallback(NVENC, () => {
    throw new Error("Nothing has to be told");
  });
  const failure = new Error("no such file");
  const thrown = await assertRejects(() => fallback.open("a", () => Promise.reject(failure)));
  assertStrictEquals(thrown, failure);
});

pureTest("HardwareFallback.opener() opens all parts as the first one that was opened", async () => {
  const fallback = new HardwareFallback({ ...NVENC, hwaccel: "cuda" }, () => {});
  const open = fallback.opener("a.mp4");
  const used: string[] = [];
  await open(failing(used));
  await open(failing(used));
  assertEquals(used, ["h264_nvenc", "libx264", "libx264"]);
  const steady = fallback.opener("b.mp4");
  assertEquals(await steady(({ encoder }) => Promise.resolve(encoder)), "h264_nvenc");
  // Another encoder would need another header.
  await assertRejects(() => steady(failing(used)), HardwareError, "it is unplugged");
});
