import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { RequestError } from "../../../lib/base/errors.ts";
import { readDecoders } from "../../../lib/ffmpeg/decoders.ts";
import { stateOf } from "../../../lib/sources/file/file_state.ts";
import { Library } from "../../../lib/sources/file/library.ts";
import { PacketFiles } from "../../../lib/sources/file/packets/packet_files.ts";
import { type MediaInfo, probe } from "../../../lib/sources/file/probe.ts";
import { quickProbe } from "../../../lib/sources/file/quick_probe.ts";
import { mediaFolder, pictures, tone, turnClockwise } from "../../support/media/media_folder.ts";
import { installedDialect } from "../../support/programs/machine.ts";
import { standIn } from "../../support/programs/stand_in.ts";

const media = mediaFolder();
const installed = await readDecoders();
const dialect = await installedDialect();
const decoders = () => Promise.resolve(installed);

const PICTURES = pictures({ seconds: 0.4 });
const SOUND = tone({ seconds: 0.4 });
const BOTH = [...PICTURES, ...SOUND];
const H264 = ["-c:v", "libx264", "-pix_fmt", "yuv420p"];
const HEVC = ["-c:v", "libx265", "-x265-params", "log-level=error"];
const BT2020 = ["bt2020nc", "bt2020", "smpte2084"];
const MANY = [...BOTH, ...tone({ layout: "mono", rate: 44_100, seconds: 0.5 })];
const MAP_ALL = ["-map", "0", "-map", "1", "-map", "2"];
const VARIABLE = ["-vf", "setpts='PTS+mod(N,3)/75/TB'", "-fps_mode", "vfr"];

function colors([matrix, primaries, transfer]: string[]): string[] {
  return ["-colorspace", matrix, "-color_primaries", primaries, "-color_trc", transfer];
}

/** Files that need no process to be described, by their names, with the arguments that make them. */
const QUICK: Record<string, string[]> = {
  "h264.mp4": [...BOTH, ...H264, "-c:a", "aac"],
  "full.mp4": [...PICTURES, ...H264, "-color_range", "pc", ...colors(Array(3).fill("bt709"))],
  "deep.mkv": [...BOTH, "-c:v", "libx264", "-pix_fmt", "yuv422p10le", "-c:a", "flac"],
  "444.mov": [...BOTH, "-c:v", "libx264", "-pix_fmt", "yuv444p", "-c:a", "pcm_s24le"],
  "pyramid.mkv": [...PICTURES, ...H264, "-x264-params", "bframes=8:b-pyramid=strict"],
  "late.mp4": [...SOUND, "-itsoffset", "0.3", ...PICTURES, ...H264, "-c:a", "aac"],
  "variable.mp4": [...PICTURES, ...VARIABLE, ...H264],
  "odd.mp4": [...pictures({ size: "62x34", seconds: 0.4 }), ...H264],
  "anamorphic.mkv": [...PICTURES, "-vf", "setsar=4/3", ...H264],
  "hevc.mp4": [...PICTURES, ...HEVC, "-pix_fmt", "yuv420p"],
  "hdr.mkv": [...PICTURES, ...HEVC, "-pix_fmt", "yuv420p10le", ...colors(BT2020)],
  "vp9.mkv": [...BOTH, "-c:v", "libvpx-vp9", "-pix_fmt", "yuv420p", "-c:a", "ac3"],
  "vp8.webm": [...PICTURES, "-c:v", "libvpx"],
  "av1.mp4": [...PICTURES, "-c:v", "libaom-av1", "-cpu-used", "8", "-pix_fmt", "yuv420p"],
  "mjpeg.mov": [...PICTURES, "-c:v", "mjpeg", "-pix_fmt", "yuvj422p"],
  "sound.m4a": [...SOUND, "-c:a", "aac", "-ac", "6"],
  "sound.mka": [...SOUND, "-c:a", "libmp3lame", "-ar", "44100"],
  "tracks.mp4": [...MANY, ...MAP_ALL, ...H264, "-c:a", "aac"],
  "tracks.mkv": [...MANY, ...MAP_ALL, ...H264, "-c:a", "ac3"],
};

/** The same of files that only ffprobe can describe. */
const SLOW: Record<string, string[]> = {
  "vorbis.webm": [...SOUND, "-c:a", "libvorbis"],
  "rgb.mp4": [...PICTURES, "-c:v", "libx264rgb"],
  "mpeg4.mp4": [...PICTURES, "-c:v", "mpeg4"],
  "fragments.mp4": [...PICTURES, ...H264, "-movflags", "frag_keyframe+empty_moov"],
  "h264.avi": [...PICTURES, ...H264],
};

/** Describes a file by its index alone. */
async function quickly(path: string, maxPixels?: number): Promise<MediaInfo | undefined> {
  const state = stateOf(await Deno.stat(path));
  await using packets = await new PacketFiles(dialect).use({ path, state });
  return packets && await quickProbe(packets.file, { decoders, maxPixels });
}

async function checkSame(path: string): Promise<void> {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const found = await quickly(path);
  assert(found !== undefined, `${name} was left to ffprobe`);
  // It depends on the version of FFmpeg that wrote the file whether it begins at 0.
  const { isStated } = found;
  assertEquals(found, { ...await probe(path, name), isStated }, name);
}

for (const [name, args] of Object.entries(QUICK)) {
  Deno.test(`quickProbe() describes ${name} as ffprobe does`, async () => {
    await checkSame(await media.make(name, args));
  });
}

for (const [name, args] of Object.entries(SLOW)) {
  Deno.test(`quickProbe() leaves ${name} to ffprobe`, async () => {
    assertEquals(await quickly(await media.make(name, args)), undefined);
  });
}

Deno.test("quickProbe() says that the headers tell everything of files that begin at 0", async () => {
  const whole = await media.make("h264.mp4", QUICK["h264.mp4"]);
  assertEquals((await quickly(whole))?.isStated, true);
  const late = ["-i", whole, "-c", "copy", "-output_ts_offset", "1"];
  const later = await quickly(await media.make("late.mkv", late));
  assertEquals([later?.kind, later?.isStated], ["video", undefined]);
});

Deno.test("quickProbe() describes turned pictures, cover art, subtitles and chapters", async () => {
  const whole = await media.make("h264.mp4", QUICK["h264.mp4"]);
  const turned = media.pathOf("turned.mp4");
  await Deno.copyFile(whole, turned);
  await turnClockwise(turned, { height: 48 });
  await checkSame(turned);
  const { video } = (await quickly(turned))!;
  assertEquals([video?.width, video?.height, video?.rotation], [48, 64, 90]);

  const cover = await media.make("cover.jpg", [...PICTURES, "-frames:v", "1"]);
  const covered = ["-i", whole, "-i", cover, "-map", "0", "-map", "1", "-c", "copy"];
  await checkSame(await media.make("c.mp4", [...covered, "-disposition:v:1", "attached_pic"]));
  assertEquals((await quickly(media.pathOf("c.mp4")))?.further, { cover: 1 });

  const text = await media.write("text.srt", "1\n00:00:00,000 --> 00:00:00,200\nhello\n");
  const titled = ["-i", whole, "-i", text, "-map", "0", "-map", "1", "-c", "copy"];
  await checkSame(await media.make("titled.mp4", [...titled, "-c:s", "mov_text"]));
  await checkSame(await media.make("titled.mkv", [...titled, "-c:s", "srt"]));
});

Deno.test("quickProbe() knows which decoder FFmpeg takes", async () => {
  const path = await media.make("h264.mp4", QUICK["h264.mp4"]);
  const state = stateOf(await Deno.stat(path));
  await using packets = await new PacketFiles(dialect).use({ path, state });
  const { file } = packets!;
  const withDecoders = async (...names: [codec: string, decoder: string][]) => {
    const map = new Map(names);
    return (await quickProbe(file, { decoders: () => Promise.resolve(map) }))?.kind;
  };
  assertEquals(await withDecoders(["h264", "h264"], ["aac", "aac"]), "video");
  assertEquals(await withDecoders(), undefined);
  assertEquals(await withDecoders(["h264", "h264"]), undefined);
  assertEquals(await withDecoders(["h264", "libopenh264"], ["aac", "aac"]), undefined);
  const unknown = { decoders: () => Promise.resolve(undefined) };
  assertEquals(await quickProbe(file, unknown), undefined);
});

Deno.test("quickProbe() leaves sizes near the limit to ffprobe", async () => {
  const path = await media.make("h264.mp4", QUICK["h264.mp4"]);
  assertEquals(await quickly(path, 64 * 48), undefined);
  assertEquals((await quickly(path, 192 * 176))?.kind, "video");
});

Deno.test("quickProbe() leaves damaged files to ffprobe", async () => {
  const args = [...QUICK["h264.mp4"], "-movflags", "+faststart"];
  const bytes = await Deno.readFile(await media.make("fast.mp4", args));
  const text = new TextDecoder("latin1").decode(bytes);
  const mediaAt = text.indexOf("mdat") + 4;
  const cut = await media.write("cut.mp4", bytes.subarray(0, mediaAt + 4));
  assertEquals(await quickly(cut), undefined);
  // The sizes of NAL units, and the version of the decoder's configuration.
  for (const at of [mediaAt, text.indexOf("avcC") + 4]) {
    const damaged = bytes.slice();
    damaged.fill(0, at, at + 16);
    assertEquals(await quickly(await media.write(`damaged ${at}.mp4`, damaged)), undefined);
  }
});

Deno.test("a Library lists files with an index without ffprobe, and others with it", async () => {
  await media.make("list/a.mp4", QUICK["h264.mp4"]);
  await media.make("list/b.mkv", QUICK["anamorphic.mkv"]);
  await media.make("list/c.avi", SLOW["h264.avi"]);
  const folder = media.pathOf("list");
  const expected = await Promise.all(
    ["a.mp4", "b.mkv", "c.avi"].map(async (name) => {
      const stated = name === "c.avi" ? {} : { isStated: true };
      return { ...await probe(`${folder}/${name}`, name), ...stated };
    }),
  );
  const listed = await new Library(folder, { packets: new PacketFiles(dialect) }).list();
  assertEquals(listed.map(({ info }) => info), expected);
  using _ffprobe = await standIn("ffprobe", "exit 1");
  assertEquals(
    (await new Library(folder, { packets: new PacketFiles(dialect) }).list()).map(({ name }) =>
      name
    ),
    ["a.mp4", "b.mkv"],
  );
});

Deno.test("a Library refuses what has too many pixels as before", async () => {
  await media.make("large/h264.mp4", QUICK["h264.mp4"]);
  const library = new Library(media.pathOf("large"), { maxPixels: 64 * 48 - 1 });
  const error = await assertRejects(() => library.find("h264.mp4"), RequestError);
  assertStringIncludes(error.message, "64x48 pixels, expected at most 3071 in all");
});

Deno.test("quickProbe() leaves pictures to ffprobe whose times show more reordering than stated", async () => {
  const path = await media.make("h264.mp4", QUICK["h264.mp4"]);
  await using packets = await new PacketFiles(dialect).use({
    path,
    state: stateOf(await Deno.stat(path)),
  });
  assert(packets !== undefined);
  const tracks = packets.file.tracks.map((track) => ({ ...track, decodeDelay: 3 }));
  assertEquals(await quickProbe({ ...packets.file, tracks }, { decoders }), undefined);
});

Deno.test("quickProbe() lists tracks with languages and titles, and chooses audio as ffprobe does", async () => {
  const text = await media.write("cue.srt", "1\n00:00:00,000 --> 00:00:00,200\nhello\n");
  const args = [...MANY, "-i", text, ...MAP_ALL, "-map", "3", ...H264, "-c:a", "ac3"];
  args.push("-metadata:s:a:0", "language=deu", "-metadata:s:a:1", "language=fra");
  args.push("-metadata:s:a:1", "title=Commentary", "-disposition:a:0", "0");
  args.push("-disposition:a:1", "default", "-c:s");
  for (const [name, codec] of [["listed.mkv", "ass"], ["listed.mp4", "mov_text"]]) {
    await checkSame(await media.make(name, [...args, codec, "-metadata:s:s:0", "language=eng"]));
  }
  const { audio, tracks } = (await quickly(media.pathOf("listed.mkv")))!;
  assertEquals([audio?.number, audio?.channels], [1, 1]);
  assertEquals(tracks?.map(({ type, codec, language }) => [type, codec, language]), [
    ["video", "h264", undefined],
    ["audio", "ac3", "deu"],
    ["audio", "ac3", "fra"],
    ["subtitles", "ass", "eng"],
  ]);
  assertEquals(tracks?.[2].title, "Commentary");
});
