/** The examples of docs/PROTOCOL.md in Python, one to publish and one to watch. */
import { assertEquals, assertMatch } from "@std/assert";
import { findPython } from "../peers/python.ts";
import { mediaFolder } from "../support/media/media_folder.ts";
import { TestPublisher } from "../support/peers/test_publisher.ts";
import { testServer } from "../support/peers/test_server.ts";
import { type Ending, pathOf, runProgram } from "../support/programs/running_program.ts";
import { testIf } from "../support/test_if.ts";

const python = await findPython([]);
const example = testIf(python !== undefined, "no python3");
const media = mediaFolder();

/** Frames that are published, and their pixels. */
const FRAMES = 12;
const PIXELS = 16 * 8;

/** Runs an example with standard input from a file, if one is named. */
function run(script: string, args: string[], port: number, input?: string): Promise<Ending> {
  const path = pathOf(`docs/examples/${script}.py`);
  const [name, ...rest] = args;
  const line = [path, name, "--port", String(port), ...rest];
  if (input === undefined) return runProgram("client", line, { path: python });
  const shell = ["-c", 'exec "$0" "$@" < "$INPUT"', python ?? "", ...line];
  return runProgram("client", shell, { path: "/bin/sh", env: { INPUT: input } });
}

example("arrays of a Python program reach another one byte by byte", async () => {
  await using server = await testServer({ media: media.path });
  const { port } = server.address;
  for (const [format, size] of Object.entries({ bgr24: 3, gray16le: 2, grayf32le: 4 })) {
    const bytes = crypto.getRandomValues(new Uint8Array(FRAMES * PIXELS * size));
    const input = await media.write(`${format}.raw`, bytes);
    const output = media.pathOf(`${format}.received`);
    const options = ["--size", "16x8", "--pixel-format", format, "--fps", "50", "--wait"];
    const publishing = run("publish", [format, ...options], port, input);
    await server.logged(new RegExp(`request begins.*publish.*${format}`));
    const viewer = await run("client", ["raw", format, "--output", output], port);
    const publisher = await publishing;
    assertEquals([publisher.stderr, publisher.stdout], ["", `published ${FRAMES}\n`]);
    assertEquals([viewer.stderr, viewer.code], ["", 0]);
    assertEquals(await Deno.readFile(output), bytes);
  }
});

example("messages of a Python program arrive in order, with their times", async () => {
  await using server = await testServer({ media: media.path });
  const { port } = server.address;
  const values = Array.from({ length: 200 }, (_, at) => ({ at, box: [at, 2, 3.5], text: "ä\n" }));
  const lines = values.map((value) => `${JSON.stringify(value)}\n`).join("");
  const input = await media.write("objects.jsonl", lines);
  const publishing = run("publish", ["cam/objects", "--messages", "--wait"], port, input);
  await server.logged(/request begins.*publish/);
  const viewer = await run("client", ["data", "cam/objects"], port);
  assertEquals((await publishing).stdout, "published 200\n");
  assertEquals([viewer.stderr, viewer.code], ["", 0]);
  const found = viewer.stdout.split("\n").filter((line) => line.startsWith("2 "));
  const received = found.map((line) => line.split(" "));
  assertEquals(received.map(([, , ...json]) => JSON.parse(json.join(" "))), values);
  const times = received.map(([, time]) =>
    Number(time.split("/")[0]) / Number(time.split("/")[1] ?? 1)
  );
  assertEquals(times, times.toSorted((a, b) => a - b));
});

example("the example says why it may not publish", async () => {
  await using server = await testServer({ media: media.path });
  const { port } = server.address;
  using _other = await TestPublisher.begin(port, { name: "cam" });
  const { code, stderr } = await run("publish", ["cam"], port);
  assertEquals(code, 1);
  assertMatch(stderr, /^Cannot publish cam: Cannot publish "cam": another publisher has that name/);
});
