import { type Bench, compared, type Row, takeTurns } from "./measurement.ts";
import { transferOurs } from "./own_transfer.ts";
import { FfmpegPeer } from "./peers/ffmpeg.ts";
import { expectBytes, type Transfer } from "./transfer.ts";

/** Unchanged packets of a file from one process to another over loopback, unpaced. */
export async function measureCopy(bench: Bench): Promise<Row[]> {
  await using server = await bench.programs.startServer(bench.clips.folder, bench);
  const clip = await bench.clips.get("steady", bench.signal);
  const options = { clip, flags: ["--encoding", "copy"] };
  // Not measured: work that a server does once.
  const { bytes } = await transferOurs(server, options, bench);
  const peer = new FfmpegPeer("copy");
  const { ours, other } = await takeTurns<"ours" | "other", Transfer>(bench, {
    ours: () => transferOurs(server, { ...options, bytes }, bench),
    other: () => peer.transfer(clip, bench.signal),
  });
  for (const transfer of other) expectBytes("ffmpeg", transfer.bytes, bytes);
  const row = (what: string, unit: string, pick: (transfer: Transfer) => number) =>
    compared({ ours: ours.map(pick), other: other.map(pick) }, {
      ...{ what: `1080p copy, ${what}`, unit, against: peer.name },
    });
  return [
    row("from connecting on", "fps", ({ connected }) => connected),
    row("from process start on", "fps", ({ process }) => process),
    row("CPU for 1,000, both ends", "s", ({ processor }) => processor * 1000 / clip.frames),
  ];
}
