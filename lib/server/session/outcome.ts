/** Records how a request ended, and converts failures to errors for the client. */
import { onAbort } from "../../base/async.ts";
import {
  DeadlineError,
  isConnectionClosed,
  isConnectionLost,
  MissingProgramError,
  RequestError,
  TruncatedError,
} from "../../base/errors.ts";
import type { EndReport } from "../../protocol/native/response.ts";
import type { RequestRecord } from "../metrics/records.ts";
import type { SessionContext } from "./context.ts";

/** Resources of the system by the code of the error if there are none left (errno(3)). */
const RESOURCES: Record<string, string> = {
  EMFILE: "file descriptors",
  ENFILE: "file descriptors",
  EAGAIN: "processes",
  ENOMEM: "memory",
};

/**
 * Runs a request and records its outcome.
 *
 * @param run returns why the response ended
 * @returns the error to send to the peer, if the request failed
 * @throws the failure, if the connection is lost or the session has ended
 */
export async function runRequest(
  record: RequestRecord,
  { signal, isDraining, slot }: Pick<SessionContext, "signal" | "isDraining" | "slot">,
  run: () => Promise<EndReport["reason"] | undefined>,
): Promise<RequestError | undefined> {
  using _serving = slot?.serve();
  try {
    record.done(await run());
  } catch (error) {
    const refusal = signal.aborted ? undefined : toRefusal(error);
    if (refusal === undefined) {
      record.broken(isDraining() ? "shutdown" : "cut");
      throw error;
    }
    record.refused(refusal);
    return refusal;
  }
}

/**
 * Ends the session when its connection has to give way, until disposed.
 *
 * @param slot absent if it never has to
 * @param error makes the reason
 */
export function endByYielding(
  { slot }: Pick<SessionContext, "slot">,
  abort: AbortController,
  error: () => RequestError = gaveWay,
): Disposable | undefined {
  return slot && onAbort(slot.yielded, () => abort.abort(error()));
}

/** The error for a peer whose connection has to give way because it was idle. */
export function gaveWay(): RequestError {
  const reason = "all connection slots are taken, and this connection was idle for longest";
  return new RequestError("busy", `Cannot wait any longer: ${reason}, connect again`);
}

/** The error for a peer whose response, or publication, has to give way. */
export function gaveWayServing(): RequestError {
  const reason = "all connection slots are taken, and your address has more than half of them";
  return new RequestError("busy", `Cannot go on: ${reason}, ask again later`);
}

/**
 * Whether an error means that the client left between messages, or that its connection was closed
 * here.
 */
export function isPeerGone(error: unknown): boolean {
  const isInside = error instanceof TruncatedError || error instanceof Deno.errors.UnexpectedEof;
  return !isInside && (isConnectionLost(error) || isConnectionClosed(error));
}

/**
 * Converts a failure to an error for the peer. Internal reasons are left to the log.
 *
 * @returns `undefined` if the peer cannot receive an error any more
 */
function toRefusal(error: unknown): RequestError | undefined {
  if (error instanceof RequestError) return error;
  if (isPeerGone(error) || error instanceof DeadlineError) return undefined;
  if (error instanceof MissingProgramError) {
    return new RequestError("internal", `Cannot serve: ${error.message}, on the server`, {
      cause: error,
    });
  }
  const resource = missingResource(error);
  if (resource !== undefined) {
    const message = `Cannot serve now: the server has no ${resource} left, try again later`;
    return new RequestError("busy", message, { cause: error });
  }
  const message = "Cannot serve the request: the server failed, its log says why";
  return new RequestError("internal", message, { cause: error });
}

function missingResource(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? RESOURCES[String(error.code)] : undefined;
}
