import { FormatError, messageOf, UsageError } from "../core/errors.ts";
import { checkOutput } from "../viewers/file.ts";
import type { Viewer } from "../viewers/viewer.ts";
import { type AnswerPart, CutError } from "./answer.ts";
import { chooseViewers } from "./choose_viewers.ts";
import { requestClassic } from "./classic_request.ts";
import { type ClientFlags, clientUsage, parseClientFlags, toRequest } from "./flags.ts";
import { connect, type Link } from "./link.ts";
import { renderList } from "./list_table.ts";
import { runMenu } from "./menu.ts";
import { requestList, requestMedia } from "./native_request.ts";
import { play, type PlayResult } from "./play.ts";
import { formatBytes, formatTime, Progress } from "./progress.ts";
import { Statistics } from "./statistics.ts";
import type { Surroundings } from "./surroundings.ts";
import type { ListEntry } from "../wire/answer.ts";
import type { MediaRequest } from "../wire/request.ts";

/** What every part of a run is given. */
export interface RunContext {
  flags: ClientFlags;
  surroundings: Surroundings;
  /** Ends everything in good order. */
  signal: AbortSignal;
}

/**
 * Does what the command line asks for.
 *
 * @returns whether it was done wholly; false where the signal ended it
 * @throws {UsageError} for a wrong command line
 * @throws {Error} where it cannot be done, with what to do about it
 */
export async function runClient(
  args: readonly string[],
  { surroundings, signal }: Omit<RunContext, "flags">,
): Promise<boolean> {
  const action = parseClientFlags(args);
  if (action.kind === "help") {
    surroundings.print(clientUsage());
    return true;
  }
  const context = { flags: action.flags, surroundings, signal };
  if (action.kind === "list") await list(context);
  else if (action.kind === "media") await getMedia(action.request, context);
  else await menu(context);
  return !signal.aborted;
}

async function menu(context: RunContext): Promise<void> {
  const { flags, surroundings, signal } = context;
  const get = (kind: "image" | "video") => getMedia(toRequest(flags, kind), context);
  await runMenu({
    surroundings,
    signal,
    choices: [
      { key: "1", title: "image", act: () => get("image") },
      { key: "2", title: "video", act: () => get("video") },
      ...(flags.classic ? [] : [{ key: "3", title: "list", act: () => list(context) }]),
    ],
  });
}

async function list({ flags, surroundings, signal }: RunContext): Promise<void> {
  using link = await connect(flags, signal);
  const entries = await listFrom(link, flags);
  const { print } = surroundings;
  print(
    flags.json ? `${JSON.stringify({ command: "list_media", entries })}\n` : renderList(entries),
  );
}

async function listFrom(link: Link, flags: ClientFlags): Promise<ListEntry[]> {
  try {
    return await requestList(link);
  } catch (error) {
    throw explained(error, flags);
  }
}

async function getMedia(request: MediaRequest, context: RunContext): Promise<void> {
  const { flags, surroundings } = context;
  const statistics = new Statistics(request.command);
  try {
    const viewers = await chooseViewers(flags, context);
    if (flags.output !== undefined && flags.output !== "-") await checkOutput(flags.output, flags);
    const result = await receive({ request, viewers, statistics }, context);
    report(result, statistics, context);
  } finally {
    statistics.end();
    if (flags.json) surroundings.print(`${JSON.stringify(statistics)}\n`);
  }
}

async function receive(
  { request, viewers, statistics }: {
    request: MediaRequest;
    viewers: Viewer[];
    statistics: Statistics;
  },
  { flags, surroundings, signal }: RunContext,
): Promise<PlayResult> {
  await using everything = new AsyncDisposableStack();
  for (const viewer of viewers) everything.use(viewer);
  using link = await connect(flags, signal);
  const progress = surroundings.stderrIsTerminal && flags.view !== "terminal"
    ? new Progress({
      write: surroundings.printError,
      columns: () => surroundings.terminalSize().columns,
    })
    : undefined;
  const still = request.command === "get_image";
  const answer = ask(link, request, flags);
  return await play(answer, { viewers, statistics, still, progress, signal });
}

function ask(
  link: Link,
  request: MediaRequest,
  { classic }: ClientFlags,
): AsyncIterable<AnswerPart> {
  if (!classic) return requestMedia(link, request);
  return requestClassic(link, request.command === "get_image" ? "get_image" : "get_video");
}

/** Tells how it went, on standard error. */
function report(
  { outcome, reason, notes }: PlayResult,
  statistics: Statistics,
  { flags, surroundings }: RunContext,
): void {
  const { frames, audioFrames, seconds, bytes, name } = statistics;
  if (outcome === "cut" && frames + audioFrames === 0) throw explained(reason, flags);
  if (outcome === "cut") {
    const after = `after ${count(frames, "frame")} (${formatTime(statistics.position)})`;
    const message = `Cannot finish "${name}" ${after}: ${messageOf(reason)}`;
    throw new Error([message, ...notes].join("; "), { cause: reason });
  }
  if (flags.json) {
    for (const note of notes) surroundings.printError(`${note}\n`);
    return;
  }
  const what = outcome === "stopped" ? "Stopped after" : "Received";
  const rate = `${formatTime(seconds)}, ${statistics.framesPerSecond.toFixed(1)} fps`;
  const amount = `${count(frames, "frame")} in ${rate}, ${formatBytes(bytes)}`;
  surroundings.printError(`${[`${what} ${amount}`, ...notes].join("; ")}\n`);
}

/** A failure before anything came may mean that something else serves there. */
function explained(reason: unknown, { host, port, classic }: ClientFlags): unknown {
  if (!(reason instanceof CutError) && !(reason instanceof FormatError)) return reason;
  const hint = classic
    ? "is that a script that pickles numpy arrays? For stream-server leave out --classic"
    : "is that stream-server? For a script that pickles numpy arrays use --classic";
  const message = `Cannot get anything from ${host}:${port}: ${messageOf(reason)}; ${hint}`;
  return new Error(message, { cause: reason });
}

function count(number: number, unit: string): string {
  return `${number} ${unit}${number === 1 ? "" : "s"}`;
}

/** The exit status that stands for an error: 2 for wrong usage, else 1. */
export function statusOf(error: unknown): number {
  return error instanceof UsageError ? 2 : 1;
}
