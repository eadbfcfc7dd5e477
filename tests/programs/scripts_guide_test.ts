/** The table of docs/guide/python.md: each command plays the Python script that its row describes. */
import { assertEquals, assertMatch } from "@std/assert";
import { mediaFolder, pictures } from "../support/media/media_folder.ts";
import { JPEGS, PICKLES } from "../support/peers/script_rows.ts";
import { ScriptReceiver } from "../support/peers/script_receiver.ts";
import { SCRIPT_FRAMES, SenderProgram } from "../support/peers/sender_program.ts";
import { PYTHON } from "../support/peers/script_server.ts";
import { printedBy } from "../support/programs/machine.ts";
import {
  type Ending,
  pathOf,
  type RunningProgram,
  runProgram,
  startProgram,
} from "../support/programs/running_program.ts";
import { testIf } from "../support/test_if.ts";

const media = mediaFolder();
const test = testIf(PYTHON !== undefined, "no Python with numpy and OpenCV");

/** A row of the table. */
interface Row {
  /** What the script does. */
  script: string;
  program: "client" | "server";
  /** The arguments of the command. */
  args: string[];
}

/** Reads the rows of the table. */
function readTable(): Row[] {
  const page = Deno.readTextFileSync(pathOf("docs/guide/python.md"));
  return [...page.matchAll(/^\| (.*?) +\| `\.\/stream-(client|server)(.*?)` +\|$/gm)]
    .map(([, script, program, rest]) => ({
      script,
      program: program === "client" ? "client" : "server",
      args: rest.trim().split(/ +/).filter((argument) => argument !== ""),
    }));
}

/** The arguments with other addresses in place of those of the page. */
function replaced({ args }: Row, values: Record<string, string>): string[] {
  return args.map((argument) =>
    Object.entries(values).reduce((text, [from, to]) => text.replace(from, to), argument)
  );
}

/** Runs a command against a script that listens on the port that the page calls 8485. */
async function watchListening(row: Row, script: readonly string[], frames = SCRIPT_FRAMES) {
  await using sender = await SenderProgram.listen(script);
  const args = replaced(row, { robot: "127.0.0.1", "8485": sender.port });
  const ending = await runProgram("client", [...args, "--view", "none", "--json"]);
  assertEquals(ending.code, 0, ending.stderr);
  assertEquals(JSON.parse(ending.stdout).frames, frames);
}

/** Runs a command, to which a script then connects. */
async function watchPushing(row: Row, script: readonly string[], values = {}) {
  const args = replaced(row, { "8485": "0", window: "none", ...values });
  const view = args.includes("--view") ? [] : ["--view", "none"];
  await using program = startProgram("client", [...args, ...view, "--json"]);
  const [, port] = await program.stderr.until(/^Waiting [^\n]* 127\.0\.0\.1:(\d+)/m);
  await using sender = SenderProgram.push(port, script);
  const ending = await program.ending();
  assertEquals(ending.code, 0, ending.stderr);
  assertEquals(JSON.parse(ending.stdout).frames, SCRIPT_FRAMES);
  assertEquals(await sender.ending(), { code: 0, stderr: "" });
}

/** A server that runs a command, and its port. */
async function serve(row: Row, values: Record<string, string>) {
  await media.make("media/clip.mkv", [...pictures({ rate: "50", seconds: 0.2 }), "-c:v", "ffv1"]);
  const args = [...replaced(row, values), "--port", "0"];
  const program = startProgram("server", args, { cwd: media.path });
  const [, port] = await program.stdout.until(/^Listening on [\d.]+:(\d+)\n/);
  return { program, port };
}

/** Watches the source of a server until all frames have come. */
async function watchLive(
  server: { program: RunningProgram; port: string },
  send: () => Promise<unknown>,
): Promise<void> {
  const where = ["--host", "127.0.0.1", "--port", server.port];
  const args = ["--video", "cam", "--encoding", "copy", "--view", "none", "--json", "--explain"];
  await using viewer = startProgram("client", [...args, ...where]);
  await server.program.stderr.until(/request begins command=get_video name=cam/);
  await send();
  await viewer.stderr.until(new RegExp(`( <-  frame [^]*){${SCRIPT_FRAMES}}`));
  viewer.kill("SIGINT");
  const { stdout, stderr } = await viewer.ending();
  assertEquals(JSON.parse(stdout).frames, SCRIPT_FRAMES, stderr);
}

/** A camera that every machine has. */
const CAMERA = { "v4l2:/dev/video0": "lavfi:testsrc2=size=64x48:rate=20" };

/** What each row does, by what it says of the script. */
const ROWS: Record<string, (row: Row) => Promise<void>> = {
  "listens, and sends frames to whoever connects": (row) => watchListening(row, JPEGS),
  "listens, and sends one image": (row) => watchListening(row, [...JPEGS, "--frames", "1"], 1),
  "listens, and waits for a word at first": (row) =>
    watchListening(row, [...PICKLES, "--wait-request", "start"]),
  "listens, and waits for a word before each frame": (row) =>
    watchListening(row, [...PICKLES, "--wait-request", "next", "--each"]),
  "connects, and sends frames": (row) => watchPushing(row, JPEGS),
  "connects, and waits for an answer to each frame": (row) =>
    watchPushing(row, [...JPEGS, "--wait-ack"]),
  "sends a `dict` or `tuple` around the array": async (row) => {
    const values = media.pathOf("values.jsonl");
    await watchPushing(row, [...PICKLES, "--around", "dict"], { "values.jsonl": values });
    const lines = (await Deno.readTextFile(values)).trim().split("\n");
    assertEquals(lines.map((line) => JSON.parse(line).value.number), [0, 1, 2, 3, 4, 5]);
  },
  "sends raw pixels without a length": (row) =>
    watchPushing(row, ["--payload", "raw", "--size", "640x480", "--fps", "20"]),
  "listens, and several programs watch": async (row) => {
    await using sender = await SenderProgram.listen(JPEGS);
    const server = await serve(row, { robot: "127.0.0.1", "8485": sender.port });
    await using _program = server.program;
    await watchLive(server, () => Promise.resolve());
  },
  "connects and sends, and several programs watch": async (row) => {
    const server = await serve(row, { "8485": "0" });
    await using program = server.program;
    const [, port] = await program.stderr.until(/push "cam" to 127\.0\.0\.1:(\d+)\n/);
    await watchLive(server, async () => {
      await using sender = SenderProgram.push(port, JPEGS);
      await sender.ending();
    });
  },
  "sends JPEGs in UDP datagrams": async (row) => {
    const server = await serve(row, { "9999": "0" });
    await using program = server.program;
    await watchLive(server, async () => {
      const [, port] = await program.stderr.until(/datagrams at 127\.0\.0\.1:(\d+)\n/);
      await using sender = SenderProgram.datagrams(port);
      await sender.ending();
    });
  },
  "connects, and receives frames": async (row) => {
    const { program } = await serve(row, { ...CAMERA, "8486": "0" });
    await using server = program;
    const [, port] = await server.stderr.until(/get "cam" at 127\.0\.0\.1:(\d+) /);
    await using receiver = ScriptReceiver.connect(Number(port), "u64le+jpeg", "--frames", "3");
    const { frames } = await receiver.result();
    assertEquals(frames.map(({ shape }) => shape), Array(3).fill([48, 64, 3]));
  },
  "listens, and receives frames": async (row) => {
    const listening = await ScriptReceiver.listen("u64le+pickle", { args: ["--frames", "3"] });
    await using receiver = listening.receiver;
    const values = { ...CAMERA, robot: "127.0.0.1", "8485": String(listening.port) };
    await using _server = (await serve(row, values)).program;
    const { frames } = await receiver.result();
    assertEquals(frames.map(({ shape }) => shape), Array(3).fill([48, 64, 3]));
  },
  "sends `get_video`, and receives pickled arrays": async (row) => {
    const { program, port } = await serve(row, {});
    await using _server = program;
    const script = [pathOf("tests/peers/script_client.py"), "127.0.0.1", port, "get_video"];
    const printed = await printedBy(PYTHON ?? "python3", script);
    assertEquals(printed.match(/"shape": \[48, 64, 3\]/g)?.length, 10);
    assertMatch(printed, /\{"end": true\}\n$/);
  },
  "listens, and nobody knows what it sends": async (row) => {
    await using sender = await SenderProgram.listen([...JPEGS, "--times", "2"]);
    const args = replaced(row, { robot: "127.0.0.1", "8485": sender.port });
    assertProbed(await runProgram("client", args), new RegExp(`--port ${sender.port}`));
  },
  "connects, and nobody knows what it sends": async (row) => {
    await using program = startProgram("client", replaced(row, { "8485": "0" }));
    const [, port] = await program.stderr.until(/^Waiting [^\n]* 127\.0\.0\.1:(\d+)/m);
    await using _sender = SenderProgram.push(port, JPEGS);
    assertProbed(await program.ending(), new RegExp(`--listen ${port}`));
  },
};

/** Checks that `--probe` names the framing, the size, and a command that shows the script. */
function assertProbed({ code, stdout, stderr }: Ending, address: RegExp): void {
  assertEquals(code, 0, stderr);
  assertMatch(stdout, /^8-byte length \(little-endian\), then a JPEG$/m);
  assertMatch(stdout, /^48x32, /m);
  const [, command = ""] = stdout.match(/^Show it: (stream-client .*)$/m) ?? [];
  assertMatch(command, address);
}

const TABLE = readTable();

Deno.test("the table of the Python guide has a script for each command", () => {
  assertEquals(TABLE.map(({ script }) => script), Object.keys(ROWS));
});

for (const row of TABLE) {
  const name = `the Python guide has a command for a script that ${row.script}`;
  test(name, () => ROWS[row.script]?.(row) ?? Promise.reject(new Error("There is no script")));
}
