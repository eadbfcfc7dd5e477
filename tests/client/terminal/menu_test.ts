import { assertEquals, assertMatch } from "@std/assert";
import { runMenu } from "../../../lib/client/terminal/menu.ts";
import { mediaFolder, pictures } from "../../support/media/media_folder.ts";
import { testServer } from "../../support/peers/test_server.ts";
import { at, runInside } from "../../support/programs/run_inside.ts";
import { pureTest } from "../../support/pure_test.ts";

const media = mediaFolder();
const PROMPT = "1 image  2 video  3 list  0 quit\n> ";

Deno.test("stream-client without flags asks again after each choice", async () => {
  await media.make("p.png", [...pictures(), "-frames:v", "1"]);
  await media.make("v.mkv", [...pictures({ seconds: 0.2 }), "-c:v", "ffv1"]);
  await using server = await testServer({ media: media.path });
  const typed = ["1", " 2 ", "3", "", "7", "quit", "0", "1"];
  const args = ["--view", "none", "--speed", "max", ...at(server)];
  const { status, stdout, stderr } = await runInside(args, { typed });
  assertEquals(status, 0);
  const table = stdout.replaceAll(PROMPT, "");
  assertEquals(stdout, `${PROMPT.repeat(3)}${table}${PROMPT.repeat(4)}`);
  assertMatch(table, /^NAME +KIND .*\np\.png +image .*\nv\.mkv +video .*\n$/);
  const lines = stderr.split("\n");
  assertMatch(lines[0], /^Received 1 frame in /);
  assertMatch(lines[1], /^Received 5 frames in /);
  assertEquals(lines.slice(2), [
    'Cannot do "": expected 1, 2, 3 or 0',
    'Cannot do "7": expected 1, 2, 3 or 0',
    'Cannot do "quit": expected 1, 2, 3 or 0',
    "",
  ]);
});

Deno.test("stream-client without flags survives a server that is gone for a while", async () => {
  await media.make("p.png", [...pictures(), "-frames:v", "1"]);
  const first = await testServer({ media: media.path });
  const { port } = first.address;
  async function* typed(): AsyncGenerator<string> {
    yield "1";
    await first[Symbol.asyncDispose]();
    yield "1";
    yield "3";
    await using _second = await testServer({ media: media.path, port });
    yield "1";
    yield "0";
  }
  const args = ["--view", "none", "--host", "127.0.0.1", "--port", String(port)];
  const environment = { lines: () => ReadableStream.from(typed()) };
  const { status, stdout, stderr } = await runInside(args, { environment });
  assertEquals([status, stdout], [0, PROMPT.repeat(5)]);
  const away =
    `Cannot connect to 127.0.0.1:${port}: nothing listens there, start stream-server or ` +
    "name it with --host and --port";
  const [before, ...rest] = stderr.split("\n");
  assertMatch(before, /^Received 1 frame in /);
  assertEquals(rest.slice(0, 2), [away, away]);
  assertMatch(rest[2], /^Received 1 frame in /);
});

Deno.test("stream-client without flags ends with its input", async () => {
  const { status, stdout, stderr } = await runInside([]);
  assertEquals([status, stdout, stderr], [0, PROMPT, ""]);
});

Deno.test("stream-client without flags reports a missing screen and terminal", async () => {
  const { stderr } = await runInside([], { typed: ["1", "0"] });
  assertEquals(
    stderr,
    "Cannot show anything: no screen and no terminal here, expected --output FILE, --view browser " +
      "or --view none\n",
  );
});

Deno.test("stream-client --classic without flags has no list in its menu", async () => {
  const { stdout, stderr } = await runInside(["--classic"], { typed: ["3"] });
  assertEquals(stdout, "1 image  2 video  0 quit\n> ".repeat(2));
  assertEquals(stderr, 'Cannot do "3": expected 1, 2 or 0\n');
});

Deno.test("stream-client without flags keeps control characters from the terminal", async () => {
  const { stderr } = await runInside([], { typed: ["\x1b[2J\x9b"] });
  assertEquals(stderr, 'Cannot do "?[2J?": expected 1, 2, 3 or 0\n');
});

pureTest("runMenu() ends if its signal fires while it waits or during a choice", async () => {
  for (const typed of [[], ["1"]]) {
    const controller = new AbortController();
    const errors: string[] = [];
    const lines = new ReadableStream<string>({
      start: (stream) => typed.forEach((line) => stream.enqueue(line)),
      pull: () => controller.abort(),
    });
    await runMenu({
      choices: [{
        key: "1",
        title: "wait",
        act: () => Promise.reject((controller.abort(), controller.signal.reason)),
      }],
      environment: {
        lines: () => lines,
        print: () => {},
        printError: (text) => void errors.push(text),
      },
      signal: controller.signal,
    });
    assertEquals(errors, []);
  }
});
