/** How a viewer follows a live source. */
import type { SlotOptions } from "../limits.ts";
import type { SourceStreams } from "./source_streams.ts";
import type { LiveQueue, LiveQueueOptions } from "./subscriber_queue.ts";

/** A subscription to a broadcast, until it is disposed. */
export interface LiveWatch extends Disposable {
  /** The streams of the types that were asked for. */
  readonly described: SourceStreams;
  readonly queue: LiveQueue;
  /** Asks for a keyframe, if the source can be asked. */
  requestKeyframe(): void;
  /**
   * Takes over the streams of a `describe` item.
   *
   * @returns false if they are not in the requested rendition; the caller has to watch it again
   * @throws {RequestError} `busy` if there is no memory for them
   */
  change(streams: SourceStreams): boolean;
}

/** Options of {@linkcode LiveSources.watch}. */
export interface WatchOptions extends LiveQueueOptions {
  signal: AbortSignal;
  /** How a decoder slot is waited for; by default, until the signal aborts. */
  slot?: SlotOptions;
  /** Ids of the relays that the request came through. */
  via?: readonly string[];
}
