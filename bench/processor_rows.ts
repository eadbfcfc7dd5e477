import type { Clip } from "./clips.ts";
import { compared, type Goal, measured, type Row } from "./measurement.ts";
import type { SplitTransfer } from "./transfer.ts";

/** Goal for the processor time of our two programs, seconds per 1,000 frames of 1080p. */
const AFFORDABLE = 0.7;

/** Transfers of all frames and of a few by the same programs, equally many. */
interface Sample {
  raw: readonly SplitTransfer[];
  few: readonly SplitTransfer[];
}

/** Options of {@linkcode processorRows}. */
interface ProcessorSamples {
  title: string;
  clip: Clip;
  ours: Sample;
  /** Those of the bare relay, if it was measured. */
  relay?: Sample;
  /** Number of frames of the short transfers. */
  few: number;
  /** Whether the goal applies to this size. */
  hasGoal: boolean;
}

/**
 * Rows for the processor time of FFmpeg, of the two ends without it, and of those without start-up;
 * then the same compared with the bare relay.
 */
export function processorRows(
  { title, clip, ours, relay, few, hasGoal }: ProcessorSamples,
): Row[] {
  const perThousand = 1000 / clip.frames;
  const own = ({ processor, ffmpeg }: SplitTransfer) => processor - ffmpeg;
  const goal: Goal = { of: "ours", relation: "at most", value: AFFORDABLE };
  const parts: { what: string; pick: (sample: Sample) => number[]; goal?: Goal }[] = [
    { what: "FFmpeg's own", pick: ({ raw }) => raw.map(({ ffmpeg }) => ffmpeg * perThousand) },
    { what: "without FFmpeg", pick: ({ raw }) => raw.map((run) => own(run) * perThousand) },
    {
      what: "once started",
      pick: (sample) =>
        sample.raw.map((run, round) =>
          (own(run) - own(sample.few[round])) * 1000 / (clip.frames - few)
        ),
      ...(hasGoal ? { goal } : {}),
    },
  ];
  const titleOf = (what: string) => ({ what: `${title}, CPU for 1,000, ${what}`, unit: "s" });
  // Rows of ours alone exist with and without the relay, so that recorded figures match them.
  const alone = parts.map(({ what, pick, goal }) =>
    measured({ ours: pick(ours) }, { ...titleOf(what), goal })
  );
  if (relay === undefined) return alone;
  const beside = parts.map(({ what, pick }) =>
    compared({ ours: pick(ours), other: pick(relay) }, {
      ...titleOf(what),
      against: "bare relay",
    })
  );
  return [...beside, ...alone];
}
