import { messageOf, UsageError } from "../base/errors.ts";
import { printable, printableJson } from "../base/log.ts";
import { InstalledFfmpeg } from "../ffmpeg/version.ts";
import type { MediaRequest } from "../protocol/native/request.ts";
import type { ListEntry } from "../protocol/native/response.ts";
import { checkDestination } from "../sinks/output/create.ts";
import { actionOf, type Sink } from "../sinks/sink.ts";
import { browse } from "../web/serve.ts";
import { connect } from "./connection/connection.ts";
import { openCredentials } from "./connection/credentials.ts";
import { explained } from "./connection/errors.ts";
import { Retries } from "./connection/retry.ts";
import { type ClientFlags, parseClientFlags } from "./flags.ts";
import { toRequest } from "./options.ts";
import { PlayerControls } from "./playback/controls.ts";
import { play, type PlayResult } from "./playback/play.ts";
import { choiceOf, chooseSinks } from "./playback/sinks.ts";
import { Statistics } from "./playback/statistics.ts";
import { requestList } from "./request/native.ts";
import { ask, limitsOf } from "./request/request.ts";
import type { Environment } from "./terminal/environment.ts";
import { runMenu } from "./terminal/menu.ts";
import { formatBytes, formatCount, formatTime } from "./terminal/progress.ts";
import { describeNotice, Messages, renderList } from "./terminal/status.ts";

/** What every part of a run is given. */
export interface RunContext {
  flags: ClientFlags;
  environment: Environment;
  /** The FFmpeg of this machine. */
  ffmpeg: InstalledFfmpeg;
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
  around: Omit<RunContext, "flags" | "ffmpeg">,
): Promise<boolean> {
  const { environment, signal } = around;
  const action = parseClientFlags(args);
  if (action.kind === "print") {
    environment.print(action.text);
    return true;
  }
  const credentials = await openCredentials({
    flags: action.flags,
    token: environment.token,
    tell: (line) => environment.printError(`${printable(line)}\n`),
  });
  await using ffmpeg = new InstalledFfmpeg();
  const context = { ...around, ffmpeg, flags: { ...action.flags, credentials } };
  if (action.kind === "list") await list(context);
  else if (action.kind === "browse") await openPage(context);
  else if (action.kind === "media") await getMedia(action.request, context);
  else await menu(context);
  return !signal.aborted;
}

async function menu(context: RunContext): Promise<void> {
  const { flags, environment, signal } = context;
  const get = (kind: "image" | "video") => getMedia(toRequest(flags, kind), context);
  await runMenu({
    environment,
    signal,
    choices: [
      { key: "1", title: "image", act: () => get("image") },
      { key: "2", title: "video", act: () => get("video") },
      ...(flags.classic ? [] : [{ key: "3", title: "list", act: () => list(context) }]),
    ],
  });
}

/** Serves a page with everything that the server has, until the signal fires. */
async function openPage(context: RunContext): Promise<void> {
  await using page = await browse(context);
  await page.closed;
}

async function list(context: RunContext): Promise<void> {
  const { flags, environment } = context;
  const { clock, print, printError } = environment;
  const tell = (line: string) => printError(`${printable(line)}\n`);
  const retries = new Retries({ limits: limitsOf(flags), tell, clock });
  const entries = await getList(context, retries);
  print(
    flags.json ? `${printableJson({ command: "list_media", entries })}\n` : renderList(entries),
  );
}

async function getList(context: RunContext, retries: Retries): Promise<ListEntry[]> {
  const { flags, signal } = context;
  try {
    return await retries.persist(async () => {
      using link = await connect(flags, signal);
      return await requestList(link);
    }, signal);
  } catch (error) {
    throw explained(error, context);
  }
}

async function getMedia(request: MediaRequest, context: RunContext): Promise<void> {
  const { flags } = context;
  const wantsPage = flags.view === "browser" || flags.http !== undefined;
  if (!wantsPage) return await getForSinks(request, context);
  // The page asks for itself; what is recorded meanwhile is an answer of its own.
  await using page = await browse(context, request);
  if (flags.output !== undefined) await getForSinks(request, context);
  await page.closed;
}

async function getForSinks(request: MediaRequest, context: RunContext): Promise<void> {
  const { flags, environment, ffmpeg, signal } = context;
  const { command, loop } = request;
  const choice = choiceOf(flags, { still: command === "get_image" });
  const screen = new Messages(context);
  using controls = new PlayerControls({
    recording: flags.output !== undefined,
    part: request,
    loop,
    tell: (line) => screen.tell(line),
    onPause: (paused) => {
      screen.pause(paused);
      sinks.forEach((sink) => sink.pause?.(paused));
    },
  });
  const { sinks, programs } = await chooseSinks(choice, {
    ...context,
    signal: AbortSignal.any([signal, controls.signal]),
    onAction: (action) => controls.act(action),
    // Where nobody else looks, nothing needs to come for it to end.
    onClosed: () => sinks.length > 1 ? controls.wake() : controls.quit(),
    tell: (line) => screen.tell(line),
    onSize: (bytes) => statistics.written = bytes,
  });
  screen.attach(sinks);
  // Their versions are found out while the server is asked, so that no frame waits for them.
  const checked = Promise.all(programs.map((program) => ffmpeg.version(program)));
  checked.catch(() => {});
  if (choice.destination !== undefined) await checkDestination(choice.destination);
  const statistics = new Statistics(command);
  statistics.recording = flags.output !== undefined;
  try {
    using _keys = await listen(sinks, controls, context);
    const parts = { request, sinks, checked, statistics, controls, screen };
    const result = await receive(parts, context);
    screen.end();
    report(result, statistics, context);
  } finally {
    screen.end();
    statistics.end();
    if (flags.json) environment.print(`${printableJson(statistics)}\n`);
  }
}

/** Has the keys that are pressed in the terminal control what is looked at. */
async function listen(
  sinks: readonly Sink[],
  controls: PlayerControls,
  { flags, environment }: RunContext,
): Promise<Disposable | undefined> {
  const looks = sinks.some((sink) => sink.jump !== undefined);
  if (!looks || flags.output === "-") return undefined;
  return (await environment.keyboard())?.listen((key) => {
    const action = actionOf(key);
    if (action !== undefined) controls.act(action);
  });
}

async function receive(
  { request, sinks, checked, statistics, controls, screen }: {
    request: MediaRequest;
    sinks: Sink[];
    /** Rejected if a program that the viewers need is missing or too old. */
    checked: Promise<unknown>;
    statistics: Statistics;
    controls: PlayerControls;
    screen: Messages;
  },
  { flags, environment, signal }: RunContext,
): Promise<PlayResult> {
  await using everything = new AsyncDisposableStack();
  for (const sink of sinks) everything.use(sink);
  const { command, encoding = "raw", loop, speed } = request;
  const tell = (line: string) => screen.tell(line);
  using response = await ask(request, {
    flags,
    signal,
    tell,
    quit: controls.signal,
    seekable: flags.output === undefined,
    clock: environment.clock,
    onReconnect: () => statistics.reconnects++,
  });
  const recording = flags.output !== undefined && flags.view === undefined;
  await checked;
  return await play(response, {
    ...{ sinks, statistics, controls, signal, encoding, loop, speed },
    progress: screen.progress,
    still: command === "get_image",
    part: request,
    onNote: tell,
    onNotice: (notice) => screen.tell(describeNotice(notice, { encoding, recording })),
  });
}

/** Tells how it went, on standard error. */
function report(
  { outcome, reason, notes, failures }: PlayResult,
  statistics: Statistics,
  context: RunContext,
): void {
  const { flags, environment } = context;
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
  const { framesPerSecond, hasPicture, seconds, bytes, dropped, reconnects } = statistics;
  const rate = (hasPicture ? `, ${framesPerSecond.toFixed(1)} fps` : "") +
    (dropped > 0 ? `, ${dropped} dropped` : "") +
    (reconnects > 0 ? `, ${formatCount(reconnects, "reconnect")}` : "");
  const summary = `${outcome === "stopped" ? "Stopped after" : "Received"} ${amount(statistics)} ` +
    `in ${formatTime(seconds)}${rate}, ${formatBytes(bytes)}`;
  const lines = flags.json ? said : [[summary, ...said].join("; ")];
  for (const line of lines) environment.printError(`${printable(line)}\n`);
}

/** How much has arrived: pictures, or the time of sound. */
function amount({ frames, audioFrames, position, hasPicture }: Statistics): string {
  const onlySound = !hasPicture && audioFrames > 0;
  return onlySound ? `${formatTime(position)} of sound` : formatCount(frames, "frame");
}

/** The exit status that stands for an error: 2 for wrong usage, else 1. */
export function statusOf(error: unknown): number {
  return error instanceof UsageError ? 2 : 1;
}
