/** Errors that callers catch by class. All others are plain `Error`s. */

/** Codes of a refused request in an error message (docs/PROTOCOL.md). */
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

/** A request that the server refuses; the message is sent to the peer. */
export class RequestError extends Error {
  /** Name of the class. */
  override name = "RequestError";

  /** The code says what is wrong, for programs; the message says it for people. */
  constructor(readonly code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
  }
}

/** Media that has no frame at or after the requested time. */
export class NothingToSendError extends RequestError {
  override name = "NothingToSendError";
}

/** Invalid command line: reported with a hint to `--help`, exit status 2. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** Bytes that violate their format (protocol, NUT, pickle). */
export class FormatError extends Error {
  override name = "FormatError";
}

/** Input that ended inside a unit. */
export class TruncatedError extends Error {
  override name = "TruncatedError";

  /**
   * @param expected bytes of the unit
   * @param received bytes of it before the end of input
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

/** The same as error codes of the system: some have no class in Deno, and Node has codes only. */
const LOST_CODES: readonly unknown[] = [
  ...["ECONNRESET", "ECONNABORTED", "EPIPE", "ETIMEDOUT"],
  ...["EHOSTUNREACH", "EHOSTDOWN", "ENETUNREACH", "ENETDOWN", "ENETRESET"],
];

/** Whether an error means that the peer has closed or lost a connection or pipe. */
export function isConnectionLost(error: unknown): boolean {
  if (LOST.some((kind) => error instanceof kind)) return true;
  return error instanceof Error && "code" in error && LOST_CODES.includes(error.code);
}

/** Whether an error means that this program closed the connection while it was in use. */
export function isConnectionClosed(error: unknown): boolean {
  return error instanceof Deno.errors.Interrupted || error instanceof Deno.errors.BadResource;
}

/** Standard output was closed by its reader, such as `head`. */
export class OutputClosedError extends Error {
  override name = "OutputClosedError";
}

/** A wait that took longer than its deadline. */
export class DeadlineError extends Error {
  override name = "DeadlineError";
}

/** A required program that is not installed. */
export class MissingProgramError extends Error {
  override name = "MissingProgramError";
}

/** How a child process failed. */
export interface ProcessFailure {
  /** Exit status; 128 + signal number if a signal ended it. */
  code: number;
  /** Name of the signal that ended it. */
  signal: string | null;
  /** Tail of its standard error. */
  stderr: string;
}

/** A child process that did not end with status 0. */
export class ProcessError extends Error {
  override name = "ProcessError";

  constructor(readonly program: string, readonly failure: ProcessFailure) {
    const outcome = failure.signal ? `was ended by ${failure.signal}` : `failed (${failure.code})`;
    const reason = failure.stderr.trim().replaceAll(/\s*\n\s*/g, "; ");
    super(`${program} ${outcome}${reason ? `: ${reason}` : ""}`);
  }
}

/** Deno's reason if a file of the system needs more permission than the programs have. */
const SPECIAL_FILE = /^Requires all access /;

/**
 * The message of a thrown value, for users. Deno's own advice is left out: users cannot set the flags
 * of the executables.
 */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  if (error instanceof Deno.errors.IsADirectory) return "it is a folder";
  if (!(error instanceof Deno.errors.NotCapable)) return error.message;
  return SPECIAL_FILE.test(error.message)
    ? "it is a special file of the system, which this program may not open"
    : "this program has no permission for that";
}
