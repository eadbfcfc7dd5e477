/** The few errors that some caller tells apart. Everything else is a plain `Error`. */

/** Codes of a refused request, as they travel in an error message (docs/PROTOCOL.md). */
export const ERROR_CODES = [
  "bad_request",
  "unauthorized",
  "not_found",
  "unsupported",
  "busy",
  "media_error",
  "version",
  "internal",
] as const;

/** One of {@linkcode ERROR_CODES}. */
export type ErrorCode = typeof ERROR_CODES[number];

/** A request that the server refuses: thrown where the reason is found, sent to the peer. */
export class RequestError extends Error {
  override name = "RequestError";

  constructor(readonly code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
  }
}

/** Media that has no frame at the moment that was asked for, nor later. */
export class NothingToSendError extends RequestError {
  override name = "NothingToSendError";
}

/** Wrong command line: reported with a pointer to `--help`, exit status 2. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** Bytes that break the format they should be in (wire, NUT, pickle). */
export class FormatError extends Error {
  override name = "FormatError";
}

/** Input that ended inside a unit: neither whole nor a clean end. */
export class TruncatedError extends Error {
  override name = "TruncatedError";

  /**
   * @param expected bytes that the unit needed
   * @param received bytes of it that came before the end
   */
  constructor(readonly expected: number, readonly received: number) {
    super(`Input ended after ${received} bytes, expected ${expected}`);
  }
}

/** Errors of Deno that mean a lost connection or pipe. */
const LOST = [
  ...[Deno.errors.ConnectionReset, Deno.errors.ConnectionAborted, Deno.errors.BrokenPipe],
  ...[Deno.errors.TimedOut, Deno.errors.UnexpectedEof, Deno.errors.NetworkUnreachable],
  ...[Deno.errors.NotConnected, TruncatedError],
];

/** The same as error codes of the system, for those without a class in Deno, and for Node's. */
const LOST_CODES: readonly unknown[] = [
  ...["ECONNRESET", "ECONNABORTED", "EPIPE", "ETIMEDOUT"],
  ...["EHOSTUNREACH", "EHOSTDOWN", "ENETUNREACH", "ENETDOWN", "ENETRESET"],
];

/** Whether an error means that the other end of a connection or pipe is gone. */
export function isConnectionLost(error: unknown): boolean {
  if (LOST.some((kind) => error instanceof kind)) return true;
  return error instanceof Error && "code" in error && LOST_CODES.includes(error.code);
}

/** Whether an error means that this side closed the connection while it was in use. */
export function isConnectionClosed(error: unknown): boolean {
  return error instanceof Deno.errors.Interrupted || error instanceof Deno.errors.BadResource;
}

/** Standard output has been closed by whoever read it, as `head` does. */
export class OutputClosedError extends Error {
  override name = "OutputClosedError";
}

/** A wait that took longer than its deadline. */
export class DeadlineError extends Error {
  override name = "DeadlineError";
}

/** A program that this one needs and that is not there. */
export class MissingProgramError extends Error {
  override name = "MissingProgramError";
}

/** What a child process left behind when it failed. */
export interface ProcessFailure {
  /** Exit status, or 128 + signal number where a signal ended it. */
  code: number;
  /** Name of the signal that ended it, where one did. */
  signal: string | null;
  /** The last lines it wrote to its standard error. */
  stderr: string;
}

/** A child process that ended with anything but success. */
export class ProcessError extends Error {
  override name = "ProcessError";

  constructor(readonly program: string, readonly failure: ProcessFailure) {
    const ending = failure.signal ? `was ended by ${failure.signal}` : `failed (${failure.code})`;
    const reason = failure.stderr.trim().replaceAll(/\s*\n\s*/g, "; ");
    super(`${program} ${ending}${reason ? `: ${reason}` : ""}`);
  }
}

/** The text of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
