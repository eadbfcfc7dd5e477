/** Plays the response to a request of the page, and takes single images of one. */
import { messageOf, RequestError } from "../base/errors.ts";
import { copyFrame, type StreamDescription } from "../media/frame.ts";
import { FirstRun } from "../playback/first_run.ts";
import { play, type PlayOptions } from "../playback/play.ts";
import { Statistics } from "../playback/statistics.ts";
import type { MediaResponse } from "../protocol/media_response.ts";
import type { MediaRequest } from "../protocol/native/request.ts";
import {
  isPlayable,
  lacksTransparency,
  TRANSPARENT_FORMAT,
} from "../sinks/browser/fragment_args.ts";
import { turned } from "../sinks/filters.ts";
import type { ImageFrame, PlayEnd, PlayPart, PlayStats, PlayTarget } from "./service.ts";

/** Pixels in a row of transparent pictures at most: VP9 is encoded on a processor as they play. */
const MAX_WIDTH = 1280;

/** Options of {@linkcode playResponse}. */
export interface PlayResponseOptions
  extends Pick<PlayOptions, "encoding" | "onNotice" | "signal" | "toneMap"> {
  /** The part of the media that was requested; without a start, of a live source. */
  part: Omit<PlayPart, "stats" | "start"> & { start?: number };
  /** Seconds of the media that its position is counted from. */
  position: number;
  target: PlayTarget;
  /** Explains why nothing has come. @default the reason itself */
  explain?: (reason: unknown) => unknown;
}

/**
 * Plays a response to the page until it ends, or other streams follow.
 *
 * @throws {RequestError} if it is refused, or nothing of it comes
 * @throws {Error} if it is cut
 */
export async function playResponse(
  response: MediaResponse,
  { part, position, target, signal, explain = (reason) => reason, ...options }: PlayResponseOptions,
): Promise<PlayEnd> {
  const { start = 0 } = part;
  const statistics = new Statistics("get_video");
  const stats = () => statsOf(statistics, position);
  await using sink = target.open({ ...part, start, stats });
  const run = new FirstRun(response);
  const result = await play(run, {
    ...{ ...options, sinks: [sink], statistics, part, signal, speed: 0, still: false },
  });
  signal.throwIfAborted();
  const { frames, audioFrames, dropped, name } = statistics;
  const isEmpty = frames + audioFrames === 0;
  if (result.outcome === "cut") {
    if (isEmpty) throw explain(result.reason);
    if (result.reason instanceof RequestError) throw result.reason;
    const message = `Cannot finish "${name}": ${messageOf(result.reason)}`;
    throw new Error(message, { cause: result.reason });
  }
  const { hasChanged } = run;
  if (isEmpty && !hasChanged) {
    throw new RequestError(
      "not_found",
      `Cannot play "${name}" from there: the server has nothing of it to send`,
    );
  }
  return { frames, dropped, warning: result.notes.join("; ") || null, hasChanged };
}

/** Whether a browser plays the packets of all video streams. */
export function playsVideo(
  streams: readonly StreamDescription[],
  can: ReadonlySet<string>,
): boolean {
  return streams.every((stream) => stream.type === "audio" || isPlayable(stream, can));
}

/**
 * What to request of a file for its transparency, in place of its packets.
 *
 * @returns `undefined` if the file has none, or none can be shown
 */
export async function transparentRequest(
  streams: readonly StreamDescription[],
  target: PlayTarget,
): Promise<Pick<MediaRequest, "encoding" | "pixelFormat" | "width"> | undefined> {
  if (!lacksTransparency(streams) || !await target.showsTransparency()) return undefined;
  const video = streams.find((stream) => stream.type === "video");
  const isWide = video !== undefined && turned(video).width > MAX_WIDTH;
  const width = isWide ? MAX_WIDTH : undefined;
  return { encoding: "raw", pixelFormat: TRANSPARENT_FORMAT, width };
}

/** @param start seconds of the media at which the timestamps begin */
function statsOf(statistics: Statistics, start: number): PlayStats {
  const { frames, audioFrames, bytes, dropped, framesPerSecond, latency, position } = statistics;
  return {
    ...{ frames, audioFrames, bytes, dropped },
    fps: Number(framesPerSecond.toFixed(2)),
    latencyMs: latency === undefined
      ? null
      : { p50: Number(latency.p50.toFixed(1)), p95: Number(latency.p95.toFixed(1)) },
    position: start + position,
  };
}

/**
 * The first frame of a response, which is not read any further.
 *
 * @throws {RequestError} if it is refused, or has no frame
 */
export async function firstFrame(
  response: MediaResponse,
  name: string | undefined,
): Promise<ImageFrame> {
  let streams: readonly StreamDescription[] = [];
  for await (const part of response) {
    if (part.kind === "describe") streams = part.description.streams;
    else if (part.kind === "frame") return { frame: copyFrame(part.frame), streams };
  }
  throw new RequestError("not_found", `Cannot get "${name}": there is no picture there`);
}
