import { assert, assertAlmostEquals, assertEquals, assertMatch } from "@std/assert";
import { TruncatedError } from "../../../lib/base/errors.ts";
import type { FileHeader } from "../../../lib/containers/headers/header.ts";
import { readHeader } from "../../../lib/containers/headers/read.ts";
import { memoryOf } from "../../support/media/opened_matroska.ts";
import { mediaFolder, pictures, tone, turnPhoto } from "../../support/media/media_folder.ts";

const media = mediaFolder();

const PNG = [...pictures({ seconds: 0.04 }), "-frames:v", "1"];
const JPEG = [...PNG, "-pix_fmt", "yuvj420p"];
const SOUND = tone({ seconds: 0.2 });

/** Files that tell all, and what they tell. */
const FILES: Record<string, [args: string[], told: Partial<FileHeader>]> = {
  "a.png": [PNG, { width: 64, height: 48 }],
  "a.jpg": [JPEG, { width: 64, height: 48 }],
  "a.webp": [[...PNG, "-pix_fmt", "yuv420p"], { width: 64, height: 48 }],
  "lossless.webp": [[...PNG, "-lossless", "1"], { width: 64, height: 48 }],
  "a.wav": [SOUND, { duration: 0.2 }],
  "a.flac": [SOUND, { duration: 0.2 }],
  "a.opus": [[...SOUND, "-c:a", "libopus"], { duration: 0.2065 }],
  "a.ogg": [[...SOUND, "-c:a", "libvorbis", "-metadata", "title=T"], { duration: 0.2, title: "T" }],
  "a.mp3": [[...SOUND, "-metadata", "title=T"], { duration: 0.24 }],
};

/** Reads the headers in bytes; of a file that ends within them, nothing. */
async function headerOf(bytes: Uint8Array): Promise<FileHeader | undefined> {
  try {
    return await readHeader(memoryOf(bytes));
  } catch (error) {
    if (error instanceof TruncatedError) return undefined;
    throw error;
  }
}

async function bytesOf(name: string): Promise<Uint8Array<ArrayBuffer>> {
  return await Deno.readFile(await media.make(name, FILES[name][0]));
}

/** Bytes with others in between. */
function insert(bytes: Uint8Array, at: number, ...others: number[]): Uint8Array {
  return new Uint8Array([...bytes.subarray(0, at), ...others, ...bytes.subarray(at)]);
}

function find(bytes: Uint8Array, text: string): number {
  const at = new TextDecoder("latin1").decode(bytes).indexOf(text);
  assert(at >= 0, `no ${text}`);
  return at;
}

for (const [name, [, told]] of Object.entries(FILES)) {
  Deno.test(`readHeader() reads the headers of ${name}, and nothing of one that is cut`, async () => {
    const bytes = await bytesOf(name);
    const header = await headerOf(bytes);
    const { likeness, ...rest } = header ?? { likeness: "" };
    assert(likeness !== "");
    assertEquals(JSON.parse(JSON.stringify(rest)), told);
    const lengths = [...Array(64).keys(), bytes.length >> 1, bytes.length - 1];
    for (const length of lengths) {
      const cut = await headerOf(bytes.subarray(0, length));
      // The length that MP3 and FLAC state may differ a little from that of the file.
      const mayTell = /mp3|flac/.test(name) && length > 64;
      assert(cut === undefined || mayTell, `${length} bytes`);
    }
    // Whatever is in it, reading ends.
    for (let at = 0; at < Math.min(bytes.length, 200); at++) {
      const damaged = bytes.slice();
      damaged[at] ^= 0xff;
      await headerOf(damaged);
    }
  });
}

Deno.test("readHeader() tells turned photos apart, and nothing of several pictures in one", async () => {
  const plain = await bytesOf("a.jpg");
  const turned = await Promise.all([3, 6].map(async (turn) => {
    const path = await media.write(`${turn}.jpg`, plain);
    await turnPhoto(path, turn);
    return (await headerOf(await Deno.readFile(path)))?.likeness;
  }));
  const all = [(await headerOf(plain))?.likeness, ...turned];
  assertEquals([all.includes(undefined), new Set(all).size], [false, 3]);
  const others = [0xff, 0xe2, 0, 6, 0x4d, 0x50, 0x46, 0];
  assertEquals(await headerOf(insert(plain, 2, ...others)), undefined);
});

Deno.test("readHeader() tells nothing of animations and unknown chunks of PNG", async () => {
  const bytes = await bytesOf("a.png");
  const chunk = (name: string) => [0, 0, 0, 0, ...new TextEncoder().encode(name), 0, 0, 0, 0];
  const with_ = (name: string) => headerOf(insert(bytes, 33, ...chunk(name)));
  assertEquals([await with_("acTL"), await with_("eXIf"), await with_("xXxX")], [
    ...[undefined, undefined, undefined],
  ]);
  assertEquals((await with_("tEXt"))?.likeness, (await headerOf(bytes))?.likeness);
  assert((await with_("tRNS"))?.likeness !== (await headerOf(bytes))?.likeness);
});

Deno.test("readHeader() tells nothing of WAV that may hold compressed sound", async () => {
  const bytes = await bytesOf("a.wav");
  const at = find(bytes, "data") + 8;
  for (
    const word of [[0x7f, 0xfe, 0x80, 0x01], [0xfe, 0x7f, 0x01, 0x80], [0x72, 0xf8, 0x1f, 0x4e]]
  ) {
    const other = bytes.slice();
    other.set(word, at + 100);
    assertEquals(await headerOf(other), undefined);
  }
  const adpcm = bytes.slice();
  adpcm[find(bytes, "fmt ") + 8] = 2;
  assertEquals(await headerOf(adpcm), undefined);
});

Deno.test("readHeader() tells nothing of MP3 without a length, or with a wrong one", async () => {
  const bytes = await bytesOf("a.mp3");
  const at = find(bytes, "Info");
  const without = bytes.slice();
  without.fill(0, at, at + 4);
  assertEquals(await headerOf(without), undefined);
  assertEquals(await headerOf(bytes.subarray(0, bytes.length >> 1)), undefined);
});

Deno.test("readHeader() estimates the length of AAC, and nothing of what FFmpeg has to decode", async () => {
  const make = async (name: string, ...args: string[]) =>
    await Deno.readFile(await media.make(name, [...tone({ seconds: 1.5 }), ...args]));
  const bytes = await make("a.aac");
  const { likeness = "", duration = 0 } = await headerOf(bytes) ?? {};
  assertMatch(likeness, /^adts \d+ \w+ 50$/);
  // The bit rate of the first frames, as FFmpeg takes it, is not that of all.
  assertAlmostEquals(duration, 1.5, 0.2);
  const tag = new TextEncoder().encode(`TAG${" ".repeat(125)}`);
  const few = bytes.subarray(0, 1500);
  const other = bytes.slice();
  other[find(bytes.subarray(9), "\xff\xf1") + 11] ^= 0x10;
  const noise = bytes.slice(bytes.length >> 3);
  const unusual = [new Uint8Array([...bytes, ...tag]), few, other, noise];
  // Low rates may have twice as many samples by SBR.
  for (const file of [...unusual, await make("low.aac", "-ar", "22050")]) {
    assertEquals(await headerOf(file), undefined);
  }
});

Deno.test("readHeader() tells nothing of Ogg that begins in the middle, or has pictures", async () => {
  for (const name of ["a.ogg", "a.opus"]) {
    const bytes = await bytesOf(name);
    const latin = new TextDecoder("latin1").decode(bytes);
    const third = latin.indexOf("OggS", latin.indexOf("OggS", 4) + 4);
    const late = bytes.slice();
    late[third + 10] = 1;
    assertEquals(await headerOf(late), undefined, name);
  }
  const pictured = await bytesOf("a.ogg");
  pictured.set(new TextEncoder().encode("COVERART=x".slice(0, 7)), find(pictured, "title=T"));
  assertEquals((await headerOf(pictured))?.title, undefined);
});
