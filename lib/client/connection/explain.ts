/** Adds advice to errors that end a request. */
import { DeadlineError, FormatError, messageOf, RequestError } from "../../base/errors.ts";
import { formatAddress } from "../../net/address.ts";
import { CLIENT_ADVICE, type Target } from "../../net/connection.ts";
import { ConnectError, CutError } from "../../net/errors.ts";

/** Advice if a script sends something else than the format that was named. */
const RECOGNISED = "leave out --framing, and what the script sends is recognised";

/** Adds advice to an error that came before any media: perhaps another program serves there. */
export function explain(
  error: unknown,
  { target, signal }: {
    /** A server, or a script, which may be one that connects, or have to send in a named format. */
    target: Target & { accept?: unknown; script?: { format?: unknown } };
    signal: AbortSignal;
  },
): unknown {
  if (signal.aborted) return signal.reason;
  const { host, port, protocol = "native", advice = CLIENT_ADVICE } = target;
  if (error instanceof RequestError) {
    if (error.code !== "unauthorized") return error;
    const isMissing = target.credentials?.token === undefined;
    const hint = isMissing ? advice.missingToken : advice.wrongToken;
    return new RequestError(error.code, `${error.message}; ${hint}`, { cause: error });
  }
  if (error instanceof ConnectError) return error;
  const isForeign = error instanceof CutError || error instanceof FormatError;
  const isListened = target.accept !== undefined;
  const address = isListened ? "what connected" : formatAddress({ hostname: host, port });
  const isInsisted = error instanceof FormatError && target.script?.format !== undefined;
  const hint = isInsisted
    ? `; ${RECOGNISED}`
    : isForeign && !isListened
    ? `; ${advice.foreign[protocol]}`
    : "";
  return withMessage(error, `Cannot get anything from ${address}: ${messageOf(error)}${hint}`);
}

/** Says how far a response has come before an error ended it. */
export function explainCut(error: unknown, what: string): unknown {
  if (error instanceof RequestError) return error;
  return withMessage(error, `Cannot finish ${what}: ${messageOf(error)}`);
}

/** An error with another message; that of a lost connection stays one. */
export function withMessage(cause: unknown, message: string): Error {
  const isLoss = cause instanceof CutError || cause instanceof DeadlineError ||
    cause instanceof ConnectError;
  return isLoss ? new CutError(message, { cause }) : new Error(message, { cause });
}
