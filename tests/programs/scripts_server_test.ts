/** `--live cam=script:…` of the server: Python scripts as live sources of native viewers, as programs. */
import { assertEquals, assertMatch } from "@std/assert";
import { mediaFolder, namesIn } from "../support/media/media_folder.ts";
import { decodedBy } from "../support/media/reference.ts";
import {
  argumentsOf,
  assertData,
  assertRate,
  expectedSums,
  FRAMING_ROWS,
  PICKLES,
  SCRIPT_ROWS,
  type ScriptRow,
} from "../support/peers/script_rows.ts";
import {
  SCRIPT_FRAMES,
  SCRIPT_SIZE,
  SenderProgram,
  sumsIn,
  sumsOfArrays,
  sumsOfJpegs,
} from "../support/peers/sender_program.ts";
import { PYTHON } from "../support/peers/script_server.ts";
import { freePort } from "../support/programs/machine.ts";
import {
  type RunningProgram,
  startProgram,
  startServerProgram,
} from "../support/programs/running_program.ts";
import { testIf } from "../support/test_if.ts";

const media = mediaFolder();
const test = testIf(PYTHON !== undefined, "no Python with numpy and OpenCV");

/** A server whose live sources are scripts. */
interface LiveServer extends AsyncDisposable {
  log: RunningProgram["stderr"];
  port: string;
}

/** Starts a server with sources, each `NAME=INPUT`. */
async function serve(sources: readonly string[]): Promise<LiveServer> {
  const flags = sources.flatMap((source) => ["--live", source]);
  const { program, port } = await startServerProgram(["--media", media.path, ...flags]);
  return { log: program.stderr, port, [Symbol.asyncDispose]: () => program[Symbol.asyncDispose]() };
}

/** The port on which a server waits for the scripts of a source. */
async function portFor({ log }: LiveServer, name: string): Promise<string> {
  const [, port] = await log.until(new RegExp(`push "${name}" to 127\\.0\\.0\\.1:(\\d+)$`, "m"));
  return port;
}

/** A viewer that runs until it is told that the script has left. */
class Viewer implements AsyncDisposable {
  #program: RunningProgram;

  constructor({ port }: LiveServer, name: string, args: readonly string[] = ["--output", "-"]) {
    const where = ["--host", "127.0.0.1", "--port", port];
    this.#program = startProgram("client", ["--video", name, ...where, ...args]);
  }

  /** Waits until it is told so often that the script has left, and stops it. */
  left(times = 1): Promise<void> {
    return this.#until(new RegExp(`(^Cannot read "[^]*){${times}}`, "m"));
  }

  /** Waits until it got so many frames, as `--explain` tells, and stops it. */
  got(frames: number): Promise<void> {
    return this.#until(new RegExp(`( <-  frame [^]*){${frames}}`));
  }

  /** Checksums of the frames that it wrote to its standard output, once it is stopped. */
  async sums(): Promise<string[]> {
    const path = await media.write(`${crypto.randomUUID()}.nut`, this.#program.stdout.bytes);
    return await sumsIn(path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program[Symbol.asyncDispose]();
  }

  async #until(pattern: RegExp): Promise<void> {
    await this.#program.stderr.until(pattern);
    this.#program.kill("SIGINT");
    const { code, stderr } = await this.#program.ending();
    assertEquals(code, 130, stderr);
  }
}

/** A row whose script is the source `name`. */
interface Source {
  name: string;
  row: ScriptRow;
  args: string[];
  folder: string;
}

/** Names the rows, and gives each script a folder for its JPEGs. */
function sourcesOf(rows: readonly ScriptRow[]): Promise<Source[]> {
  return Promise.all(rows.map(async (row, at) => {
    return { name: `row${at}`, row, ...await argumentsOf(row, media) };
  }));
}

/** What follows the address of a row's script. */
function optionsOf({ isTold, format }: ScriptRow): string {
  return isTold ? `?framing=${format}` : "";
}

/** Watches a row, has its script send if that waits for it, and compares what arrives. */
async function compare(
  server: LiveServer,
  { name, row, folder }: Source,
  send: () => Promise<unknown>,
): Promise<void> {
  // JPEGs are passed on as they are.
  const encoding = row.array === undefined ? ["--encoding", "copy"] : [];
  const data = row.around ? ["--data", `${folder}/data`] : [];
  await using viewer = new Viewer(server, name, ["--output", "-", ...encoding, ...data]);
  await server.log.until(new RegExp(`request begins command=get_video name=${name}\\b`));
  await send();
  await viewer.left();
  assertEquals(await viewer.sums(), await expectedSums(row, folder), row.name);
  if (row.around) await assertData(`${folder}/data`, row);
}

/** Runs a function for all items, a few at a time. */
async function forAll<T>(items: readonly T[], run: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values();
  await Promise.all(Array.from({ length: 4 }, async () => {
    for (const item of rest) await run(item);
  }));
}

test("stream-server passes on every pixel of scripts that connect and push", async () => {
  const sources = await sourcesOf(SCRIPT_ROWS);
  await using server = await serve(
    sources.map(({ name, row }) => `${name}=script::0${optionsOf(row)}`),
  );
  await forAll(sources, async (source) => {
    const port = await portFor(server, source.name);
    await using sender = await SenderProgram.prepare(port, source.args);
    await compare(server, source, async () => {
      await sender.enter();
      assertEquals(await sender.ending(), { code: 0, stderr: "" });
    });
  });
});

test("stream-server passes on every pixel of scripts that listen", async () => {
  await using stack = new AsyncDisposableStack();
  const sources = await sourcesOf(FRAMING_ROWS);
  const ports = new Map<string, string>();
  await forAll(sources, async ({ name, args }) => {
    ports.set(name, stack.use(await SenderProgram.listen(args)).port);
  });
  await using server = await serve(
    sources.map(({ name, row }) => `${name}=script:127.0.0.1:${ports.get(name)}${optionsOf(row)}`),
  );
  await forAll(sources, (source) => compare(server, source, () => Promise.resolve()));
});

test("stream-server decodes the JPEGs of a script for viewers that want pixels", async () => {
  const folder = await media.folder("decoded");
  await using server = await serve(["cam=script::0"]);
  const port = await portFor(server, "cam");
  const script = ["--payload", "jpeg", "--fps", "20", "--frames", "1000", "--save", folder];
  const sender = SenderProgram.push(port, script);
  await using _sender = sender;
  await server.log.until(/command=publish name=cam wire/);
  await using viewer = new Viewer(server, "cam", ["--output", "-", "--explain"]);
  await viewer.got(SCRIPT_FRAMES);
  const sums = await viewer.sums();
  await sender[Symbol.asyncDispose]();
  // It was ended while it wrote the newest one.
  await Deno.remove(`${folder}/${namesIn(folder).length - 1}.jpg`);
  // Raw frames of a server have the limited range of video.
  const all = await sumsIn(`${folder}/%d.jpg`, ["-pix_fmt", "yuv420p"]);
  const first = all.indexOf(sums[0]);
  assertEquals(sums, all.slice(first, first + sums.length));
});

test("stream-server gets frames from a script that waits for a request and answers", async () => {
  const script = [...PICKLES, "--wait-request", "start", "--wait-ack"];
  await using sender = await SenderProgram.listen(script);
  const address = `script:127.0.0.1:${sender.port}`;
  await using server = await serve([`cam=${address}?request=start&ack=received`]);
  await using viewer = new Viewer(server, "cam");
  await viewer.left();
  assertEquals(await viewer.sums(), sumsOfArrays("uint8"));
  assertEquals(sender.asked, ["start", ...Array(SCRIPT_FRAMES).fill("received")]);
});

test("stream-server finds out what a script waits for", async () => {
  const script = [...PICKLES, "--wait-request", "get_video", "--wait-ack"];
  await using sender = await SenderProgram.listen(script);
  await using server = await serve([`cam=script:127.0.0.1:${sender.port}`]);
  await using viewer = new Viewer(server, "cam");
  await viewer.left();
  assertEquals(await viewer.sums(), sumsOfArrays("uint8"));
  assertEquals(sender.asked.length, 1 + SCRIPT_FRAMES);
});

test("stream-server keeps the rate of a script, and its viewers if the size changes", async () => {
  await using server = await serve(["cam=script::0"]);
  const output = media.pathOf("rate.nut");
  const script = [...PICKLES, "--fps", "0.5", "--change-size"];
  await using sender = await SenderProgram.prepare(await portFor(server, "cam"), script);
  await using viewer = new Viewer(server, "cam", ["--codec", "rawvideo", "--output", output]);
  await server.log.until(/request begins command=get_video/);
  await sender.enter();
  await viewer.left();
  const half = SCRIPT_FRAMES / 2;
  assertEquals(await sumsIn(output), sumsOfArrays("uint8").slice(0, half));
  assertRate(await decodedBy(output, { stream: "V:0" }), sender.moments.slice(0, half), 0.7);
  const size = { width: 2 * SCRIPT_SIZE.width, height: SCRIPT_SIZE.height + 2 };
  const second = media.pathOf("rate-2.nut");
  assertEquals(await sumsIn(second), sumsOfArrays("uint8", { size }).slice(half));
  assertRate(await decodedBy(second, { stream: "V:0" }), sender.moments.slice(half), 0.7);
});

test("stream-server survives scripts that leave, are cut, and come back", async () => {
  await using server = await serve(["cam=script::0"]);
  const port = await portFor(server, "cam");
  const output = media.pathOf("back.nut");
  await using stack = new AsyncDisposableStack();
  const senders: SenderProgram[] = [];
  for (const args of [[], ["--cut-inside"], []]) {
    senders.push(stack.use(await SenderProgram.prepare(port, [...PICKLES, ...args])));
  }
  await using viewer = new Viewer(server, "cam", ["--codec", "rawvideo", "--output", output]);
  await server.log.until(/request begins command=get_video/);
  for (const [index, sender] of senders.entries()) {
    await sender.enter();
    assertEquals(await sender.ending(), { code: 0, stderr: "" });
    await server.log.until(new RegExp(`(request ends command=publish [^]*){${index + 1}}`));
  }
  await viewer.left(3);
  const once = sumsOfArrays("uint8");
  assertEquals(await sumsIn(output), [...once, ...once, ...once]);
});

test("stream-server gives each script that pushes at the same time a source", async () => {
  await using server = await serve(["cam=script::0"]);
  const port = await portFor(server, "cam");
  const options = { typed: true };
  await using first = SenderProgram.push(port, [...PICKLES, "--enter"], options);
  await server.log.until(/command=publish name=cam wire/);
  const gray = [...PICKLES, "--array", "gray", "--enter"];
  await using second = SenderProgram.push(port, gray, options);
  await server.log.until(/command=publish name=cam-2 wire/);
  await using viewer = new Viewer(server, "cam-2");
  await server.log.until(/request begins command=get_video name=cam-2/);
  await Promise.all([first.enter(), second.enter()]);
  await viewer.left();
  const sums = await viewer.sums();
  assertEquals(sums.slice(-SCRIPT_FRAMES + 1), sumsOfArrays("gray").slice(1));
  assertMatch(server.log.text, /command=publish name=cam wire[^\n]* result=done/);
});

for (const [what, args] of [["whole", []], ["in pieces", ["--pieces", "500"]]] as const) {
  test(`stream-server passes on JPEGs that come ${what} in UDP datagrams`, async () => {
    const folder = await media.folder(crypto.randomUUID());
    const port = String(freePort());
    await using server = await serve([`cam=script+udp::${port}`]);
    const script = ["--save", folder, ...args];
    await using sender = await SenderProgram.prepareDatagrams(port, script);
    const flags = ["--encoding", "copy", "--output", "-", "--explain"];
    await using viewer = new Viewer(server, "cam", flags);
    // The port is open while somebody watches.
    await server.log.until(/datagrams at 127\.0\.0\.1:\d+\n/);
    await sender.enter();
    await viewer.got(SCRIPT_FRAMES);
    assertEquals(await viewer.sums(), await sumsOfJpegs(folder));
  });
}
