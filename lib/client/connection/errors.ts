/** Failures of a connection: whether to connect again, and what to tell the user. */
import { DeadlineError, FormatError, messageOf, RequestError } from "../../base/errors.ts";
import { formatAddress } from "../../net/address.ts";
import type { Credentials } from "./credentials.ts";

/** No connection could be made, or the server's certificate is not the expected one. */
export class ConnectError extends Error {
  override name = "ConnectError";
  /** Connecting again would fail in the same way. */
  readonly permanent: boolean;
  /** The message without advice, for a user who was connected before. */
  readonly brief: string;

  constructor(
    message: string,
    { permanent = false, brief = message, cause }: ErrorOptions & {
      permanent?: boolean;
      brief?: string;
    } = {},
  ) {
    super(message, { cause });
    this.permanent = permanent;
    this.brief = brief;
  }
}

/** The connection ended before the response did. */
export class CutError extends Error {
  override name = "CutError";
}

/** The server shut down, and said so, before the response ended. */
export class ShutdownError extends CutError {
  override name = "ShutdownError";
}

/** Whether connecting again may help. */
export function isTransient(error: unknown): boolean {
  if (error instanceof RequestError) return error.code === "busy";
  if (error instanceof ConnectError) return !error.permanent;
  return error instanceof CutError || error instanceof DeadlineError;
}

/**
 * Adds advice to a failure before the first frame: the token may be wrong, or the server may speak
 * another protocol.
 *
 * @returns the signal's reason if it is aborted
 */
export function explained(
  error: unknown,
  { flags, signal }: {
    flags: { host: string; port: number; classic: boolean; credentials?: Credentials };
    signal: AbortSignal;
  },
): unknown {
  if (signal.aborted) return signal.reason;
  const { host, port, classic, credentials } = flags;
  if (error instanceof RequestError) {
    if (error.code !== "unauthorized") return error;
    const hint = credentials?.token === undefined
      ? "name a file with it in --token-file, or set STREAM_TOKEN"
      : "look at --token-file or STREAM_TOKEN, and ask who keeps the server for the right one";
    return new RequestError(error.code, `${error.message}; ${hint}`, { cause: error });
  }
  if (error instanceof ConnectError) return error;
  const hint = classic
    ? "is that a script that pickles numpy arrays? For stream-server leave out --classic"
    : "is that stream-server? For a script that pickles numpy arrays use --classic";
  const isForeign = error instanceof CutError || error instanceof FormatError;
  const message = `Cannot get anything from ${formatAddress({ hostname: host, port })}: ${
    messageOf(error)
  }`;
  return new Error(isForeign ? `${message}; ${hint}` : message, { cause: error });
}
