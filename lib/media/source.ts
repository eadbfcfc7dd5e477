/** The interface between sources of frames and everything that sends or keeps them. */
import type { Frame, StreamDescription } from "./frame.ts";

/** A frame with the time at which it is due: the earliest timestamp yet to be shown. */
export interface TimedFrame extends Frame {
  /** Seconds on the timeline of the timestamps. */
  due: number;
}

/** Sees the frames of a source before they are given on, until it is done or disposed. */
export interface FrameTap extends Disposable {
  /** No further frame is wanted. */
  readonly isDone: boolean;
  /** Called with each frame; the source waits for the result. */
  onFrame(frame: TimedFrame): Promise<void>;
  /** Called once all frames have been given. */
  onEnd(): Promise<void>;
}

/** Interleaved frames of all streams of some media. */
export interface FrameSource extends AsyncDisposable {
  /** Set before frames are requested. The source disposes of it. */
  tap?: FrameTap;
  /** Descriptions of the streams, video before audio. */
  readonly streams: readonly StreamDescription[];
  /** Sentences about differences from the request. */
  readonly notes: readonly string[];
  /** FFmpeg's last complaint so far, if the media is damaged. */
  readonly warning: string | undefined;
  /**
   * Yields all frames in the order in which they are due. A frame is valid until the next one is
   * requested.
   *
   * @throws {RequestError} `media_error` if FFmpeg fails
   */
  frames(): AsyncGenerator<TimedFrame>;
}
