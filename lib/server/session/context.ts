import type { ByteReader } from "../../base/byte_reader.ts";
import type { ByteWriter } from "../../base/byte_writer.ts";
import type { Clock } from "../../base/clock.ts";
import {
  DeadlineError,
  isConnectionClosed,
  isConnectionLost,
  MissingProgramError,
  RequestError,
} from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import type { IdleTimeout } from "../../net/idle_timeout.ts";
import type { StartCache } from "../../sources/cache/start_cache.ts";
import type { Library } from "../../sources/file/library.ts";
import type { DecoderSlots, MemoryBudget } from "../../sources/limits.ts";
import type { LiveSources } from "../../sources/live/registry.ts";
import type { Authenticator } from "../auth/authenticator.ts";
import type { RequestLog } from "../metrics/request_log.ts";
import type { Defaults } from "../playback/play_file.ts";
import type { Shutdown } from "../shutdown.ts";

/** How long a peer may keep the server waiting. */
export interface Timeouts {
  /** Milliseconds for a request to arrive whole. */
  request: number;
  /** Milliseconds for the same where the peer gets no place; 3 s unless told. */
  refusal?: number;
  /** Milliseconds in which a peer takes nothing of what is sent. */
  stall: number;
  /** Milliseconds between signs of life while a request is answered. */
  ping: number;
  /**
   * Milliseconds without a sign of life from a peer that is answered, and pinged, on the native
   * wire; 15 s unless told.
   */
  life?: number;
  /** Milliseconds in which FFmpeg gives nothing; 30 s unless told. */
  silence?: number;
  /** Milliseconds in which FFmpeg has to say what a file is; 20 s unless told. */
  probe?: number;
}

/** What every session is given. */
export interface SessionContext {
  library: Library;
  /** What is shown as it happens, beside the library. */
  live: LiveSources;
  defaults: Defaults;
  /** Who may watch. */
  authenticator: Authenticator;
  /** Scripts, which know no token, may watch where one is needed. */
  scriptsOpen?: boolean;
  /** What the frames of all viewers may take of the memory. */
  budget: MemoryBudget;
  /** How many decoders may run at once. */
  slots: DecoderSlots;
  /** How recent answers began. */
  startCache: StartCache;
  timeouts: Timeouts;
  /** Paces the frames of files; see `ServerOptions`. */
  clock?: Clock;
  /** What becomes of requests is told here. */
  requestLog: RequestLog;
  /** IP address of the peer. */
  address: string;
  logger: Logger;
  /** Ends the session. */
  signal: AbortSignal;
  /** How the server ends. */
  shutdown: Shutdown;
  /** Whether the server's end is what breaks off the session. */
  isDraining: () => boolean;
  /** Tells whether the peer is still there. */
  idleTimeout: IdleTimeout;
  /** Reads from the peer. */
  reader: ByteReader;
  /** Writes to the peer. */
  writer: ByteWriter;
}

/** Whether an error means that the client left, or that its connection was closed here. */
export function isPeerGone(error: unknown): boolean {
  return isConnectionLost(error) || isConnectionClosed(error);
}

/** What the system may have no more of, by the names of its errors (errno(3)). */
const LACKS: Record<string, string> = {
  EMFILE: "file descriptors",
  ENFILE: "file descriptors",
  EAGAIN: "processes",
  ENOMEM: "memory",
};

/** What the system had no more of when an action failed; `undefined` where it failed otherwise. */
function lackOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? LACKS[String(error.code)] : undefined;
}

/**
 * What a peer is told of a failure: reasons that concern it, and nothing of this side's insides.
 *
 * @returns `undefined` where it cannot be told anything any more
 */
export function toRefusal(error: unknown): RequestError | undefined {
  if (error instanceof RequestError) return error;
  if (isPeerGone(error) || error instanceof DeadlineError) return undefined;
  if (error instanceof MissingProgramError) {
    return new RequestError("internal", `Cannot serve: ${error.message}, on the server`, {
      cause: error,
    });
  }
  const lacking = lackOf(error);
  if (lacking !== undefined) {
    const message = `Cannot serve now: the server has no ${lacking} left, try again later`;
    return new RequestError("busy", message, { cause: error });
  }
  const message = "Cannot serve the request: the server failed, its log says why";
  return new RequestError("internal", message, { cause: error });
}
