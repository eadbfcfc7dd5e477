import type { ByteReader } from "../core/byte_reader.ts";
import type { ByteWriter } from "../core/byte_writer.ts";
import type { Logger } from "../core/log.ts";
import type { Library } from "../media/library.ts";
import type { Access } from "./access.ts";
import type { LiveSources } from "./live_sources.ts";
import type { MemoryBudget } from "./memory_budget.ts";
import type { Defaults } from "./playback.ts";

/** How long a peer may keep the server waiting. */
export interface Timeouts {
  /** Milliseconds for a request to arrive whole. */
  request: number;
  /** Milliseconds in which a peer takes nothing of what is sent. */
  stall: number;
  /** Milliseconds between signs of life while a request is answered. */
  ping: number;
  /** Milliseconds in which FFmpeg gives nothing; 30 s unless told. */
  silence?: number;
}

/** What every session is given. */
export interface SessionContext {
  library: Library;
  /** What is shown as it happens, beside the library. */
  live: LiveSources;
  defaults: Defaults;
  /** Who may watch. */
  access: Access;
  /** Scripts, which know no token, may watch where one is needed. */
  classicOpen?: boolean;
  /** What the frames of all viewers may take of the memory. */
  budget: MemoryBudget;
  timeouts: Timeouts;
  logger: Logger;
  /** Ends the session. */
  signal: AbortSignal;
  /** IP address of the peer. */
  address: string;
  /** Reads from the peer. */
  reader: ByteReader;
  /** Writes to the peer. */
  writer: ByteWriter;
}

/** Whether an error only says that the peer went away, as viewers do. */
export function isPeerGone(error: unknown): boolean {
  return error instanceof Deno.errors.BrokenPipe ||
    error instanceof Deno.errors.ConnectionReset ||
    error instanceof Deno.errors.ConnectionAborted ||
    error instanceof Deno.errors.NotConnected ||
    error instanceof Deno.errors.Interrupted ||
    error instanceof Deno.errors.BadResource;
}
