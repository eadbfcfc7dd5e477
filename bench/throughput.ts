import type { Clip, ClipName } from "./clips.ts";
import { type Bench, compared, type Goal, type Row, takeTurns } from "./measurement.ts";
import { median } from "./numbers.ts";
import { type Order, type OwnTransfer, transferOurs } from "./own_transfer.ts";
import { FfmpegPeer } from "./peers/ffmpeg.ts";
import { GstreamerPeer } from "./peers/gstreamer.ts";
import { PICKLE, PythonPeer, ZMQ } from "./peers/python.ts";
import type { ServerProcess } from "./programs.ts";
import type { Peer, Transfer } from "./transfer.ts";

/** Our ways of sending raw frames: as they are decoded, or as OpenCV has them. */
const FORMS = { raw: 1.5, bgr24: 3 };

type Form = keyof typeof FORMS;

/** Another program, and what of ours it is held against: what is as large on the wire comes first. */
interface Rival {
  peer: Peer;
  forms: readonly Form[];
  /** Of our default form, at 1080p: how many times as fast it is to be. */
  goal?: number;
}

/** All that there are. */
function allRivals(): Rival[] {
  return [
    { peer: new FfmpegPeer("rawvideo"), forms: ["raw"], goal: 1 },
    { peer: new GstreamerPeer(), forms: ["raw"] },
    { peer: new PythonPeer("Python pickle", PICKLE), forms: ["bgr24", "raw"], goal: 2.5 },
    { peer: new PythonPeer("pyzmq", ZMQ), forms: ["bgr24", "raw"], goal: 1.4 },
  ];
}

/** Frames after which what a process takes to start has been taken. */
const FEW = 3;

/** Seconds of processor time for 1,000 frames of 1080p that our two programs may take. */
const AFFORDABLE = 0.7;

/** Raw frames of a file from one process to another over loopback, unpaced, by all programs. */
export async function measureThroughput(bench: Bench): Promise<Row[]> {
  const rivals: Rival[] = [];
  for (const rival of allRivals()) {
    const missing = await rival.peer.missing();
    if (missing === undefined) rivals.push(rival);
    else bench.skip(`${rival.peer.name}: ${missing} is not installed`);
  }
  const rows: Row[] = [];
  const sizes = { "1080p": "thirty", "720p": "hd", "4K": "uhd" } as const;
  for (const [size, name] of Object.entries(sizes) as [string, ClipName][]) {
    if (bench.quick && name !== "thirty") continue;
    rows.push(...await measureSize({ size, name, rivals }, bench));
  }
  return rows;
}

async function measureSize(
  { size, name, rivals }: { size: string; name: ClipName; rivals: readonly Rival[] },
  bench: Bench,
): Promise<Row[]> {
  await using server = await bench.programs.startServer(bench.clips.folder);
  const clip = await bench.clips.get(name, bench.signal);
  const own = (form: Form) => transferOurs(server, orderOf(clip, form), bench);
  const shown = rivals.map(({ forms, ...rival }) => ({
    ...rival,
    forms: bench.quick ? forms.filter((form) => form === "raw") : forms,
  }));
  // Not counted: what is done once in a server's life.
  await own("raw");
  const { few, ...rounds } = await takeTurns<string, Transfer | OwnTransfer>(
    { ...bench, tell: (line) => bench.tell(`${size}, ${line}`) },
    Object.fromEntries([
      ["raw", () => own("raw")],
      ...(bench.quick ? [] : [["bgr24", () => own("bgr24")]]),
      ["few", () => transferOurs(server, { clip, frames: FEW }, bench)],
      ...rivals.map(({ peer }) => [peer.name, () => peer.transfer(clip, bench.signal)]),
    ]),
  );
  const raw = rounds.raw as OwnTransfer[];
  return [
    ...shown.flatMap((rival) => rival.forms.map((form) => ({ rival, form }))).flatMap((
      { rival: { peer, goal }, form },
    ) => {
      const pair = { ours: rounds[form], other: rounds[peer.name] };
      const title = { size, form, against: peer.name, clip };
      const value = form === "raw" && name === "thirty" ? goal : undefined;
      return rowsOf(pair, title, value);
    }),
    ...ownRows({ size, clip, raw, few: few as OwnTransfer[] }),
  ];
}

function orderOf(clip: Clip, form: Form): Order {
  const bytes = clip.frames * clip.width * clip.height * FORMS[form];
  return { clip, bytes, flags: form === "raw" ? [] : ["--pixel-format", form] };
}

function rowsOf(
  { ours, other }: { ours: readonly Transfer[]; other: readonly Transfer[] },
  { size, form, against, clip }: { size: string; form: Form; against: string; clip: Clip },
  goal: number | undefined,
): Row[] {
  const row = (what: string, unit: string, pick: (transfer: Transfer) => number) =>
    compared({ ours: ours.map(pick), other: other.map(pick) }, {
      ...{ what: `${size} ${form}, ${what}`, unit, against },
    });
  const atLeast: { goal?: Goal } = goal === undefined
    ? {}
    : { goal: { of: "ratio", relation: "at least", value: goal } };
  const perThousand = 1000 / clip.frames;
  return [
    { ...row("from connecting on", "frames/s", ({ connected }) => connected), ...atLeast },
    row("from the first frame on", "frames/s", ({ flowing }) => flowing),
    row("from process start on", "frames/s", ({ process }) => process),
    row("processor for 1,000, both ends", "s", ({ processor }) => processor * perThousand),
  ];
}

/** What of our processor time is our own, and what of that is left once all has started. */
function ownRows(
  { size, clip, raw, few }: {
    size: string;
    clip: Clip;
    raw: readonly OwnTransfer[];
    few: readonly OwnTransfer[];
  },
): Row[] {
  const own = ({ processor, ffmpeg }: OwnTransfer) => processor - ffmpeg;
  const perThousand = 1000 / clip.frames;
  const beyond = raw.map((run, round) => (own(run) - own(few[round])) / (clip.frames - FEW));
  const affordable: Goal = { of: "ours", relation: "at most", value: AFFORDABLE };
  const title = (what: string) => ({
    what: `${size} raw, processor for 1,000, ${what}`,
    unit: "s",
  });
  return [
    { ...title("FFmpeg's own"), ours: median(raw.map(({ ffmpeg }) => ffmpeg * perThousand)) },
    { ...title("ours alone"), ours: median(raw.map((run) => own(run) * perThousand)) },
    {
      ...title("ours alone, once started"),
      ours: median(beyond) * 1000,
      ...(size === "1080p" ? { goal: affordable } : {}),
    },
  ];
}

/** Packets as they are in the file, from one process to another over loopback, unpaced. */
export async function measureCopy(bench: Bench): Promise<Row[]> {
  await using server: ServerProcess = await bench.programs.startServer(bench.clips.folder);
  const clip = await bench.clips.get("steady", bench.signal);
  const order = { clip, flags: ["--encoding", "copy"] };
  await transferOurs(server, order, bench);
  const peer = new FfmpegPeer("copy");
  const { ours, other } = await takeTurns<"ours" | "other", Transfer>(bench, {
    ours: () => transferOurs(server, order, bench),
    other: () => peer.transfer(clip, bench.signal),
  });
  const row = (what: string, unit: string, pick: (transfer: Transfer) => number) =>
    compared({ ours: ours.map(pick), other: other.map(pick) }, {
      ...{ what: `1080p copy, ${what}`, unit, against: peer.name },
    });
  return [
    row("from connecting on", "frames/s", ({ connected }) => connected),
    row("from process start on", "frames/s", ({ process }) => process),
    row(
      "processor for 1,000, both ends",
      "s",
      ({ processor }) => processor * 1000 / clip.frames,
    ),
  ];
}
