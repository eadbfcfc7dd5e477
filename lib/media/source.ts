import type { Frame, StreamDescription } from "./frame.ts";

/** A frame, and when it is due. */
export interface TimedFrame extends Frame {
  /**
   * Seconds on the time line of the timestamps, in the order of decoding: what the frame's moment
   * would be if frames were sent in the order in which they are shown.
   */
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

/** Frames of some media, one stream beside the other. */
export interface FrameSource extends AsyncDisposable {
  /** Set before frames are asked for. The source disposes of it. */
  tap?: FrameTap;
  /** What the frames are, picture before sound. */
  readonly streams: readonly StreamDescription[];
  /** What is other than was asked for, one sentence each. */
  readonly notes: readonly string[];
  /** What FFmpeg has complained about so far while it went on; the media is damaged then. */
  readonly warning: string | undefined;
  /**
   * Gives all frames in the order in which they are due. A frame is good until the next one is
   * asked for.
   *
   * @throws {RequestError} `media_error` where FFmpeg fails
   */
  frames(): AsyncGenerator<TimedFrame>;
}
