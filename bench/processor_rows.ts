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
 * that once all has started. Pure.
 */
export function processorRows(
  { title, clip, ours, relay, few, hasGoal }: ProcessorSamples,
): Row[] {
  const perThousand = 1000 / clip.frames;
  const row = (what: string, pick: (sample: Sample) => number[]) => {
    const titled = { what: `${title}, CPU for 1,000, ${what}`, unit: "s" };
    if (relay === undefined) return measured({ ours: pick(ours) }, titled);
    return compared({ ours: pick(ours), other: pick(relay) }, { ...titled, against: "bare relay" });
  };
  const own = ({ processor, ffmpeg }: SplitTransfer) => processor - ffmpeg;
  const goal: Goal | undefined = hasGoal
    ? { of: "ours", relation: "at most", value: AFFORDABLE }
    : undefined;
  return [
    row("FFmpeg's own", ({ raw }) => raw.map(({ ffmpeg }) => ffmpeg * perThousand)),
    row("without FFmpeg", ({ raw }) => raw.map((run) => own(run) * perThousand)),
    {
      ...row(
        "once started",
        (sample) =>
          sample.raw.map((run, round) =>
            (own(run) - own(sample.few[round])) * 1000 / (clip.frames - few)
          ),
      ),
      goal,
    },
  ];
}
