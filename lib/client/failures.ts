/** What may go wrong with a connection, and better the next time. */
import { DeadlineError, RequestError, TruncatedError } from "../core/errors.ts";
import { CutError } from "./answer.ts";

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

/** The errors of Deno that a connection breaks off with. */
const BREAKS = [
  ...[Deno.errors.ConnectionReset, Deno.errors.ConnectionAborted, Deno.errors.BrokenPipe],
  ...[Deno.errors.TimedOut, Deno.errors.UnexpectedEof, Deno.errors.NetworkUnreachable],
  TruncatedError,
];

/** The same by the system's names, for those that Deno has no class for, and for Node's. */
const BREAK_CODES: readonly unknown[] = [
  ...["ECONNRESET", "ECONNABORTED", "EPIPE", "ETIMEDOUT"],
  ...["EHOSTUNREACH", "EHOSTDOWN", "ENETUNREACH", "ENETDOWN", "ENETRESET"],
];

/** Whether an error says that a connection broke off, whichever side noticed it. */
export function isBreak(error: unknown): boolean {
  if (BREAKS.some((kind) => error instanceof kind)) return true;
  return error instanceof Error && "code" in error && BREAK_CODES.includes(error.code);
}

/** Whether it may help to connect again: other failures would only be repeated. */
export function mayPass(error: unknown): boolean {
  if (error instanceof RequestError) return error.code === "busy";
  if (error instanceof ConnectError) return !error.lasting;
  return error instanceof CutError || error instanceof DeadlineError;
}
