/** The tags of a file in recordings of it, and the codecs that these choose. */
import { assert, assertEquals } from "@std/assert";
import { mediaFolder, pictures, run, tone } from "../../../support/media/media_folder.ts";
import { testServer } from "../../../support/peers/test_server.ts";
import { at, runInside } from "../../../support/programs/run_inside.ts";

const media = mediaFolder();
const results = mediaFolder();

const CHAPTERS = `;FFMETADATA1
title=Große Fahrt
artist=Nobody
date=2024
[CHAPTER]
TIMEBASE=1/1000
START=0
END=400
title=Departure
[CHAPTER]
TIMEBASE=1/1000
START=400
END=1000
title=Arrival
`;

/** HEVC and AAC with a title, two chapters, a language and a cover. */
async function film(): Promise<string> {
  const metadata = await media.write("tags.txt", CHAPTERS);
  const cover = await media.make("cover.jpg", [...pictures({ size: "640x480" }), "-frames:v", "1"]);
  return await media.make("film.mp4", [
    ...[...pictures(), ...tone(), "-i", metadata, "-i", cover],
    ...["-map", "0:v", "-map", "1:a", "-map", "3:v", "-map_metadata", "2", "-map_chapters", "2"],
    ...["-c:v:0", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none"],
    ...["-tag:v:0", "hvc1", "-c:v:1", "copy", "-disposition:v:1", "attached_pic"],
    ...["-c:a", "aac", "-metadata:s:a:0", "language=deu"],
  ]);
}

/** The part of ffprobe's output that is compared. */
interface Probed {
  format: { tags: Record<string, string> };
  chapters: { start_time: string; end_time: string; tags?: { title?: string } }[];
  streams: ProbedStream[];
}

interface ProbedStream {
  index: number;
  codec_type: string;
  codec_name: string;
  codec_tag_string: string;
  width?: number;
  disposition: Record<string, number>;
  tags: Record<string, string>;
}

async function probe(path: string): Promise<Probed> {
  const shown = ["-show_format", "-show_streams", "-show_chapters", "-of", "json"];
  return JSON.parse(new TextDecoder().decode(await run("ffprobe", [...shown, `file:${path}`])));
}

async function record(args: readonly string[], output: string): Promise<Probed> {
  await using server = await testServer({ media: media.path });
  const path = results.pathOf(output);
  const { status, stderr } = await runInside(["--output", path, ...args, ...at(server)]);
  assertEquals(status, 0, stderr);
  return await probe(path);
}

function chaptersOf({ chapters }: Probed) {
  return chapters.map(({ start_time, end_time, tags }) => [
    Math.round(Number(start_time) * 1000),
    Math.round(Number(end_time) * 1000),
    tags?.title,
  ]);
}

function streamsOf({ streams }: Probed, type: string): ProbedStream[] {
  return streams.filter(({ codec_type, disposition }) =>
    codec_type === type && disposition.attached_pic !== 1
  );
}

function coverOf({ streams }: Probed): ProbedStream | undefined {
  return streams.find(({ disposition }) => disposition.attached_pic === 1);
}

async function coverBytes(path: string): Promise<Uint8Array> {
  const place = ["-map", `0:${coverOf(await probe(path))?.index}`];
  const args = [...place, "-c", "copy", "-frames:v", "1", "-f", "image2pipe", "pipe:1"];
  return await run("ffmpeg", ["-i", `file:${path}`, ...args]);
}

/** Text of a tag, whatever the case of its name. */
function tagOf({ format: { tags } }: Probed, wanted: string): string | undefined {
  return Object.entries(tags).find(([name]) => name.toLowerCase() === wanted)?.[1];
}

const COPY = ["--video", "film.mp4", "--encoding", "copy"];

for (const type of ["mp4", "mov", "mkv"]) {
  Deno.test(`stream-client --encoding copy keeps title, chapters and language in .${type}`, async () => {
    await film();
    const recorded = await record(COPY, `copy.${type}`);
    const names = ["title", "artist", "date"];
    assertEquals(names.map((name) => tagOf(recorded, name)), ["Große Fahrt", "Nobody", "2024"]);
    assertEquals(chaptersOf(recorded), [[0, 400, "Departure"], [400, 1000, "Arrival"]]);
    const [video] = streamsOf(recorded, "video");
    const [audio] = streamsOf(recorded, "audio");
    assertEquals([video.codec_name, audio.codec_name], ["hevc", "aac"]);
    // QuickTime has numbers for languages, which FFmpeg names otherwise.
    assertEquals(audio.tags.language, type === "mov" ? "ger" : "deu");
    if (type !== "mkv") assertEquals(video.codec_tag_string, "hvc1");
  });
}

for (const type of ["mp4", "mkv"]) {
  Deno.test(`stream-client --encoding copy keeps the cover byte for byte in .${type}`, async () => {
    const source = await film();
    const recorded = await record(COPY, `cover.${type}`);
    assertEquals(coverOf(recorded)?.width, 640);
    assertEquals(streamsOf(recorded, "video").map(({ width }) => width), [64]);
    const [expected, actual] = await Promise.all(
      [source, results.pathOf(`cover.${type}`)].map(coverBytes),
    );
    assert(expected.byteLength > 0);
    assertEquals(actual, expected);
  });
}

Deno.test("stream-client --start moves the chapters of a recording with its pictures", async () => {
  await film();
  const recorded = await record([...COPY, "--start", "0.5"], "part.mp4");
  assertEquals(chaptersOf(recorded), [[0, 500, "Arrival"]]);
  assertEquals(streamsOf(recorded, "audio")[0].tags.language, "deu");
});

Deno.test("stream-client --subtitles keeps cover and chapters of a recording beside them", async () => {
  const source = await film();
  const texts = await media.write("texts.srt", "1\n00:00:00,000 --> 00:00:00,500\nHello\n");
  await media.make("talk.mkv", [
    ...["-i", source, "-i", texts, "-map", "0:V", "-map", "0:a", "-map", "1", "-c", "copy"],
    ...["-attach", media.pathOf("cover.jpg"), "-metadata:s:t:0", "mimetype=image/jpeg"],
  ]);
  for (const type of ["mkv", "mp4"]) {
    const given = ["--video", "talk.mkv", "--encoding", "copy", "--subtitles"];
    const recorded = await record(given, `talk.${type}`);
    assertEquals(chaptersOf(recorded).length, 2, type);
    assertEquals(coverOf(recorded)?.width, 640, type);
    assertEquals(streamsOf(recorded, "video").map(({ width }) => width), [64], type);
    assertEquals(streamsOf(recorded, "subtitle").length, 1, type);
  }
});

Deno.test("stream-client --output x.m4a keeps title and cover of a sound file", async () => {
  await film();
  const cover = await media.make("cover.jpg", [...pictures({ size: "640x480" }), "-frames:v", "1"]);
  await media.make("song.m4a", [
    ...[...tone(), "-i", cover, "-map", "0:a", "-map", "1:v", "-c:v", "copy"],
    ...["-disposition:v:0", "attached_pic", "-metadata", "title=Song", "-c:a", "aac"],
  ]);
  const recorded = await record(["--video", "song.m4a", "--encoding", "copy"], "song.m4a");
  assertEquals(tagOf(recorded, "title"), "Song");
  assertEquals(recorded.streams.map(({ codec_name }) => codec_name), ["aac", "mjpeg"]);
});

Deno.test("stream-client writes raw sound into .mkv as AAC, or as Opus if it was", async () => {
  await film();
  await media.make("opus.mkv", [...pictures(), ...tone(), "-c:a", "libopus", "-c:v", "libx264"]);
  for (const [name, codec] of [["film.mp4", "aac"], ["opus.mkv", "opus"]]) {
    const recorded = await record(["--video", name], `raw_of_${name}.mkv`);
    assertEquals(streamsOf(recorded, "audio").map(({ codec_name }) => codec_name), [codec]);
  }
  const chosen = await record(["--video", "film.mp4", "--codec", ",flac"], "chosen.mkv");
  assertEquals(streamsOf(chosen, "audio").map(({ codec_name }) => codec_name), ["flac"]);
  assertEquals(tagOf(chosen, "title"), "Große Fahrt");
});
