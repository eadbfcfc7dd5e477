/** Subtitles in recordings, and alone in files. */
import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { type Cue, parseSrt } from "../../../lib/media/subtitles.ts";
import type { DataStream } from "../../../lib/media/frame.ts";
import { SubtitleFile } from "../../../lib/sinks/output/subtitle_file.ts";
import { RecordedSubtitles } from "../../../lib/sinks/output/subtitles.ts";
import { fileTarget } from "../../../lib/sinks/output/target.ts";
import type { Presentation } from "../../../lib/sinks/sink.ts";
import { FILM_CUES, makeFilm } from "../../support/media/film.ts";
import { mediaFolder, namesIn, pictures, run } from "../../support/media/media_folder.ts";
import { countFrames } from "../../support/media/reference.ts";
import { GREY } from "../../support/peers/scripted_server.ts";
import { type TestServer, testServer } from "../../support/peers/test_server.ts";
import { at, runInside } from "../../support/programs/run_inside.ts";

const media = mediaFolder();
const results = mediaFolder();

async function record(server: TestServer, output: string, args: readonly string[]) {
  const path = results.pathOf(output);
  const whole = ["--video", ...args, "--output", path, "--overwrite", ...at(server)];
  const { status, stderr } = await runInside(whole);
  assertEquals(status, 0, stderr);
  assertMatch(stderr, new RegExp(`; wrote "[^"]+${output}"`));
  return { path, stderr };
}

/** The subtitles of a recording as FFmpeg reads them. */
async function cuesOf(path: string): Promise<Cue[]> {
  const args = ["-copyts", "-i", `file:${path}`, "-map", "0:s:0", "-c:s", "text", "-f", "srt", "-"];
  return parseSrt(new TextDecoder().decode(await run("ffmpeg", args)));
}

/** FFmpeg moves what it writes to Matroska by the delay of its sound. */
function assertCues(actual: readonly Cue[], expected: readonly Cue[]): void {
  assertEquals(actual.map(({ text }) => text), expected.map(({ text }) => text));
  for (const [at, { start, end }] of actual.entries()) {
    assertAlmostEquals(start, expected[at].start, 0.02);
    assertAlmostEquals(end, expected[at].end, 0.02);
  }
}

/** Seconds at which the frames of a recording are shown. */
async function timesOf(path: string, stream: string): Promise<string> {
  const entries = ["-show_entries", "frame=pts_time", "-of", "csv=p=0", `file:${path}`];
  return new TextDecoder().decode(await run("ffprobe", ["-select_streams", stream, ...entries]));
}

async function codecsOf(path: string): Promise<string[]> {
  const args = ["-show_entries", "stream=codec_name", "-of", "csv=p=0", `file:${path}`];
  return new TextDecoder().decode(await run("ffprobe", args)).trim().split("\n");
}

/** The language and title of the subtitles. */
async function tagsOf(path: string): Promise<string> {
  const entries = ["-show_entries", "stream_tags=language,title", "-of", "csv=p=0"];
  const args = [...entries, "-select_streams", "s:0", `file:${path}`];
  return new TextDecoder().decode(await run("ffprobe", args)).trim();
}

/** The cues of a part that begins later. */
function later(cues: readonly Cue[], seconds: number): Cue[] {
  const round = (time: number) => Number(Math.max(0, time - seconds).toFixed(3));
  return cues.filter(({ end }) => end > seconds)
    .map(({ start, end, text }) => ({ start: round(start), end: round(end), text }));
}

for (
  const [output, encoding, codec] of [
    ["raw.mkv", "raw", "subrip"],
    ["copy.mkv", "copy", "subrip"],
    ["copy.mp4", "copy", "mov_text"],
    ["h264.mov", "h264", "mov_text"],
    ["copy.webm", "copy", "webvtt"],
  ]
) {
  Deno.test(`FileSink keeps subtitles in ${output}, at the times of its pictures`, async () => {
    await makeFilm(media, "film.mkv");
    await using server = await testServer({ media: media.path });
    const film = ["film.mkv", "--encoding", encoding, "--subtitles", "eng"];
    const whole = await record(server, output, film);
    assert((await codecsOf(whole.path)).includes(codec));
    assertEquals(await tagsOf(whole.path), "eng");
    assertCues(await cuesOf(whole.path), FILM_CUES.eng);
    assertEquals(await countFrames(whole.path), 50);
    assertEquals(namesIn(results.path).filter((name) => name.includes(".part")), []);
  });
}

Deno.test("FileSink moves subtitles with a recording that begins at a keyframe before its start", async () => {
  await makeFilm(media, "film.mkv");
  await using server = await testServer({ media: media.path });
  const film = ["film.mkv", "--encoding", "copy", "--subtitles", "eng", "--start", "1.2"];
  // The keyframe before is at 0.96 s; MP4 hides what is before the start.
  const early = await record(server, "part.mkv", film);
  assertStringIncludes(early.stderr, "begins 0.2 s earlier");
  assertEquals(await cuesOf(early.path), later(FILM_CUES.eng, 0.96));
  const hidden = await record(server, "part.mp4", film);
  assertCues(await cuesOf(hidden.path), later(FILM_CUES.eng, 1.2));
  const plain = await record(server, "plain.mp4", film.filter((arg) => !/^(--sub|eng)/.test(arg)));
  for (const stream of ["v", "a"]) {
    assertEquals(await timesOf(hidden.path, stream), await timesOf(plain.path, stream));
  }
});

Deno.test("FileSink keeps the language and title of subtitles, if they are such", async () => {
  const text = await media.write("text.txt", "1\n00:00:00,000 --> 00:00:00,200\nhello\n");
  await media.make("named.mkv", [
    ...[...pictures({ seconds: 0.4 }), "-f", "srt", "-i", text, "-f", "srt", "-i", text],
    ...["-map", "0", "-map", "1", "-map", "2", "-c:v", "libx264", "-c:s", "subrip"],
    ...["-metadata:s:s:0", "language=deu", "-metadata:s:s:0", "title=Für Ältere"],
    ...["-metadata:s:s:1", "language=English (UK)"],
  ]);
  await using server = await testServer({ media: media.path });
  const named = ["named.mkv", "--encoding", "copy", "--subtitles"];
  const [matroska, quicktime, other] = [
    await record(server, "named.mkv", [...named, "1"]),
    await record(server, "named.mov", [...named, "1"]),
    await record(server, "other.mkv", [...named, "2"]),
  ];
  assertEquals(await tagsOf(matroska.path), "deu,Für Ältere");
  // FFmpeg's name of German in this type.
  assertMatch(await tagsOf(quicktime.path), /^ger/);
  assertEquals(await tagsOf(other.path), "");
});

Deno.test("FileSink keeps subtitles beside chapters", async () => {
  const text = await media.write("text.txt", "1\n00:00:00,000 --> 00:00:00,200\nhello\n");
  const chapters = [[0, 200], [200, 400]].map(([start, end]) =>
    `[CHAPTER]\nTIMEBASE=1/1000\nSTART=${start}\nEND=${end}\ntitle=at ${start}\n`
  );
  const tags = await media.write("tags.txt", `;FFMETADATA1\n${chapters.join("")}`);
  await media.make("chapters.mkv", [
    ...[...pictures({ seconds: 0.4 }), "-f", "srt", "-i", text, "-f", "ffmetadata", "-i", tags],
    ...["-map_chapters", "2", "-c:v", "libx264", "-c:s", "subrip"],
  ]);
  await using server = await testServer({ media: media.path });
  for (const type of ["mov", "mp4", "mkv"]) {
    const options = ["--encoding", "copy", "--subtitles"];
    const { path } = await record(server, `chapters.${type}`, ["chapters.mkv", ...options]);
    assertEquals((await cuesOf(path)).map(({ text }) => text), ["hello"]);
    const titles = ["-show_entries", "chapter_tags=title", "-of", "csv=p=0", `file:${path}`];
    const shown = new TextDecoder().decode(await run("ffprobe", titles));
    assertEquals(shown.trim().split("\n"), ["at 0", "at 200"]);
  }
});

Deno.test("RecordedSubtitles.store() adds what is shown up to the last frame of a part", async () => {
  const path = await results.make("cut.mkv", [...pictures(), "-c:v", "ffv1"]);
  const presentation: Presentation = {
    ...{ name: "cut", live: false, streams: [GREY], still: false, encoding: "raw" },
    ...{ speed: 0, lead: 0, firstPicture: 0 },
  };
  const recorded = new RecordedSubtitles(presentation, {
    ...{ target: fileTarget(path), copies: [], hidden: 0 },
  });
  for (const cue of [...FILM_CUES.eng, FILM_CUES.eng[0]]) recorded.add(cue);
  for (const timestamp of [0, 24]) {
    recorded.see({ streamId: 0, timestamp, keyframe: true, data: new Uint8Array() });
  }
  assertEquals(await recorded.store(path, { path, whole: false }), []);
  const [hello, how] = FILM_CUES.eng;
  assertEquals(await cuesOf(path), [hello, { ...how, end: 0.96 }]);
  assertEquals(await countFrames(path), 25);
});

Deno.test("a client says that subtitles are not shown if nothing takes them", async () => {
  await makeFilm(media, "film.mkv");
  await using server = await testServer({ media: media.path });
  const args = ["--video", "film.mkv", "--encoding", "copy", "--subtitles", "--output", "-"];
  const { status, stderr } = await runInside([...args, ...at(server)]);
  assertEquals(status, 0);
  assertEquals(stderr.match(/Subtitles are not shown/g)?.length, 1);
});

Deno.test("a recording with subtitles leaves a file of messages alone", async () => {
  await makeFilm(media, "film.mkv");
  await using server = await testServer({ media: media.path });
  const kept = await results.write("kept.jsonl", "{}\n");
  const film = ["--video", "film.mkv", "--encoding", "copy", "--subtitles"];
  const { status, stderr } = await runInside([
    ...[...film, "--output", results.pathOf("kept.mkv")],
    ...at(server),
  ]);
  assertEquals(status, 0, stderr);
  assertEquals(await Deno.readTextFile(kept), "{}\n");
  assertEquals(await cuesOf(results.pathOf("kept.mkv")), [...FILM_CUES.deu]);
});

Deno.test("FileSink says that a type stores no subtitles", async () => {
  await makeFilm(media, "film.mkv");
  await using server = await testServer({ media: media.path });
  const { stderr } = await record(server, "film.avi", ["film.mkv", "--subtitles"]);
  assertStringIncludes(
    stderr,
    "the subtitles are left out: .avi stores none, .mkv, .mp4 and .webm",
  );
});

Deno.test("SubtitleFile writes subtitles alone as SubRip and as WebVTT", async () => {
  await makeFilm(media, "film.mkv");
  await using server = await testServer({ media: media.path });
  const srt = await record(server, "film.srt", ["film.mkv", "--subtitles", "eng"]);
  assertEquals(parseSrt(await Deno.readTextFile(srt.path)), [...FILM_CUES.eng]);
  // Those that the film recommends.
  const vtt = await record(server, "film.vtt", ["film.mkv", "--start", "1"]);
  const text = "WEBVTT\n\n00:00:00.000 --> 00:00:00.500\nGrüße &amp; &lt;Küsse&gt;\n\n";
  assertEquals(await Deno.readTextFile(vtt.path), text);
  const decoded = await cuesOf(vtt.path);
  assertEquals(decoded, [{ start: 0, end: 0.5, text: "Grüße & <Küsse>" }]);
});

/** Begins a file of subtitles, and gives it texts. */
async function subtitleFile(path: string, texts: readonly Cue[], overwrite = false) {
  const file = new SubtitleFile(path, "srt", { overwrite });
  const stream: DataStream = { id: 2, type: "data", codec: "subtitle", timeBase: [1, 1000] };
  await file.begin({
    ...{ name: "film", live: false, streams: [], data: [stream], still: false, encoding: "raw" },
    ...{ speed: 0, lead: 0, firstPicture: 0 },
  });
  for (const { text, start, end } of texts) file.subtitle(text, start, end);
  return file;
}

Deno.test("SubtitleFile replaces no file that has come meanwhile, unless it is told to", async () => {
  const path = results.pathOf("meanwhile.srt");
  const part = results.pathOf("meanwhile.part.srt");
  await using file = await subtitleFile(path, FILM_CUES.eng);
  await Deno.writeTextFile(path, "of somebody else");
  await assertRejects(
    () => file.finish(true),
    Error,
    `Cannot write "${path}": the file exists, replace it with --overwrite; what arrived is in "${part}"`,
  );
  assertEquals(await Deno.readTextFile(path), "of somebody else");
  assertEquals(parseSrt(await Deno.readTextFile(part)), [...FILM_CUES.eng]);
  await using other = await subtitleFile(path, FILM_CUES.deu, true);
  assertEquals(await other.finish(true), `wrote "${path}"`);
  assertEquals(parseSrt(await Deno.readTextFile(path)), [...FILM_CUES.deu]);
});

Deno.test("SubtitleFile writes a text once that comes again after a reconnection", async () => {
  const path = results.pathOf("again.srt");
  await using file = await subtitleFile(path, [...FILM_CUES.eng, ...FILM_CUES.eng]);
  await file.finish(true);
  assertEquals(parseSrt(await Deno.readTextFile(path)), [...FILM_CUES.eng]);
});

Deno.test("a client asks for subtitles that there are not, and writes no file", async () => {
  await makeFilm(media, "film.mkv");
  await using server = await testServer({ media: media.path });
  const path = results.pathOf("none.srt");
  const args = ["--video", "film.mkv", "--subtitles", "fra", "--output", path, ...at(server)];
  const { status, stderr } = await runInside(args);
  assertEquals(status, 1);
  assertMatch(
    stderr,
    /^Cannot find subtitles "fra" in "film.mkv": it has 1 \(eng\), 2 \(deu\)[^\n]*\n$/,
  );
  assertEquals(namesIn(results.path).filter((name) => name.startsWith("none")), []);
});
