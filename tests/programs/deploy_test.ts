/** What `deploy/` holds: servers behind a balancer, a service, a container. */
import { assert, assertEquals, assertGreater, assertMatch } from "@std/assert";
import { parseServerFlags } from "../../lib/server/flags.ts";
import { mediaFolder, pictures, run, tone } from "../support/media/media_folder.ts";
import { Balancer, type Behind } from "../support/programs/haproxy.ts";
import { at, type Outcome, runInside } from "../support/programs/run_inside.ts";
import {
  pathOf,
  type RunningProgram,
  startServerProgram,
} from "../support/programs/running_program.ts";
import { testWith } from "../support/test_if.ts";
import { textOf } from "../support/programs/machine.ts";

const test = testWith("haproxy");

/** Recordings that are under way when a server dies. */
const VIEWERS = 10;

const folder = mediaFolder();

/** A server behind the balancer. */
interface Station extends Behind {
  program: RunningProgram;
}

async function startStation(media: string): Promise<Station> {
  const { program, port } = await startServerProgram([
    ...["--media", media, "--metrics", "0", "--grace", "60"],
  ]);
  const [, metrics] = await program.stderr.until(/Metrics are at http:\/\/127\.0\.0\.1:(\d+)\//);
  return { program, port, metrics };
}

/** How many viewers a server has, by its own account. */
async function viewersOf({ metrics }: Station): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${metrics}/metrics`);
  const [, count] = (await response.text()).match(/^stream_viewers (\d+)$/m) ?? [];
  return Number(count);
}

/** All that is in a recording: packets with their moments and checksums, stream by stream. */
async function contentOf(path: string): Promise<string> {
  const args = ["-i", `file:${path}`, "-map", "0", "-c", "copy", "-f", "framemd5", "pipe:1"];
  return new TextDecoder().decode(await run("ffmpeg", args));
}

function statisticsOf({ status, stdout, stderr }: Outcome): { reconnects: number } {
  assertEquals(status, 0, stderr);
  return JSON.parse(stdout);
}

/** Plays, or records, what is served, and tells when the first frame has come. */
function play(
  server: Balancer,
  args: readonly string[],
  { signal }: { signal?: AbortSignal } = {},
) {
  const begun = Promise.withResolvers<void>();
  const environment = {
    stderrIsTerminal: true,
    printError: (text: string) => {
      if (/frame [1-9]/.test(text)) begun.resolve();
    },
  };
  const line = [...at(server), "--video", "--json", ...args];
  const over = runInside(line, { environment, signal });
  return { begun: Promise.race([begun.promise, over]), over };
}

/** A video with sound, in a folder of its own. */
async function makeMedia(seconds: number): Promise<string> {
  await folder.make(`served_${seconds}/clip.mkv`, [
    ...pictures({ seconds }),
    ...tone({ seconds }),
    ...["-c:v", "libx264", "-g", "10", "-bf", "2", "-c:a", "aac"],
  ]);
  return folder.pathOf(`served_${seconds}`);
}

test("ten recordings come out whole where one of two servers is killed", async () => {
  const media = await makeMedia(15);
  const one = await startStation(media);
  await using _one = one.program;
  const two = await startStation(media);
  await using _two = two.program;
  await using balancer = await Balancer.start([one, two]);
  const record = (name: string, args: readonly string[]) => {
    const output = ["--output", folder.pathOf(name), "--retries", "5"];
    return play(balancer, [...args, ...output]);
  };
  const encodings = [
    ["--encoding", "copy"],
    ["--encoding", "raw", "--codec", "ffv1,pcm_s16le"],
  ];
  // The balancer gives every second one to the other server: both get both encodings.
  const kindOf = (index: number) => (index >> 1) % 2;
  for (const [index, encoding] of encodings.entries()) {
    const { over } = record(`whole${index}.mkv`, encoding);
    assertEquals(statisticsOf(await over).reconnects, 0);
  }
  const recordings = Array.from(
    { length: VIEWERS },
    (_, index) => record(`cut${index}.mkv`, [...encodings[kindOf(index)], "--speed", "1"]),
  );
  await Promise.all(recordings.map(({ begun }) => begun));
  const lost = await viewersOf(one);
  assert(lost > 0 && lost < VIEWERS, `${lost} viewers of ${VIEWERS}`);
  one.program.kill("SIGKILL");
  const outcomes = await Promise.all(recordings.map(({ over }) => over));
  const again = outcomes.filter((outcome) => statisticsOf(outcome).reconnects > 0);
  assert(again.length > 0 && again.length <= lost, `${again.length} of ${lost} came again`);
  const expected = await Promise.all(
    encodings.map((_, index) => contentOf(folder.pathOf(`whole${index}.mkv`))),
  );
  const contents = await Promise.all(
    recordings.map((_, index) => contentOf(folder.pathOf(`cut${index}.mkv`))),
  );
  contents.forEach((content, index) =>
    assertEquals(content, expected[kindOf(index)], `recording ${index}`)
  );
});

test("a server that is ending keeps its viewers behind the balancer, and gets no new ones", async () => {
  const media = await makeMedia(20);
  const one = await startStation(media);
  await using _one = one.program;
  const two = await startStation(media);
  await using _two = two.program;
  await using balancer = await Balancer.start([one, two], { STREAM_CHECK_EVERY: "200ms" });
  const viewers: ReturnType<typeof play>[] = [];
  // One after the other, so that each goes to another server.
  for (let count = 0; count < 2; count++) {
    viewers.push(play(balancer, ["--view", "none", "--speed", "1"]));
    await viewers[count].begun;
  }
  one.program.kill("SIGTERM");
  await one.program.stderr.until(/ ending: 1 viewer/);
  // Before the balancer knows, and after.
  const told = two.program.stderr;
  const list = () => runInside([...at(balancer), "--list", "--json", "--retries", "5"]);
  statisticsOf(await list());
  const [, state] = await balancer.log.until(/Server servers\/one is (\w+)/);
  assertEquals(state, "stopping");
  statisticsOf(await list());
  await told.until(/(request ends command=list_media[^]*){2}/);
  for (const { over } of viewers) assertEquals(statisticsOf(await over).reconnects, 0);
  const { code, stderr } = await one.program.ending();
  assertEquals(code, 143);
  assertMatch(stderr, /request ends command=get_video [^\n]*result=done/);
});

test("the balancer bounds the connections of one address", async () => {
  const station = await startStation(await makeMedia(4));
  await using _station = station.program;
  const nobody = { port: "1", metrics: "1" };
  await using balancer = await Balancer.start([station, nobody], { STREAM_PER_ADDRESS: "1" });
  await balancer.log.until(/Server servers\/two is DOWN/);
  const stop = new AbortController();
  const viewing = ["--view", "none", "--speed", "1", "--retries", "5"];
  const viewer = play(balancer, viewing, { signal: stop.signal });
  await viewer.begun;
  const { status, stderr } = await runInside([...at(balancer), "--list", "--retries", "0"]);
  assertEquals(status, 1, stderr);
  assertMatch(stderr, /^Cannot /);
  stop.abort();
  assertEquals((await viewer.over).status, 130);
  // It takes a moment until the balancer has seen that the viewer is gone.
  const again = await runInside([...at(balancer), "--list", "--retries", "5"]);
  assertEquals(again.status, 0, again.stderr);
});

/** What a file of `deploy/` says behind a keyword, lines that go on joined. */
function sayingOf(file: string, keyword: RegExp): string {
  const text = Deno.readTextFileSync(pathOf(`deploy/${file}`)).replaceAll("\\\n", " ");
  const line = text.split("\n").find((line) => keyword.test(line));
  assert(line !== undefined, `${keyword} in ${file}`);
  return line.replace(keyword, "");
}

Deno.test("the container starts the server with flags that it has", () => {
  const [program, ...args] = JSON.parse(sayingOf("Containerfile", /^ENTRYPOINT /));
  assertEquals(program, "stream-server");
  assertEquals(parseServerFlags(args).kind, "serve");
});

Deno.test("the service starts the server with flags that it has, and waits for its end", () => {
  const [program, ...args] = sayingOf("stream-server.service", /^ExecStart=/).split(" ");
  assertEquals(program, "/usr/local/bin/stream-server");
  const action = parseServerFlags(args.filter((arg) => arg !== "$OPTIONS"));
  assert(action.kind === "serve");
  const patience = Number(sayingOf("stream-server.service", /^TimeoutStopSec=/));
  assertGreater(patience, action.flags.grace);
});

testWith("systemd-analyze")("the service is confined", async () => {
  const unit = pathOf("deploy/stream-server.service");
  // From 0, which can do nothing, to 10.
  const args = ["security", "--offline=yes", "--threshold=20", "--no-pager", unit];
  const { code, stdout, stderr } = await textOf("systemd-analyze", args);
  assertEquals(code, 0, stderr);
  assertMatch(stdout, /Overall exposure level/);
  // Of lines that it does not understand, it only tells.
  assertEquals(stderr, "");
});
