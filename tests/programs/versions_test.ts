/** FFmpegs of other versions, played by scripts, and both programs in front of them. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { mediaFolder, pictures } from "../support/media/media_folder.ts";
import { testServer } from "../support/peers/test_server.ts";
import { at } from "../support/programs/run_inside.ts";
import { runProgram, startProgram } from "../support/programs/running_program.ts";

const media = mediaFolder();

/** A folder with an FFmpeg that states a version, and writes down what it is started with. */
async function ffmpegOf(version: string): Promise<{ path: string; calls: () => string[] }> {
  const folder = await media.folder(`ffmpeg ${version}`);
  for (const name of ["ffmpeg", "ffprobe", "ffplay"]) {
    const lines = [`echo "${name} $*" >>'${folder}/calls'`, `echo "${name} version ${version}"`];
    const script = ["#!/bin/sh", ...lines, ""].join("\n");
    await Deno.writeTextFile(`${folder}/${name}`, script, { mode: 0o755 });
  }
  await Deno.writeTextFile(`${folder}/calls`, "");
  return {
    path: `${folder}:${Deno.env.get("PATH")}`,
    calls: () => Deno.readTextFileSync(`${folder}/calls`).split("\n").filter(Boolean),
  };
}

const TOO_OLD = "Cannot use FFmpeg 4.4.2: expected 5.1 or later; install a newer FFmpeg " +
  "(https://ffmpeg.org/download.html) and put it first in PATH\n";

Deno.test("stream-server refuses an FFmpeg that is too old, in one line", async () => {
  const { path: PATH } = await ffmpegOf("4.4.2-0ubuntu0.22.04.1");
  const args = ["--port", "0", "--media", media.path];
  await using server = startProgram("server", args, { env: { PATH } });
  assertEquals((await server.ending()).code, 1);
  assertEquals([server.stdout.text, server.stderr.text], ["", TOO_OLD]);
});

Deno.test("stream-server and stream-client state their versions without a usable FFmpeg", async () => {
  const old = await ffmpegOf("4.4.2-1");
  const none = await media.folder("no ffmpeg");
  const missing = "Cannot run ffmpeg: it is not installed, or not in PATH; install FFmpeg with ";
  for (const [PATH, reason] of [[old.path, TOO_OLD], [none, missing]]) {
    for (const name of ["server", "client"] as const) {
      const { code, stdout, stderr } = await runProgram(name, ["--version"], { env: { PATH } });
      assertEquals([code, stderr], [0, ""]);
      const [first, second] = stdout.split("\n");
      assertMatch(first, /^stream-\w+ [\d.]+ \(Deno [\d.]+, no usable FFmpeg\)$/);
      assert(`${second}\n`.startsWith(reason), stdout);
    }
  }
});

Deno.test("stream-server logs the version that it found", async () => {
  const { path: PATH } = await ffmpegOf("n7.1");
  const args = ["--port", "0", "--media", media.path];
  await using server = startProgram("server", args, { env: { PATH } });
  await server.stderr.until(/ info {2}FFmpeg 7\.1\n/);
  await server.stdout.until(/^Listening on /);
});

Deno.test("stream-client refuses an FFmpeg that is too old, if it needs one", async () => {
  await media.make("clip.mkv", [...pictures({ seconds: 0.2 }), "-c:v", "ffv1"]);
  await using server = await testServer({ media: media.path });
  const old = await ffmpegOf("4.4.2");
  const run = async (...args: string[]) => {
    await using client = startProgram("client", [...args, ...at(server)], {
      env: { PATH: old.path },
    });
    const { code, stderr } = await client.ending();
    return [code, stderr];
  };
  const output = media.pathOf("out.mp4");
  assertEquals(await run("--video", "clip.mkv", "--output", output), [1, TOO_OLD]);
  assertEquals(await run("--video", "clip.mkv", "--view", "terminal"), [1, TOO_OLD]);
  assertEquals(await run("--view", "browser"), [1, TOO_OLD]);
  assertEquals(old.calls(), Array(3).fill("ffmpeg -version"));
});

Deno.test("stream-client starts no FFmpeg if nothing needs one", async () => {
  await media.make("clip.mkv", [...pictures({ seconds: 0.2 }), "-c:v", "ffv1"]);
  await using server = await testServer({ media: media.path });
  const old = await ffmpegOf("4.4.3");
  for (
    const args of [
      ["--list"],
      ["--video", "clip.mkv", "--view", "none"],
      ["--video", "clip.mkv", "--output", "-"],
    ]
  ) {
    await using client = startProgram("client", [...args, ...at(server)], {
      env: { PATH: old.path },
    });
    assertEquals((await client.ending()).code, 0);
  }
  assertEquals(old.calls(), []);
});
