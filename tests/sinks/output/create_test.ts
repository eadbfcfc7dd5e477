/** Which files are written, and what is left where that goes wrong. */
import { assertEquals, assertMatch } from "@std/assert";
import { mediaFolder, namesIn, run } from "../../support/media/media_folder.ts";
import { describe, end, frame, say, ScriptedServer } from "../../support/peers/scripted_server.ts";
import { at, type Outcome, runInside } from "../../support/programs/run_inside.ts";
import { countFrames } from "../../support/media/reference.ts";

const media = mediaFolder();

/** A server that sends some grey pictures, and then, unless they are all, closes the connection. */
function greyServer({ frames = 30, whole = true } = {}): ScriptedServer {
  const all = Array.from({ length: frames }, (_, index) => frame(index, { value: 8 * index }));
  return new ScriptedServer((peer) => say(peer, describe(), ...all, ...(whole ? [end()] : [])));
}

/** An empty folder of its own. */
function record(server: ScriptedServer, path: string, ...more: string[]): Promise<Outcome> {
  return runInside(["--video", "--output", path, ...more, ...at(server)]);
}

Deno.test("FileSink replaces a file only with --overwrite", async () => {
  const place = await media.folder("existing");
  const path = `${place}/x.mkv`;
  await Deno.writeTextFile(path, "before");
  await using server = greyServer();
  const refused = await record(server, path);
  assertEquals(refused.status, 1);
  assertEquals(
    refused.stderr,
    `Cannot write "${path}": the file exists, replace it with --overwrite\n`,
  );
  assertEquals(await Deno.readTextFile(path), "before");
  const replaced = await record(server, path, "--overwrite");
  assertEquals([replaced.status, await countFrames(path)], [0, 30]);
  assertEquals(namesIn(place), ["x.mkv"]);
});

Deno.test("FileSink keeps the old file until the new one is complete", async () => {
  const place = await media.folder("kept");
  const path = `${place}/x.mkv`;
  await Deno.writeTextFile(path, "before");
  await using server = greyServer({ whole: false });
  assertEquals((await record(server, path, "--overwrite")).status, 1);
  assertEquals(await Deno.readTextFile(path), "before");
  assertEquals(namesIn(place), ["x.mkv", "x.part.mkv"]);
});

for (
  const [what, name, reason] of [
    ["a folder that is missing", "none/x.mp4", 'there is no folder ".*/none/"'],
    ["a file as if it were a folder", "file/x.mp4", "Not a directory|there is no folder"],
    ["a name without a type", "recording", "its name tells no type, expected an extension"],
    ["a hidden name without a type", "..", "it is a folder"],
    [
      "a type that FFmpeg does not know",
      "x.xyz",
      "FFmpeg knows no type .xyz, expected one such as .mp4",
    ],
    ["a video as a picture", "x.png", "a .png holds one picture, expected a video type"],
    [
      "a picture as sound",
      "x.wav",
      "this type stores none of the streams, expected one for audio or video",
    ],
  ] as const
) {
  Deno.test(`FileSink refuses to write ${what}`, async () => {
    const place = await media.folder(`refuses ${what}`);
    await Deno.writeTextFile(`${place}/file`, "");
    await using server = greyServer();
    const { status, stdout, stderr } = await record(server, `${place}/${name}`);
    assertEquals([status, stdout], [1, ""]);
    assertMatch(
      stderr,
      new RegExp(`^Cannot write "${place}/${name}": [^\\n]*(${reason})[^\\n]*\\n$`),
    );
    assertEquals(stderr.includes(".part"), false, "the part is nobody's business");
    assertEquals(namesIn(place), ["file"]);
  });
}

Deno.test("FileSink refuses outputs before any request", async () => {
  const nobody = ["--host", "127.0.0.1", "--port", "1"];
  for (const name of ["none/x.mp4", "recording", "x.png", "x.xyz"]) {
    const path = `${media.path}/${name}`;
    const { stderr } = await runInside(["--video", "--output", path, ...nobody]);
    assertMatch(stderr, /^Cannot write "/);
  }
});

Deno.test("FileSink keeps what arrived of a video that is cut, and names the file", async () => {
  const place = await media.folder("cut");
  await using server = greyServer({ frames: 40, whole: false });
  for (const [number, type] of [["", "mp4"], ["2", "mp4"], ["", "mkv"]]) {
    const { status, stderr } = await record(server, `${place}/x.${type}`);
    const part = `${place}/x.part${number}.${type}`;
    assertEquals([status, stderr], [
      1,
      `Cannot finish "grey" after 40 frames (00:01.6): the connection was cut; ` +
      `what arrived is in "${part}", playable\n`,
    ]);
    assertEquals(await countFrames(part), 40);
  }
  assertEquals(namesIn(place), ["x.part.mkv", "x.part.mp4", "x.part2.mp4"]);
});

for (const whole of [true, false]) {
  Deno.test(`FileSink leaves no file if no frame came and the end is ${whole ? "reported" : "not reported"}`, async () => {
    const place = await media.folder(`empty ${whole}`);
    await using server = greyServer({ frames: 0, whole });
    const { status, stderr } = await record(server, `${place}/x.mp4`);
    assertMatch(stderr, /^Cannot get [^\n]+\n$/);
    assertEquals([status, namesIn(place)], [1, []]);
  });
}

Deno.test("FileSink reports why a picture cannot be encoded", async () => {
  const place = await media.folder("unfit");
  const short = [describe(), frame(0, { size: 10 }), end()];
  await using server = new ScriptedServer((peer) => say(peer, ...short));
  const { status, stderr } = await record(server, `${place}/x.mp4`);
  const [, left] = stderr.match(
    /^Cannot write "[^\n]+\/x\.mp4": [^\n;]*(; what arrived is in "[^\n]+\.part\.mp4", playable)?\n$/,
  ) ?? [stderr, stderr];
  // What FFmpeg has written before it fails is kept, and named.
  assertEquals([status, namesIn(place)], [1, left === undefined ? [] : ["x.part.mp4"]]);
});

Deno.test("FileSink refuses streams that FFmpeg does not know", async () => {
  const place = await media.folder("unknown");
  for (const stream of [{ fourcc: "\0\0\0\0" }, { width: 65535, height: 65535 }]) {
    await using server = new ScriptedServer((peer) => say(peer, describe(stream), frame(0), end()));
    const { status, stderr } = await record(server, `${place}/x.mp4`);
    assertMatch(stderr, /^Cannot write "[^\n]+\n$/);
    assertEquals([status, namesIn(place)], [1, []]);
  }
});

Deno.test("FileSink ignores unknown colours", async () => {
  const place = await media.folder("colours");
  const odd = { colorRange: "very", colorSpace: "pretty", sampleAspectRatio: [3, 2] };
  await using server = new ScriptedServer((peer) => say(peer, describe(odd), frame(0), end()));
  const { status, stderr } = await record(server, `${place}/x.mkv`);
  assertEquals(status, 0, stderr);
});

Deno.test("FileSink writes straight into a named pipe, and leaves it there", async () => {
  const place = await media.folder("pipe");
  const path = `${place}/x.mkv`;
  await new Deno.Command("mkfifo", { args: [path] }).output();
  await using server = greyServer();
  const reading = run("ffprobe", [
    ...[
      "-count_frames",
      "-show_entries",
      "stream=nb_read_frames",
      "-of",
      "csv=p=0",
      `file:${path}`,
    ],
  ]);
  const { status, stderr } = await record(server, path);
  assertMatch(stderr, /^Received 30 frames in [^;\n]+\n$/);
  assertEquals([status, new TextDecoder().decode(await reading).trim()], [0, "30"]);
  assertEquals([(await Deno.stat(path)).isFifo, namesIn(place)], [true, ["x.mkv"]]);
});

Deno.test("FileSink writes into a device through a link, and leaves both there", async () => {
  const place = await media.folder("device");
  const path = `${place}/null.mkv`;
  await Deno.symlink("/dev/null", path);
  await using server = greyServer();
  assertEquals((await record(server, path)).status, 0);
  assertEquals([await Deno.readLink(path), namesIn(place)], ["/dev/null", ["null.mkv"]]);
});

Deno.test("FileSink fails the whole run, though another sink goes on", async () => {
  const place = await media.folder("beside");
  await using server = greyServer();
  const { status, stderr } = await record(server, `${place}/x.xyz`, "--view", "none");
  assertEquals([status, namesIn(place)], [1, []]);
  assertMatch(stderr, /^Cannot write "[^\n]+\n$/);
});
