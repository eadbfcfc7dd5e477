/** Failures of a connection, and whether connecting again may help. */
import { DeadlineError, RequestError } from "../base/errors.ts";

/** No connection could be made, or the server's certificate is not the expected one. */
export class ConnectError extends Error {
  /** Name of the class. */
  override name = "ConnectError";
  /** Connecting again would fail in the same way. */
  readonly permanent: boolean;
  /** The message without advice, for a user who was connected before. */
  readonly brief: string;

  /** The message states the reason, and what the user can do about it. */
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
  /** Name of the class. */
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
