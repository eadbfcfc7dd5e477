import { fromStream } from "../lib/base/byte_reader.ts";
import { toSeconds } from "../lib/media/frame.ts";
import { NutReader } from "../lib/nut/reader.ts";
import { startProcess } from "../lib/ffmpeg/process.ts";
import type { Clip, ClipName } from "./clips.ts";
import { type Bench, measured, type Row, takeTurns } from "./measurement.ts";
import { median, quantile, slope } from "./numbers.ts";
import { expectFrames } from "./transfer.ts";
import { watch } from "./viewer.ts";

/** Arrival and due time of a frame, in seconds with different origins. */
interface Arrival {
  at: number;
  seconds: number;
}

/** Pacing errors of one run. */
interface Lateness {
  /** Milliseconds after the due time, if the first frame was on time. */
  fromFirst: { p50: number; p99: number };
  /** Milliseconds before or after it, if the median frame was on time. */
  fromMedian: { p50: number; p99: number };
  /** Percentage by which the arrivals take longer or shorter than the timestamps. */
  drift: number;
}

/** Measures the pacing of 30 frames per second in real time over loopback. */
export function measureThirty(bench: Bench): Promise<Row[]> {
  return measureRate(bench, "30 fps", "steady");
}

/** The same for 59.94 frames per second. */
export function measureSixty(bench: Bench): Promise<Row[]> {
  return measureRate(bench, "59.94 fps", "sixty");
}

async function measureRate(bench: Bench, rate: string, name: ClipName): Promise<Row[]> {
  const clip = await bench.clips.get(name, bench.signal);
  await using server = await bench.programs.startServer(bench.clips.folder, bench);
  const { ffmpeg, ours } = await takeTurns(bench, {
    ffmpeg: () => playByFfmpeg(clip, bench),
    ours: async () => {
      const arrivals: Arrival[] = [];
      const onFrame = ({ seconds }: { seconds: number }) => {
        arrivals.push({ at: performance.now() / 1000, seconds });
      };
      const request = { name: clip.name, duration: bench.seconds };
      await watch({ port: server.port, request, onFrame }, bench.signal);
      expectFrames("stream-server", arrivals.length, clip);
      return latenessOf(arrivals);
    },
  });
  const row = (what: string, unit: string, pick: (lateness: Lateness) => number): Row =>
    measured({ ours: ours.map(pick), other: ffmpeg.map(pick) }, {
      ...{ what: `${rate}, ${what}`, unit, against: "ffmpeg -re" },
    });
  const below = (value: number) => ({ of: "ours", relation: "below", value } as const);
  return [
    row("lateness after the first, p50", "ms", ({ fromFirst }) => fromFirst.p50),
    {
      ...row("lateness after the first, p99", "ms", ({ fromFirst }) => fromFirst.p99),
      goal: below(5),
    },
    row("distance from the best fit, p50", "ms", ({ fromMedian }) => fromMedian.p50),
    {
      ...row("distance from the best fit, p99", "ms", ({ fromMedian }) => fromMedian.p99),
      goal: below(5),
    },
    { ...row("drift", "%", ({ drift }) => Math.abs(drift)), goal: below(0.1) },
  ];
}

/** @param arrivals at least two */
function latenessOf(arrivals: readonly Arrival[]): Lateness {
  const offsets = arrivals.map(({ at, seconds }) => (at - seconds) * 1000);
  const middle = median(offsets);
  const late = offsets.map((offset) => offset - offsets[0]);
  const away = offsets.map((offset) => Math.abs(offset - middle));
  const line = slope(arrivals.map(({ at, seconds }) => ({ x: seconds, y: at })));
  return {
    fromFirst: { p50: quantile(late, 0.5), p99: quantile(late, 0.99) },
    fromMedian: { p50: quantile(away, 0.5), p99: quantile(away, 0.99) },
    drift: (line - 1) * 100,
  };
}

/** The same frames from an FFmpeg with its own pacing. */
async function playByFfmpeg(clip: Clip, { seconds, signal }: Bench): Promise<Lateness> {
  const input = ["-nostdin", "-v", "error", "-re", "-t", String(seconds), "-i", clip.path];
  const output = ["-map", "0:v:0", "-c:v", "rawvideo", "-f", "nut", "pipe:1"];
  await using ffmpeg = startProcess("ffmpeg", [...input, ...output], { signal });
  const reader = new NutReader(fromStream(ffmpeg.stdout), {
    pooledBuffers: 1,
    maxFrameSize: clip.frameSize,
  });
  const [stream] = await reader.readStreams();
  const arrivals: Arrival[] = [];
  while (true) {
    const frame = await reader.readFrame();
    if (frame === undefined) break;
    const due = toSeconds(frame.timestamp, stream.timeBase);
    arrivals.push({ at: performance.now() / 1000, seconds: due });
    reader.recycle(frame);
  }
  await ffmpeg.finished();
  expectFrames("ffmpeg", arrivals.length, clip);
  return latenessOf(arrivals);
}
