import { messageOf } from "../../base/errors.ts";
import { type Description, type Encoding, type Frame, toSeconds } from "../../media/frame.ts";
import type { Notice } from "../../protocol/native/response.ts";
import type { Presentation, Sink } from "../../sinks/sink.ts";
import type { MediaResponse } from "../request/response.ts";
import type { Progress } from "../terminal/progress.ts";
import type { PlayerControls } from "./controls.ts";
import type { Statistics } from "./statistics.ts";

/** What an answer is played to. */
export interface PlayOptions {
  /** Each gets every frame; where one is closed or fails, the others go on. */
  sinks: readonly Sink[];
  statistics: Statistics;
  /** One picture was asked for. */
  still: boolean;
  /** What was asked for; `raw` where absent. */
  encoding?: Encoding;
  /** It was asked to begin again at its end, for ever. */
  loop?: boolean;
  /** Seconds from the beginning, and of what follows, that were asked for. */
  part?: { start?: number; duration?: number };
  /** Playing speed that was asked for, 1 where absent; 0 for as fast as possible. */
  speed?: number;
  progress?: Progress;
  /** Where the user goes about in it. */
  controls?: PlayerControls;
  /** Told what is other than was asked for, as it turns out: one sentence at a time. */
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
  response: MediaResponse,
  options: PlayOptions,
): Promise<PlayResult> {
  const { statistics, progress, controls, signal } = options;
  const audience = new Audience(options.sinks, options.onNote);
  const { notes, failures } = audience;
  const result: PlayResult = { outcome: "whole", notes, failures };
  /** What is coming, until viewers are told. */
  let announced: Description | undefined;
  /** What came before viewers could be told. */
  const held: Frame[] = [];
  const begin = async () => {
    if (announced === undefined) return;
    const presentation = present(announced, options, held);
    announced = undefined;
    await audience.begin(presentation);
    for (const frame of held.splice(0)) await audience.show(frame);
  };
  let endless = options.loop ?? false;
  let duration: number | undefined;
  try {
    for await (const part of response) {
      if (part.kind === "describe") {
        announced = part.description;
        controls?.attach(response, announced);
        endless ||= announced.live;
        duration = endless ? undefined : lengthOf(announced, options.part);
        statistics.describe(announced.name, announced.streams);
        for (const note of announced.notes ?? []) options.onNote?.(note);
        // Where encoded ones begin, only their first frame tells.
        if (options.encoding === undefined || options.encoding === "raw") await begin();
      } else if (audience.empty) {
        // Nobody looks any more. What is still under way is let go by, up to the end.
        if (part.kind === "end") break;
      } else if (part.kind === "frame") {
        statistics.count(part.frame, part.latency);
        if (announced === undefined) {
          await audience.show(part.frame);
        } else {
          // The next frame comes where this one lies.
          held.push({ ...part.frame, data: part.frame.data.slice() });
          const waits = leadsPicture(part.frame, announced) && held.length < MAX_HELD;
          if (!waits) await begin();
        }
        controls?.moved(statistics.position);
        progress?.update(statistics, duration);
      } else if (part.kind === "control" && controls !== undefined) {
        await begin();
        const to = controls.arrived(part.control);
        statistics.jump(to);
        await audience.jump(to);
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
        if (controls === undefined) break;
        controls.quit();
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
  if (audience.empty || controls?.quitting) result.outcome = "closed";
  // What has no end of its own is whole whenever the user ends it.
  const ended = result.outcome === "stopped" || result.outcome === "closed";
  await audience.finish(result.outcome === "whole" || (endless && ended));
  if (signal.aborted) result.outcome = "stopped";
  return result;
}

/** Seconds that a part of what is described lasts; `undefined` where nobody knows. */
function lengthOf(
  { duration: whole = Infinity }: Pick<Description, "duration">,
  { start = 0, duration = Infinity }: { start?: number; duration?: number } = {},
): number | undefined {
  const length = Math.min(Math.max(0, whole - start), duration);
  return length === Infinity ? undefined : length;
}

/** Seconds of sound at the beginning that may come before the first picture; a bit more. */
const SOUND_AHEAD = 0.5;

/** Frames of sound that are kept for as long as no picture has come. */
const MAX_HELD = 500;

/** Whether a frame is sound that the first picture may still follow, from long before it. */
function leadsPicture(frame: Frame, { streams, live }: Description): boolean {
  const stream = streams.find(({ id }) => id === frame.streamId);
  return !live && stream?.type === "audio" && streams.some(({ type }) => type === "video") &&
    toSeconds(frame.timestamp, stream.timeBase) < SOUND_AHEAD;
}

/** What viewers are told, once the first frames show how far before the beginning they begin. */
function present(
  description: Description,
  { still, encoding = "raw", speed = 1, loop = false }: PlayOptions,
  first: readonly Frame[],
): Presentation {
  const moments = first.flatMap(({ streamId, timestamp }) =>
    description.streams.filter(({ id }) => id === streamId)
      .map(({ type, timeBase }) => ({ type, seconds: toSeconds(timestamp, timeBase) }))
  );
  const begin = moments.length === 0 ? 0 : Math.min(...moments.map(({ seconds }) => seconds));
  const firstPicture = moments.find(({ type }) => type === "video")?.seconds ?? 0;
  // Who joins a live source begins with what comes, wherever on its time line that lies.
  const asItComes = encoding === "raw" || (description.live && begin >= 0);
  // Later ones may lie before the first: packets come in the order of decoding, sound for itself.
  const lead = asItComes ? 0 : Math.max(1, Math.ceil(-begin) + 1);
  const endless = description.live || loop;
  return { ...description, still, endless, encoding, speed, lead, firstPicture };
}

/** The viewers that are still there. */
class Audience {
  readonly notes: string[] = [];
  readonly failures: unknown[] = [];
  /** Why the last viewer left, where it did not just close. */
  failure: unknown;
  #sinks: Set<Sink>;
  #tell: (line: string) => void;
  /** What fails now is told at the end, which this is. */
  #finishing = false;

  /** @param tell told at once of a viewer that fails while others go on, perhaps for hours */
  constructor(sinks: readonly Sink[], tell: (line: string) => void = () => {}) {
    this.#sinks = new Set(sinks);
    this.#tell = tell;
  }

  get empty(): boolean {
    return this.#sinks.size === 0;
  }

  async begin(presentation: Presentation): Promise<void> {
    await this.#each(async (sink) => {
      await sink.begin(presentation);
      return true;
    });
  }

  async show(frame: Frame): Promise<void> {
    await this.#each((sink) => sink.show(frame));
  }

  async jump(to: number): Promise<void> {
    await this.#each(async (sink) => {
      await sink.jump?.(to);
      return true;
    });
  }

  async finish(whole: boolean): Promise<void> {
    this.#finishing = true;
    await this.#each(async (sink) => {
      const note = await sink.finish(whole);
      if (note !== undefined) this.notes.push(note);
      return true;
    });
  }

  /** Lets each viewer act; those that close or fail leave. The last one's failure is thrown. */
  async #each(action: (sink: Sink) => Promise<boolean>): Promise<void> {
    for (const sink of this.#sinks) {
      try {
        if (!await action(sink)) this.#sinks.delete(sink);
      } catch (error) {
        this.#sinks.delete(sink);
        if (this.empty) {
          this.failure = error;
          throw error;
        }
        this.failures.push(error);
        if (!this.#finishing) this.#tell(`${messageOf(error)}; the rest goes on`);
      }
    }
  }
}
