import { MONOTONIC_CLOCK } from "../lib/base/clock.ts";
import { connect } from "../lib/net/connection.ts";
import { requestList } from "../lib/protocol/native/client.ts";
import { Camera } from "./camera.ts";
import type { ViewerResult, ViewersOptions } from "./live_viewers.ts";
import { type Bench, type Goal, measured, type Row, takeTurns } from "./measurement.ts";
import { quantile } from "./numbers.ts";
import { readMemory, readProcessorTime } from "./proc.ts";
import type { PublishersOptions } from "./publishers.ts";

const NAME = "live";

/** Milliseconds between the joins and the measurement. */
const SETTLING = 2000;

/** Milliseconds: the duration of a frame, which FFmpeg holds until the next one arrives, plus 8. */
const MAX_LATENCY = 1000 / 30 + 8;

const CROWD = {
  publishers: 50,
  viewers: 200,
  frame: { width: 320, height: 240, rate: 15 },
};

/** Measurement of one way from a camera to viewers. */
interface Outcome {
  /** Frames per second of the slowest viewer. */
  slowest: number;
  /** Frames with the flag for dropped frames before them, over all viewers. */
  gaps: number;
  /** Milliseconds from the camera to the arrival. */
  age: { p50: number; p99: number };
  /** Processor time of the server, seconds per second. */
  processor: number;
  /** Resident memory of the server at the end, bytes. */
  memory: number;
}

/** Measures what goes through a server from publishers to viewers. */
export async function measurePublish(bench: Bench): Promise<Row[]> {
  const rounds = bench.quick ? 1 : bench.rounds;
  const one = await takeTurns<"hub" | "direct", Outcome>({ ...bench, rounds }, {
    hub: () => watchHub(bench),
    direct: () => watchDirect(bench),
  });
  const latency = (percentile: "p50" | "p99", goal?: Goal) =>
    measured({
      ours: one.hub.map(({ age }) => age[percentile]),
      other: one.direct.map(({ age }) => age[percentile]),
    }, {
      what: `stream-client --publish, 1 viewer: from camera, ${percentile}`,
      ...{ unit: "ms", against: "stream-server --live", goal },
    });
  const rows = [
    latency("p50"),
    latency("p99", { of: "ours", relation: "below", value: MAX_LATENCY }),
  ];
  if (bench.quick) return rows;
  const { crowd } = await takeTurns<"crowd", Outcome>({ ...bench, rounds }, {
    crowd: () => watchCrowd(bench),
  });
  const row = (what: string, unit: string, pick: (outcome: Outcome) => number, goal?: Goal) =>
    measured({ ours: crowd.map(pick) }, {
      what: `${CROWD.publishers} publishers, ${CROWD.viewers} viewers: ${what}`,
      ...{ unit, goal },
    });
  return [
    ...rows,
    row("slowest viewer", "fps", ({ slowest }) => slowest, {
      ...{ of: "ours", relation: "above", value: CROWD.frame.rate - 0.5 },
    }),
    row("gaps of all", "count", ({ gaps }) => gaps),
    row("from publisher, p50", "ms", ({ age }) => age.p50),
    row("from publisher, p99", "ms", ({ age }) => age.p99),
    row("CPU, server", "s/s", ({ processor }) => processor),
    row("memory at the end", "MB", ({ memory }) => memory / 1e6),
  ];
}

async function watchHub(bench: Bench): Promise<Outcome> {
  const { programs, clips, signal } = bench;
  await using camera = new Camera();
  await using server = await programs.startServer(clips.folder, { signal });
  const flags = ["--publish", NAME, "--input", camera.input, "--encoding", "raw"];
  await using _publisher = programs.startPublisher(server.port, flags, signal);
  await published(server.port, signal);
  return await watch({ port: server.port, pid: server.pid, names: [NAME], viewers: 1 }, bench);
}

/** Waits until the camera is in the list of the server. */
async function published(port: number, signal: AbortSignal): Promise<void> {
  while (true) {
    using connection = await connect({ host: "127.0.0.1", port }, signal);
    const pieces = await Array.fromAsync(requestList(connection));
    if (pieces.some(({ entries }) => entries.some(({ name }) => name === NAME))) return;
    await MONOTONIC_CLOCK.sleep(100, signal);
  }
}

async function watchDirect(bench: Bench): Promise<Outcome> {
  const { programs, clips, signal } = bench;
  await using camera = new Camera();
  const flags = ["--live", `${NAME}=${camera.input}`];
  await using server = await programs.startServer(clips.folder, { flags, signal });
  return await watch({ port: server.port, pid: server.pid, names: [NAME], viewers: 1 }, bench);
}

async function watchCrowd(bench: Bench): Promise<Outcome> {
  const { programs, clips, signal } = bench;
  const flags = ["--max-clients", "400"];
  await using server = await programs.startServer(clips.folder, { flags, signal });
  const { port, pid } = server;
  const names = Array.from({ length: CROWD.publishers }, (_, at) => `cam${at}`);
  const options: PublishersOptions = { port, names, ...CROWD.frame };
  await using publishers = programs.startPublishers(JSON.stringify(options), signal);
  await publishers.expect("joined");
  return await watch({ port, pid, names, viewers: CROWD.viewers }, bench);
}

async function watch(
  { port, pid, names, viewers }: { port: number; pid: number; names: string[]; viewers: number },
  { programs, signal, liveSeconds: seconds }: Bench,
): Promise<Outcome> {
  const options: ViewersOptions = {
    ...{ port, seconds, names, reading: viewers, stuck: 0 },
    request: { command: "get_video", encoding: "raw", late: "drop" },
  };
  await using watching = programs.startViewers(JSON.stringify(options), signal);
  await watching.expect("joined");
  await MONOTONIC_CLOCK.sleep(SETTLING, signal);
  const before = await readProcessorTime(pid);
  await watching.writeLine("go");
  const results: ViewerResult[] = JSON.parse(await watching.nextLine());
  const after = await readProcessorTime(pid);
  const ages = results.flatMap(({ ages }) => ages);
  return {
    slowest: Math.min(...results.map(({ frames }) => frames / seconds)),
    gaps: results.reduce((sum, { gaps }) => sum + gaps, 0),
    age: { p50: quantile(ages, 0.5), p99: quantile(ages, 0.99) },
    processor: (after.own - before.own) / seconds,
    memory: (await readMemory(pid)).now,
  };
}
