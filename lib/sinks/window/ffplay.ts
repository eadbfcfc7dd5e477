/** A window of ffplay. It reports no keys: those of the terminal remain. */
import { startProcess } from "../../ffmpeg/process.ts";
import { ProcessError } from "../../base/errors.ts";
import { printable } from "../../base/log.ts";
import type { VideoStream } from "../../media/frame.ts";
import { FfmpegProcess, reasonOf } from "../ffmpeg_process.ts";
import { nutInputArguments, shownFilters, tempoFilters, turned, videoOf } from "../filters.ts";
import {
  isShownAtOnce,
  type OpenPlayer,
  pacedSpeed,
  type PlayerOptions,
  type WindowPresentation,
} from "./player.ts";
import { ONLY_SHOWN, PlayerTimeline } from "./player_timeline.ts";
import { PrivateSocket } from "./socket.ts";

/** By how much time passes faster in frames that are shown when they come, so that none waits. */
const AT_ONCE = 1000;

/** Size in pixels. */
interface Size {
  width: number;
  height: number;
}

/** Pictures of at most this size fit on every screen. */
const SMALL: Size = { width: 640, height: 480 };

/** Opens a window of ffplay: video and audio in sync. */
export const openFfplay: OpenPlayer = async (presentation, options) => {
  const { streams, still, live, lead, speed } = presentation;
  const fit = await fittingArguments(videoOf(streams), options);
  const socket = PrivateSocket.exists ? await PrivateSocket.open() : undefined;
  const args = [...fit, ...ffplayArguments(presentation, { input: socket?.url })];
  // By default, SDL draws off-screen if the display cannot be reached.
  const { screen, signal } = options;
  const env = screen === "native" ? undefined : { SDL_VIDEODRIVER: screen };
  const timeline = new PlayerTimeline({
    ...{ streams, live },
    speed: isShownAtOnce(presentation) ? AT_ONCE : still ? 1 : speed,
    hides: lead > 0,
    now: () => performance.now(),
  });
  const process = new FfmpegProcess("ffplay", args, { streams, socket, env, timeline, signal });
  return {
    process,
    reasonOf,
    jump(to) {
      timeline.jump(to);
      return Promise.resolve();
    },
    pause: (paused) => timeline.pause(paused),
    [Symbol.asyncDispose]: () => process[Symbol.asyncDispose](),
  };
};

/**
 * ffplay's arguments. The headers say all that it would detect from frames.
 *
 * Video has the timestamps of its playback speed already, and they stay shifted: ffplay drops late
 * frames by the timestamps in front of its filters.
 *
 * @param input what to read instead of standard input
 */
export function ffplayArguments(
  presentation: WindowPresentation,
  { input }: { input?: string } = {},
): string[] {
  const { streams, name, still, lead, toneMap } = presentation;
  const video = videoOf(streams);
  const hides = lead > 0 && !still;
  const pictures = [
    ...(hides ? [ONLY_SHOWN] : []),
    ...(video === undefined ? [] : shownFilters(video, { toneMap })),
  ];
  const sound = tempoFilters(pacedSpeed(presentation));
  return [
    ...["-v", "error", "-window_title", printable(name)],
    ...(still ? [] : ["-autoexit"]),
    ...(isShownAtOnce(presentation) ? ["-sync", "video", "-framedrop"] : []),
    ...(video !== undefined && pictures.length > 0 ? ["-vf", pictures.join(",")] : []),
    ...(sound.length > 0 ? ["-af", sound.join(",")] : []),
    ...["-fpsprobesize", "0", "-analyzeduration", "200000"],
    ...nutInputArguments(streams, { input }),
  ];
}

/**
 * Arguments that fit a picture that is larger than the screen. Wayland and macOS fit windows by
 * themselves.
 */
async function fittingArguments(
  video: VideoStream | undefined,
  { screen, signal }: PlayerOptions,
): Promise<string[]> {
  if (video === undefined || screen !== "x11") return [];
  const shown = shownSize(video);
  if (shown.width <= SMALL.width && shown.height <= SMALL.height) return [];
  const size = await screenSize(signal);
  if (size === undefined) return [];
  const scale = Math.min(1, size.width / shown.width, size.height / shown.height);
  if (scale === 1) return [];
  const [width, height] = [shown.width, shown.height].map((side) => Math.round(side * scale));
  return ["-x", `${width}`, "-y", `${height}`];
}

/** Size of a picture on the screen: upright, with square pixels. */
function shownSize(video: VideoStream): Size {
  const { width, height, sampleAspectRatio: [across, down] = [1, 1] } = turned(video);
  return { width: width * across / down, height };
}

/** Size of the X11 screen, as FFmpeg's device reads it; `undefined` if it cannot. */
async function screenSize(signal: AbortSignal): Promise<Size | undefined> {
  const entries = ["-show_entries", "stream=width,height", "-of", "csv=p=0"];
  // The device opens the display that the environment names.
  const args = ["-v", "error", "-f", "x11grab", ...entries, "-i", ""];
  await using probe = startProcess("ffprobe", args, { signal });
  const text = await new Response(probe.stdout).text();
  try {
    await probe.finished();
  } catch (error) {
    if (error instanceof ProcessError) return undefined;
    throw error;
  }
  const [width, height] = text.trim().split(",").map(Number);
  return width > 0 && height > 0 ? { width, height } : undefined;
}
