/** Lists of pieces, HLS and DASH. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { mediaFolder, namesIn, pictures, run, tone } from "../../support/media/media_folder.ts";
import { describe, end, frame, say, ScriptedServer } from "../../support/peers/scripted_server.ts";
import { type TestServer, testServer } from "../../support/peers/test_server.ts";
import { at, runInside } from "../../support/programs/run_inside.ts";
import { startProgram } from "../../support/programs/running_program.ts";
import { witness } from "../../support/programs/witness.ts";
import { PATIENCE } from "../../support/time/patience.ts";

const media = mediaFolder();

/** Five seconds, odd, and in colours that few players know. */
async function serverOfClips(): Promise<TestServer> {
  const input = [...pictures({ size: "65x47", seconds: 5 }), ...tone({ seconds: 5 })];
  await media.make("clip.mkv", [...input, "-c:v", "ffv1", "-pix_fmt", "yuv444p", "-c:a", "flac"]);
  const packets = ["-c:v", "libx264", "-g", "25", "-pix_fmt", "yuv420p", "-c:a", "aac"];
  await media.make("clip.mp4", [...input, "-vf", "crop=64:46", ...packets]);
  const source = { name: "cam", kind: "generator" as const, format: "lavfi" };
  const moving = "testsrc2=size=64x48:rate=25";
  return await testServer({
    media: media.path,
    live: { sources: [{ ...source, input: moving }] },
  });
}

/** Codecs and numbers of frames that FFmpeg finds through a playlist. */
async function found(path: string): Promise<string[]> {
  const entries = "stream=codec_name,nb_read_frames,width,height";
  const args = ["-count_frames", "-select_streams", "v", "-show_entries", entries, "-of", "json"];
  // Recent FFmpegs read no HLS playlist with another extension.
  const format = /\.(m3u8|mpd)$/.test(path) ? [] : ["-f", "hls"];
  const said = await run("ffprobe", [...args, ...format, path]);
  const { streams } = JSON.parse(new TextDecoder().decode(said));
  return streams.map((stream: Record<string, unknown>) =>
    `${stream.codec_name} ${stream.width}x${stream.height} ${stream.nb_read_frames}`
  );
}

for (
  const [what, output, list, clip] of [
    ["HLS", "x.m3u8", "x.m3u8", "clip.mkv"],
    ["HLS in a folder that it makes", "site/", "site/index.m3u8", "clip.mkv"],
    ["HLS of packets as they are", "x.m3u8", "x.m3u8", "clip.mp4"],
    ["HLS by --format", "x.list --format hls", "x.list", "clip.mkv"],
    ["DASH", "x.mpd", "x.mpd", "clip.mkv"],
    ["DASH in a folder", "site/ --format dash", "site/index.mpd", "clip.mp4"],
  ] as const
) {
  Deno.test(`PlaylistSink writes ${what}, all of it`, async () => {
    await using server = await serverOfClips();
    const place = await media.folder(`whole ${what}`);
    const encoding = clip === "clip.mp4" ? "copy" : "raw";
    const args = ["--video", clip, "--encoding", encoding, "--output"];
    const { status, stderr } = await runInside([
      ...args,
      ...`${place.replaceAll(" ", "\0")}/${output}`.split(" ").map((word) =>
        word.replaceAll("\0", " ")
      ),
      ...at(server),
    ]);
    assertEquals(status, 0, stderr);
    assertMatch(stderr, /^Received 125 frames [^;]+; wrote "[^"]+"\n$/);
    const size = clip === "clip.mp4" ? "64x46" : "66x48";
    assertEquals(await found(`${place}/${list}`), [`h264 ${size} 125`]);
    const text = await Deno.readTextFile(`${place}/${list}`);
    const ends = what.startsWith("HLS") ? "#EXT-X-ENDLIST" : 'type="static"';
    assert(text.includes(ends), text);
    if (what !== "HLS") return;
    assertEquals(text.match(/EXTINF:[\d.]+/g), [
      "EXTINF:2.000000",
      "EXTINF:2.000000",
      "EXTINF:1.000000",
    ]);
  });
}

Deno.test("PlaylistSink names the newest segments of live media, and ends the playlist at Ctrl-C", async () => {
  await using server = await serverOfClips();
  const place = await media.folder("live");
  const list = `${place}/cam.m3u8`;
  const short = ["-hls_time", "0.4", "-force_key_frames", "expr:gte(t,n_forced*0.4)"];
  const args = ["--video", "cam", "--output", list, ...at(server), "--", ...short];
  await using client = startProgram("client", args);
  // Seven pieces have been made, of which it names six.
  const pieces = () => namesIn(place).filter((name) => name.endsWith(".ts"));
  const limit = AbortSignal.timeout(PATIENCE);
  const changes = Deno.watchFs(place);
  for await (const _ of changes) {
    const text = await readIfThere(list);
    if (/MEDIA-SEQUENCE:[1-9]/.test(text) || limit.aborted) break;
  }
  client.kill("SIGINT");
  const { code, stderr } = await client.ending();
  assertEquals(code, 130, stderr);
  assertMatch(stderr, /; ended "[^"]+cam\.m3u8", which names the newest segments\n$/);
  const text = await Deno.readTextFile(list);
  assertMatch(text, /#EXT-X-ENDLIST\n$/);
  const named = text.split("\n").filter((line) => line.endsWith(".ts"));
  assertEquals(named.length, 6);
  assertEquals(named.every((name) => pieces().includes(name)), true, `${named} of ${pieces()}`);
});

async function readIfThere(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}

Deno.test("PlaylistSink ends the playlist of a video that is stopped, and reports that it is playable", async () => {
  await media.make("minute.mkv", [...pictures({ seconds: 60 }), "-c:v", "ffv1"]);
  await using server = await testServer({ media: media.path });
  const place = await media.folder("stopped");
  const list = `${place}/x.m3u8`;
  const args = ["--video", "minute.mkv", "--output", list, ...at(server)];
  const changes = Deno.watchFs(place);
  await using client = startProgram("client", args);
  for await (const { paths } of changes) if (paths.some((path) => path.endsWith(".ts"))) break;
  client.kill("SIGINT");
  const { code, stderr } = await client.ending();
  assertEquals(code, 130);
  assertMatch(stderr, /^Stopped after [^;]+; what arrived is in "[^"]+x\.m3u8", playable\n$/);
  assertMatch(await Deno.readTextFile(list), /#EXT-X-ENDLIST\n$/);
  assertMatch(`${await found(list)}`, /^h264 64x48 [1-9]/);
});

Deno.test("PlaylistSink refuses outputs before any request", async () => {
  const place = await media.folder("refused");
  await Deno.writeTextFile(`${place}/x.m3u8`, "before");
  const nobody = ["--video", "--host", "127.0.0.1", "--port", "1"];
  for (
    const [name, reason] of [
      ["x.m3u8", "the file exists, replace it with --overwrite"],
      ["none/deep/x.m3u8", "there is no folder"],
      ["x%d.m3u8", "a playlist has no % in its name, or its folders'"],
      ["x.m3u8/", "Not a directory"],
    ]
  ) {
    const { status, stderr } = await runInside([...nobody, "--output", `${place}/${name}`]);
    assertEquals(status, 1);
    assertMatch(stderr, new RegExp(`^Cannot write "${place}[^\\n]*: [^\\n]*${reason}[^\\n]*\\n$`));
  }
  assertEquals(namesIn(place), ["x.m3u8"]);
});

for (
  const [what, list] of [
    ["the list", ""],
    ["a piece", "#EXTM3U\\n#EXTINF:2,\\nx00000.ts\\n#EXT-X-ENDLIST\\n"],
  ]
) {
  Deno.test(`PlaylistSink fails if there was no room for ${what}, though FFmpeg succeeds`, async () => {
    await using server = await serverOfClips();
    const place = await media.folder(`full of ${what}`);
    // On a full disk FFmpeg reports nothing, and leaves this.
    const files = `: > '${place}/x00000.ts'; printf '${list}' > '${place}/x.m3u8'`;
    await using ffmpeg = await witness("ffmpeg", { instead: `cat > /dev/null; ${files}` });
    const args = ["--video", "clip.mp4", "--encoding", "copy", "--output", `${place}/x.m3u8`];
    const env = { PATH: ffmpeg.path };
    await using client = startProgram("client", [...args, ...at(server)], { env });
    const { code } = await client.ending();
    assertEquals([code, client.stderr.text], [
      1,
      `Cannot write "${place}/x.m3u8": parts of it are empty, expected room on the disk\n`,
    ]);
  });
}

Deno.test("PlaylistSink removes an older playlist, whose segments it overwrites", async () => {
  await using server = await serverOfClips();
  const place = await media.folder("older");
  await Deno.writeTextFile(`${place}/x.m3u8`, "before");
  await using ffmpeg = await witness("ffmpeg", { instead: "cat > /dev/null; exit 1" });
  const args = ["--video", "clip.mp4", "--encoding", "copy", "--overwrite", "--output"];
  const env = { PATH: ffmpeg.path };
  const words = [...args, `${place}/x.m3u8`, ...at(server)];
  await using client = startProgram("client", words, { env });
  assertEquals((await client.ending()).code, 1);
  assertEquals(namesIn(place), []);
});

Deno.test("PlaylistSink adds no keyframes for a gap", async () => {
  const place = await media.folder("gap");
  const tenths = [...Array(10).keys()].flatMap((tenth) => [tenth, 300 + tenth]).sort((a, b) =>
    a - b
  );
  const all = tenths.map((tenth) => frame(tenth));
  await using server = new ScriptedServer((peer) =>
    say(peer, describe({ timeBase: [1, 10] }), ...all, end())
  );
  const { status, stderr } = await runInside([
    ...["--video", "--output", `${place}/x.m3u8`, ...at(server)],
  ]);
  assertEquals(status, 0, stderr);
  const args = ["-select_streams", "v", "-show_entries", "packet=flags", "-of", "csv=p=0"];
  const flags = new TextDecoder().decode(await run("ffprobe", [...args, `${place}/x.m3u8`]));
  assertEquals([flags.match(/[K_]_/g)?.length, flags.match(/K_/g)?.length], [20, 2]);
});
