import type { Frame, StreamDescription } from "./frame.ts";

/** A frame with its decoding time. */
export interface TimedFrame extends Frame {
  /** Decoding time: seconds on the timeline of the timestamps. */
  due: number;
}

/** Interleaved frames of all streams of some media. */
export interface FrameSource extends AsyncDisposable {
  /** Descriptions of the streams, video before audio. */
  readonly streams: readonly StreamDescription[];
  /** Sentences about differences from the request. */
  readonly notes: readonly string[];
  /** FFmpeg's last complaint so far, if the media is damaged. */
  readonly warning: string | undefined;
  /**
   * Yields all frames in the order of their decoding times. A frame is valid until the next one is
   * requested.
   *
   * @throws {RequestError} `media_error` if FFmpeg fails
   */
  frames(): AsyncGenerator<TimedFrame>;
}
