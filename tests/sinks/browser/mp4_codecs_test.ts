import { assertEquals, assertThrows } from "@std/assert";
import { FormatError } from "../../../lib/base/errors.ts";
import { findBox, mimeTypeOf } from "../../../lib/sinks/browser/mp4_codecs.ts";
import { mediaFolder, pictures, tone } from "../../support/media/media_folder.ts";

const media = mediaFolder();
const SHORT = { seconds: 0.2 };

/** Makes an MP4 file with ffmpeg; gives its media type. */
async function typeOf(name: string, args: readonly string[]): Promise<string> {
  const path = await media.make(`${name}.mp4`, [...args, "-strict", "experimental"]);
  const moov = findBox(await Deno.readFile(path), "moov");
  return mimeTypeOf(moov ?? new Uint8Array(0));
}

const X264 = ["-c:v", "libx264", "-pix_fmt", "yuv420p"];

/**
 * Arguments for ffmpeg, and the codec name of the result by RFC 6381 and the codecs'
 * specifications.
 */
const NAMES: [name: string, args: string[], expected: string][] = [
  ["baseline", [...pictures(SHORT), ...X264, "-profile:v", "baseline"], "avc1.42c00a"],
  ["high", [...pictures(SHORT), ...X264, "-level", "4.2"], "avc1.64002a"],
  ["hevc", [...pictures(SHORT), "-c:v", "libx265", "-pix_fmt", "yuv420p"], "hev1.1.6.L30.90"],
  [
    "hevc_deep",
    [...pictures(SHORT), "-c:v", "libx265", "-pix_fmt", "yuv420p10le", "-tag:v", "hvc1"],
    "hvc1.2.4.L30.90",
  ],
  [
    "vp9",
    [...pictures(SHORT), "-c:v", "libvpx-vp9", "-pix_fmt", "yuv420p"],
    "vp09.00.10.08.01.02.02.02.00",
  ],
  [
    "av1",
    [...pictures(SHORT), "-c:v", "libaom-av1", "-cpu-used", "8", "-pix_fmt", "yuv420p"],
    "av01.0.00M.08",
  ],
];

for (const [name, args, expected] of NAMES) {
  Deno.test(`mimeTypeOf() names ${name}`, async () => {
    assertEquals(await typeOf(name, args), `video/mp4; codecs="${expected}"`);
  });
}

const SOUNDS: [name: string, args: string[], expected: string][] = [
  ["aac", ["-c:a", "aac"], "mp4a.40.2"],
  ["mp3", ["-c:a", "libmp3lame"], "mp4a.6B"],
  ["mp3_slow", ["-c:a", "libmp3lame", "-ar", "22050"], "mp4a.69"],
  ["opus", ["-c:a", "libopus"], "opus"],
  ["flac", ["-c:a", "flac"], "flac"],
];

for (const [name, args, expected] of SOUNDS) {
  Deno.test(`mimeTypeOf() names ${name} as audio`, async () => {
    assertEquals(await typeOf(name, [...tone(SHORT), ...args]), `audio/mp4; codecs="${expected}"`);
  });
}

Deno.test("mimeTypeOf() names all streams", async () => {
  const type = await typeOf("both", [...pictures(SHORT), ...tone(SHORT), ...X264, "-c:a", "aac"]);
  assertEquals(type, 'video/mp4; codecs="avc1.64000a, mp4a.40.2"');
});

Deno.test("mimeTypeOf() refuses codecs without a name for browsers", async () => {
  const args = [...pictures(SHORT), "-c:v", "mpeg4"];
  const path = await media.make("mpeg4.mp4", args);
  const moov = findBox(await Deno.readFile(path), "moov") ?? new Uint8Array(0);
  assertThrows(() => mimeTypeOf(moov), FormatError, 'Cannot name the codec "mp4v"');
  assertThrows(() => mimeTypeOf(new Uint8Array(0)), FormatError, "it has no track");
});
