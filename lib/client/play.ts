import { type Description, type Encoding, type Frame, toSeconds } from "../core/frame.ts";
import type { Notice } from "../wire/answer.ts";
import type { Presentation, Viewer } from "../viewers/viewer.ts";
import type { AnswerPart } from "./answer.ts";
import type { Progress } from "./progress.ts";
import type { Statistics } from "./statistics.ts";

/** What an answer is played to. */
export interface PlayOptions {
  /** Each gets every frame; where one is closed or fails, the others go on. */
  viewers: readonly Viewer[];
  statistics: Statistics;
  /** One picture was asked for. */
  still: boolean;
  /** What was asked for; `raw` where absent. */
  encoding?: Encoding;
  /** Playing speed that was asked for, 1 where absent; 0 for as fast as possible. */
  speed?: number;
  progress?: Progress;
  /** Told what is other than was asked for, one sentence at a time. */
  onNote?: (note: string) => void;
  /** Told what the server has to say meanwhile. */
  onNotice?: (notice: Notice) => void;
  /** Ends it early, in good order; the answer has to end by it too. */
  signal: AbortSignal;
}

/** How it went. */
export interface PlayResult {
  /** All arrived; the viewers were closed by the user; the signal fired; the answer broke off. */
  outcome: "whole" | "closed" | "stopped" | "cut";
  /** Why it broke off. */
  reason?: unknown;
  /** What the user should know: where a file is, what the server says of damaged media. */
  notes: string[];
  /** What viewers failed with while others went on. */
  failures: unknown[];
}

/**
 * Plays an answer to viewers until it ends, they are closed, or the signal fires, and ends the
 * viewers in good order.
 *
 * @throws whatever the last viewer failed with
 */
export async function play(
  answer: AsyncIterable<AnswerPart>,
  options: PlayOptions,
): Promise<PlayResult> {
  const { statistics, progress, signal } = options;
  const audience = new Audience(options.viewers);
  const { notes, failures } = audience;
  const result: PlayResult = { outcome: "whole", notes, failures };
  /** What is coming, until viewers are told. */
  let announced: Description | undefined;
  const begin = async (first?: Frame) => {
    if (announced === undefined) return;
    const presentation = present(announced, options, first);
    announced = undefined;
    await audience.begin(presentation);
  };
  let live = false;
  let duration: number | undefined;
  try {
    for await (const part of answer) {
      if (part.kind === "describe") {
        announced = part.description;
        live = announced.live;
        duration = live ? undefined : announced.duration;
        statistics.describe(announced.name, announced.streams);
        for (const note of announced.notes ?? []) options.onNote?.(note);
        // Where encoded ones begin, only their first frame tells.
        if (options.encoding === undefined || options.encoding === "raw") await begin();
      } else if (part.kind === "frame") {
        statistics.count(part.frame, part.latency);
        await begin(part.frame);
        await audience.show(part.frame);
        progress?.update(statistics, duration);
      } else if (part.kind === "notice") {
        const { dropped } = part.notice;
        if (dropped !== undefined) statistics.dropped = dropped;
        progress?.clear();
        options.onNotice?.(part.notice);
      } else if (part.kind === "end") {
        await begin();
        statistics.dropped = part.end.dropped;
        const { warning } = part.end;
        if (warning !== undefined) notes.push(`the media is damaged: ${warning}`);
      }
      if (audience.empty) {
        result.outcome = "closed";
        break;
      }
    }
  } catch (error) {
    if (audience.failure !== undefined) throw audience.failure;
    result.outcome = signal.aborted ? "stopped" : "cut";
    result.reason = error;
  } finally {
    statistics.end();
    progress?.clear();
  }
  // What has no end of its own is whole whenever the user ends it.
  await audience.finish(result.outcome === "whole" || (live && result.outcome === "stopped"));
  if (signal.aborted) result.outcome = "stopped";
  return result;
}

/** What viewers are told, once the first frame shows how far before the beginning frames begin. */
function present(
  description: Description,
  { still, encoding = "raw", speed = 1 }: PlayOptions,
  first?: Frame,
): Presentation {
  const stream = description.streams.find(({ id }) => id === first?.streamId);
  const begin = stream === undefined || first === undefined
    ? 0
    : toSeconds(first.timestamp, stream.timeBase);
  // Who joins a live source begins with what comes, wherever on its time line that lies.
  const asItComes = encoding === "raw" || (description.live && begin >= 0);
  // Later ones may lie before the first: packets come in the order of decoding, sound for itself.
  const lead = asItComes ? 0 : Math.max(1, Math.ceil(-begin) + 1);
  return { ...description, still, encoding, speed, lead };
}

/** The viewers that are still there. */
class Audience {
  readonly notes: string[] = [];
  readonly failures: unknown[] = [];
  /** Why the last viewer left, where it did not just close. */
  failure: unknown;
  #viewers: Set<Viewer>;

  constructor(viewers: readonly Viewer[]) {
    this.#viewers = new Set(viewers);
  }

  get empty(): boolean {
    return this.#viewers.size === 0;
  }

  async begin(presentation: Presentation): Promise<void> {
    await this.#each(async (viewer) => {
      await viewer.begin(presentation);
      return true;
    });
  }

  async show(frame: Frame): Promise<void> {
    await this.#each((viewer) => viewer.show(frame));
  }

  async finish(whole: boolean): Promise<void> {
    await this.#each(async (viewer) => {
      const note = await viewer.finish(whole);
      if (note !== undefined) this.notes.push(note);
      return true;
    });
  }

  /** Lets each viewer act; those that close or fail leave. The last one's failure is thrown. */
  async #each(action: (viewer: Viewer) => Promise<boolean>): Promise<void> {
    for (const viewer of this.#viewers) {
      try {
        if (!await action(viewer)) this.#viewers.delete(viewer);
      } catch (error) {
        this.#viewers.delete(viewer);
        if (this.empty) {
          this.failure = error;
          throw error;
        }
        this.failures.push(error);
      }
    }
  }
}
