import type { Clip } from "./clips.ts";
import { compared, type Goal, measured, type Row } from "./measurement.ts";
import type { SplitTransfer } from "./transfer.ts";

/** Seconds of processor time for 1,000 frames of 1080p that our two programs may take. */
const AFFORDABLE = 0.7;

/** Transfers of all frames, and of a few, by the same programs, as many of both. */
interface Sample {
  raw: readonly SplitTransfer[];
  few: readonly SplitTransfer[];
}

/** What {@linkcode processorRows} looks at. */
interface ProcessorSamples {
  title: string;
  clip: Clip;
  ours: Sample;
  /** The bare relay's, where it was measured. */
  relay?: Sample;
  /** Frames of those with a few. */
  few: number;
  /** Whether the goal is for this size. */
  hasGoal: boolean;
}

/**
 * What of the processor time was FFmpeg's, what the two ends took themselves, and what is left of
 * that once all has started; then the same against the bare relay. Pure.
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
  // Rows of ours alone are there with or without a relay, so that they have something recorded.
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
