import { formatAddress } from "../core/address.ts";
import { FormatError, messageOf, RequestError } from "../core/errors.ts";
import { CutError } from "./answer.ts";
import { ConnectError } from "./failures.ts";
import type { ClientFlags } from "./flags.ts";

/** What {@linkcode explained} has to know. */
export interface ExplainContext {
  flags: ClientFlags;
  signal: AbortSignal;
}

/** A failure before anything came may mean that something else serves there. */
export function explained(reason: unknown, { flags, signal }: ExplainContext): unknown {
  if (signal.aborted) return signal.reason;
  const { host, port, classic, credentials } = flags;
  if (reason instanceof RequestError) {
    if (reason.code !== "unauthorized") return reason;
    const hint = credentials?.token === undefined
      ? "name a file with it in --token-file, or set STREAM_TOKEN"
      : "look at --token-file or STREAM_TOKEN, and ask who keeps the server for the right one";
    return new RequestError(reason.code, `${reason.message}; ${hint}`, { cause: reason });
  }
  if (reason instanceof ConnectError) return reason;
  const hint = classic
    ? "is that a script that pickles numpy arrays? For stream-server leave out --classic"
    : "is that stream-server? For a script that pickles numpy arrays use --classic";
  const foreign = reason instanceof CutError || reason instanceof FormatError;
  const message = `Cannot get anything from ${formatAddress({ hostname: host, port })}: ${
    messageOf(reason)
  }`;
  return new Error(foreign ? `${message}; ${hint}` : message, { cause: reason });
}
