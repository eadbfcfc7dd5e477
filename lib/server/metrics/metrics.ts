/** The interface through which a server reports its measurements. */

/** Frames and bytes that one response has sent, or one publisher. */
export interface Counts {
  frames: number;
  audioFrames: number;
  bytes: number;
  /** Frames of both that were dropped. */
  dropped: number;
}

/** Current values, read when the metrics are. */
export interface Gauges {
  /** Connections that hold a slot. */
  viewers: () => number;
  decoders: () => number;
  /** Requests that wait for a decoder. */
  waiting: () => number;
  /** Running live feeds: each source once for each rendition. */
  liveFeeds: () => number;
  /** Names that publishers have. */
  publishers: () => number;
  /** Bytes reserved for frames. */
  frameMemory: () => number;
  /** Bytes of the frames that are kept of files. */
  startCacheMemory: () => number;
}

/** Reasons to refuse a connection: the server is full, or the address has all its connections. */
export const REFUSALS = ["full", "address"] as const;

/** One of {@linkcode REFUSALS}. */
export type Refusal = typeof REFUSALS[number];

/** Records what a server does. */
export interface Metrics {
  /** Registers the functions that give current values. */
  watch(gauges: Gauges): void;
  /** Counts what a response sends, until disposed. */
  follow(counts: () => Counts): Disposable;
  /** Counts what a publisher sends, until disposed. */
  receive(counts: () => Counts): Disposable;
  /**
   * Records a frame that is about to be sent.
   *
   * @param seconds since a file's frame was due, or since a live frame was captured
   */
  sending(source: "file" | "live", seconds: number): void;
  /**
   * Records the end of a request.
   *
   * @param result one of a few words
   */
  requestEnded(result: string, seconds: number): void;
  /** Counts a response that begins from memory. */
  startCacheHit(): void;
  connectionRefused(reason: Refusal): void;
}

/** Discards everything, for servers without metrics. */
export const NO_METRICS: Metrics = {
  watch() {},
  follow: () => ({ [Symbol.dispose]() {} }),
  receive: () => ({ [Symbol.dispose]() {} }),
  sending() {},
  requestEnded() {},
  startCacheHit() {},
  connectionRefused() {},
};
