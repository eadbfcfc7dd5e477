/** `stream-client --publish` as users run it: other programs behind it, signals, lost servers. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { mediaFolder, pictures, run } from "../support/media/media_folder.ts";
import { NativeClient, watchLive } from "../support/peers/native_client.ts";
import { type TestServer, testServer } from "../support/peers/test_server.ts";
import { freePort } from "../support/programs/machine.ts";
import { at } from "../support/programs/run_inside.ts";
import {
  type RunningProgram,
  runProgram,
  startProgram,
  startServerProgram,
} from "../support/programs/running_program.ts";
import { witness } from "../support/programs/witness.ts";
import { unixTest } from "../support/test_if.ts";

const media = mediaFolder();
const GENERATOR = "lavfi:testsrc=size=64x48:rate=20";

/** A second of raw video, and bytes of one frame of it. */
const RAW = [...pictures(), "-f", "rawvideo", "-pix_fmt", "bgr24"];
const RAW_SIZE = 64 * 48 * 3;
const AS_RAW = [
  "--format",
  "rawvideo",
  "--pixel-format",
  "bgr24",
  "--size",
  "64x48",
  "--fps",
  "25",
];

/** A shell that writes a file to the standard input of the program behind it. */
function fed(path: string): { wrapper: string[] } {
  return { wrapper: ["sh", "-c", `file=$1; shift; cat "$file" | "$@"`, "sh", path] };
}

/** A server without lingering, so that who watches is known at once. */
function hub(): Promise<TestServer> {
  return testServer({ media: media.path, live: { sources: [], linger: 0 } });
}

unixTest("stream-client publishes raw frames of its standard input byte by byte", async () => {
  const path = await media.make("raw.bin", RAW);
  await using server = await hub();
  const args = ["--publish", "cam", "--input", "-", ...AS_RAW, "--encoding", "raw"];
  await using client = startProgram("client", [...args, "--on-demand", ...at(server)], fed(path));
  await client.stderr.until(/^Publishing "cam" to [^\n]+\n/);
  using viewer = await watchLive(server, { name: "cam" });
  const frames = await viewer.frames(25);
  const bytes = await Deno.readFile(path);
  for (const [index, { data }] of frames.entries()) {
    assertEquals(data, bytes.subarray(index * RAW_SIZE, (index + 1) * RAW_SIZE));
  }
  assertEquals(
    viewer.description.streams.map((stream) => "pixelFormat" in stream && stream.pixelFormat),
    ["bgr24"],
  );
  const times = frames.map(({ seconds }) => seconds - frames[0].seconds);
  assert(times.every((time, index) => Math.abs(time - index / 25) < 0.002), times.join());
  assertEquals((await viewer.until("end")).end.frames, 25);
  const { code, stderr } = await client.ending();
  assertEquals(code, 0);
  assertMatch(stderr, /^Published 25 frames in /m);
});

unixTest("stream-client publishes JPEGs and NUT of its standard input", async () => {
  await using server = await hub();
  for (
    const [file, args, flags] of [
      ["x.mjpeg", ["-c:v", "mjpeg", "-f", "mjpeg"], ["--format", "mjpeg"]],
      ["x.nut", ["-c:v", "mjpeg", "-f", "nut"], []],
    ] as const
  ) {
    const path = await media.make(file, [...pictures(), ...args]);
    const stored = new TextDecoder().decode(
      await run("ffmpeg", ["-i", path, "-c", "copy", "-f", "framemd5", "-"]),
    );
    const sums = [...stored.matchAll(/, ([0-9a-f]{32})$/gm)].map(([, md5]) => md5);
    const all = ["--publish", "cam", "--input", "-", ...flags, "--encoding", "copy", "--on-demand"];
    await using client = startProgram("client", [...all, ...at(server)], fed(path));
    await client.stderr.until(/^Publishing /);
    using viewer = await watchLive(server, { name: "cam", encoding: "copy" });
    await viewer.until("describe");
    const { frames } = await viewer.rest();
    assertEquals(frames.map(({ md5 }) => md5), sums);
    assertEquals((await client.ending()).code, 0);
  }
});

Deno.test("stream-client goes on when the server is killed, with no frame twice", async () => {
  const port = String(freePort());
  const flags = ["--port", port, "--media", media.path];
  const where = ["--host", "127.0.0.1", "--port", port];
  const args = ["--publish", "cam", "--input", GENERATOR, "--encoding", "raw", "--json", ...where];
  const sums: string[] = [];
  const captured: number[] = [];
  const watch = async () => {
    const server = { connect: () => connectTo(Number(port)) };
    using viewer = await watchLive(server, { name: "cam" });
    for (const frame of await viewer.frames(5)) {
      sums.push(frame.md5);
      captured.push(frame.captured ?? 0);
    }
  };
  await using client = startProgram("client", args);
  {
    const { program } = await startServerProgram(flags);
    await using server = program;
    await client.stderr.until(/^Publishing "cam" to /m);
    await watch();
    server.kill("SIGKILL");
    await client.stderr.until(/^(Connection lost|Cannot connect)[^\n]*; trying again in \d+ s$/m);
  }
  const { program } = await startServerProgram(flags);
  await using _server = program;
  await client.stderr.until(/^Connected again after [\d.]+ s$/m);
  await watch();
  assertEquals(new Set(sums).size, 10);
  assertEquals(captured, captured.toSorted((a, b) => a - b));
  client.kill("SIGINT");
  const { code, stdout } = await client.ending();
  assertEquals([code, JSON.parse(stdout).reconnects], [130, 1]);
});

Deno.test("a publisher and a recorder go on when the server between them is killed", async () => {
  const port = String(freePort());
  const flags = ["--port", port, "--media", media.path];
  const where = ["--host", "127.0.0.1", "--port", port];
  const path = media.pathOf("kept.mkv");
  const publishing = ["--publish", "cam", "--input", GENERATOR, "--encoding", "raw", ...where];
  const output = ["--output", path, "--codec", "ffv1", "--json", "--explain"];
  const recording = ["--video", "cam", ...output, ...where];
  await using publisher = startProgram("client", publishing);
  let recorder: RunningProgram;
  {
    const { program } = await startServerProgram(flags);
    await using server = program;
    await publisher.stderr.until(/^Publishing "cam" to /m);
    recorder = startProgram("client", [...recording, "--retries", "60"]);
    await recorder.stderr.until(/( <- {2}frame [^]*){5}/);
    server.kill("SIGKILL");
    await publisher.stderr.until(/; trying again in \d+ s$/m);
    await recorder.stderr.until(/; trying again in \d+ s \(\d+ of 60\)$/m);
  }
  await using client = recorder;
  const { program } = await startServerProgram(flags);
  await using _server = program;
  await publisher.stderr.until(/^Connected again after [\d.]+ s$/m);
  await client.stderr.until(/^Connected again, going on with the newest: [\d.]+ s are missing$/m);
  await client.stderr.until(/( <- {2}frame [^]*){10}/);
  client.kill("SIGINT");
  const { code, stdout } = await client.ending();
  assertEquals([code, JSON.parse(stdout).reconnects], [130, 1]);
  const probe = ["-v", "error", "-show_entries", "packet=pts_time", "-of", "csv=p=0", path];
  const listed = await run("ffprobe", probe);
  const times = new TextDecoder().decode(listed).trim().split("\n").map(Number);
  assertEquals(times, [...new Set(times)].toSorted((a, b) => a - b));
  assert(times.length >= 8, `${times}`);
});

unixTest("stream-client runs FFmpeg on demand only while somebody watches", async () => {
  await using server = await hub();
  await using ffmpeg = await witness("ffmpeg");
  const args = ["--publish", "cam", "--input", GENERATOR, "--encoding", "raw", "--on-demand"];
  await using client = startProgram("client", [...args, ...at(server)], {
    env: { PATH: ffmpeg.path },
  });
  await client.stderr.until(/^Publishing /);
  assertEquals(ffmpeg.text, "");
  {
    using viewer = await watchLive(server, { name: "cam" });
    await viewer.frames(2);
    await ffmpeg.started();
  }
  await ffmpeg.ended();
  client.kill("SIGTERM");
  assertEquals((await client.ending()).code, 143);
});

Deno.test("stream-client publishes until Ctrl-C, and tells the server", async () => {
  await using server = await hub();
  await using client = startProgram("client", [
    "--publish",
    "cam",
    "--input",
    GENERATOR,
    ...at(server),
  ]);
  await client.stderr.until(/^Publishing /);
  using viewer = await watchLive(server, { name: "cam" });
  await viewer.frames(3);
  client.kill("SIGINT");
  const { code, stdout, stderr } = await client.ending();
  assertEquals([code, stdout], [130, ""]);
  assertMatch(stderr, /^Publishing "cam" to [^\n]+\nPublished \d+ frames in [^\n]+\n$/);
  assertEquals((await viewer.rest()).end.reason, "end");
});

Deno.test("stream-client --publish gives status 2 for a wrong command line", async () => {
  for (
    const args of [["--publish", "cam"], ["--input", "x"], [
      "--publish",
      "c",
      "--input",
      "-",
      "--loop",
    ]]
  ) {
    const { code, stderr } = await runProgram("client", args);
    assertEquals(code, 2);
    assertMatch(stderr, /^Cannot use --[^\n]+; see stream-client --help\n$/);
  }
});

async function connectTo(port: number): Promise<NativeClient> {
  return new NativeClient(await Deno.connect({ hostname: "127.0.0.1", port }));
}
