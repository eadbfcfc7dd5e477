import { RequestError } from "../core/errors.ts";
import type { Decoder } from "../media/decoder.ts";
import type { MediaFile } from "../media/library.ts";
import { encodeDescription, encodeEnd, type EndReport } from "../wire/answer.ts";
import type { Connection } from "../wire/connection.ts";
import type { MediaRequest } from "../wire/request.ts";
import type { ControlListener } from "./native_session.ts";
import { Pacer } from "./pacer.ts";
import { findMedia, paced, startPlayback } from "./playback.ts";
import type { SessionContext } from "./context.ts";

/** A session's context, and the peer's side of the request. */
export interface PlayContext extends SessionContext {
  connection: Connection;
  /** Names who takes the peer's controls. */
  listen(listener: ControlListener): void;
}

/**
 * Answers a request for an image or a video: description, frames when they are due, end.
 *
 * @throws {RequestError} for what cannot be sent
 */
export async function playMedia(request: MediaRequest, context: PlayContext): Promise<void> {
  const { library, defaults, logger, connection } = context;
  refuseUnsupported(request);
  const kind = request.command === "get_image" ? "image" : "video";
  const file = await findMedia(library, kind, { name: request.name, defaults });
  logger.log("info", `${request.command} "${file.name}"`);
  const still = kind === "image" || file.info.kind === "image";
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  const pacer = new Pacer({ speed: request.speed ?? 1 });
  await using decoder = await startPlayback(file, { ...request, still }, signal);
  await connection.send("describe", encodeDescription(describe(file, decoder, still)));
  context.listen(({ action }) => {
    if (action === "pause") pacer.pause();
    else if (action === "resume") pacer.resume();
    else if (action === "stop") stop.abort();
  });
  const end: EndReport = { frames: 0, audioFrames: 0, bytes: 0, dropped: 0, reason: "end" };
  const pictures = decoder.streams.find((stream) => stream.type === "video")?.id;
  try {
    for await (const frame of paced(decoder, pacer, signal)) {
      await connection.sendFrame(frame);
      if (frame.streamId === pictures) end.frames++;
      else end.audioFrames++;
      end.bytes += frame.data.byteLength;
    }
  } catch (error) {
    if (!stop.signal.aborted || context.signal.aborted) throw error;
    end.reason = "stopped";
  }
  end.warning = decoder.warning;
  if (end.warning !== undefined) logger.log("warn", `"${file.name}": ${end.warning}`);
  await connection.send("end", encodeEnd(end));
  logger.log("info", `sent ${end.frames} frames of "${file.name}", ${end.bytes} bytes`);
}

function describe(file: MediaFile, decoder: Decoder, still: boolean) {
  return {
    name: file.name,
    live: false,
    duration: still ? undefined : file.info.duration,
    streams: [...decoder.streams],
  };
}

/** Refuses what later versions of this server may do, rather than doing something else. */
function refuseUnsupported({ encoding, loop, late }: MediaRequest): void {
  const asked = encoding !== undefined && encoding !== "raw"
    ? `encoding ${encoding}`
    : loop
    ? "loop"
    : late === "drop"
    ? "late drop"
    : undefined;
  if (asked === undefined) return;
  throw new RequestError(
    "unsupported",
    `Cannot serve the request: ${asked} is not supported, expected raw frames, each once`,
  );
}
