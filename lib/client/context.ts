/** The context of a run: flags, server, limits and FFmpeg. */
import { printable } from "../base/log.ts";
import { Explanation } from "../protocol/explainer.ts";
import { InstalledFfmpeg } from "../ffmpeg/version.ts";
import type { Target } from "../net/connection.ts";
import { openCredentials } from "./connection/credentials.ts";
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

/**
 * The server that the flags name. If they say so, each conversation with it is explained.
 *
 * @param print takes lines without their ends, of any characters
 */
export function explained(
  { flags, target, environment }: ClientContext,
  print: (line: string) => void,
): Target {
  if (!flags.explain) return target;
  const { clock } = environment;
  return { ...target, observe: new Explanation({ print, now: () => clock.now() }) };
}
