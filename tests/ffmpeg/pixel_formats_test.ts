import { assert, assertEquals } from "@std/assert";
import { bitsPerPixel, conversionFor, rawPixelFormat } from "../../lib/ffmpeg/pixel_formats.ts";
import { mediaFolder, run } from "../support/media/media_folder.ts";
import { pureTest } from "../support/pure_test.ts";

const media = mediaFolder();
const [WIDTH, HEIGHT] = [32, 16];

/** A picture with colours and transparency. */
const SOURCE = ["-f", "lavfi", "-i", `testsrc2=size=${WIDTH}x${HEIGHT}:rate=1:d=1:alpha=128`];

pureTest("rawPixelFormat() keeps formats that NUT carries", () => {
  for (const name of ["yuv420p", "bgr24", "pal8", "gray16be", "yuva420p", "gbrp12le"]) {
    assertEquals([rawPixelFormat(name), conversionFor(name)], [name, undefined]);
  }
});

pureTest("rawPixelFormat() names full-range formats without the j, and needs no conversion", () => {
  for (const chroma of ["420p", "422p", "440p", "444p"]) {
    assertEquals(rawPixelFormat(`yuvj${chroma}`), `yuv${chroma}`);
    assertEquals(conversionFor(`yuvj${chroma}`), undefined);
  }
});

pureTest("rawPixelFormat() replaces other formats by the nearest that NUT carries", () => {
  const replaced = {
    p010le: "yuv420p10le",
    p016be: "yuv420p16le",
    p210le: "yuv422p10le",
    y210le: "yuv422p10le",
    p216le: "yuv422p16le",
    p410le: "yuv444p10le",
    p416be: "yuv444p16le",
    nv16: "yuv422p",
    nv24: "yuv444p",
    nv42: "yuv444p",
    ayuv64le: "yuva444p16le",
    x2rgb10le: "gbrp10le",
    ya16be: "rgba64le",
    grayf32le: "gray16le",
    gbrpf32le: "rgb48le",
    gbrapf32be: "rgba64le",
    bayer_bggr8: "rgb24",
    bayer_rggb16le: "rgb48le",
    "of a later FFmpeg": "rgb24",
  };
  for (const [source, target] of Object.entries(replaced)) {
    assertEquals([rawPixelFormat(source), conversionFor(source)], [target, target], source);
    assert(bitsPerPixel(target) !== undefined);
    assertEquals(bitsPerPixel(source), undefined, source);
  }
});

Deno.test("bitsPerPixel() knows formats that NUT carries, and their size", async () => {
  const formats = (await knownFormats()).filter((name) => bitsPerPixel(name) !== undefined);
  assert(formats.length > 100, `${formats.length} formats`);
  await run("ffmpeg", [
    ...SOURCE,
    ...formats.flatMap((name) => [
      ...["-map", "0", "-pix_fmt", name, "-f", "rawvideo", media.pathOf(`${name}.raw`)],
      ...[
        "-map",
        "0",
        "-pix_fmt",
        name,
        "-c:v",
        "rawvideo",
        "-f",
        "nut",
        media.pathOf(`${name}.nut`),
      ],
    ]),
  ]);
  await run("ffmpeg", [
    ...formats.flatMap((name) => ["-i", media.pathOf(`${name}.nut`)]),
    ...formats.flatMap((name, index) => [
      ...["-map", String(index), "-pix_fmt", name, "-f", "rawvideo"],
      media.pathOf(`${name}.read`),
    ]),
  ]);
  const changed: string[] = [];
  for (const name of formats) {
    const raw = await Deno.readFile(media.pathOf(`${name}.raw`));
    assertEquals(raw.length, WIDTH * HEIGHT * bitsPerPixel(name)! / 8, name);
    const read = await Deno.readFile(media.pathOf(`${name}.read`));
    if (!read.every((byte, index) => byte === raw[index])) changed.push(name);
  }
  assertEquals(changed, []);
});

Deno.test("conversionFor() keeps every bit of formats that only lay them out otherwise", async () => {
  const candidates = ["p010le", "p010be", "p016le", "p210le", "p216le", "p410le", "p416le"];
  candidates.push("nv24", "nv42", "ayuv64le");
  const known = await knownFormats();
  const formats = candidates.filter((name) => known.includes(name));
  // From the replacement to the format and back again.
  await run("ffmpeg", [
    ...SOURCE,
    ...formats.flatMap((name) => {
      const replacement = conversionFor(name);
      return [
        ...["-map", "0", "-vf", `format=${replacement}`],
        ...["-f", "rawvideo", media.pathOf(`${name}.source`)],
        ...["-map", "0", "-vf", `format=${replacement},format=${name},format=${replacement}`],
        ...["-f", "rawvideo", media.pathOf(`${name}.back`)],
      ];
    }),
  ]);
  const changed: string[] = [];
  for (const name of formats) {
    const source = await Deno.readFile(media.pathOf(`${name}.source`));
    const back = await Deno.readFile(media.pathOf(`${name}.back`));
    if (!back.every((byte, index) => byte === source[index])) changed.push(name);
  }
  assertEquals(changed, []);
});

/** Names of the pixel formats that the installed FFmpeg can read and write in software. */
async function knownFormats(): Promise<string[]> {
  const { stdout } = await new Deno.Command("ffmpeg", {
    args: ["-v", "error", "-pix_fmts"],
    stdin: "null",
  }).output();
  const lines = new TextDecoder().decode(stdout).split("\n");
  return lines.flatMap((line) => line.match(/^IO\.[P.][B.] (\w+) /)?.[1] ?? []);
}
