import { type Bench, measured, type Row, takeTurns } from "./measurement.ts";
import { median } from "./numbers.ts";
import { readMemory } from "./proc.ts";
import { watch } from "./viewer.ts";

/** Frames after which a stuck viewer stops reading. */
const STOPS_AFTER = 10;

/** Seconds of video, after which memory no longer grows. */
const ENOUGH = 6;

/** Viewers beyond the first. */
const FURTHER = 4;

/** Memory of the server's process without FFmpeg, bytes. */
interface Memory {
  /** Maximum. */
  peak: number;
  /** Median over the second half of the time. */
  steady: number;
}

/** Measures the growth of the server's memory with viewers of 1080p raw, and with stuck ones. */
export async function measureMemory(bench: Bench): Promise<Row[]> {
  const { frameSize } = await bench.clips.get("steady", bench.signal);
  const { one, five, stuck } = await takeTurns(bench, {
    one: () => serve({ reading: 1, stuck: 0 }, bench),
    five: () => serve({ reading: 5, stuck: 0 }, bench),
    stuck: () => serve({ reading: 3, stuck: 2 }, bench),
  });
  const rows = (what: string, runs: Memory[], pick: (memory: Memory) => number): Row[] => {
    const [ours, other] = [runs.map(pick), one.map(pick)];
    const further = ours.map((bytes, round) => (bytes - other[round]) / FURTHER / frameSize);
    const inMegabytes = (bytes: number) => bytes / 1e6;
    return [
      measured({ ours: ours.map(inMegabytes), other: other.map(inMegabytes) }, {
        ...{ what, unit: "MB", against: "1 viewer" },
      }),
      measured({ ours: further }, {
        ...{ what: `${what}, a further viewer`, unit: "frames", against: "1 viewer" },
        goal: { of: "ours", relation: "at most", value: 3 },
      }),
    ];
  };
  return [
    ...rows("5 viewers, steady", five, ({ steady }) => steady),
    ...rows("5 viewers, peak", five, ({ peak }) => peak),
    ...rows("5 viewers, 2 stuck, steady", stuck, ({ steady }) => steady),
    ...rows("5 viewers, 2 stuck, peak", stuck, ({ peak }) => peak),
  ];
}

/** Measures with a new server, because the peak of an old one would remain. */
async function serve(
  viewers: { reading: number; stuck: number },
  { programs, clips, seconds: longest, signal }: Bench,
): Promise<Memory> {
  await using server = await programs.startServer(clips.folder, { signal });
  const { name } = await clips.get("steady", signal);
  const seconds = Math.min(longest, ENOUGH);
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const request = { name, duration: seconds };
  const stuck = Array.from({ length: viewers.stuck }, async () => {
    let frames = 0;
    const onFrame = () => ++frames < STOPS_AFTER ? undefined : untilAborted(either);
    try {
      await watch({ port: server.port, request, onFrame }, either);
    } catch (error) {
      // It never ends by itself; only earlier errors count.
      if (!either.aborted) throw error;
    }
  });
  const samples: number[] = [];
  const reading = Array.from({ length: viewers.reading }, (_, index) => {
    const onFrame = async ({ seconds: moment }: { seconds: number }) => {
      if (index === 0 && moment > seconds / 2) samples.push((await readMemory(server.pid)).now);
    };
    return watch({ port: server.port, request, onFrame }, signal);
  });
  const readers = async () => {
    await Promise.all(reading);
    const { peak } = await readMemory(server.pid);
    stop.abort();
    return peak;
  };
  const [peak] = await Promise.all([readers(), ...stuck]);
  return { peak, steady: median(samples) };
}

/** @throws the reason of the signal when it fires */
function untilAborted(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  signal.addEventListener("abort", () => reject(signal.reason));
  return promise;
}
