/** The client from command line to exit status. */
import { messageOf, UsageError } from "../base/errors.ts";
import { printable, printableJson } from "../base/log.ts";
import { versionText } from "../ffmpeg/version.ts";
import type { MediaRequest } from "../protocol/native/request.ts";
import { actionOf, type Sink } from "../sinks/sink.ts";
import { explain } from "./connection/explain.ts";
import { NO_RETRIES } from "./connection/retry.ts";
import { type ClientContext, explained, openContext, type RunOptions } from "./context.ts";
import { printList } from "./list.ts";
import { isPageWanted, parseClientFlags, toMediaAction, toRequest } from "./options.ts";
import { PlayerControls } from "./playback/controls.ts";
import { play, type PlayResult } from "../playback/play.ts";
import { chooseSinks } from "./playback/sinks.ts";
import { Statistics } from "../playback/statistics.ts";
import { publish } from "./publish/publish.ts";
import { askEntry, askList } from "./request/list.ts";
import { ask } from "./request/request.ts";
import { openScript } from "./request/script.ts";
import { probe } from "./script/probe.ts";
import { SharedScript } from "./script/shared_script.ts";
import { type MenuChoice, type MenuNames, runMenu } from "./terminal/menu.ts";
import { formatBytes, formatCount, formatPosition, formatTime } from "./terminal/progress.ts";
import { describeNotice, Messages } from "./terminal/status.ts";
import { openPage } from "./web_service.ts";

/** Milliseconds that the menu waits for the names of what it would show. */
const MENU_TIMEOUT = 2000;

/**
 * Runs the command line.
 *
 * @returns true if it completed, false if the signal ended it
 * @throws {UsageError} if the command line is wrong
 * @throws {Error} if it fails, with advice
 */
export async function runClient(args: readonly string[], options: RunOptions): Promise<boolean> {
  const { environment, signal } = options;
  const action = parseClientFlags(args);
  if (action.kind === "print" || action.kind === "version") {
    const isText = action.kind === "print";
    environment.print(isText ? action.text : await versionText(action.program));
    return true;
  }
  const context = await openContext(action.flags, options);
  await using _ffmpeg = options.ffmpeg === undefined ? context.ffmpeg : undefined;
  await using _listener = context.listener;
  if (action.kind === "list") await printList(context);
  else if (action.kind === "publish") await publish(action.plan, context);
  else if (action.kind === "probe") await probe(context);
  else if (action.kind === "browse") await servePage(context);
  else if (action.kind === "media") await getMedia(action.request, context);
  else if (action.kind === "named") await getNamed(action.name, context);
  else await openMenu(context);
  return !signal.aborted;
}

async function openMenu(context: ClientContext): Promise<void> {
  const { flags, environment, signal } = context;
  const get = (kind: "image" | "video") => getMedia(toRequest(flags, kind), context);
  const choices: MenuChoice[] = [
    { key: "1", title: "image", act: () => get("image") },
    { key: "2", title: "video", act: () => get("video") },
  ];
  if (flags.classic) return await runMenu({ environment, signal, choices });
  choices.push({ key: "3", title: "list", act: () => printList(context) });
  await runMenu({
    ...{ environment, signal, choices },
    shown: () => askDefaults(context),
    onName: (name) => getNamed(name, context),
  });
}

/** Media of requests without a name, by the titles of the menu; empty if that takes too long. */
async function askDefaults(
  { target, signal, environment: { clock } }: ClientContext,
): Promise<MenuNames> {
  const over = new AbortController();
  const limit = AbortSignal.any([signal, over.signal]);
  clock.sleep(MENU_TIMEOUT, limit).then(() => over.abort(), () => {});
  const filter = { defaults: true };
  const options = { target, filter, limits: NO_RETRIES, notify: () => {}, clock };
  try {
    const entries = await askList({ ...options, signal: limit });
    return new Map(
      entries.flatMap(({ name, defaultFor }) => defaultFor ? [[defaultFor, name]] : []),
    );
  } catch (error) {
    if (limit.aborted) return new Map();
    throw error;
  } finally {
    over.abort();
  }
}

/** Gets the image or the video of a name. */
async function getNamed(name: string, context: ClientContext): Promise<void> {
  const { target, limits, signal, environment: { clock, printError } } = context;
  const notify = (line: string) => printError(`${printable(line)}\n`);
  const entry = await askEntry(name, { target, limits, notify, clock, signal });
  const kind = entry.kind === "image" ? "image" : "video";
  const { request, flags } = toMediaAction(context.flags, kind, entry.name);
  await getMedia(request, { ...context, flags });
}

async function servePage(context: ClientContext): Promise<void> {
  await using page = await openPage(context);
  await page.closed;
}

async function getMedia(request: MediaRequest, context: ClientContext): Promise<void> {
  if (!isPageWanted(context.flags)) return await playToSinks(request, context);
  await using shared = shareScript(context);
  const sharing = { ...context, target: { ...context.target, shared } };
  // The page sends requests of its own; a recording beside it is one more.
  await using page = await openPage(sharing, request);
  const { output, data } = context.flags;
  if (output !== undefined || data !== undefined) await playToSinks(request, sharing);
  await page.closed;
}

/** Receives a script that connects once for the page and the recording; `undefined` for others. */
function shareScript(
  { listener, target, environment: { clock } }: ClientContext,
): SharedScript | undefined {
  if (listener === undefined) return undefined;
  listener.announce();
  const notify = (line: string) => listener.notice(line);
  const open = (signal: AbortSignal) =>
    openScript({ command: "get_video" }, target, { signal, clock, notify });
  return new SharedScript({ open, notify, clock });
}

async function playToSinks(request: MediaRequest, context: ClientContext): Promise<void> {
  const { flags, environment, signal } = context;
  const { command, loop } = request;
  const messages = new Messages(environment);
  using controls = new PlayerControls({
    recording: flags.output !== undefined,
    part: request,
    loop,
    notify: (line) => messages.notify(line),
    onPause: (paused) => {
      messages.pause(paused);
      sinks.forEach((sink) => sink.pause?.(paused));
    },
    onPosition(position, duration) {
      const text = formatPosition(position, duration);
      sinks.forEach((sink) => sink.showBriefly?.(text));
    },
  });
  const { sinks, checked } = await chooseSinks(flags, {
    ...context,
    still: command === "get_image",
    signal: AbortSignal.any([signal, controls.signal]),
    onAction: (action) => controls.act(action),
    // A lone sink has closed: no frame has to arrive to end the play.
    onClosed: () => sinks.length > 1 ? controls.wake() : controls.quit(),
    notify: (line) => messages.notify(line),
    onPrint: () => messages.progress?.clear(),
    onSize: (bytes) => statistics.written = bytes,
  });
  // Before a view takes the lines for itself.
  context.listener?.announce();
  messages.attach(sinks);
  context.listener?.notifyBy((line) => messages.notify(line));
  const statistics = new Statistics(command, () => environment.clock.now());
  context.listener?.onConnected(() => statistics.connected());
  statistics.recording = flags.output !== undefined;
  try {
    using _keys = await listenToKeys(sinks, controls, context);
    const parts = { request, sinks, checked, statistics, controls, messages };
    const target = explained(context, (line) => messages.explain(line));
    const result = await receive(parts, { ...context, target });
    messages.flush();
    report(result, statistics, context);
  } finally {
    messages.flush();
    statistics.end();
    if (flags.json) environment.print(`${printableJson(statistics)}\n`);
  }
}

/** Passes keys pressed in the terminal to the controls, if there is a view. */
async function listenToKeys(
  sinks: readonly Sink[],
  controls: PlayerControls,
  { flags, environment }: ClientContext,
): Promise<Disposable | undefined> {
  const hasView = sinks.some((sink) => sink.jump !== undefined);
  if (!hasView || flags.output === "-") return undefined;
  return (await environment.keyboard())?.listen((key) => {
    const action = actionOf(key);
    if (action !== undefined) controls.act(action);
  });
}

async function receive(
  { request, sinks, checked, statistics, controls, messages }: {
    request: MediaRequest;
    sinks: Sink[];
    /** Rejected if a program that the sinks need is missing or too old. */
    checked: Promise<unknown>;
    statistics: Statistics;
    controls: PlayerControls;
    messages: Messages;
  },
  { flags, target, limits, environment, signal }: ClientContext,
): Promise<PlayResult> {
  await using disposables = new AsyncDisposableStack();
  for (const sink of sinks) disposables.use(sink);
  const { command, loop, speed } = request;
  // A script chooses by itself.
  const encoding = flags.classic ? undefined : request.encoding ?? "raw";
  const notify = (line: string) => messages.notify(line);
  // A script's frames get the moment at which they are read: nothing may delay the first one.
  if (flags.classic) await checked;
  using response = await ask(request, {
    ...{ target, limits, signal },
    notify,
    quit: controls.signal,
    seekable: flags.output === undefined,
    clock: environment.clock,
    onReconnect: () => statistics.reconnects++,
  });
  const recording = flags.output !== undefined && flags.view === undefined;
  await checked;
  return await play(response, {
    ...{ sinks, statistics, controls, signal, encoding, loop, speed },
    toneMap: request.toneMap,
    progress: messages.progress,
    still: command === "get_image",
    part: request,
    // A script describes its values with the first that come, and may begin without.
    dataOnly: request.data === "only" && !flags.classic,
    onNote: notify,
    onNotice: (notice) =>
      messages.notify(describeNotice(notice, { encoding: encoding ?? "raw", recording })),
  });
}

/**
 * Prints the outcome on standard error.
 *
 * @throws {Error} if the play has failed
 */
function report(
  { outcome, reason, notes, failures }: PlayResult,
  statistics: Statistics,
  context: ClientContext,
): void {
  const { flags, environment } = context;
  const details = [...failures.map(messageOf), ...notes];
  const { frames, audioFrames, messages } = statistics;
  const isEmpty = frames + audioFrames + messages === 0;
  if (outcome === "cut" && isEmpty) throw explain(reason, context);
  if (outcome === "cut") {
    const { name, hasPicture, position } = statistics;
    const at = hasPicture ? ` (${formatTime(position)})` : "";
    const message = `Cannot finish "${name}" after ${amount(statistics)}${at}: ` +
      messageOf(reason);
    throw new Error([message, ...details].join("; "), { cause: reason });
  }
  if (outcome !== "stopped" && failures.length > 0) {
    throw new Error(details.join("; "), { cause: failures[0] });
  }
  // A source of data may be silent.
  if (outcome === "whole" && isEmpty && flags.data === undefined) {
    const message = `Cannot get "${statistics.name}": the server has nothing of it to send`;
    throw new Error([message, ...details].join("; "));
  }
  const { framesPerSecond, hasPicture, seconds, bytes, dropped, reconnects } = statistics;
  const rate = (hasPicture && frames > 1 ? `, ${framesPerSecond.toFixed(1)} fps` : "") +
    (dropped > 0 ? `, ${dropped} dropped` : "") +
    (reconnects > 0 ? `, ${formatCount(reconnects, "reconnect")}` : "");
  const summary = `${outcome === "stopped" ? "Stopped after" : "Received"} ${amount(statistics)} ` +
    `in ${formatTime(seconds)}${rate}, ${formatBytes(bytes)}`;
  const lines = flags.json ? details : [[summary, ...details].join("; ")];
  for (const line of lines) environment.printError(`${printable(line)}\n`);
}

/** The amount received: pictures, frames of video, or seconds of audio; and messages. */
function amount(
  { command, frames, audioFrames, messages, position, hasPicture, hasMedia }: Statistics,
): string {
  const isAudioOnly = !hasPicture && audioFrames > 0;
  const unit = command === "get_image" ? "picture" : "frame";
  const media = isAudioOnly ? `${formatTime(position)} of sound` : formatCount(frames, unit);
  if (messages === 0) return media;
  const data = formatCount(messages, "message");
  return hasMedia ? `${media} and ${data}` : data;
}

/** Exit status of an error: 2 for wrong usage, else 1. */
export function statusOf(error: unknown): number {
  return error instanceof UsageError ? 2 : 1;
}
