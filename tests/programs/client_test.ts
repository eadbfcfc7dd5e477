/** `stream-client` as users run it: what it prints where, its exit status, and what it leaves. */
import config from "../../deno.json" with { type: "json" };
import { assert, assertEquals, assertMatch } from "@std/assert";
import { encodeError } from "../../lib/protocol/native/response.ts";
import { RequestError } from "../../lib/base/errors.ts";
import { encodeMessage } from "../../lib/protocol/native/framing.ts";
import { encodeList } from "../../lib/protocol/native/list.ts";
import { mediaFolder, namesIn, pictures, tone } from "../support/media/media_folder.ts";
import {
  describe,
  end,
  frame,
  say,
  ScriptedServer,
  stay,
} from "../support/peers/scripted_server.ts";
import { testServer } from "../support/peers/test_server.ts";
import { isInstalled, textOf, whereIs } from "../support/programs/machine.ts";
import { at } from "../support/programs/run_inside.ts";
import {
  assertFailed,
  runProgram,
  startProgram,
  startServerProgram,
} from "../support/programs/running_program.ts";
import { witness } from "../support/programs/witness.ts";
import { testIf } from "../support/test_if.ts";
import { countFrames } from "../support/media/reference.ts";

const media = mediaFolder();
const NOBODY = ["--host", "127.0.0.1", "--port", "1"];
const CLIP = [
  ...[...pictures({ seconds: 20 }), ...tone({ seconds: 20 })],
  ...["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac"],
];

Deno.test("stream-client -V prints its version, that of Deno and that of FFmpeg", async () => {
  const { code, stdout, stderr } = await runProgram("client", ["-V"]);
  assertEquals([code, stderr], [0, ""]);
  const versions = `stream-client ${config.version} (Deno ${Deno.version.deno}, FFmpeg `;
  assert(stdout.startsWith(versions), stdout);
  assertMatch(stdout.slice(versions.length), /^[^\s()]+\)\n$/);
});

Deno.test("stream-client -h prints the usage, and nothing else", async () => {
  const { code, stdout, stderr } = await runProgram("client", ["-h"]);
  assertEquals([code, stderr], [0, ""]);
  assertMatch(stdout, /^Usage: stream-client /);
});

Deno.test("stream-client gives status 2 for a wrong command line", async () => {
  for (
    const [args, reason] of [
      [["--port", "x"], /^Cannot use --port "x": .*; see stream-client --help$/m],
      [["--vidoe"], /did you mean --video\?; see stream-client --help$/m],
      [["--video", "--no-loop="], /^Cannot use "--no-loop=": no such flag, leave out --loop /],
      [["--video", "--loop", "false"], /^Cannot use "false": expected a flag such as /],
      [["--constructor=a\nb"], /^Cannot use "--constructor=a\?b": no such flag; see /],
      [["--image", "--view", "none", "--size", "big"], /^Cannot use --size "big": /],
      [["--video", "--output", "-", "--json"], /both write to stdout/],
      [["--video"], /^Cannot show anything: no screen and no terminal here/],
    ] as const
  ) {
    const ending = await runProgram("client", args, { env: { DISPLAY: "", WAYLAND_DISPLAY: "" } });
    assertFailed(ending, { code: 2, reason });
  }
});

Deno.test("stream-client gives status 1 where there is no server", async () => {
  const reason = /^Cannot connect to 127\.0\.0\.1:1: nothing listens there, start stream-server/;
  for (const what of [["--list"], ["--image", "--view", "none"]]) {
    assertFailed(await runProgram("client", [...what, ...NOBODY]), { code: 1, reason });
  }
});

Deno.test("stream-client hands on why the server refuses", async () => {
  await media.make("clip.mp4", CLIP);
  await media.write("broken.mp4", "this is no video");
  await using server = await testServer({ media: media.path, maxClients: 1 });
  const ask = (name: string) =>
    runProgram("client", ["--video", name, "--view", "none", ...at(server)]);
  assertFailed(await ask("clop.mp4"), {
    code: 1,
    reason: /^Cannot find "clop\.mp4": .*"clip\.mp4"/,
  });
  assertFailed(await ask("broken.mp4"), { code: 1, reason: /^Cannot [^\n]*"broken\.mp4"/ });
  assertFailed(await ask("../../etc/passwd"), { code: 1, reason: /^Cannot find/ });
  using other = await server.connect();
  await other.ask({ command: "get_video", name: "clip.mp4", speed: 1 });
  await other.until("frame");
  assertFailed(await ask("clip.mp4"), {
    code: 1,
    reason: /^Cannot serve now: all connection slots are taken/,
  });
});

Deno.test("stream-client keeps a server's control characters from the terminal", async () => {
  const error = new RequestError("internal", "Cannot \x1b]0;title\x07\n\x9b2Jdo it");
  await using server = new ScriptedServer((peer) =>
    say(peer, encodeMessage("error", encodeError(error)))
  );
  const { code, stderr } = await runProgram("client", ["--list", ...at(server)]);
  assertEquals([code, stderr], [1, "Cannot ?]0;title????2Jdo it\n".replace("????", "???")]);
});

Deno.test("stream-client prints results, and they alone, to stdout", async () => {
  await media.make("clip.mp4", CLIP);
  await using server = await testServer({ media: media.path });
  const list = await runProgram("client", ["--list", ...at(server)]);
  assertEquals([list.code, list.stderr], [0, ""]);
  assertMatch(list.stdout, /^NAME [^\n]*\n(.*\n)*clip\.mp4 +video .* 00:20\.0 +h264\+aac +64x48\n/);
  const what = ["--video", "clip.mp4", "--view", "none", "--speed", "max"];
  const plain = await runProgram("client", [...what, ...at(server)]);
  assertEquals([plain.code, plain.stdout], [0, ""]);
  // Nothing of the progress line, where stderr is no terminal.
  assertMatch(plain.stderr, /^Received 500 frames in [\d:.]+, [\d.]+ fps, [\d.]+ MB\n$/);
  const json = await runProgram("client", [...what, "--json", ...at(server)]);
  assertEquals([json.code, json.stderr, json.stdout.split("\n").length], [0, "", 2]);
  const { command, name, frames, bytes } = JSON.parse(json.stdout);
  assertEquals([command, name, frames], ["get_video", "clip.mp4", 500]);
  assert(bytes > 500 * 64 * 48 * 1.5);
});

Deno.test("stream-client --output - ends quietly with the program behind it", async () => {
  await media.make("clip.mp4", CLIP);
  await using server = await testServer({ media: media.path });
  const script = '{ "$@"; echo "status $?" >&2; } | head -c 1000';
  const wrapper = ["sh", "-c", script, "sh"];
  const args = ["--video", "clip.mp4", "--output", "-", ...at(server)];
  const { stdout, stderr } = await runProgram("client", args, { wrapper });
  assertEquals(stdout.slice(0, 24), "nut/multimedia container");
  assertMatch(stderr, /^Received \d+ frames? in [^\n]+\nstatus 0\n$/);
});

Deno.test("stream-client takes choices from a pipe", async () => {
  await media.make("clip.mp4", CLIP);
  await media.make("still.png", [...pictures(), "-frames:v", "1"]);
  await using server = await testServer({ media: media.path });
  await server.probeAll();
  await using client = startProgram("client", ["--view", "none", ...at(server)]);
  await client.stdout.until(/> $/);
  await client.type("1\n");
  await client.stdout.until(/> .*\nNumber or name> $/s);
  await client.stderr.until(/^Received 1 picture in [^\n]+\n$/);
  await client.type("nonsense\n");
  await client.stderr.until(/^Cannot find "nonsense": no such media, see the list of media$/m);
  await client.closeInput();
  const { code, stdout } = await client.ending();
  const prompt = "1) image (still.png)\n2) video (clip.mp4)\n3) list\n0) quit\nNumber or name> ";
  // The menu does not wait long for the names.
  const nameless = (text: string) => text.replaceAll(/ \((still\.png|clip\.mp4)\)$/gm, "");
  assertEquals([code, nameless(stdout)], [0, nameless(prompt).repeat(3)]);
  assert(stdout.includes(prompt), stdout);
});

for (const [signal, status] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]] as const) {
  Deno.test(`stream-client ends by ${signal} with status ${status} in the middle of a recording`, async () => {
    await media.make("clip.mp4", CLIP);
    const place = await media.folder(signal);
    await using server = await testServer({ media: media.path });
    const args = ["--video", "clip.mp4", "--output", `${place}/x.mp4`, "--view", "terminal"];
    await using client = startProgram("client", [...args, ...at(server)]);
    // The third picture is drawn.
    await client.stdout.until(/(\[H[^]*){3}/);
    client.kill(signal);
    const { code, stderr } = await client.ending();
    assertEquals(code, status);
    const [, frames] = stderr.match(
      /^Stopped after (\d+) frames in [^\n]+; what arrived is in "[^\n]+x\.part\.mp4", playable\n$/,
    ) ?? [];
    assertEquals(namesIn(place), ["x.part.mp4"]);
    assertEquals(await countFrames(`${place}/x.part.mp4`), Number(frames), stderr);
  });
}

Deno.test("stream-client ends by Ctrl-C while it waits for the server, or for a choice", async () => {
  const asked = Promise.withResolvers<void>();
  await using server = new ScriptedServer(async (peer) => {
    asked.resolve();
    await stay(peer);
  });
  await using waiting = startProgram("client", ["--list", ...at(server)]);
  await asked.promise;
  waiting.kill("SIGINT");
  assertEquals(await waiting.ending(), { code: 130, signal: null, stdout: "", stderr: "" });
  await using asking = startProgram("client", at(server));
  await asking.stdout.until(/> $/);
  asking.kill("SIGINT");
  const { code, stderr } = await asking.ending();
  assertEquals([code, stderr], [130, ""]);
});

Deno.test("stream-client ends by Ctrl-C out of the menu, in the middle of a video", async () => {
  await media.make("clip.mp4", CLIP);
  const started = Promise.withResolvers<void>();
  await using server = new ScriptedServer(async (peer, { index }) => {
    // The menu asks what it would show.
    if (index === 0) return await say(peer, encodeMessage("list", encodeList({ entries: [] })));
    await say(peer, describe(), frame(0));
    started.resolve();
    await stay(peer);
  });
  await using client = startProgram("client", ["--view", "none", ...at(server)]);
  await client.type("2\n");
  await started.promise;
  client.kill("SIGINT");
  const { code, stderr } = await client.ending();
  assertEquals(code, 130);
  assertMatch(stderr, /^Stopped after [01] frames? in [^\n]+\n$/);
});

Deno.test("stream-client ends by a second Ctrl-C although FFmpeg hangs", async () => {
  const place = await media.folder("hanging");
  await using ffmpeg = await witness("ffmpeg", { instead: "exec sleep 600" });
  const stopped = Promise.withResolvers<void>();
  await using server = new ScriptedServer(async (peer) => {
    await say(peer, describe(), frame(0), frame(1));
    await stay(peer);
    stopped.resolve();
  });
  const args = ["--video", "--output", `${place}/x.mkv`, ...at(server)];
  await using client = startProgram("client", args, { env: { PATH: ffmpeg.path } });
  await ffmpeg.started();
  client.kill("SIGINT");
  await stopped.promise;
  client.kill("SIGINT");
  await ffmpeg.ended();
  const { code, stderr } = await client.ending();
  assertEquals(code, 130);
  assertMatch(stderr, /^(Stopped at once[^\n]*\n)?$/);
});

Deno.test("stream-client ends by a second Ctrl-C although the program behind it hangs", async () => {
  const gone = Promise.withResolvers<void>();
  await using server = new ScriptedServer(async (peer) => {
    await say(peer, describe(), frame(0, { size: 1_000_000 }));
    await stay(peer);
    gone.resolve();
  });
  // What is read is less than a frame, and the rest of that is more than a pipe holds.
  const script = '{ "$@" & pid=$!; echo $pid >&2; wait $pid; echo "status $?" >&2; } | ' +
    "{ head -c 100000 > /dev/null; echo full >&2; sleep 600; }";
  const wrapper = ["sh", "-c", script, "sh"];
  await using client = startProgram("client", ["--video", "--output", "-", ...at(server)], {
    wrapper,
  });
  const [, pid] = await client.stderr.until(/^(\d+)\n/);
  await client.stderr.until(/^full$/m);
  Deno.kill(Number(pid), "SIGINT");
  await gone.promise;
  Deno.kill(Number(pid), "SIGINT");
  await client.stderr.until(/^status 130$/m);
});

Deno.test("stream-client tells that the encoder died, and names what it left", async () => {
  const place = await media.folder("killed");
  await using ffmpeg = await witness("ffmpeg");
  await using server = new ScriptedServer(async (peer) => {
    await say(peer, describe(), frame(0), frame(1));
    Deno.kill(await ffmpeg.started(), "SIGKILL");
    await ffmpeg.ended();
    await say(peer, frame(2), frame(3));
    await stay(peer);
  });
  const args = ["--video", "--output", `${place}/x.mkv`, ...at(server)];
  const ending = await runProgram("client", args, { env: { PATH: ffmpeg.path } });
  assertFailed(ending, {
    code: 1,
    reason: /^Cannot write "[^\n]+x\.mkv": ffmpeg was ended by SIGKILL/,
  });
  // It may have died before it wrote anything.
  assert(namesIn(place).every((name) => name === "x.part.mkv"), namesIn(place).join());
});

Deno.test("stream-client tells that the server died, and names what it got", async () => {
  await media.make("clip.mp4", CLIP);
  const place = await media.folder("alone");
  const { program: server, port } = await startServerProgram(["--media", media.path]);
  await using _server = server;
  const args = ["--video", "clip.mp4", "--output", `${place}/x.mp4`, "--view", "terminal"];
  const where = ["--host", "127.0.0.1", "--port", port, "--retries", "1"];
  await using client = startProgram("client", [...args, ...where]);
  await client.stdout.until(/(\[H[^]*){3}/);
  server.kill("SIGKILL");
  const { code, stderr } = await client.ending();
  assertEquals(code, 1);
  const [, frames] = stderr.match(
    /^Connection lost at [^\n]+\nCannot finish "clip\.mp4" after (\d+) frames \([\d:.]+\): Cannot connect to [^\n]+: nothing listens there; tried again once; what arrived is in "[^\n]+x\.part\.mp4", playable\n$/,
  ) ?? [];
  assertEquals(namesIn(place), ["x.part.mp4"]);
  assertEquals(await countFrames(`${place}/x.part.mp4`), Number(frames), stderr);
});

Deno.test("stream-client says how to install what it lacks", async () => {
  const place = await media.folder("empty path");
  await using server = new ScriptedServer((peer) => say(peer, describe(), frame(0)));
  const env = { PATH: place, DISPLAY: ":none" };
  const record = ["--video", "--output", media.pathOf("x.mkv"), ...at(server)];
  const reason = /^Cannot run ffmpeg: it is not installed, or not in PATH; install FFmpeg with/;
  assertFailed(await runProgram("client", record, { env }), { code: 1, reason });
  assertEquals(namesIn(media.path).includes("x.part.mkv"), false);
  const look = ["--video", "--view", "window", ...at(server)];
  assertFailed(await runProgram("client", look, { env }), {
    code: 1,
    reason: /^Cannot open a window: neither mpv nor ffplay is installed, .* \(apt install mpv, /,
  });
  const any = await runProgram("client", ["--video", ...at(server)], { env });
  assertFailed(any, {
    code: 2,
    reason: /^Cannot show anything: no mpv or ffplay to open a window with/,
  });
  const draw = await runProgram("client", ["--video", "--view", "terminal", ...at(server)], {
    env,
  });
  assertFailed(draw, { code: 1, reason: /^Cannot run ffmpeg: it is not installed/ });
});

Deno.test("stream-client says that there is no screen for a window", async () => {
  await using server = new ScriptedServer((peer) => say(peer, describe(), frame(0), end()));
  const args = ["--video", "--view", "window", ...at(server)];
  assertFailed(await runProgram("client", args, { env: { DISPLAY: "", WAYLAND_DISPLAY: "" } }), {
    code: 2,
    reason: /^Cannot open a window: neither DISPLAY nor WAYLAND_DISPLAY names a screen/,
  });
});

/** Mounts something on the folder that is the first argument, in a world of its own. */
function mounting(options: string, place: string): string[] {
  const script = `mount -t tmpfs -o ${options} tmpfs "$0" && exec "$@"`;
  return ["unshare", "-rm", "sh", "-c", script, place];
}

/** Whether the system lets a test mount something for itself. */
async function canMount(): Promise<boolean> {
  if (!isInstalled("unshare")) return false;
  return (await textOf("unshare", ["-rm", "mount", "-t", "tmpfs", "tmpfs", "/tmp"])).code === 0;
}

const test = testIf(await canMount(), "mounting is not allowed here");

for (const type of ["mp4", "mkv"]) {
  test(`stream-client tells of a full disk, writing ${type}`, async () => {
    const name = "noise.mkv";
    const noise = ["-f", "lavfi", "-i", "nullsrc=size=320x240:rate=25:d=1,geq=random(1)*255"];
    await media.make(name, [...noise, "-c:v", "ffv1", "-pix_fmt", "yuv420p"]);
    const place = await media.folder(`full ${type}`);
    await using server = await testServer({ media: media.path });
    const wrapper = mounting("size=200k", place);
    const args = ["--video", name, "--output", `${place}/x.${type}`, ...at(server)];
    const ending = await runProgram("client", args, { wrapper });
    assertFailed(ending, {
      code: 1,
      reason: /^Cannot write "[^\n]+\/x\.\w+": [^\n]*No space left on device/,
    });
  });
}

test("stream-client tells of a folder that may only be read", async () => {
  await media.make("still.png", [...pictures(), "-frames:v", "1"]);
  const place = await media.folder("read-only");
  await using server = await testServer({ media: media.path });
  const args = ["--image", "still.png", "--output", `${place}/x.png`, ...at(server)];
  const ending = await runProgram("client", args, { wrapper: mounting("ro", place) });
  assertFailed(ending, {
    code: 1,
    reason: /^Cannot write "[^\n]+\/x\.png": Read-only file system/,
  });
});

Deno.test("stream-client tells of a limit on the size of files", async () => {
  await media.make("clip.mp4", CLIP);
  const place = await media.folder("limited");
  await using server = await testServer({ media: media.path });
  const instead = `ulimit -f 8 && exec "${whereIs("ffmpeg")}" "$@"`;
  await using ffmpeg = await witness("ffmpeg", { instead });
  const args = ["--video", "clip.mp4", "--output", `${place}/x.avi`, ...at(server)];
  const ending = await runProgram("client", args, { env: { PATH: ffmpeg.path } });
  const reason = /^Cannot write "[^\n]+\/x\.avi": [^\n]*(SIGXFSZ|too large)/;
  assertFailed(ending, { code: 1, reason });
  assert(!namesIn(place).includes("x.avi"));
});

Deno.test("stream-client serves its page at the address of --http, whatever Deno is told to do", async () => {
  // Deno would listen at this address, and find it taken.
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const env = { DENO_SERVE_ADDRESS: `tcp:127.0.0.1:${taken.addr.port}` };
  const args = ["--view", "browser", "--http", "127.0.0.1:0", ...NOBODY];
  await using program = startProgram("client", args, { env });
  const [, address] = await program.stdout.until(/^Watch at (http:\/\/127\.0\.0\.1:\d+\/)\n/);
  assertMatch(await (await fetch(address)).text(), /^<!doctype html>/i);
  program.kill("SIGINT");
  assertEquals((await program.ending()).code, 130);
});
