import { assertEquals, assertMatch } from "@std/assert";
import { runMenu } from "../../../lib/client/terminal/menu.ts";
import { encodeMessage } from "../../../lib/protocol/native/framing.ts";
import { encodeList } from "../../../lib/protocol/native/list.ts";
import { mediaFolder, pictures } from "../../support/media/media_folder.ts";
import { say, ScriptedServer, untilGone } from "../../support/peers/scripted_server.ts";
import { testServer } from "../../support/peers/test_server.ts";
import { at, runInside } from "../../support/programs/run_inside.ts";
import { pureTest } from "../../support/pure_test.ts";
import { HandClock } from "../../support/time/hand_clock.ts";

const media = mediaFolder();
const QUIT = "0) quit\nNumber or name> ";
const PROMPT = `1) image\n2) video\n3) list\n${QUIT}`;
const NAMED = `1) image (p.png)\n2) video (v.mkv)\n3) list\n${QUIT}`;

/** A port at which nothing listens. */
const NOWHERE = ["--host", "127.0.0.1", "--port", "1"];
const NOTHING_THERE =
  "Cannot connect to 127.0.0.1:1: nothing listens there, start stream-server or name it with " +
  "--host and --port\n";

Deno.test("stream-client without flags says what it would show, and asks after each choice", async () => {
  await media.make("p.png", [...pictures(), "-frames:v", "1"]);
  await media.make("v.mkv", [...pictures({ seconds: 0.2 }), "-c:v", "ffv1"]);
  await using server = await testServer({ media: media.path });
  await server.probeAll();
  const typed = ["1", " 2 ", "3", "", "0", "1"];
  const args = ["--view", "none", "--speed", "max", ...at(server)];
  const { status, stdout, stderr } = await runInside(args, {
    typed,
    environment: { clock: new HandClock() },
  });
  assertEquals(status, 0);
  const table = stdout.replaceAll(NAMED, "");
  assertEquals(stdout, `${NAMED.repeat(3)}${table}${NAMED.repeat(2)}`);
  assertMatch(table, /^NAME +KIND .*\np\.png +image .*\nv\.mkv +video .*\n$/);
  const lines = stderr.split("\n");
  assertMatch(lines[0], /^Received 1 picture in [\d:.]+, [\d.]+ kB$/);
  assertMatch(lines[1], /^Received 5 frames in [\d:.]+, [\d.]+ fps, /);
  assertEquals(lines.slice(2), ['Cannot do "": expected 1, 2, 3, 0 or a name', ""]);
});

Deno.test("stream-client without flags takes a name, and words that quit", async () => {
  await media.make("p.png", [...pictures(), "-frames:v", "1"]);
  await media.make("v.mkv", [...pictures({ seconds: 0.2 }), "-c:v", "ffv1"]);
  await using server = await testServer({ media: media.path, defaults: { image: "v.mkv" } });
  await server.probeAll();
  const args = ["--view", "none", ...at(server)];
  for (const quit of ["q", "quit", "exit", "0"]) {
    const typed = ["v.mkv", "p.png", "x.png", quit, "1"];
    const { status, stdout, stderr } = await runInside(args, {
      typed,
      environment: { clock: new HandClock() },
    });
    const prompt = NAMED.replace("p.png", "v.mkv");
    assertEquals([status, stdout], [0, prompt.repeat(4)]);
    const lines = stderr.split("\n");
    assertMatch(lines[0], /^Received 5 frames in /);
    assertMatch(lines[1], /^Received 1 picture in /);
    assertEquals(lines.slice(2), [
      'Cannot find "x.png": no such media, did you mean "p.png"?',
      "",
    ]);
  }
});

Deno.test("stream-client without flags survives a server that is gone for a while", async () => {
  await media.make("p.png", [...pictures(), "-frames:v", "1"]);
  await media.make("v.mkv", [...pictures({ seconds: 0.2 }), "-c:v", "ffv1"]);
  const first = await testServer({ media: media.path });
  const { port } = first.address;
  async function* typed(): AsyncGenerator<string> {
    yield "1";
    await first[Symbol.asyncDispose]();
    yield "1";
    yield "3";
    await using second = await testServer({ media: media.path, port });
    await second.probeAll();
    yield "1";
    yield "0";
  }
  const args = ["--view", "none", "--host", "127.0.0.1", "--port", String(port)];
  const environment = { lines: () => ReadableStream.from(typed()), clock: new HandClock() };
  const { status, stdout, stderr } = await runInside(args, { environment });
  // The first server is there for the prompts before and behind the first choice.
  assertEquals([status, stdout.endsWith(NAMED)], [0, true]);
  assertEquals(stdout.split(QUIT).length - 1, 5);
  const away = NOTHING_THERE.replaceAll("127.0.0.1:1", `127.0.0.1:${port}`).trimEnd();
  const [before, ...rest] = stderr.split("\n");
  assertMatch(before, /^Received 1 picture in /);
  assertEquals(rest.slice(0, 2), [away, away]);
  assertMatch(rest[2], /^Received 1 picture in /);
});

Deno.test("stream-client without flags says that there is no server, and ends with its input", async () => {
  const { status, stdout, stderr } = await runInside(NOWHERE);
  assertEquals([status, stdout, stderr], [0, PROMPT, NOTHING_THERE]);
});

Deno.test("stream-client without flags does not wait long for names", async () => {
  await using server = new ScriptedServer(untilGone);
  const clock = new HandClock();
  const over = runInside(at(server), { environment: { clock } });
  assertEquals(await clock.passToNext(), 2000);
  const { stdout, stderr } = await over;
  assertEquals([stdout, stderr], [PROMPT, ""]);
});

Deno.test("stream-client without flags shows no names of an older server", async () => {
  const entry = { name: "a.mkv", kind: "video", live: false, size: 1, codec: "" } as const;
  const list = encodeMessage("list", encodeList({ entries: [entry] }));
  await using server = new ScriptedServer((peer) => say(peer, list));
  const { stdout, stderr } = await runInside(at(server));
  assertEquals([stdout, stderr], [PROMPT, ""]);
});

Deno.test("stream-client without flags reports a missing screen and terminal", async () => {
  const { stderr } = await runInside(NOWHERE, { typed: ["1", "0"] });
  assertEquals(
    stderr,
    `${NOTHING_THERE}Cannot show anything: no screen and no terminal here, expected ` +
      "--output FILE, --view browser or --view none\n",
  );
});

Deno.test("stream-client --classic without flags has no list and takes no name in its menu", async () => {
  const { stdout, stderr } = await runInside(["--classic"], { typed: ["3", "p.png"] });
  assertEquals(stdout, "1) image\n2) video\n0) quit\nNumber> ".repeat(3));
  assertEquals(
    stderr,
    'Cannot do "3": expected 1, 2 or 0\nCannot do "p.png": expected 1, 2 or 0\n',
  );
});

Deno.test("stream-client without flags keeps control characters from the terminal", async () => {
  const { stderr } = await runInside(["--classic"], { typed: ["\x1b[2J\x9b"] });
  assertEquals(stderr, 'Cannot do "?[2J?": expected 1, 2 or 0\n');
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
