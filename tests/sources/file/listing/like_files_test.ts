import { assertEquals } from "@std/assert";
import type { FileHeader } from "../../../../lib/containers/headers/header.ts";
import { Library } from "../../../../lib/sources/file/library.ts";
import { LikeFiles } from "../../../../lib/sources/file/listing/like_files.ts";
import { type MediaInfo, probe } from "../../../../lib/sources/file/probe.ts";
import { mediaFolder, pictures, tone, turnPhoto } from "../../../support/media/media_folder.ts";
import { countedFfmpeg } from "../../../support/programs/counted_ffmpeg.ts";

const media = mediaFolder();

const picture = (size: string, ...args: string[]) => [
  ...pictures({ size, seconds: 0.04 }),
  ...[...args, "-frames:v", "1"],
];

/** Two files of a kind that differ in size or length, by extension and what makes them. */
const KINDS: Record<string, [extension: string, make: (isSecond: boolean) => string[]]> = {
  "JPEG": ["jpg", (is) => picture(is ? "50x30" : "64x48", "-pix_fmt", "yuvj420p")],
  "JPEG 4:4:4": ["jpg", (is) => picture(is ? "50x30" : "64x48", "-pix_fmt", "yuvj444p")],
  "gray JPEG": ["jpg", (is) => picture(is ? "50x30" : "64x48", "-pix_fmt", "gray")],
  "JPEG of oblong pixels": ["jpg", (is) => picture(is ? "50x30" : "64x48", "-vf", "setsar=4/3")],
  "PNG": ["png", (is) => picture(is ? "50x30" : "64x48", "-pix_fmt", "rgb24")],
  "PNG with alpha": ["png", (is) => picture(is ? "50x30" : "64x48", "-pix_fmt", "rgba")],
  "deep PNG": ["png", (is) => picture(is ? "50x30" : "64x48", "-pix_fmt", "rgb48be")],
  "gray PNG": ["png", (is) => picture(is ? "50x30" : "64x48", "-pix_fmt", "gray")],
  "PNG with a palette": ["png", (is) => picture(is ? "50x30" : "64x48", "-pix_fmt", "pal8")],
  "PNG of oblong pixels": ["png", (is) => picture(is ? "50x30" : "64x48", "-vf", "setsar=4/3")],
  "WebP": ["webp", (is) => picture(is ? "50x30" : "64x48", "-pix_fmt", "yuv420p")],
  "lossless WebP": ["webp", (is) => picture(is ? "50x30" : "64x48", "-lossless", "1")],
  "WebP with alpha": ["webp", (is) => picture(is ? "50x30" : "64x48", "-pix_fmt", "yuva420p")],
  "WAV": ["wav", (is) => tone({ seconds: is ? 0.31 : 0.2 })],
  "WAV of floats": ["wav", (is) => [...tone({ seconds: is ? 0.31 : 0.2 }), "-c:a", "pcm_f32le"]],
  "WAV of six channels": ["wav", (is) => tone({ layout: "5.1", seconds: is ? 0.31 : 0.2 })],
  "FLAC": ["flac", (is) => tone({ seconds: is ? 0.31 : 0.2 })],
  "Vorbis": [
    "ogg",
    (is) => [
      ...[...tone({ seconds: is ? 0.31 : 0.2 }), "-c:a", "libvorbis", "-metadata", "artist=me"],
      ...is ? ["-metadata", "title=A título"] : [],
    ],
  ],
  "Opus": ["opus", (is) => [...tone({ seconds: is ? 0.31 : 0.2 }), "-c:a", "libopus"]],
  "AAC": ["aac", (is) => tone({ seconds: is ? 2.4 : 1.5 })],
  "short AAC": ["aac", (is) => [...tone({ seconds: 0.6 }), "-b:a", is ? "48k" : "96k"]],
  "MP3": ["mp3", (is) => tone({ seconds: is ? 0.61 : 0.4 })],
  "mono MP3": ["mp3", (is) => tone({ layout: "mono", rate: 22_050, seconds: is ? 0.61 : 0.4 })],
  "MP3 of constant bit rate": [
    "mp3",
    (is) => [...tone({ seconds: is ? 0.61 : 0.4 }), "-b:a", "128k", "-metadata", "title=A title"],
  ],
};

/** Describes the files of a folder one after the other. */
async function describe(folder: string) {
  using counted = await countedFfmpeg("ffprobe");
  const library = new Library(folder);
  const infos: (MediaInfo | undefined)[] = [];
  for (const candidate of await library.candidates()) {
    infos.push((await library.describe(candidate)).file?.info);
  }
  return { infos, probes: counted.starts.length };
}

async function probed(folder: string, names: string[]): Promise<MediaInfo[]> {
  return await Promise.all(names.map((name) => probe(`${folder}/${name}`, name)));
}

for (const [kind, [extension, make]] of Object.entries(KINDS)) {
  Deno.test(`a Library asks ffprobe once about like files: ${kind}`, async () => {
    const names = [`1.${extension}`, `2.${extension}`];
    const folder = media.pathOf(kind);
    for (const [at, name] of names.entries()) await media.make(`${kind}/${name}`, make(at === 1));
    const { infos, probes } = await describe(folder);
    assertEquals(infos, await probed(folder, names));
    assertEquals(probes, 1);
  });
}

Deno.test("a Library takes the cover of sound for part of its kind", async () => {
  const cover = await media.make("cover/c.png", picture("16x16"));
  const covered = (seconds: number) => [
    ...[...tone({ seconds }), "-i", cover, "-map", "0", "-map", "1", "-c:v", "copy"],
    ...["-disposition:v:0", "attached_pic"],
  ];
  for (const extension of ["mp3", "flac"]) {
    const folder = media.pathOf(`covered ${extension}`);
    const names = ["1", "2", "3"].map((name) => `${name}.${extension}`);
    await media.make(`covered ${extension}/${names[0]}`, covered(0.2));
    await media.make(`covered ${extension}/${names[1]}`, tone({ seconds: 0.2 }));
    await media.make(`covered ${extension}/${names[2]}`, covered(0.3));
    const { infos, probes } = await describe(folder);
    assertEquals(infos, await probed(folder, names));
    assertEquals(infos.map((info) => info?.further), [{ cover: 1 }, undefined, { cover: 1 }]);
    assertEquals(probes, 2);
  }
});

Deno.test("a Library asks ffprobe about each turn of photos, and damaged ones", async () => {
  const names = ["1.jpg", "2.jpg", "3.jpg", "4.jpg"];
  for (const [at, name] of names.entries()) {
    const path = await media.make(`turned/${name}`, picture(`64x4${at}`, "-pix_fmt", "yuvj420p"));
    if (at > 0) await turnPhoto(path, at === 1 ? 3 : 6);
  }
  const cut = await Deno.readFile(media.pathOf("turned/1.jpg"));
  await media.write("turned/5.jpg", cut.subarray(0, cut.length - 9));
  const { infos, probes } = await describe(media.pathOf("turned"));
  assertEquals(infos, await probed(media.pathOf("turned"), [...names, "5.jpg"]));
  assertEquals(probes, 4);
});

const INFO: MediaInfo = { kind: "audio", format: "wav", duration: 2 };

/** Describes files of one kind, and says which of them were left to ffprobe. */
async function leftOf(stated: readonly [stated: number, probed: number][]): Promise<number[]> {
  const files = new LikeFiles();
  const left: number[] = [];
  for (const [at, [duration, probed]] of stated.entries()) {
    const header: FileHeader = { likeness: "wav", duration };
    const info = await files.describe(header, () => {
      left.push(at);
      return Promise.resolve({ ...INFO, duration: probed });
    });
    assertEquals(info.duration, left.includes(at) ? probed : duration);
  }
  return left;
}

Deno.test("LikeFiles leaves a kind to ffprobe that does not say what the headers say", async () => {
  assertEquals(await leftOf([[2, 2], [3, 0], [4, 0]]), [0]);
  assertEquals(await leftOf([[2, 2.1], [3, 3.1], [4, 4.1]]), [0, 1, 2]);
});

Deno.test("LikeFiles learns from the next file if the first one cannot be read", async () => {
  const files = new LikeFiles();
  const header: FileHeader = { likeness: "wav", duration: 2 };
  const failing = files.describe(header, () => Promise.reject(new Error("damaged")));
  const waiting = files.describe(header, () => Promise.resolve({ ...INFO, format: "asked" }));
  assertEquals(await failing.catch(({ message }) => message), "damaged");
  assertEquals((await waiting).format, "asked");
  const whole = { ...INFO, video: undefined, tracks: undefined };
  assertEquals(await files.describe(header, () => Promise.resolve(INFO)), INFO);
  assertEquals(await files.describe(header, () => Promise.reject(new Error("unasked"))), whole);
});
