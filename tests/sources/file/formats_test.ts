import { assert, assertEquals } from "@std/assert";
import { inputArguments, pixelLimit, SERVED_FORMATS } from "../../../lib/sources/file/formats.ts";

const PURE = { permissions: "none" } as const;
const GUESSED = [
  ...["-protocol_whitelist", "file"],
  ...["-format_whitelist", SERVED_FORMATS.join(",")],
];

Deno.test("inputArguments() opens one file, and only by way of the file protocol", PURE, () => {
  assertEquals(inputArguments("/a/http:b.mp4"), [...GUESSED, "-i", "file:/a/http:b.mp4"]);
});

Deno.test("inputArguments() takes no name for a pattern", PURE, () => {
  const patterns = ["/a/%03d.png", "/a/50% *.JPG", "/a %d/b.webp", "/a/{1,2}.bmp", "/a/?.tif"];
  for (const path of [...patterns, "/a/%d.svg", "/a/%d.dng", "/a/%d.mpg1-img"]) {
    const plain = ["-f", "image2", "-pattern_type", "none"];
    assertEquals(inputArguments(path), [...GUESSED, ...plain, "-i", `file:${path}`]);
  }
  for (const path of ["/a/b.png", "/a/%03d.mp4", "/a/%03d.gif", "/a/[1].png"]) {
    assertEquals(inputArguments(path), [...GUESSED, "-i", `file:${path}`]);
  }
});

Deno.test("inputArguments() leaves nothing to guess if the format is known", PURE, () => {
  const expected = ["-protocol_whitelist", "file", "-f", "mov", "-i", "file:/a/b.avi"];
  assertEquals(inputArguments("/a/b.avi", { format: "mov,mp4,m4a,3gp,3g2,mj2" }), expected);
  assert(inputArguments("/a/%d.png", { format: "image2" }).includes("-pattern_type"));
});

Deno.test("inputArguments() names the decoder that the content does not identify", PURE, () => {
  const image = { format: "image2", video: { codec: "targa" } };
  const named = ["-f", "image2", "-pattern_type", "none", "-c:v", "targa", "-i", "file:/a/b.tga"];
  assertEquals(inputArguments("/a/b.tga", image).slice(2), named);
  const told = { format: "image2", video: { codec: "png" } };
  assert(!inputArguments("/a/%d.png", told).includes("-c:v"));
});

Deno.test(
  "pixelLimit() leaves room for the margins of pictures that are small enough",
  PURE,
  () => {
    assertEquals(pixelLimit(), []);
    assertEquals(pixelLimit(3072), ["-max_pixels", "3072"]);
    assertEquals(pixelLimit(3072, { width: 64, height: 48 }), ["-max_pixels", `${192 * 112}`]);
    assertEquals(pixelLimit(3071, { width: 64, height: 48 }), ["-max_pixels", "3071"]);
    assertEquals(pixelLimit(2 ** 27, { width: 64, height: 48 }), ["-max_pixels", `${2 ** 27}`]);
  },
);

Deno.test("SERVED_FORMATS has none that opens other files", PURE, () => {
  const harmful = ["hls", "applehttp", "dash", "concat", "concatf", "imf", "sdp", "rtsp", "rtp"];
  harmful.push("vobsub", "mlv", "avisynth", "vapoursynth", "lavfi", "tty", "ffmetadata", "v4l2");
  assertEquals(SERVED_FORMATS.filter((format) => harmful.includes(format)), []);
  assertEquals(new Set(SERVED_FORMATS).size, SERVED_FORMATS.length);
});
