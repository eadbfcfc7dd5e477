/** What may go wrong with a connection, and better the next time. */
import { DeadlineError, FormatError, messageOf, RequestError } from "../../base/errors.ts";
import { formatAddress } from "../../net/address.ts";
import type { ClientFlags } from "../flags.ts";

/** There is no way to the server, or it is not the one that it should be. */
export class ConnectError extends Error {
  override name = "ConnectError";
  /** It will be the same the next time. */
  readonly lasting: boolean;
  /** The message without advice, for who has been connected before. */
  readonly brief: string;

  constructor(
    message: string,
    { lasting = false, brief = message, cause }: ConnectErrorOptions = {},
  ) {
    super(message, { cause });
    this.lasting = lasting;
    this.brief = brief;
  }
}

/** What a {@linkcode ConnectError} knows besides its message. */
export interface ConnectErrorOptions extends ErrorOptions {
  lasting?: boolean;
  brief?: string;
}

/** The connection ended before the answer did. */
export class CutError extends Error {
  override name = "CutError";
}

/** The server ended, and said so, before the answer did. */
export class ShutdownError extends CutError {
  override name = "ShutdownError";
}

/** Whether it may help to connect again: other failures would only be repeated. */
export function mayPass(error: unknown): boolean {
  if (error instanceof RequestError) return error.code === "busy";
  if (error instanceof ConnectError) return !error.lasting;
  return error instanceof CutError || error instanceof DeadlineError;
}

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
