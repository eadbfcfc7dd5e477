import { formatAddress } from "../core/address.ts";
import { FormatError, messageOf, RequestError, UsageError } from "../core/errors.ts";
import { printable } from "../core/log.ts";
import { checkOutput } from "../viewers/file.ts";
import { checkSeries } from "../viewers/series.ts";
import { TerminalViewer } from "../viewers/terminal.ts";
import type { Viewer } from "../viewers/viewer.ts";
import { type AnswerPart, CutError } from "./answer.ts";
import { chooseViewers } from "./choose_viewers.ts";
import { requestClassic } from "./classic_request.ts";
import { type ClientFlags, clientUsage, parseClientFlags } from "./flags.ts";
import { connect, type Link } from "./link.ts";
import { renderList } from "./list_table.ts";
import { toRequest } from "./media_request.ts";
import { runMenu } from "./menu.ts";
import { requestList, requestMedia } from "./native_request.ts";
import { describeNotice } from "./notices.ts";
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
  /** Ends everything at once. */
  forced: AbortSignal;
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
  around: Omit<RunContext, "flags">,
): Promise<boolean> {
  const { surroundings, signal } = around;
  const action = parseClientFlags(args);
  if (action.kind === "help") {
    surroundings.print(clientUsage());
    return true;
  }
  const context = { ...around, flags: action.flags };
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

async function list(context: RunContext): Promise<void> {
  const { flags, surroundings, signal } = context;
  using link = await connect(flags, signal);
  const entries = await listFrom(link, context);
  const { print } = surroundings;
  print(
    flags.json ? `${JSON.stringify({ command: "list_media", entries })}\n` : renderList(entries),
  );
}

async function listFrom(link: Link, context: RunContext): Promise<ListEntry[]> {
  try {
    return await requestList(link);
  } catch (error) {
    throw explained(error, context);
  }
}

async function getMedia(request: MediaRequest, context: RunContext): Promise<void> {
  const { flags, surroundings } = context;
  const viewers = await chooseViewers(flags, context);
  await checkFiles(request, flags);
  const statistics = new Statistics(request.command);
  try {
    const result = await receive({ request, viewers, statistics }, context);
    report(result, statistics, context);
  } finally {
    statistics.end();
    if (flags.json) surroundings.print(`${JSON.stringify(statistics)}\n`);
  }
}

/** Finds out whether what is to be written may be, before anything is asked of the server. */
async function checkFiles(
  { command }: MediaRequest,
  { output, overwrite, every }: ClientFlags,
): Promise<void> {
  if (output === undefined || output === "-") return;
  if (every !== undefined) await checkSeries(output, { overwrite });
  else await checkOutput(output, { overwrite, still: command === "get_image" });
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
  const say = (line: string) => surroundings.printError(`${printable(line)}\n`);
  /** What is told while the screen is the picture's, to be read afterwards, too. */
  const told: string[] = [];
  everything.defer(() => told.forEach(say));
  for (const viewer of viewers) everything.use(viewer);
  using link = await connect(flags, signal);
  const terminal = viewers.find((viewer) => viewer instanceof TerminalViewer);
  const progress = surroundings.stderrIsTerminal && terminal === undefined
    ? new Progress({
      write: surroundings.printError,
      columns: () => surroundings.terminalSize().columns,
    })
    : undefined;
  const { command, encoding = "raw", loop, speed } = request;
  const recording = flags.output !== undefined && flags.view === undefined;
  const tell = (line: string | undefined) => {
    if (line === undefined) return;
    if (terminal === undefined) return say(line);
    terminal.tell(printable(line));
    told.push(line);
  };
  return await play(ask(link, request, flags), {
    ...{ viewers, statistics, progress, signal, encoding, loop, speed },
    still: command === "get_image",
    part: request,
    onNote: tell,
    onNotice: (notice) => tell(describeNotice(notice, { encoding, recording })),
  });
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
  { outcome, reason, notes, failures }: PlayResult,
  statistics: Statistics,
  context: RunContext,
): void {
  const { flags, surroundings } = context;
  const said = [...failures.map(messageOf), ...notes];
  const nothing = statistics.frames + statistics.audioFrames === 0;
  if (outcome === "cut" && nothing) throw explained(reason, context);
  if (outcome === "cut") {
    const { name, hasPicture, position } = statistics;
    const moment = hasPicture ? ` (${formatTime(position)})` : "";
    const message = `Cannot finish "${name}" after ${amount(statistics)}${moment}: ` +
      messageOf(reason);
    throw new Error([message, ...said].join("; "), { cause: reason });
  }
  if (outcome !== "stopped" && failures.length > 0) {
    throw new Error(said.join("; "), { cause: failures[0] });
  }
  if (outcome === "whole" && nothing) {
    const message = `Cannot get "${statistics.name}": the server has nothing of it to send`;
    throw new Error([message, ...said].join("; "));
  }
  const { framesPerSecond, hasPicture, seconds, bytes, dropped } = statistics;
  const rate = (hasPicture ? `, ${framesPerSecond.toFixed(1)} fps` : "") +
    (dropped > 0 ? `, ${dropped} dropped` : "");
  const summary = `${outcome === "stopped" ? "Stopped after" : "Received"} ${amount(statistics)} ` +
    `in ${formatTime(seconds)}${rate}, ${formatBytes(bytes)}`;
  const lines = flags.json ? said : [[summary, ...said].join("; ")];
  for (const line of lines) surroundings.printError(`${printable(line)}\n`);
}

/** How much has arrived: pictures, or the time of sound. */
function amount({ frames, audioFrames, position, hasPicture }: Statistics): string {
  const onlySound = !hasPicture && audioFrames > 0;
  return onlySound ? `${formatTime(position)} of sound` : count(frames, "frame");
}

/** A failure before anything came may mean that something else serves there. */
function explained(reason: unknown, { flags, signal }: RunContext): unknown {
  if (signal.aborted) return signal.reason;
  if (reason instanceof RequestError) return reason;
  const { host, port, classic } = flags;
  const hint = classic
    ? "is that a script that pickles numpy arrays? For stream-server leave out --classic"
    : "is that stream-server? For a script that pickles numpy arrays use --classic";
  const foreign = reason instanceof CutError || reason instanceof FormatError;
  const message = `Cannot get anything from ${formatAddress({ hostname: host, port })}: ${
    messageOf(reason)
  }`;
  return new Error(foreign ? `${message}; ${hint}` : message, { cause: reason });
}

function count(number: number, unit: string): string {
  return `${number} ${unit}${number === 1 ? "" : "s"}`;
}

/** The exit status that stands for an error: 2 for wrong usage, else 1. */
export function statusOf(error: unknown): number {
  return error instanceof UsageError ? 2 : 1;
}
