import type { MediaFile } from "../media/library.ts";
import { mediaEtag } from "../media/media_etag.ts";
import type { MediaOptions } from "../media/media_options.ts";
import type { FrameSource } from "../media/source.ts";
import { encodeDescription, encodeEnd, type EndReport } from "../wire/answer.ts";
import type { Connection } from "../wire/connection.ts";
import type { MediaRequest } from "../wire/request.ts";
import type { SessionContext } from "./context.ts";
import type { Controls } from "./controls.ts";
import { inLine } from "./decoder_line.ts";
import { Delivery } from "./delivery.ts";
import { findLive, playLive } from "./live_play.ts";
import {
  decodingThreads,
  findMedia,
  refuseShortened,
  reserveFrames,
  startPlayback,
} from "./playback.ts";
import { Player } from "./player.ts";
import { Resumption } from "./resumption.ts";
import type { RequestRecord } from "./request_record.ts";
import { Search } from "./search.ts";

/** A session's context, and the peer's side of the request. */
export interface PlayContext extends SessionContext {
  connection: Connection;
  controls: Controls;
  record: RequestRecord;
}

/**
 * Answers a request for an image or a video: description, frames when they are due, end.
 *
 * @returns what was sent
 * @throws {RequestError} for what cannot be sent
 */
export async function playMedia(request: MediaRequest, context: PlayContext): Promise<EndReport> {
  const live = await findLive(request, context);
  if (live !== undefined) return await playLive(live, request, context);
  const { library, heads, defaults, logger, connection, controls, clock, record } = context;
  const kind = request.command === "get_image" ? "image" : "video";
  const file = await findMedia(library, kind, { name: request.name, defaults });
  record.named(file.name);
  const still = kind === "image" || file.info.kind === "image";
  const options = toOptions(request, still);
  const { resume } = request;
  // Where somebody may seek, or all begins again, a decoder is needed all the same.
  await using known = still && resume === undefined ? heads.whole({ file, options }) : undefined;
  // Untouched packets need none.
  using _slot = options.encoding === "copy" || known !== undefined
    ? undefined
    : await inLine(context, (line) => context.slots.take(line));
  using _memory = reserveFrames(file, options, context.budget);
  controls.attach(context.signal);
  const open = (part: MediaOptions, unwanted?: AbortSignal) =>
    startPlayback(file, part, {
      signal: unwanted ? AbortSignal.any([controls.current, unwanted]) : controls.current,
      silenceTimeout: context.timeouts.silence,
      threads: decodingThreads(controls.pacer.speed, context.slots.taken),
    });
  const opening = {
    open: (unwanted?: AbortSignal) => open(options, unwanted),
    pacer: controls.pacer,
  };
  await using first = known ??
    await (resume === undefined ? heads.open({ file, options }, opening) : open(options));
  const resumption = resume && new Resumption(resume, first.streams);
  const etag = await mediaEtag(file.path, file.state?.identity);
  const description = { ...describe(file, first, still), etag };
  await connection.send("describe", encodeDescription(description));
  controls.begin({ seekable: !still });
  const loop = request.loop === true && !still;
  const search = resumption &&
    new Search(resumption, { file, options, loop, streams: first.streams });
  const player = new Player(first, { file, options, loop, controls, open, search });
  const delivery = new Delivery({
    connection,
    controls,
    streams: first.streams,
    drop: request.late === "drop",
    speed: controls.pacer.speed,
    record,
    clock,
  });
  record.follow(() => delivery.report);
  for await (const step of player.steps()) await delivery.take(step);
  const { report } = delivery;
  report.reason = controls.stopReason ?? "end";
  const change = report.reason === "end" ? await refuseShortened(file) : undefined;
  report.warning = player.warning ?? change;
  if (report.warning !== undefined) logger.log("warn", `"${file.name}": ${report.warning}`);
  await connection.send("end", encodeEnd(report));
  return report;
}

/** What is wanted of the file; how it is played is another matter. */
function toOptions(request: MediaRequest, still: boolean): MediaOptions {
  const { encoding, audio, pixelFormat, width, height, fps, bitrate, quality } = request;
  const { start, duration, every } = request;
  return {
    ...{ encoding, audio, pixelFormat, width, height, fps, bitrate, quality },
    ...{ still, start, duration, every: still ? every : undefined },
  };
}

function describe(file: MediaFile, source: FrameSource, still: boolean) {
  return {
    name: file.name,
    live: false,
    duration: still ? undefined : file.info.duration,
    streams: [...source.streams],
    notes: source.notes.length === 0 ? undefined : [...source.notes],
  };
}
