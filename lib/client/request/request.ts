import type { MediaRequest } from "../../protocol/native/request.ts";
import { connect } from "../connection/connection.ts";
import { Retries, type RetryLimits, USUAL_RETRIES } from "../connection/retry.ts";
import type { ClientFlags } from "../flags.ts";
import { requestMedia } from "./native.ts";
import type { MediaResponse } from "./response.ts";
import { type ResumingOptions, ResumingResponse } from "./resuming.ts";
import { requestScript } from "./script.ts";

/** What {@linkcode ask} has to know. */
export interface AskOptions extends Omit<ResumingOptions, "ask" | "limits" | "random"> {
  flags: ClientFlags;
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
  const { flags, signal, tell, clock } = options;
  const limits = limitsOf(flags);
  if (flags.classic) {
    const retries = new Retries({ limits, tell, clock });
    const link = await retries.persist(() => connect(flags, signal), signal);
    const command = request.command === "get_image" ? "get_image" : "get_video";
    const dispose = () => link[Symbol.dispose]();
    return { ...requestScript(link, command), [Symbol.dispose]: dispose };
  }
  const response = new ResumingResponse(request, {
    ...options,
    limits,
    ask: async (request, signal) => {
      const link = await connect(flags, signal);
      return {
        response: requestMedia(link, request),
        [Symbol.dispose]: () => link[Symbol.dispose](),
      };
    },
  });
  await response.connect();
  return response;
}

/** Who names a number wants it from the beginning; else a mistake in the address is told at once. */
export function limitsOf({ retries }: Pick<ClientFlags, "retries">): RetryLimits {
  return { first: retries ?? 0, later: retries ?? USUAL_RETRIES };
}
