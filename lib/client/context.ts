/** The context of a run: flags, server, limits and FFmpeg. */
import { FormatError, messageOf, RequestError } from "../base/errors.ts";
import { printable } from "../base/log.ts";
import { formatAddress } from "../net/address.ts";
import { InstalledFfmpeg } from "../ffmpeg/version.ts";
import type { Target } from "../net/connection.ts";
import { openCredentials } from "./connection/credentials.ts";
import { ConnectError, CutError } from "../net/errors.ts";
import { limitsOf, type RetryLimits } from "./connection/retry.ts";
import type { ClientFlags } from "./flags.ts";
import type { Environment } from "./terminal/environment.ts";

/** Environment and signals of a run. */
export interface RunOptions {
  environment: Environment;
  /** Ends everything in good order. */
  signal: AbortSignal;
  /** Ends everything at once. */
  forced: AbortSignal;
}

/** Shared by all parts of a run. */
export interface ClientContext extends RunOptions {
  flags: ClientFlags;
  /** The server that the flags name, with its credentials. */
  target: Target;
  limits: RetryLimits;
  /** The FFmpeg of this machine. */
  ffmpeg: InstalledFfmpeg;
}

/**
 * Reads the credentials and creates the context of a run. The caller disposes its `ffmpeg`.
 *
 * @throws {Error} if a file that the flags name cannot be used
 */
export async function openContext(
  flags: ClientFlags,
  options: RunOptions,
): Promise<ClientContext> {
  const { printError, token } = options.environment;
  const notify = (line: string) => printError(`${printable(line)}\n`);
  const credentials = await openCredentials({ flags, token, notify });
  const { host, port, classic } = flags;
  return {
    ...options,
    flags,
    target: { host, port, protocol: classic ? "script" : "native", credentials },
    limits: limitsOf(flags),
    ffmpeg: new InstalledFfmpeg(),
  };
}

/** Adds advice to an error that came before any media: perhaps another program serves there. */
export function explain(
  error: unknown,
  { target, signal }: Pick<ClientContext, "target" | "signal">,
): unknown {
  if (signal.aborted) return signal.reason;
  const { host, port, protocol, credentials } = target;
  if (error instanceof RequestError) {
    if (error.code !== "unauthorized") return error;
    const hint = credentials?.token === undefined
      ? "name a file with it in --token-file, or set STREAM_TOKEN"
      : "look at --token-file or STREAM_TOKEN, and ask who keeps the server for the right one";
    return new RequestError(error.code, `${error.message}; ${hint}`, { cause: error });
  }
  if (error instanceof ConnectError) return error;
  const hint = protocol === "script"
    ? "is that a script that pickles numpy arrays? For stream-server leave out --classic"
    : "is that stream-server? For a script that pickles numpy arrays use --classic";
  const isForeign = error instanceof CutError || error instanceof FormatError;
  const message = `Cannot get anything from ${formatAddress({ hostname: host, port })}: ${
    messageOf(error)
  }`;
  return new Error(isForeign ? `${message}; ${hint}` : message, { cause: error });
}
