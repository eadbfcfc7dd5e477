/** A window of mpv, whose keys arrive over its JSON IPC. */
import type { ProcessError } from "../../base/errors.ts";
import { printable } from "../../base/log.ts";
import type { InstalledFfmpeg } from "../../ffmpeg/version.ts";
import type { VideoStream } from "../../media/frame.ts";
import { FfmpegProcess, reasonOf } from "../ffmpeg_process.ts";
import { shownFilters, videoOf } from "../filters.ts";
import { keyBindings, MpvControl } from "./mpv_control.ts";
import {
  isShownAtOnce,
  type OpenPlayer,
  pacedSpeed,
  type Screen,
  type WindowPresentation,
} from "./player.ts";
import { ONLY_SHOWN, PlayerTimeline } from "./player_timeline.ts";
import { PrivateSocket } from "./socket.ts";

/** mpv may print errors on standard output; their end is kept of standard error. */
const SCRIPT = 'exec mpv "$@" >&2';

/**
 * A line of mpv's that says why it cannot show anything: not of the libraries that it uses, not of
 * sound, which it does without, and not of the first video output that it tries.
 */
const COMPLAINT = /^\[(?!ao\b|vo\/gpu\b)[a-z\d_/]+\] (.+)$/m;

/** mpv's video outputs: others would draw in the terminal, or on no screen at all. */
const OUTPUTS: Record<Screen, string> = {
  x11: "gpu,x11",
  wayland: "gpu,wlshm",
  native: "gpu",
};

/** Arguments for every window: nothing of the user's configuration, no scripts, no network. */
const ALWAYS = [
  ...["--no-config", "--load-scripts=no", "--osc=no", "--ytdl=no"],
  // They delay the start.
  ...["--load-stats-overlay=no", "--load-osd-console=no", "--load-auto-profiles=no"],
  ...["--input-default-bindings=no", "--input-terminal=no", "--msg-level=all=error"],
  ...["--autoload-files=no", "--access-references=no"],
  // Milliseconds until a key repeats: on a busy machine, a short press may seem longer than the default.
  "--input-ar-delay=500",
  // A picture that is larger than the screen is shown as large as it fits.
  "--autofit-larger=100%x100%",
  // Frames arrive when they are due: a lack of them is a pause, and nothing is kept behind. All that
  // have arrived are in memory, where a seek drops them.
  ...["--cache=no", "--cache-pause=no", "--demuxer-seekable-cache=no"],
  "--demuxer-readahead-secs=4",
  // A picture shows without the next one: in a pause, a seek has only one.
  "--video-latency-hacks=yes",
  // The headers say all that mpv would detect from frames. Odd timestamps stay odd.
  ...["--demuxer=lavf", "--demuxer-lavf-format=nut", "--demuxer-lavf-probe-info=nostreams"],
  "--rebase-start-time=no",
];

/** Decoders that work on several frames at once would hold each of them back. */
const LOW_DELAY = "--vd-lavc-o=thread_type=slice";

/** mpv's names of the matrices, by FFmpeg's. */
const MATRICES = new Map([
  ["bt709", "bt.709"],
  ["fcc", "bt.601"],
  ["bt470bg", "bt.601"],
  ["smpte170m", "bt.601"],
  ["smpte240m", "smpte-240m"],
  ["bt2020nc", "bt.2020-ncl"],
  ["bt2020c", "bt.2020-cl"],
]);

/** Opens a window of mpv: video and audio in sync. */
export const openMpv: OpenPlayer = async (presentation, options) => {
  const { screen, signal, onAction } = options;
  const { streams, live, lead, still, speed, encoding } = presentation;
  const control = new MpvControl({
    onAction,
    onStarted() {
      // Live sound stays as late as its first sample: what came while mpv started is dropped.
      // Encoded frames depend on each other.
      const isLate = live && encoding === "raw" && !isShownAtOnce(presentation);
      if (isLate) control.dropBuffers();
    },
    onTime: (time) => options.onShown?.(timeline.shownAt(time)),
  });
  const socket = await PrivateSocket.open({
    onConnected: (folder) => control.connect(controlPath(folder)),
  });
  try {
    await Deno.writeTextFile(keysPath(socket.folder), keyBindings());
  } catch (error) {
    socket.withdraw();
    throw error;
  }
  const timeline = new PlayerTimeline({
    ...{ streams, live, speed: still ? 1 : speed, playerSpeed: pacedSpeed(presentation) },
    hides: lead > 0,
    now: () => performance.now(),
  });
  const args = [
    ...mpvArguments(presentation, screen),
    `--input-conf=${keysPath(socket.folder)}`,
    `--input-ipc-server=${controlPath(socket.folder)}`,
    `lavf://${socket.url}`,
  ];
  const process = new FfmpegProcess("sh", ["-c", SCRIPT, "mpv", ...args], {
    ...{ streams, socket, timeline, signal, becomes: "mpv" },
  });
  return {
    process,
    reasonOf: complaintOf,
    async jump(to) {
      // Only frames from before may be dropped.
      await control.dropBuffers();
      timeline.jump(to);
    },
    pause(paused) {
      // The timestamps of live media pass during a pause, and so does the time of a player that waits.
      if (!live) control.pause(paused);
    },
    showText: (text) => control.showText(text),
    showBriefly: (text) => control.showBriefly(text),
    async [Symbol.asyncDispose]() {
      await process[Symbol.asyncDispose]();
      await control[Symbol.asyncDispose]();
    },
  };
};

/** Whether mpv is installed, takes the arguments, and can be used on this system. */
export async function hasMpv(installed: InstalledFfmpeg, screen: Screen): Promise<boolean> {
  // On Windows, its IPC is a named pipe.
  return PrivateSocket.exists && await installed.accepts("mpv", [...fixed(screen), "--version"]);
}

/** mpv's arguments, except for its input and its connections. */
export function mpvArguments(presentation: WindowPresentation, screen: Screen): string[] {
  const { streams, name, still, lead, toneMap } = presentation;
  const video = videoOf(streams);
  const speed = pacedSpeed(presentation);
  const hides = lead > 0 && !still;
  const filters = video === undefined ? [] : [
    ...colourFilters(video),
    ...wrapped([...(hides ? [ONLY_SHOWN] : []), ...shownFilters(video, { toneMap })]),
  ];
  return [
    ...fixed(screen),
    // The prefix ends the expansion of properties.
    `--title=$>${printable(name)}`,
    ...(still ? ["--keep-open=yes"] : []),
    // Sound alone would have no window, and so no keys.
    ...(video === undefined ? ["--force-window=yes"] : []),
    ...(isShownAtOnce(presentation) ? ["--untimed", "--demuxer-readahead-secs=0", LOW_DELAY] : []),
    ...(speed === 1 ? [] : [`--speed=${speed}`]),
    ...(filters.length === 0 ? [] : [`--vf=${filters.join(",")}`]),
  ];
}

/** The arguments for all media. */
function fixed(screen: Screen): string[] {
  return [...ALWAYS, `--vo=${OUTPUTS[screen]}`];
}

/** FFmpeg's filters as one of mpv. */
function wrapped(filters: readonly string[]): string[] {
  return filters.length === 0 ? [] : [`lavfi=[${filters.join(",")}]`];
}

/** States range and matrix, which NUT does not carry. */
function colourFilters({ colorRange, colorSpace = "", pixelFormat = "" }: VideoStream): string[] {
  const matrix = MATRICES.get(colorSpace);
  // mpv takes grey for limited range.
  const isFull = colorRange === "pc" || colorRange === undefined && pixelFormat.startsWith("gray");
  const levels = isFull ? "full" : colorRange === "tv" ? "limited" : undefined;
  const options = [
    ...(matrix === undefined ? [] : [`colormatrix=${matrix}`]),
    ...(levels === undefined ? [] : [`colorlevels=${levels}`]),
  ];
  return options.length === 0 ? [] : [`format=${options.join(":")}`];
}

function keysPath(folder: string): string {
  return `${folder}/keys.conf`;
}

function controlPath(folder: string): string {
  return `${folder}/control`;
}

function complaintOf(error: ProcessError): string | undefined {
  const [, complaint] = error.failure.stderr.match(COMPLAINT) ?? [];
  return error.failure.signal === null && complaint !== undefined ? complaint : reasonOf(error);
}
