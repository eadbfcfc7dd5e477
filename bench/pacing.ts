import { fromStream } from "../lib/base/byte_reader.ts";
import { toSeconds } from "../lib/media/frame.ts";
import { NutReader } from "../lib/nut/reader.ts";
import { startProcess } from "../lib/ffmpeg/process.ts";
import type { Clip, ClipName } from "./clips.ts";
import { type Bench, measured, type Row, takeTurns } from "./measurement.ts";
import { median, quantile, slope } from "./numbers.ts";
import { expectFrames } from "./transfer.ts";
import { watch } from "./viewer.ts";

/** When a frame came, and when it was due; both in seconds, from moments of their own. */
interface Arrival {
  at: number;
  seconds: number;
}

/** How far the frames of one run came from their due moments. */
interface Lateness {
  /** Milliseconds after the due moment, where the first frame came just in time. */
  fromFirst: { p50: number; p99: number };
  /** Milliseconds before or after it, where the frames came just in time at the median. */
  fromMedian: { p50: number; p99: number };
  /** Percent that the arrivals took longer, or shorter, than the timestamps say. */
  drift: number;
}

/** How well 30 frames a second keep to their timestamps, in real time over loopback. */
export function measureThirty(bench: Bench): Promise<Row[]> {
  return measureRate(bench, "30 fps", "steady");
}

/** The same of 59.94 frames a second. */
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

/** The same frames, from an FFmpeg that keeps time itself. */
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
