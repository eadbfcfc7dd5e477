/** What may go wrong with a connection, and better the next time. */
import { DeadlineError, RequestError } from "../../base/errors.ts";
import { CutError } from "../request/request.ts";

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

/** Whether it may help to connect again: other failures would only be repeated. */
export function mayPass(error: unknown): boolean {
  if (error instanceof RequestError) return error.code === "busy";
  if (error instanceof ConnectError) return !error.lasting;
  return error instanceof CutError || error instanceof DeadlineError;
}
