import { RequestError } from "../core/errors.ts";
import type { Decoder } from "../media/decoder.ts";
import type { MediaFile } from "../media/library.ts";
import { encodeDescription, encodeEnd, type EndReport } from "../wire/answer.ts";
import type { Connection } from "../wire/connection.ts";
import type { MediaRequest } from "../wire/request.ts";
import { Pacer } from "./pacer.ts";
import { findMedia, paced, reserveFrames, startPlayback } from "./playback.ts";
import type { SessionContext } from "./context.ts";

/**
 * What the peer says of one of its requests. That may be before its turn: then it counts from the
 * first frame on.
 */
export class Controls {
  readonly pacer: Pacer;
  #stop = new AbortController();

  constructor({ speed = 1 }: MediaRequest) {
    this.pacer = new Pacer({ speed });
  }

  /** Fires when the peer wants no more. */
  get stopped(): AbortSignal {
    return this.#stop.signal;
  }

  /** Does what an action asks for; nothing for those that this server does not know. */
  take(action: unknown): void {
    if (action === "pause") this.pacer.pause();
    else if (action === "resume") this.pacer.resume();
    else if (action === "stop") this.#stop.abort();
  }
}

/** A session's context, and the peer's side of the request. */
export interface PlayContext extends SessionContext {
  connection: Connection;
  controls: Controls;
}

/**
 * Answers a request for an image or a video: description, frames when they are due, end.
 *
 * @throws {RequestError} for what cannot be sent
 */
export async function playMedia(request: MediaRequest, context: PlayContext): Promise<void> {
  const { library, defaults, logger, connection, controls } = context;
  refuseUnsupported(request);
  const kind = request.command === "get_image" ? "image" : "video";
  const file = await findMedia(library, kind, { name: request.name, defaults });
  logger.log("info", `${request.command} "${file.name}"`);
  const still = kind === "image" || file.info.kind === "image";
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  const options = { ...request, still };
  using _memory = reserveFrames(file, options, context.budget);
  const limits = { signal, silenceTimeout: context.timeouts.silence };
  await using decoder = await startPlayback(file, options, limits);
  await connection.send("describe", encodeDescription(describe(file, decoder, still)));
  // Not before: also an answer that is stopped early begins with its description.
  if (controls.stopped.aborted) stop.abort();
  else controls.stopped.addEventListener("abort", () => stop.abort());
  const end: EndReport = { frames: 0, audioFrames: 0, bytes: 0, dropped: 0, reason: "end" };
  const pictures = decoder.streams.find((stream) => stream.type === "video")?.id;
  try {
    for await (const frame of paced(decoder, controls.pacer, signal)) {
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
