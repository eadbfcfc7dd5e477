import type { Clip } from "./clips.ts";
import { findPython } from "./installed.ts";
import { type Bench, compared, type Goal, measured, type Row, takeTurns } from "./measurement.ts";
import { PeerSide } from "./peer_side.ts";
import { PICKLE, PythonPeer, scriptPath, ZMQ } from "./peers/python.ts";
import { readProcessorTime } from "./proc.ts";
import type { ServerProcess } from "./programs.ts";
import { firstLine, TimedProcess } from "./timed_process.ts";
import { expectBytes, expectFrames, toTransfer, type Transfer } from "./transfer.ts";

/** Name of the published source. */
const NAME = "arrays";

/** Bytes per pixel of the arrays, BGR. */
const BYTES_PER_PIXEL = 3;

/** What is at least asked of us: as fast as ZeroMQ. */
const LEVEL: Goal = { of: "ratio", relation: "at least", value: 1 };

/** Output of `package_receiver.py`; seconds from just before it connects. */
interface Report {
  frames: number;
  bytes: number;
  first: number;
  seconds: number;
}

/** A way on which arrays get to a loop in Python. */
interface Way {
  title: string;
  transfer: () => Promise<Transfer>;
}

/** Measures the Python package: frames of a file to arrays, and arrays through a server. */
export async function measureArrays(bench: Bench): Promise<Row[]> {
  const python = await findPython("import numpy, cv2");
  if (python === undefined) {
    bench.skip("Python with numpy and cv2 is not installed");
    return [];
  }
  await using server = await bench.programs.startServer(bench.clips.folder, bench);
  const clip = await bench.clips.get("thirty", bench.signal);
  const drops: number[] = [];
  const options = { bench, python, server, clip, drops };
  const ways: Way[] = [
    { title: "file to arrays, bgr24", transfer: () => receive(options, clip.name, "bgr24") },
    {
      title: "file to arrays, yuv420p and to_bgr()",
      transfer: () => receive(options, clip.name, "yuv420p", "convert"),
    },
    { title: "arrays to arrays, bgr24", transfer: () => publish(options) },
  ];
  const rivals = [];
  for (const peer of [new PythonPeer("pyzmq", ZMQ), new PythonPeer("Python pickle", PICKLE)]) {
    const missing = await peer.missing();
    if (missing === undefined) rivals.push(new PeerSide(peer, bench));
    else bench.skip(`${peer.name}: ${missing} is not installed`);
  }
  const ours = new Map<string, Transfer[]>(ways.map(({ title }) => [title, []]));
  // Not measured: work that a server does once.
  await ways[0].transfer();
  await takeTurns<string, void>(bench, {
    ...Object.fromEntries(
      ways.map(({ title, transfer }) => [
        title,
        async () => void ours.get(title)?.push(await transfer()),
      ]),
    ),
    ...Object.fromEntries(rivals.map((side) => [side.name, () => side.run(clip)])),
  });
  const dropped = measured({ ours: drops }, {
    ...{ what: `1080p arrays to arrays, dropped of ${clip.frames}`, unit: "frames" },
  });
  const rows = rivals.filter(({ hasFailed }) => !hasFailed).flatMap(({ name, results }) =>
    ways.flatMap(({ title }) => {
      const pair = { ours: ours.get(title) ?? [], other: results };
      return rowsOf(pair, { title: `1080p ${title}`, against: name, clip });
    })
  );
  return [...rows, dropped];
}

/** What every way needs. */
interface Options {
  bench: Bench;
  python: string;
  server: ServerProcess;
  clip: Clip;
  /** Frames that were dropped between publisher and viewer, by round. */
  drops?: number[];
}

/** Receives a source to its end. */
async function receive(
  { bench: { signal }, python, server, clip, drops }: Options,
  name: string,
  ...forms: string[]
): Promise<Transfer> {
  const before = await readProcessorTime(server.pid);
  const began = performance.now();
  const command = [scriptPath("package_receiver.py"), String(server.port), name, ...forms];
  await using receiver = await TimedProcess.start(python, command, { signal });
  const report: Report = JSON.parse(await firstLine(receiver));
  const processor = await receiver.finished();
  const gone = performance.now();
  const after = await readProcessorTime(server.pid);
  const { frames, bytes, first, seconds } = report;
  // A live source drops frames that its viewer is too slow for.
  if (name === NAME) drops?.push(clip.frames - frames);
  else expectFrames("the package", frames, clip);
  expectBytes("the package", bytes, frames * clip.width * clip.height * BYTES_PER_PIXEL);
  /** As much as all frames would have taken, if some were dropped. */
  const perClip = (seconds: number) => seconds * clip.frames / frames;
  const served = after.own - before.own + after.children - before.children;
  return toTransfer({
    ...{ began, gone, connected: 0, ended: seconds * 1000 },
    first: { at: first * 1000, frames: 1 },
  }, { frames, bytes, processor: perClip(processor + served + server.starting) });
}

/** Publishes the frames that OpenCV reads, and receives them. */
async function publish(options: Options): Promise<Transfer> {
  const { bench: { signal }, python, server, clip } = options;
  const command = [scriptPath("package_sender.py"), String(server.port), NAME, clip.path];
  await using sender = await TimedProcess.start(python, command, { signal });
  await firstLine(sender);
  const transfer = await receive(options, NAME, "bgr24");
  return { ...transfer, processor: transfer.processor + await sender.finished() };
}

function rowsOf(
  { ours, other }: { ours: readonly Transfer[]; other: readonly Transfer[] },
  { title, against, clip }: { title: string; against: string; clip: Clip },
): Row[] {
  const row = (what: string, unit: string, pick: (transfer: Transfer) => number) =>
    compared({ ours: ours.map(pick), other: other.map(pick) }, {
      ...{ what: `${title}, ${what}`, unit, against },
    });
  return [
    { ...row("from connecting on", "fps", ({ connected }) => connected), goal: LEVEL },
    row("from the first frame on", "fps", ({ flowing }) => flowing),
    row("CPU for 1,000, all ends", "s", ({ processor }) => processor * 1000 / clip.frames),
  ];
}
