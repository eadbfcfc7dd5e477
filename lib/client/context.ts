/** The context of a run: flags, server, limits and FFmpeg. */
import { printable } from "../base/log.ts";
import { Explanation } from "../protocol/explainer.ts";
import { InstalledFfmpeg } from "../ffmpeg/version.ts";
import { parseListenAddress } from "../net/address.ts";
import { openCredentials } from "./connection/credentials.ts";
import { limitsOf, NO_RETRIES, type RetryLimits } from "./connection/retry.ts";
import type { ClientFlags } from "./flags.ts";
import type { MediaTarget } from "./request/script.ts";
import { ScriptListener } from "./script/listener.ts";
import { isWord, toScriptSettings } from "./script/plan.ts";
import type { Environment } from "./terminal/environment.ts";

/** Environment and signals of a run. */
export interface RunOptions {
  environment: Environment;
  /** Ends everything in good order. */
  signal: AbortSignal;
  /** Ends everything at once. */
  forced: AbortSignal;
  /** The FFmpeg of this machine, which the caller disposes. @default a new one */
  ffmpeg?: InstalledFfmpeg;
}

/** Shared by all parts of a run. */
export interface ClientContext extends RunOptions {
  flags: ClientFlags;
  /** The server that the flags name, with its credentials, or the script. */
  target: MediaTarget;
  /** Waits for the script, if it connects. */
  listener?: ScriptListener;
  limits: RetryLimits;
  /** The FFmpeg of this machine. */
  ffmpeg: InstalledFfmpeg;
}

/**
 * Reads the credentials and creates the context of a run. The caller disposes its `listener`, and
 * its `ffmpeg` unless that is the one of the options.
 *
 * @throws {Error} if a file that the flags name cannot be used, or an address
 */
export async function openContext(
  flags: ClientFlags,
  options: RunOptions,
): Promise<ClientContext> {
  const { printError, token } = options.environment;
  const notify = (line: string) => printError(`${printable(line)}\n`);
  const credentials = await openCredentials({ flags, token, notify });
  const { host, port, classic, retries } = flags;
  const listener = openListener(flags, options);
  return {
    ...options,
    flags,
    target: {
      ...{ host, port, credentials },
      protocol: classic ? "script" : "native",
      script: classic ? toScriptSettings(flags) : undefined,
      accept: listener && ((signal, observe) => listener.next(signal, observe)),
    },
    listener,
    // A script that plays a file starts it again on each connection.
    limits: classic && retries === undefined ? NO_RETRIES : limitsOf(flags),
    ffmpeg: options.ffmpeg ?? new InstalledFfmpeg(),
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
): MediaTarget {
  if (!flags.explain) return target;
  const { clock } = environment;
  return { ...target, observe: new Explanation({ print, now: () => clock.now() }) };
}

/** Opens the port of `--listen`. */
function openListener(
  { listen, request }: ClientFlags,
  { environment: { printError, clock } }: RunOptions,
): ScriptListener | undefined {
  if (listen === undefined) return undefined;
  return new ScriptListener({
    address: parseListenAddress(listen, "listen"),
    flag: "listen",
    speaksFirst: isWord(request),
    notify: (line) => printError(`${printable(line)}\n`),
    clock,
  });
}
