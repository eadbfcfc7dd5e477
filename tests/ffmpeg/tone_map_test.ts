/** HDR video on a screen without HDR. */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { isHdr, toneMapFilters, toneMapped, type Tones } from "../../lib/ffmpeg/tone_map.ts";
import { run } from "../support/media/media_folder.ts";
import { pureTest } from "../support/pure_test.ts";

const TRANSFERS = ["smpte2084", "arib-std-b67"] as const;

/** Codes of transfers, 0 to 1, and the luma of BT.709 in 8 bits that is shown for them. */
const SHOWN: Record<typeof TRANSFERS[number], [code: number, luma: number][]> = {
  // 0, 20, 100, 203, 1000 and 10000 cd/m².
  smpte2084: [[0, 16], [0.3379, 70], [0.5081, 168], [0.5807, 206], [0.7518, 229], [1, 235]],
  // Black, a half, the reference white, and the brightest.
  "arib-std-b67": [[0, 16], [0.5, 123], [0.75, 208], [1, 235]],
};

/** The pixels of one colour behind the filters. */
async function shown(
  code: number,
  { transfer }: { transfer: string },
): Promise<Uint8Array> {
  const luma = Math.round(64 + 876 * code);
  const tones = { colorTransfer: transfer, pixelFormat: "yuv420p10le" };
  const graph = [
    ...["format=yuv420p10le", `geq=lum=${luma}:cb=512:cr=512`],
    ...toneMapFilters(tones),
  ].join(",");
  const source = ["-f", "lavfi", "-i", "color=gray:size=16x16:rate=1:d=1", "-frames:v", "1"];
  return await run("ffmpeg", [...source, "-vf", graph, "-f", "rawvideo", "pipe:1"]);
}

for (const transfer of TRANSFERS) {
  Deno.test(`toneMapFilters() shows greys of ${transfer} as bright as they should be`, async () => {
    for (const [code, expected] of SHOWN[transfer]) {
      const pixels = await shown(code, { transfer });
      assertEquals(pixels.length, 16 * 16 * 1.5);
      assertAlmostEquals(pixels[100], expected, 3, `${transfer} ${code}`);
      assertAlmostEquals(pixels[16 * 16 + 10], 128, 1, "without colour");
    }
  });
}

Deno.test("toneMapFilters() takes odd sizes, which become even", async () => {
  const tones = { colorTransfer: "smpte2084", pixelFormat: "yuv420p10le" };
  const graph = ["format=yuv444p10le", "crop=17:15", ...toneMapFilters(tones)].join(",");
  const source = ["-f", "lavfi", "-i", "color=gray:size=18x16:rate=1:d=1", "-frames:v", "1"];
  const pixels = await run("ffmpeg", [...source, "-vf", graph, "-f", "rawvideo", "pipe:1"]);
  assertEquals(pixels.length, 18 * 16 * 1.5);
});

Deno.test("toneMapFilters() brings colours of BT.2020 into BT.709", async () => {
  const tones = {
    ...{ colorTransfer: "smpte2084", colorPrimaries: "bt2020", colorSpace: "bt2020nc" },
    pixelFormat: "yuv444p10le",
  };
  // A red of BT.709 with 100 cd/m², in BT.2020.
  const red = "geq=lum=341:cb=446:cr=601";
  const graph = ["format=yuv444p10le", red, ...toneMapFilters(tones), "format=rgb24"].join(",");
  const source = ["-f", "lavfi", "-i", "color=gray:size=8x8:rate=1:d=1", "-frames:v", "1"];
  const pixels = await run("ffmpeg", [...source, "-vf", graph, "-f", "rawvideo", "pipe:1"]);
  const [r, g, b] = pixels;
  assert(r > 2 * g && r > 2 * b, `${r} ${g} ${b}`);
});

pureTest("isHdr() is true of PQ and HLG only", () => {
  const transfers = ["smpte2084", "arib-std-b67", "bt709", "bt2020-10", "constructor", undefined];
  const expected = [true, true, false, false, false, false];
  assertEquals(transfers.map((colorTransfer) => isHdr({ colorTransfer })), expected);
});

pureTest("toneMapFilters() gives nothing for the usual range", () => {
  assertEquals(toneMapFilters({ colorTransfer: "bt709", colorSpace: "bt2020nc" }), []);
});

pureTest("toneMapFilters() scales first, to even sizes", () => {
  const first = (size: { width?: number; height?: number }) =>
    toneMapFilters({ colorTransfer: "smpte2084" }, size)[0].split(":in_")[0];
  assertEquals(first({}), "scale=ceil(iw/2)*2:ceil(ih/2)*2");
  assertEquals(first({ width: 63 }), "scale=64:-2");
  assertEquals(first({ width: 64, height: 47 }), "scale=64:48");
});

pureTest("toneMapFilters() lets no other words into the filters", () => {
  const hostile = "tv,movie=/etc/passwd";
  const tones = {
    ...{ colorTransfer: "smpte2084", colorRange: hostile, colorSpace: hostile },
    ...{ colorPrimaries: hostile, pixelFormat: hostile },
  };
  assertEquals(toneMapFilters(tones).join(",").includes("movie"), false);
});

pureTest("toneMapped() describes 8 bits of BT.709 with the subsampling that was there", () => {
  const formats = ["yuv420p10le", "yuv422p10le", "yuv444p12le", "gbrp10le", "p010le", undefined];
  const tones = formats.map((pixelFormat): Tones =>
    toneMapped<Tones>({ pixelFormat, colorTransfer: "smpte2084", colorPrimaries: "bt2020" })
  );
  const expected = ["yuv420p", "yuv422p", "yuv444p", "yuv444p", "yuv420p", "yuv444p"];
  assertEquals(tones.map(({ pixelFormat }) => pixelFormat), expected);
  assertEquals(tones[0], {
    ...{ pixelFormat: "yuv420p", colorRange: "tv", colorSpace: "bt709" },
    ...{ colorPrimaries: undefined, colorTransfer: undefined },
  });
});
