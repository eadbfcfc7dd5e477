/** The interface between sources of frames and everything that sends or keeps them. */
import type { Frame, StreamDescription } from "./frame.ts";

/** A frame with the time at which it is due: the earliest timestamp yet to be shown. */
export interface TimedFrame extends Frame {
  /** Seconds on the timeline of the timestamps. */
  due: number;
}

/** Interleaved frames of all streams of some media. */
export interface FrameSource extends AsyncDisposable {
  /** Whether it is read by an index, without FFmpeg. */
  readonly isIndexed?: boolean;
  /** Descriptions of the streams, video before audio. */
  readonly streams: readonly StreamDescription[];
  /** Sentences about differences from the request. */
  readonly notes: readonly string[];
  /** FFmpeg's last complaint so far, if the media is damaged. */
  readonly warning: string | undefined;
  /**
   * Yields all frames in the order in which they are due. A frame is valid until the next one is
   * requested; who keeps it may take ownership of its buffer by then (`keepFrame`), unless it is
   * borrowed.
   *
   * @throws {RequestError} `media_error` if FFmpeg fails
   */
  frames(): AsyncGenerator<TimedFrame>;
}
