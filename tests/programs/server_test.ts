/** `stream-server` as users run it: what it prints where, its exit status, and what it leaves. */
import config from "../../deno.json" with { type: "json" };
import { assert, assertEquals, assertMatch } from "@std/assert";
import { mediaFolder, pictures } from "../support/media/media_folder.ts";
import {
  assertFailed,
  runProgram,
  startProgram,
  startServerProgram,
} from "../support/programs/running_program.ts";
import { linuxTest } from "../support/test_if.ts";

const media = mediaFolder();

async function makeClip(): Promise<void> {
  await media.make("clip.mkv", [...pictures({ seconds: 20 }), "-c:v", "ffv1"]);
}

Deno.test("stream-server -V prints its version, that of Deno and that of FFmpeg", async () => {
  const { code, stdout, stderr } = await runProgram("server", ["-V"]);
  assertEquals([code, stderr], [0, ""]);
  const versions = `stream-server ${config.version} (Deno ${Deno.version.deno}, FFmpeg `;
  assert(stdout.startsWith(versions), stdout);
  assertMatch(stdout.slice(versions.length), /^[^\s()]+\)\n$/);
});

Deno.test("stream-server -h prints the usage, and nothing else", async () => {
  const { code, stdout, stderr } = await runProgram("server", ["-h"]);
  assertEquals([code, stderr], [0, ""]);
  assertMatch(stdout, /^Usage: stream-server /);
});

Deno.test("stream-server gives status 2 for a wrong command line", async () => {
  for (
    const [args, reason] of [
      [["--port", "70000"], /^Cannot use --port "70000": expected a whole number/],
      [["--max-clients", "0"], /^Cannot use --max-clients "0": /],
      [
        ["--log-level", "loud"],
        /^Cannot use --log-level "loud": expected error, warn, info, debug/,
      ],
      [["--prot", "1"], /did you mean --port\?; see stream-server --help$/m],
      [["folder"], /^Cannot use "folder": expected a flag/],
      [["--no-media=/x"], /^Cannot use "--no-media=\/x": no such flag, did you mean --media\?/],
      [["--no-loop-live="], /^Cannot use "--no-loop-live=": no such flag, leave out --loop-live /],
      [["--__proto__=a\nb"], /^Cannot use "--__proto__=a\?b": no such flag; see /],
    ] as const
  ) {
    assertFailed(await runProgram("server", args), { code: 2, reason });
  }
});

linuxTest("stream-server goes on by libx264 if an encoder or a method is not there", async () => {
  await makeClip();
  const hardware = ["--encoder", "h264_videotoolbox", "--hwaccel", "videotoolbox"];
  const { program } = await startServerProgram(["--media", media.path, ...hardware]);
  await using server = program;
  await server.stderr.until(/FFmpeg [^\n]+\n/);
  await server.stderr.until(
    /warn +Cannot encode with h264_videotoolbox: the installed FFmpeg has no such encoder; libx264 /,
  );
  await server.stderr.until(
    /warn +Cannot decode with videotoolbox: the installed FFmpeg has no such method, expected one of /,
  );
});

Deno.test("stream-server gives status 1 where it cannot serve", async () => {
  await makeClip();
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr as Deno.NetAddr;
  const [good, anyPort] = [["--media", media.path], ["--port", "0"]];
  for (
    const [args, reason] of [
      [[...good, "--port", String(port)], /^Cannot listen on 127\.0\.0\.1:\d+: the port is taken/],
      [["--media", `${media.path}/none`, ...anyPort], /^Cannot serve "[^\n]+none": no such folder/],
      [
        ["--media", media.pathOf("clip.mkv"), ...anyPort],
        /^Cannot serve "[^\n]+": it is not a folder/,
      ],
      [[...good, ...anyPort, "--host", "192.0.2.1"], /^Cannot listen on 192\.0\.2\.1:0: /],
      [[...good, ...anyPort, "--video", "clop.mkv"], /^Cannot find "clop\.mkv": .*"clip\.mkv"/],
    ] as const
  ) {
    assertFailed(await runProgram("server", args), { code: 1, reason });
  }
});

Deno.test("stream-server says how to install what it lacks", async () => {
  const empty = media.pathOf("empty path");
  await Deno.mkdir(empty);
  const args = ["--media", media.path, "--port", "0"];
  assertFailed(await runProgram("server", args, { env: { PATH: empty } }), {
    code: 1,
    reason: /^Cannot run ffmpeg: it is not installed, or not in PATH; install FFmpeg with/,
  });
});

/** In real time, so that it goes on for a while. */
const TO_PIPE = ["--output", "-", "--speed", "1"];

/** What a viewer says of a server that ends without a word. */
const CUT = "the connection was cut";

/** Ends a server by a signal; returns what its viewer says of it. */
async function tellsEnding(signal: Deno.Signal, status: number): Promise<string> {
  const args = ["--media", media.path, "--grace", "0"];
  const { program: server, port } = await startServerProgram(args);
  await using _server = server;
  const where = ["--host", "127.0.0.1", "--port", port];
  const once = ["--video", ...TO_PIPE, "--retries", "0"];
  await using client = startProgram("client", [...once, ...where]);
  await client.stdout.until(/^nut/);
  server.kill(signal);
  const { code, stdout, stderr } = await server.ending();
  assertEquals([code, stdout], [status, `Listening on 127.0.0.1:${port}\n`]);
  assert(stderr.split("\n").slice(0, -1).every((line) => /^\S+Z \w+ +\S/.test(line)), stderr);
  const ending = await client.ending();
  assertEquals(ending.code, 1);
  const said = /^Cannot finish "clip\.mkv" after \d+ frames? \(.*\): (.*)\n$/;
  assertMatch(ending.stderr, said);
  return ending.stderr.match(said)?.[1] ?? "";
}

for (
  const [signal, status, reason] of [
    ["SIGINT", 130, CUT],
    ["SIGTERM", 143, "the server was shut down"],
  ] as const
) {
  Deno.test(`stream-server ends by ${signal} with status ${status}, and its FFmpeg with it`, async () => {
    await makeClip();
    let told = await tellsEnding(signal, status);
    // The last words of a server are lost if they take longer than a moment.
    for (let more = 2; more > 0 && told !== reason; more--) {
      assertEquals(told, CUT);
      told = await tellsEnding(signal, status);
    }
    assertEquals(told, reason);
  });
}

Deno.test("stream-server keeps nothing of a viewer that is killed", async () => {
  await makeClip();
  const { program: server, port } = await startServerProgram(["--media", media.path]);
  await using _server = server;
  const where = ["--host", "127.0.0.1", "--port", port];
  {
    await using client = startProgram("client", ["--video", ...TO_PIPE, ...where]);
    await client.stdout.until(/^nut/);
    client.kill("SIGKILL");
  }
  // The next one is served as if nothing had been.
  const list = await runProgram("client", ["--list", ...where]);
  assertEquals(list.code, 0);
  server.kill("SIGTERM");
  assertEquals((await server.ending()).code, 143);
});
