import type { Clip, ClipName } from "./clips.ts";
import { type Bench, compared, type Goal, type Row, takeTurns } from "./measurement.ts";
import { type TransferOptions, transferOurs } from "./own_transfer.ts";
import { FfmpegPeer } from "./peers/ffmpeg.ts";
import { GstreamerPeer } from "./peers/gstreamer.ts";
import { PICKLE, PythonPeer, ZMQ } from "./peers/python.ts";
import { RelayPeer } from "./peers/relay.ts";
import { PeerSide } from "./peer_side.ts";
import { processorRows } from "./processor_rows.ts";
import type { Peer, SplitTransfer, Transfer } from "./transfer.ts";

/** Our pixel formats of raw frames: as decoded, or as in OpenCV. Bytes per pixel. */
const FORMS = { raw: 1.5, bgr24: 3 };

type Form = keyof typeof FORMS;

/** Another program, and our formats to compare with: the one with the same size comes first. */
interface Rival {
  peer: Peer;
  forms: readonly Form[];
  /** Goal for the ratio of our default format at 1080p. */
  goal?: number;
}

/** All other programs that send a video. */
function allRivals(): Rival[] {
  return [
    { peer: new FfmpegPeer("rawvideo"), forms: ["raw"], goal: 1 },
    { peer: new GstreamerPeer(), forms: ["raw"] },
    { peer: new PythonPeer("Python pickle", PICKLE), forms: ["bgr24", "raw"], goal: 2.5 },
    { peer: new PythonPeer("pyzmq", ZMQ), forms: ["bgr24", "raw"], goal: 1.4 },
  ];
}

/** Number of frames of a transfer that consists mostly of start-up. */
const FEW = 3;

/** Installed programs to compare with. */
interface Opponents {
  rivals: readonly Rival[];
  /** The upper bound of programs between FFmpeg and the network, with all frames and with a few. */
  relay?: { raw: Peer<SplitTransfer>; few: Peer<SplitTransfer> };
}

/** Measures raw frames of a file from one process to another over loopback, unpaced. */
export async function measureThroughput(bench: Bench): Promise<Row[]> {
  const isThere = async (peer: Peer) => {
    const missing = await peer.missing();
    if (missing !== undefined) bench.skip(`${peer.name}: ${missing} is not installed`);
    return missing === undefined;
  };
  const rivals: Rival[] = [];
  for (const rival of allRivals()) {
    if (await isThere(rival.peer)) rivals.push(rival);
  }
  const opponents: Opponents = { rivals };
  const relay = { raw: new RelayPeer(), few: new RelayPeer(FEW) };
  if (!bench.quick && await isThere(relay.raw)) {
    await relay.few.missing();
    opponents.relay = relay;
  }
  const rows: Row[] = [];
  const sizes = { "1080p": "thirty", "720p": "hd", "4K": "uhd" } as const;
  for (const [size, name] of Object.entries(sizes) as [string, ClipName][]) {
    if (bench.quick && name !== "thirty") continue;
    rows.push(...await measureSize({ size, name, opponents }, bench));
  }
  return rows;
}

async function measureSize(
  { size, name, opponents }: { size: string; name: ClipName; opponents: Opponents },
  bench: Bench,
): Promise<Row[]> {
  await using server = await bench.programs.startServer(bench.clips.folder, bench);
  const clip = await bench.clips.get(name, bench.signal);
  const ours: Record<Form | "few", SplitTransfer[]> = { raw: [], bgr24: [], few: [] };
  const own = (options: TransferOptions) => transferOurs(server, options, bench);
  const side = <T extends Transfer>(peer: Peer<T>) => new PeerSide(peer, bench);
  const rivals = opponents.rivals.map((rival) => ({ ...rival, side: side(rival.peer) }));
  const { relay } = opponents;
  const bound = relay && { raw: side(relay.raw), few: side(relay.few) };
  // Not measured: work that a server does once.
  await own(optionsOf(clip, "raw"));
  await takeTurns<string, void>({ ...bench, log: (line) => bench.log(`${size}, ${line}`) }, {
    raw: async () => void ours.raw.push(await own(optionsOf(clip, "raw"))),
    ...(bench.quick
      ? {}
      : { bgr24: async () => void ours.bgr24.push(await own(optionsOf(clip, "bgr24"))) }),
    few: async () => void ours.few.push(await own({ clip, frames: FEW })),
    ...Object.fromEntries(rivals.map(({ side }) => [side.name, () => side.run(clip)])),
    ...(bound && {
      [bound.raw.name]: () => bound.raw.run(clip),
      [`${bound.few.name}, few`]: () => bound.few.run(clip),
    }),
  });
  const isBounded = bound !== undefined && !bound.raw.hasFailed && !bound.few.hasFailed;
  return [
    ...rivals.filter(({ side }) => !side.hasFailed).flatMap(({ side, forms, goal }) =>
      forms.filter((form) => ours[form].length > 0).flatMap((form) => {
        const pair = { ours: ours[form], other: side.results };
        const value = form === "raw" && name === "thirty" ? goal : undefined;
        return rowsOf(pair, { title: `${size} ${form}`, against: side.name, clip }, value);
      })
    ),
    ...(isBounded
      ? rowsOf({ ours: ours.raw, other: bound.raw.results }, {
        ...{ title: `${size} raw`, against: bound.raw.name, clip },
      })
      : []),
    ...processorRows({
      ...{ ours, few: FEW, clip, title: `${size} raw` },
      ...(isBounded ? { relay: { raw: bound.raw.results, few: bound.few.results } } : {}),
      hasGoal: name === "thirty",
    }),
  ];
}

function optionsOf(clip: Clip, form: Form): TransferOptions {
  const bytes = clip.frames * clip.width * clip.height * FORMS[form];
  return { clip, bytes, flags: form === "raw" ? [] : ["--pixel-format", form] };
}

function rowsOf(
  { ours, other }: { ours: readonly Transfer[]; other: readonly Transfer[] },
  { title, against, clip }: { title: string; against: string; clip: Clip },
  value?: number,
): Row[] {
  const row = (what: string, unit: string, pick: (transfer: Transfer) => number) =>
    compared({ ours: ours.map(pick), other: other.map(pick) }, {
      ...{ what: `${title}, ${what}`, unit, against },
    });
  const goal: Goal | undefined = value === undefined
    ? undefined
    : { of: "ratio", relation: "at least", value };
  return [
    { ...row("from connecting on", "fps", ({ connected }) => connected), goal },
    row("from the first frame on", "fps", ({ flowing }) => flowing),
    row("from process start on", "fps", ({ process }) => process),
    row("CPU for 1,000, both ends", "s", ({ processor }) => processor * 1000 / clip.frames),
  ];
}
