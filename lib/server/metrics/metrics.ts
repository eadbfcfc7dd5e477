/** What one answer has sent so far. */
export interface Counts {
  /** Pictures. */
  frames: number;
  /** Frames of sound. */
  audioFrames: number;
  /** Bytes of both. */
  bytes: number;
  /** Frames of both that were left out. */
  dropped: number;
}

/** Numbers that somebody may want to know at any moment. */
export interface Gauges {
  /** Peers that have a place. */
  viewers: () => number;
  /** Decoders that run. */
  decoders: () => number;
  /** Requests that wait for one. */
  waiting: () => number;
  /** Live sources that are being read, once for each rendition. */
  liveFeeds: () => number;
  /** Bytes that are set aside for frames. */
  frameMemory: () => number;
  /** Bytes that how recent answers began takes. */
  startCacheMemory: () => number;
}

/** Why connections are turned away: the server is full, or has enough of one address. */
export const REFUSALS = ["full", "address"] as const;

/** One of {@linkcode REFUSALS}. */
export type Refusal = typeof REFUSALS[number];

/** Takes note of what a server does. */
export interface Metrics {
  /** Says where the numbers are to be had. */
  watch(gauges: Gauges): void;
  /** Counts what an answer sends, whenever somebody looks, until what is returned is disposed. */
  follow(counts: () => Counts): Disposable;
  /**
   * Takes note of a frame that is about to be sent.
   *
   * @param seconds behind the moment at which a file's frame was due, or since a live one came
   */
  sending(source: "file" | "live", seconds: number): void;
  /**
   * Takes note of a request that is over.
   *
   * @param result one of few words
   */
  requestEnded(result: string, seconds: number): void;
  /** Takes note of an answer that begins with what was remembered of one before. */
  startCacheHit(): void;
  /** Takes note of a connection that was turned away. */
  connectionRefused(reason: Refusal): void;
}

/** Where nobody wants to know. */
export const NO_METRICS: Metrics = {
  watch() {},
  follow: () => ({ [Symbol.dispose]() {} }),
  sending() {},
  requestEnded() {},
  startCacheHit() {},
  connectionRefused() {},
};
