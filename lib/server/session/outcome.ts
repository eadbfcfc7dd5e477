/** Records how a request ended, and converts failures to errors for the client. */
import { deadline } from "../../base/async.ts";
import {
  DeadlineError,
  isConnectionClosed,
  isConnectionLost,
  MissingProgramError,
  RequestError,
} from "../../base/errors.ts";
import type { EndReport } from "../../protocol/native/response.ts";
import type { RequestRecord } from "../metrics/request_log.ts";
import type { SessionContext, Timeouts } from "./context.ts";

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
  { signal, isDraining }: Pick<SessionContext, "signal" | "isDraining">,
  run: () => Promise<EndReport["reason"] | undefined>,
): Promise<RequestError | undefined> {
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

/** Aborts a session whose request does not arrive in time, until disposed. */
export function requestTimeout(
  { request }: Pick<Timeouts, "request">,
  abort: AbortController,
): Disposable {
  return deadline(request, () => {
    abort.abort(new DeadlineError(`no request within ${request / 1000} s`));
  });
}

/** Whether an error means that the client left, or that its connection was closed here. */
export function isPeerGone(error: unknown): boolean {
  return isConnectionLost(error) || isConnectionClosed(error);
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
