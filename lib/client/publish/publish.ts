/** Publishes an input of the command line, and says what happens. */
import { abortable } from "../../base/async.ts";
import { UsageError } from "../../base/errors.ts";
import { printable, printableJson } from "../../base/log.ts";
import type { Hardware } from "../../ffmpeg/encoders.ts";
import { HardwareFallback } from "../../ffmpeg/hardware.ts";
import { HardwareSearch } from "../../ffmpeg/hardware_search.ts";
import { MAX_FRAME_SIZE } from "../../media/frame.ts";
import { openLiveFeed } from "../../sources/live/feed.ts";
import { type LiveSource, refuseUnknownFormats } from "../../sources/live/source_spec.ts";
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
    await using search = new HardwareSearch(plan.hardware);
    const hardware = chosenHardware(search, notify);
    // It fails if it is interrupted before anything is opened with it.
    hardware.catch(() => {});
    await using input = await openInput(plan, context, { hardware, notify });
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

/** The hardware of a search, once the user has been told of it. */
async function chosenHardware(
  { found }: HardwareSearch,
  notify: (line: string) => void,
): Promise<HardwareFallback> {
  const { hardware, notes } = await found;
  for (const { message } of notes) notify(message);
  return new HardwareFallback(hardware, notify);
}

/** Opens the input of a plan. */
async function openInput(
  { source, opened, rendition, isSilent, onDemand }: PublishPlan,
  { ffmpeg, environment }: ClientContext,
  { hardware, notify }: { hardware: Promise<HardwareFallback>; notify: (line: string) => void },
): Promise<PublishInput> {
  if (opened?.isStdin && environment.stdinIsTerminal) {
    throw new UsageError(
      "Cannot read the terminal with --input -: expected the output of a program, as in " +
        "program | stream-client --publish …",
    );
  }
  const dialect = await ffmpeg.dialect();
  const flagOf = ({ format }: LiveSource) => `--input "${format}:…"`;
  await refuseUnknownFormats([source], { ffmpeg, flagOf });
  const limits = { maxFrameSize: MAX_FRAME_SIZE, dialect, isSilent, isOwn: true };
  const { clock } = environment;
  const readTimeout = opened === undefined
    ? undefined
    : opened.isStdin
    ? STDIN_TIMEOUT
    : FILE_TIMEOUT;
  const open = async (signal: AbortSignal) => {
    const chosen = await abortable(hardware, signal);
    const openWith = (used: Hardware) =>
      openLiveFeed(source, rendition, { ...limits, opened, readTimeout, hardware: used, signal });
    // FFmpeg has taken a part of the standard input, which is gone.
    return opened?.isStdin
      ? await openWith(chosen.hardware)
      : await chosen.open(source.name, openWith);
  };
  if (opened === undefined) return new LiveInput({ source, open, notify, clock, onDemand });
  return new PacedInput({
    open,
    isAwaited: opened.isStdin,
    lead: opened.isStdin ? STDIN_LEAD : 0,
    clock,
  });
}
