import type { Description, Frame } from "../../media/frame.ts";
import type { Control, MediaRequest } from "../../protocol/native/request.ts";
import type { EndReport, Notice } from "../../protocol/native/response.ts";
import { connect, type Target } from "../connection/connection.ts";
import { Retries } from "../connection/retry.ts";
import { requestMedia } from "./native.ts";
import { type ResumingOptions, ResumingResponse } from "./resuming.ts";
import { requestScript } from "./script.ts";

/** What {@linkcode ask} has to know. */
export interface AskOptions extends Omit<ResumingOptions, "ask" | "random"> {
  target: Target;
}

/**
 * Connects, and asks for an image or a video. Where the connection is lost later, the answer goes on
 * over another one, unless it comes from a script, which cannot be asked for the rest.
 *
 * @throws {Error} where there is no connection, with what to do about it
 */
export async function ask(
  request: MediaRequest,
  options: AskOptions,
): Promise<MediaResponse & Disposable> {
  const { target, limits, signal, tell, clock } = options;
  if (target.classic) {
    const retries = new Retries({ limits, tell, clock });
    const link = await retries.persist(() => connect(target, signal), signal);
    const command = request.command === "get_image" ? "get_image" : "get_video";
    const dispose = () => link[Symbol.dispose]();
    return { ...requestScript(link, command), [Symbol.dispose]: dispose };
  }
  const response = new ResumingResponse(request, {
    ...options,
    ask: async (request, signal) => {
      const link = await connect(target, signal);
      return {
        response: requestMedia(link, request),
        [Symbol.dispose]: () => link[Symbol.dispose](),
      };
    },
  });
  await response.connect();
  return response;
}

/** What comes back for an image or a video: one description, frames, one end, and news between. */
export type ResponsePart =
  | { kind: "describe"; description: Description }
  /** The frame is good until the next part is asked for. */
  | {
    kind: "frame";
    frame: Frame;
    /** Frames were left out before it. */
    dropped: boolean;
    /** Milliseconds since a live frame was captured, where both clocks are known. */
    latency?: number;
  }
  | { kind: "notice"; notice: Notice }
  /** The server's answer to a seek: what follows comes from there. */
  | { kind: "control"; control: Control }
  | { kind: "end"; end: EndReport };

/** An answer as it comes, and what can be done about it meanwhile. */
export interface MediaResponse extends AsyncIterable<ResponsePart> {
  /** Tells the server to pause, go on, seek or stop; absent where the wire has no such message. */
  control?(control: Control): Promise<void>;
  /** Ends the connection at once, and so the answer; harmless when it has ended. */
  abandon?(): void;
}

/** The connection ended before the answer did. */
export class CutError extends Error {
  override name = "CutError";
}

/** The server ended, and said so, before the answer did. */
export class ShutdownError extends CutError {
  override name = "ShutdownError";
}
