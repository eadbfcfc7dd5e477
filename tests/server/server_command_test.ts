import { assert, assertEquals, assertMatch, assertStrictEquals } from "@std/assert";
import { TextLineStream } from "@std/streams/text-line-stream";
import { NativeClient } from "../support/peers/native_client.ts";
import { conversationMedia } from "../support/peers/test_server.ts";
import { hasIPv6, mediaChildren } from "../support/programs/machine.ts";
import { HelperProgram, pathOf, sourceCommand } from "../support/programs/running_program.ts";
import { PYTHON } from "../support/screens/pseudo_terminal.ts";
import { testIf } from "../support/test_if.ts";

// `server.ts` as users start it: a process with arguments, two streams of text and a status.

const media = await conversationMedia();

const ROOT = new URL("../../", import.meta.url).pathname;

/** The process takes the standard library from where the tests do. */
const IMPORT_MAP = import.meta.resolve("@std/assert").startsWith("file:")
  ? [`--import-map=${ROOT}tools/offline/import_map.json`]
  : [];

function command(args: readonly string[], env: Record<string, string> = {}): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", ...IMPORT_MAP, `${ROOT}server.ts`, ...args],
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

/** A server process that has begun to listen. */
class ServerProcess {
  readonly address: Deno.ConnectOptions;
  readonly firstLine: string;
  readonly #child: Deno.ChildProcess;
  readonly #stdout: ReadableStream<string>;
  readonly #stderr: Promise<string>;

  private constructor(
    child: Deno.ChildProcess,
    { firstLine, stdout, stderr }: {
      firstLine: string;
      stdout: ReadableStream<string>;
      stderr: Promise<string>;
    },
  ) {
    const [, host, port] = firstLine.match(/^Listening on (.+):(\d+)$/) ?? [];
    this.firstLine = firstLine;
    this.address = { hostname: host?.replace("0.0.0.0", "127.0.0.1"), port: Number(port) };
    this.#child = child;
    this.#stdout = stdout;
    this.#stderr = stderr;
  }

  static async start(...args: string[]): Promise<ServerProcess> {
    const child = command(["--port", "0", "--media", media, ...args]).spawn();
    const stderr = new Response(child.stderr).text();
    const stdout = child.stdout.pipeThrough(new TextDecoderStream())
      .pipeThrough(new TextLineStream());
    const reader = stdout.getReader();
    const { value: firstLine } = await reader.read();
    reader.releaseLock();
    if (firstLine === undefined) throw new Error(`Cannot start the server: ${await stderr}`);
    return new ServerProcess(child, { firstLine, stdout, stderr });
  }

  get pid(): number {
    return this.#child.pid;
  }

  async connect(): Promise<NativeClient> {
    return new NativeClient(await Deno.connect(this.address));
  }

  /** Ends it by a signal; gives its status and its remaining output. */
  async end(signal: Deno.Signal) {
    this.#child.kill(signal);
    const rest = await Array.fromAsync(this.#stdout);
    const { code, signal: endedBy } = await this.#child.status;
    return { rest, code, endedBy, stderr: await this.#stderr };
  }
}

/** Runs it with wrong arguments; gives its status and its one line. */
async function refusal(args: readonly string[], env?: Record<string, string>) {
  const { code, stdout, stderr } = await command(args, env).output();
  assertEquals(stdout, new Uint8Array(0));
  const lines = new TextDecoder().decode(stderr).split("\n");
  assertStrictEquals(lines.length, 2, lines.join("\n"));
  assertStrictEquals(lines[1], "");
  return { code, line: lines[0] };
}

for (const [signal, status] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  Deno.test(`server.ts ends by ${signal} with status ${status}, viewers or not`, async () => {
    const server = await ServerProcess.start("--grace", "0");
    assertMatch(server.firstLine, /^Listening on 127\.0\.0\.1:\d+$/);
    using viewer = await server.connect();
    await viewer.ask({ command: "get_video", name: "long.mkv", speed: 1 });
    await viewer.until("frame");
    // Such a client is let go after ten seconds.
    using _idle = await server.connect();
    const children = await mediaChildren(server.pid);
    assert(children.length > 0);
    const { rest, code, endedBy, stderr } = await server.end(signal);
    assertEquals([rest, code, endedBy], [[], status, null]);
    const messages = [
      / info {2}FFmpeg \S+$/,
      / info {2}Serving "[^"]+": 3 files \(read in the background\)$/,
      / info {2}peer=127\.0\.0\.1:\d+ request=1 request begins command=get_video name=long\.mkv$/,
      / info {2}.* request ends .* result=shutdown /,
      ...signal === "SIGTERM" ? [/ ending: 1 viewer$/, / ended: 1 response was cut$/] : [],
    ];
    const lines = stderr.trimEnd().split("\n");
    for (const message of messages) {
      assertStrictEquals(lines.filter((line) => message.test(line)).length, 1, stderr);
    }
    assertStrictEquals(lines.length, messages.length, stderr);
    // The port is free again, and FFmpeg gone with the server rather than left to the system.
    using _listener = Deno.listen({ hostname: "127.0.0.1", port: server.address.port });
    for (const id of children) assert(!await isRunning(id));
  });
}

async function isRunning(id: number): Promise<boolean> {
  try {
    return (await Deno.stat(`/proc/${id}`)).isDirectory;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

Deno.test("server.ts warns on all addresses, and names where it listens", async () => {
  const server = await ServerProcess.start("--host", "0.0.0.0", "--log-level", "warn");
  assertMatch(server.firstLine, /^Listening on 0\.0\.0\.0:\d+$/);
  {
    using peer = await server.connect();
    await peer.ask({ command: "get_image" });
    assertStrictEquals((await peer.response()).frames.length, 1);
  }
  const { code, stderr } = await server.end("SIGTERM");
  assertStrictEquals(code, 143);
  assertMatch(stderr, /^\S+ warn +Anybody who reaches 0\.0\.0\.0 can watch: .*\n$/);
});

Deno.test({
  name: "server.ts listens on IPv6",
  ignore: !hasIPv6(),
  async fn() {
    const server = await ServerProcess.start("--host=::1", "--image", "image.png");
    assertMatch(server.firstLine, /^Listening on (::1|\[::1\]):\d+$/);
    const { code, stderr } = await server.end("SIGINT");
    assertEquals(code, 130);
    assertMatch(stderr, /^\S+ info {2}FFmpeg \S+\n(\S+ info {2}Serving [^\n]+\n)?$/);
  },
});

Deno.test("server.ts prints its usage on standard output", async () => {
  const { code, stdout, stderr } = await command(["--help"]).output();
  assertEquals([code, stderr.length], [0, 0]);
  const usage = new TextDecoder().decode(stdout);
  assertMatch(usage, /^Usage: stream-server \[flags\]\n/);
  for (const flag of ["host", "port", "media", "image", "video", "max-clients", "log-level"]) {
    assert(usage.includes(`--${flag} `), flag);
  }
  for (const line of usage.split("\n")) assert(line.length <= 80, line);
});

/** Wrong command lines, and their messages. */
const WRONG: [args: string[], line: RegExp][] = [
  [
    ["--prot", "1"],
    /^Cannot use "--prot": no such flag, did you mean --port\?; see stream-server --help$/,
  ],
  [
    ["--port", "65536"],
    /^Cannot use --port "65536": expected a whole number from 0 to 65535; see /,
  ],
  [["--max-clients", "0"], /^Cannot use --max-clients "0": /],
  [
    ["--log-level", "loud"],
    /^Cannot use --log-level "loud": expected error, warn, info, debug; see /,
  ],
  [["--media"], /^Cannot use --media: expected FOLDER after it; see /],
  [["video.mp4"], /^Cannot use "video.mp4": /],
];

for (const [args, line] of WRONG) {
  Deno.test(`server.ts refuses ${args.join(" ")} with status 2`, async () => {
    const refused = await refusal(args);
    assertStrictEquals(refused.code, 2);
    assertMatch(refused.line, line);
  });
}

/** Reasons why it cannot start. */
const FAILURES: [name: string, args: string[], line: RegExp][] = [
  [
    "a missing folder",
    ["--media", "/no/such/folder"],
    /^Cannot serve "\/no\/such\/folder": no such folder, name one with --media$/,
  ],
  [
    "an unknown image",
    ["--media", media, "--image", "imgae.png"],
    /^Cannot find "imgae.png": no such media, did you mean "image.png"\?$/,
  ],
  [
    "a bad host",
    ["--media", media, "--port", "0", "--host", "192.0.2.1"],
    /^Cannot listen on 192\.0\.2\.1:0: .*--host$/,
  ],
];

for (const [name, args, line] of FAILURES) {
  Deno.test(`server.ts fails on ${name} with status 1`, async () => {
    const refused = await refusal(args);
    assertStrictEquals(refused.code, 1);
    assertMatch(refused.line, line);
  });
}

Deno.test("server.ts fails on a port that is taken with status 1", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr as Deno.NetAddr;
  const { code, line } = await refusal(["--media", media, "--port", String(port)]);
  assertStrictEquals(code, 1);
  assertMatch(line, /: the port is taken, choose another with --port/);
});

Deno.test("server.ts says how to install FFmpeg if it is missing", async () => {
  const folder = await Deno.makeTempDir();
  const { code, line } = await refusal(["--media", media, "--port", "0"], { PATH: folder });
  await Deno.remove(folder);
  assertStrictEquals(code, 1);
  assertMatch(
    line,
    /^Cannot run ffmpeg: it is not installed, or not in PATH; install FFmpeg with .*apt install ffmpeg/,
  );
});

Deno.test("server.ts --http logs where the page is, and refuses an address that is wrong", async () => {
  const server = await ServerProcess.start("--http", "0.0.0.0:0", "--log-format", "json");
  const { stderr } = await server.end("SIGTERM");
  const events = stderr.trimEnd().split("\n").map((line) => JSON.parse(line));
  const found = events.flatMap(({ message }) => message.match(/^Watch at (\S+)$/)?.[1] ?? []);
  assertMatch(found[0], /^http:\/\/127\.0\.0\.1:\d+\/$/);
  const port = new URL(found[0]).port;
  const others = Deno.networkInterfaces()
    .filter(({ family, address }) => family === "IPv4" && address !== "127.0.0.1")
    .map(({ address }) => `http://${address}:${port}/`);
  assertEquals(found.slice(1), others);
  const warnings = events.filter(({ level }) => level === "warn").map(({ message }) => message);
  assert(warnings.some((text) => text.startsWith("Anybody who reaches 0.0.0.0 can watch: ")));
  const { code, line } = await refusal(["--http", "x"]);
  assertEquals(code, 2);
  assertMatch(line, /^Cannot use --http "x": expected a port from 0 to 65535/);
});

const OTHERS = Deno.networkInterfaces()
  .filter(({ family, address }) => family === "IPv4" && !address.startsWith("127."));

testIf(PYTHON !== undefined && OTHERS.length > 0, "no Python, or no network")(
  "server.ts --http draws a QR code on a terminal, and nowhere else",
  async () => {
    const flags = ["--port", "0", "--media", media, "--http", "0.0.0.0:0"];
    const terminal = [pathOf("tests/peers/terminal.py"), "", "120", "60"];
    await using program = new HelperProgram(PYTHON ?? "", [
      ...[...terminal, ...sourceCommand("server"), ...flags],
    ], { stdin: "piped" });
    const [drawn] = await program.stdout.until(/[^]*FFmpeg/);
    assertMatch(drawn, /\u2588\u2580/);
    const piped = await ServerProcess.start("--http", "0.0.0.0:0");
    const { stderr } = await piped.end("SIGTERM");
    assertEquals(/\u2588/.test(stderr), false);
  },
);

Deno.test("server.ts --metrics and --log-format are for programs", async () => {
  const server = await ServerProcess.start("--metrics", "0", "--log-format", "json");
  {
    using peer = await server.connect();
    await peer.ask({ command: "get_video", name: "none.mkv" });
    await peer.response();
  }
  const { code, stderr } = await server.end("SIGTERM");
  assertStrictEquals(code, 143);
  const events = stderr.trimEnd().split("\n").map((line) => JSON.parse(line));
  const shutdown = events.splice(-2).map(({ message }) => message);
  assertEquals(shutdown, ["ending: 0 viewers", "ended: no responses were cut"]);
  assertMatch(events[0].message, /^Metrics are at http:\/\/127\.0\.0\.1:\d+\/metrics$/);
  assertMatch(events[1].message, /^FFmpeg \S+$/);
  const [serving, ...rest] = events.slice(2)
    .toSorted((a, b) => Number(/^Serving /.test(b.message)) - Number(/^Serving /.test(a.message)));
  assertMatch(serving.message, /^Serving "[^"]+": 3 files \(/);
  assertEquals(rest.map(({ result }) => result), [undefined, "not_found"]);
});

Deno.test("server.ts refuses an address for metrics that is wrong or taken", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { code, line } = await refusal(["--metrics", "x"]);
  assertEquals(code, 2);
  assertMatch(line, /^Cannot use --metrics "x": expected a port from 0 to 65535/);
  const second = await refusal([
    "--media",
    media,
    "--port",
    "0",
    "--metrics",
    `${taken.addr.port}`,
  ]);
  assertEquals(second.code, 1);
  assertMatch(second.line, /for metrics: the port is taken, choose another with --metrics$/);
});
