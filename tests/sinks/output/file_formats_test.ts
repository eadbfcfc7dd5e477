/** Files in all kinds of types, with encoders and arguments of the user's. */
import { assertEquals, assertLess, assertMatch, assertStringIncludes } from "@std/assert";
import { mediaFolder, namesIn, pictures, run, tone } from "../../support/media/media_folder.ts";
import { type TestServer, testServer } from "../../support/peers/test_server.ts";
import { at, runInside } from "../../support/programs/run_inside.ts";
import { startProgram } from "../../support/programs/running_program.ts";

const media = mediaFolder();
const results = mediaFolder();

async function serverOfClip(): Promise<TestServer> {
  const codecs = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac"];
  await media.make("clip.mp4", [...pictures(), ...tone(), ...codecs]);
  const odd = ["-c:v", "ffv1", "-pix_fmt", "yuv420p", "-c:a", "flac"];
  await media.make("odd.mkv", [...pictures({ size: "65x47" }), ...tone(), ...odd]);
  return await testServer({ media: media.path });
}

/** Codecs in a file, and how many pictures. */
async function found(path: string): Promise<string[]> {
  const entries = "stream=codec_name,codec_type,nb_read_frames";
  const args = ["-count_frames", "-show_entries", entries, "-of", "json", `file:${path}`];
  const { streams } = JSON.parse(new TextDecoder().decode(await run("ffprobe", args)));
  return streams.map((stream: Record<string, string>) =>
    stream.codec_type === "video"
      ? `${stream.codec_name} ${stream.nb_read_frames}`
      : stream.codec_name
  );
}

function record(server: TestServer, name: string, output: string, more: readonly string[]) {
  const args = ["--video", name, "--output", output, ...at(server), ...more];
  return runInside(args);
}

/** Types, but for those that other tests write, and what a clip with sound becomes in them. */
const TYPES: Record<string, string[]> = {
  mxf: ["mpeg2video 25", "pcm_s16le"],
  mpg: ["mpeg1video 25", "mp2"],
  wmv: ["msmpeg4v3 25", "wmav2"],
  ogv: ["theora 25", "vorbis"],
  f4v: ["h264 25", "aac"],
  y4m: ["rawvideo 25"],
  mka: ["aac"],
  mp3: ["mp3"],
  aac: ["aac"],
  aiff: ["pcm_s16be"],
  caf: ["pcm_s16be"],
  apng: ["apng 25"],
};

Deno.test("stream-client --output writes whatever FFmpeg writes, by extension", async () => {
  await using server = await serverOfClip();
  for (const [type, streams] of Object.entries(TYPES)) {
    const path = results.pathOf(`x.${type}`);
    const { status, stderr } = await record(server, "clip.mp4", path, []);
    assertEquals(status, 0, stderr);
    assertEquals(await found(path), streams, type);
  }
});

/** Choices of the user, and the resulting streams. */
const CHOICES: [string, string, string[], string[]][] = [
  ["clip.mp4", "a.bin", ["--format", "mkv"], ["h264 25", "aac"]],
  ["clip.mp4", "b.mkv", ["--codec", "libx265"], ["hevc 25", "aac"]],
  ["odd.mkv", "c.mp4", ["--codec", "libx265"], ["hevc 25", "aac"]],
  ["odd.mkv", "d.mp4", ["--codec", "libx264,none"], ["h264 25"]],
  ["clip.mp4", "e.mkv", ["--codec", "ffv1,flac"], ["ffv1 25", "flac"]],
  ["clip.mp4", "f.webm", ["--codec", "libvpx-vp9,libopus"], ["vp9 25", "opus"]],
  ["clip.mp4", "g.mov", ["--codec", "prores_ks,pcm_s24le"], ["prores 25", "pcm_s24le"]],
  ["clip.mp4", "h.mp4", ["--codec", "mpeg4,flac"], ["mpeg4 25", "flac"]],
  ["clip.mp4", "i.mkv", ["--codec", "none,libmp3lame"], ["mp3"]],
  ["clip.mp4", "j.mkv", ["--codec", ",flac", "--encoding", "copy"], ["h264 25", "flac"]],
  ["clip.mp4", "k.mkv", ["--codec", "ffv1,copy", "--encoding", "copy"], ["ffv1 25", "aac"]],
  ["clip.mp4", "l.avi", ["--codec", "copy,none", "--encoding", "copy"], ["h264 25"]],
  ["clip.mp4", "m.mp4", ["--", "-c:v", "ffv1", "-an", "-f", "matroska"], ["ffv1 25"]],
];

for (const [name, output, how, streams] of CHOICES) {
  Deno.test(`stream-client --output ${output} ${how.join(" ")} writes ${streams}`, async () => {
    await using server = await serverOfClip();
    const path = results.pathOf(output);
    const { status, stderr } = await record(server, name, path, how);
    assertEquals(status, 0, stderr);
    assertMatch(stderr, /^Received [^;\n]+; wrote "[^;\n]+"\n$/);
    assertEquals(await found(path), streams);
  });
}

Deno.test("stream-client --format and --codec refuse what FFmpeg lacks, before any request", async () => {
  const nobody = ["--video", "--host", "127.0.0.1", "--port", "1", "--output", "none.mkv"];
  for (const [flag, value] of [["format", "matroshka"], ["codec", "libx256"], ["codec", ",h264"]]) {
    const { status, stderr } = await runInside([...nobody, `--${flag}`, value]);
    assertEquals(status, 1);
    assertMatch(
      stderr,
      new RegExp(`^Cannot use --${flag} "[^"]+": [^\\n]+, expected one of [^\\n]+\\n$`),
    );
  }
});

Deno.test("stream-client --video writes an image sequence, one file for each frame", async () => {
  await using server = await serverOfClip();
  const place = await results.folder("frames");
  const { status, stderr } = await record(server, "clip.mp4", `${place}/%05d.png`, []);
  assertEquals(status, 0, stderr);
  assertMatch(stderr, /; wrote 25 files, "[^"]+\/00001\.png" to "[^"]+\/00025\.png"\n$/);
  assertEquals(namesIn(place).length, 25);
  const again = await record(server, "clip.mp4", `${place}/%05d.png`, []);
  assertMatch(again.stderr, /00001\.png": the file exists, replace it with --overwrite\n$/);
  const missing = await record(server, "clip.mp4", `${place}/none/%05d.png`, []);
  assertMatch(missing.stderr, /there is no folder/);
});

Deno.test("stream-client --video writes no pictures from before the start in any encoding", async () => {
  await using server = await serverOfClip();
  const place = await results.folder("frames of a part");
  const part = ["--start", "0.6", "--encoding", "copy"];
  const { status, stderr } = await record(server, "clip.mp4", `${place}/%02d.png`, part);
  assertEquals(status, 0, stderr);
  assertMatch(stderr, /; wrote 10 files, "[^"]+\/01\.png" to "[^"]+\/10\.png"\n$/);
  assertEquals(namesIn(place).length, 10);
});

for (const type of ["mp4", "mkv", "mov"]) {
  Deno.test(`stream-client leaves a playable .${type} when it is stopped, and says so`, async () => {
    await using server = await serverOfClip();
    const place = await results.folder(`stopped ${type}`);
    const live = ["--speed", "1", "--output", `${place}/x.${type}`, ...at(server)];
    const long = await media.make("long.mp4", [
      ...pictures({ seconds: 60 }),
      ...tone({ seconds: 60 }),
    ]);
    const changes = Deno.watchFs(place);
    const name = long.slice(long.lastIndexOf("/") + 1);
    await using client = startProgram("client", ["--video", name, ...live]);
    for await (const { kind } of changes) if (kind === "modify") break;
    client.kill("SIGINT");
    const { code, stderr } = await client.ending();
    assertEquals(code, 130);
    const part = `${place}/x.part.${type}`;
    const [, frames] = stderr.match(
      /^Stopped after (\d+) frames? [^;]+; what arrived is in "[^"]+\.part\.\w+", playable\n$/,
    ) ?? [stderr, stderr];
    assertMatch((await found(part))[0], new RegExp(`^h264 ${frames}$`));
  });
}

/** More than FFmpeg and its pipe hold. */
async function serverOfLongFilm(): Promise<TestServer> {
  const text = "1\n00:00:00,100 --> 00:00:09,000\nlong\n\n2\n00:00:08,000 --> 00:00:09,000\nlate\n";
  const texts = await media.write("long.txt", text);
  await media.make("long.mkv", [
    ...[...pictures({ size: "320x240", seconds: 10 }), ...tone({ seconds: 10 })],
    ...["-f", "srt", "-i", texts, "-c:v", "mjpeg", "-c:a", "flac", "-c:s", "subrip"],
  ]);
  return await testServer({ media: media.path });
}

for (const view of [[], ["--view", "none"]]) {
  const beside = view.length === 0 ? "" : " beside a view";
  Deno.test(`stream-client --output completes a file that FFmpeg ends by itself${beside}`, async () => {
    await using server = await serverOfLongFilm();
    const name = `ended${view.length}.mkv`;
    const path = results.pathOf(name);
    const args = [...view, "--subtitles", "--speed", "max", "--", "-t", "0.5"];
    const { status, stderr } = await record(server, "long.mkv", path, args);
    assertEquals(status, 0, stderr);
    assertStringIncludes(stderr, `wrote "${path}"`);
    assertEquals(namesIn(results.path).filter((each) => each.startsWith(`ended${view.length}.`)), [
      name,
    ]);
    const [video, , texts] = await found(path);
    assertEquals([video, texts], ["h264 13", "subrip"]);
    const entries = ["-show_entries", "format=duration", "-of", "csv=p=0", `file:${path}`];
    const seconds = parseFloat(new TextDecoder().decode(await run("ffprobe", entries)));
    assertLess(seconds, 5, "no text behind the end");
  });
}

Deno.test("stream-client --output completes a playlist that FFmpeg ends by itself", async () => {
  await using server = await serverOfLongFilm();
  const path = results.pathOf("ended/index.m3u8");
  const { status, stderr } = await record(server, "long.mkv", path, ["--", "-t", "0.5"]);
  assertEquals(status, 0, stderr);
  assertStringIncludes(stderr, `wrote "${path}"`);
});
