/** How old the frames are that a slow program gets of a live source. */
import { connect } from "../mod.ts";
import { MONOTONIC_CLOCK } from "../lib/base/clock.ts";
import { findPython } from "./installed.ts";
import { pythonFrames } from "./newest_python.ts";
import { type Bench, measured, type Row, takeTurns } from "./measurement.ts";
import { quantile } from "./numbers.ts";

const NAME = "newest";

/** Grey pixels, whose first bytes tell the number of the frame. */
const SIZE = { width: 640, height: 480 };
const FRAME_BYTES = SIZE.width * SIZE.height;

/** Frames per second of the source. */
const RATE = 30;

/** Milliseconds for which a consumer works on each frame, and the frames that it takes. */
const CONSUMERS = {
  "5 fps": { period: 200, frames: 25 },
  "1 fps": { period: 1000, frames: 7 },
};

/** Frames at the start that do not count, while the client starts. */
const WARM_UP = 2;

/** Gives the next frame, until the consumer leaves. */
type Frames = AsyncGenerator<Uint8Array, void>;

/** Ages of the frames of one way, milliseconds, by consumer. */
type Outcome = Record<keyof typeof CONSUMERS, number[]>;

/** Measures consumers of 5 and 1 frames per second on a VGA source of 30. */
export async function measureNewest(bench: Bench): Promise<Row[]> {
  const python = await findPython("");
  if (python === undefined) bench.skip("Python is not installed");
  const found = await takeTurns<string, Outcome>({
    ...bench,
    // A consumer of 1 fps takes its time.
    rounds: 1,
  }, {
    "--output - --format rawvideo": () => measureWay(pipedFrames, bench),
    "native": () => measureWay(watchedFrames, bench),
    ...(python === undefined ? {} : {
      "Python, latest=True": () => {
        const options = { name: NAME, python, signal: bench.signal };
        return measureWay((port) => pythonFrames(port, options), bench);
      },
    }),
  });
  return Object.entries(found).flatMap(([way, outcomes]) =>
    Object.entries(CONSUMERS).flatMap(([name, { period }]) => {
      const row = (share: number, title: string) =>
        measured({
          ours: outcomes.map((ages) => quantile(ages[name as keyof Outcome], share)),
        }, {
          what: `${way}, consumer of ${name}: age, ${title}`,
          unit: "ms",
          goal: { of: "ours", relation: "at most", value: period + 2000 / RATE },
        });
      return [row(0.5, "p50"), row(0.99, "p99")];
    })
  );
}

/** Publishes frames, and lets both consumers take theirs at the same time. */
async function measureWay(
  open: (port: number, bench: Bench) => Frames,
  bench: Bench,
): Promise<Outcome> {
  const { programs, clips, signal } = bench;
  await using server = await programs.startServer(clips.folder, { signal });
  const { port } = server;
  const client = connect({ host: "127.0.0.1", port });
  await using publisher = await client.publish(NAME, { video: { ...SIZE, pixelFormat: "gray" } });
  const sentAt: number[] = [];
  const began = performance.now();
  const timer = setInterval(() => {
    if (performance.now() - began < sentAt.length * 1000 / RATE) return;
    const frame = new Uint8Array(FRAME_BYTES);
    new DataView(frame.buffer).setUint32(0, sentAt.length);
    publisher.write(frame, { time: sentAt.length / RATE });
    sentAt.push(performance.now());
  }, 1);
  try {
    const ages = Object.entries(CONSUMERS).map(async ([name, consumer]) => {
      const frames = open(port, bench);
      return [name, await consume(frames, { ...consumer, sentAt, signal })];
    });
    return Object.fromEntries(await Promise.all(ages));
  } finally {
    clearInterval(timer);
  }
}

/** @returns milliseconds from the publication of each frame to when the consumer has it */
async function consume(
  frames: Frames,
  { period, frames: count, sentAt, signal }: {
    period: number;
    frames: number;
    sentAt: readonly number[];
    signal: AbortSignal;
  },
): Promise<number[]> {
  const ages: number[] = [];
  for await (const frame of frames) {
    const number = new DataView(frame.buffer, frame.byteOffset).getUint32(0);
    ages.push(performance.now() - sentAt[number]);
    if (ages.length === WARM_UP + count) break;
    await MONOTONIC_CLOCK.sleep(period, signal);
  }
  return ages.slice(WARM_UP);
}

async function* watchedFrames(port: number): Frames {
  for await (const { data } of connect({ host: "127.0.0.1", port }).watch(NAME, { late: "drop" })) {
    yield data;
  }
}

/** Frames that `stream-client` writes to a pipe. */
async function* pipedFrames(port: number, { programs, signal }: Bench): Frames {
  const output = ["--output", "-", "--format", "rawvideo", "--late", "drop", "--speed", "1"];
  const args = ["--port", String(port), "--video", NAME, ...output];
  const command = new Deno.Command(Deno.execPath(), {
    args: [...programs.source("client", ["-A"]), ...args],
    ...{ stdin: "null", stdout: "piped", stderr: "null", signal },
  });
  await using child = command.spawn();
  // Reads no more than asked for: what it read ahead would count as taken.
  const reader = child.stdout.getReader({ mode: "byob" });
  try {
    while (true) {
      let memory = new ArrayBuffer(FRAME_BYTES);
      for (let at = 0; at < FRAME_BYTES;) {
        const { value } = await reader.read(new Uint8Array(memory, at));
        if (value === undefined) return;
        memory = value.buffer;
        at += value.byteLength;
      }
      yield new Uint8Array(memory);
    }
  } finally {
    await reader.cancel();
  }
}
