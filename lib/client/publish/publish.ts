/** Publishes an input of the command line, and says what happens. */
import { UsageError } from "../../base/errors.ts";
import { printable, printableJson } from "../../base/log.ts";
import { MAX_FRAME_SIZE } from "../../media/frame.ts";
import { openLiveFeed } from "../../sources/live/feed.ts";
import { refuseUnknownFormats } from "../../sources/live/source_spec.ts";
import { type ClientContext, explained } from "../context.ts";
import { formatBytes, formatCount, formatTime, type ProgressState } from "../terminal/progress.ts";
import { Messages } from "../terminal/status.ts";
import type { PublishInput } from "./input.ts";
import { LiveInput } from "./live_input.ts";
import { PacedInput } from "./paced_input.ts";
import type { PublishPlan } from "./plan.ts";
import { PublishLoop } from "./publish_loop.ts";

/** Seconds by which frames of the standard input may be early. */
const STDIN_LEAD = 0.5;

/** Milliseconds without data after which a file is given up. */
const FILE_TIMEOUT = 30_000;

/** The same for the standard input, whose program may be silent for as long as it likes. */
const STDIN_TIMEOUT = 2 ** 30;

/**
 * Publishes until the input is over, or the context's signal aborts.
 *
 * @throws {UsageError} if FFmpeg does not know the input's format
 * @throws {Error} if the server refuses, or the input fails for good
 */
export async function publish(plan: PublishPlan, context: ClientContext): Promise<void> {
  const { flags, environment, signal, forced } = context;
  const { name, replace, onDemand } = plan;
  const messages = new Messages(environment);
  messages.attach([]);
  const notify = (line: string) => messages.notify(line);
  const target = explained(context, (line) => messages.explain(line));
  // A camera that starts before its server waits for it.
  const limit = flags.retries ?? Infinity;
  const loop = new PublishLoop({
    ...{ name, replace, onDemand, target, signal, forced, notify },
    limits: { first: limit, later: limit },
    clock: environment.clock,
    onPause: (paused) => messages.pause(paused),
    onSent: () => messages.progress?.update(progressOf(loop)),
  });
  try {
    await using input = await openInput(plan, context, notify);
    await loop.run(input);
  } finally {
    messages.progress?.clear();
    if (flags.json) environment.print(`${printableJson(totalsOf(loop))}\n`);
  }
  if (!flags.json && loop.isAccepted) environment.printError(`${printable(summaryOf(loop))}\n`);
}

/** The totals of all connections, in words. */
function summaryOf({ statistics }: PublishLoop): string {
  const { frames, audioFrames, position, hasPicture } = statistics;
  const { framesPerSecond, seconds, bytes, dropped, reconnects } = statistics;
  const isSound = !hasPicture && audioFrames > 0;
  return `Published ${
    isSound ? `${formatTime(position)} of sound` : formatCount(frames, "frame")
  }` +
    ` in ${formatTime(seconds)}` +
    (hasPicture ? `, ${framesPerSecond.toFixed(1)} fps` : "") +
    (dropped > 0 ? `, ${dropped} dropped` : "") +
    (reconnects > 0 ? `, ${formatCount(reconnects, "reconnect")}` : "") +
    `, ${formatBytes(bytes)}`;
}

/** The fields of `--json`, described in docs/guide/publish.md. */
function totalsOf({ statistics, viewers }: PublishLoop): Record<string, unknown> {
  const { firstFrameMs: _first, messages: _messages, latencyMs, ...shared } = statistics.toJSON();
  return { ...shared, viewers, latencyMs };
}

/** The values of the progress line. */
function progressOf({ statistics, viewers }: PublishLoop): ProgressState {
  const { frames, audioFrames, bytes, seconds, position, framesPerSecond } = statistics;
  const { hasPicture, dropped, latency } = statistics;
  return {
    ...{ frames, audioFrames, bytes, seconds, position, framesPerSecond },
    ...{ hasPicture, dropped, latency, viewers },
  };
}

/** Opens the input of a plan. */
async function openInput(
  { source, opened, rendition, isSilent, onDemand }: PublishPlan,
  { ffmpeg, environment }: ClientContext,
  notify: (line: string) => void,
): Promise<PublishInput> {
  if (opened?.isStdin && environment.stdinIsTerminal) {
    throw new UsageError(
      "Cannot read the terminal with --input -: expected the output of a program, as in " +
        "program | stream-client --publish …",
    );
  }
  const dialect = await ffmpeg.dialect();
  await refuseUnknownFormats([source], ({ format }) => `--input "${format}:…"`);
  const limits = { maxFrameSize: MAX_FRAME_SIZE, dialect, isSilent, isOwn: true };
  const { clock } = environment;
  if (opened === undefined) {
    const open = (signal: AbortSignal) => openLiveFeed(source, rendition, { ...limits, signal });
    return new LiveInput({ source, open, notify, clock, onDemand });
  }
  const readTimeout = opened.isStdin ? STDIN_TIMEOUT : FILE_TIMEOUT;
  return new PacedInput({
    open: (signal) => openLiveFeed(source, rendition, { ...limits, opened, readTimeout, signal }),
    isAwaited: opened.isStdin,
    lead: opened.isStdin ? STDIN_LEAD : 0,
    clock,
  });
}
