/** What HLS of files and of live sources have in common. */
import { abortable, deadline } from "../../../base/async.ts";
import type { Clock } from "../../../base/clock.ts";
import { RequestError } from "../../../base/errors.ts";
import type { Running } from "../running.ts";
import type { CutOptions } from "./cut_response.ts";

/** Milliseconds for a file that is not there yet. */
const TIMEOUT = 30_000;

/** HLS of one rendition. */
export interface Hls extends Running {
  /**
   * The playlist, as soon as there is one.
   *
   * @param query of its files, `""` or with its question mark
   * @throws {RequestError} if the media is refused, or nothing comes in time
   */
  playlist(query: string, signal: AbortSignal): Promise<string>;
  /**
   * A file of the playlist.
   *
   * @returns `undefined` if there is none of that name, or no more
   * @throws {RequestError} if it cannot be made
   */
  file(name: string, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer> | undefined>;
}

/** Options of {@linkcode HlsRendition}. */
export interface HlsOptions extends Pick<CutOptions, "dialect" | "signal"> {
  clock: Clock;
}

/**
 * Waits for changes until there is nothing to wait for.
 *
 * @param next the next change; `undefined` if no more is needed
 * @throws {RequestError} `busy` if it takes too long; the signal's reason
 */
export async function waitWhile(
  next: () => Promise<void> | undefined,
  signal: AbortSignal,
): Promise<void> {
  const late = new AbortController();
  using _limit = deadline(TIMEOUT, () => late.abort(tooLate()));
  const either = AbortSignal.any([signal, late.signal]);
  for (let change; (change = next()) !== undefined;) await abortable(change, either);
}

/** The error if media has nothing to show. */
export function nothing(): RequestError {
  return new RequestError("not_found", "Cannot show it: there is neither picture nor sound there");
}

function tooLate(): RequestError {
  return new RequestError("busy", "Cannot show it now: nothing came in time, try again later");
}
