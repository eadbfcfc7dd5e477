/** The frames of an input, for one connection after another. */
import type { SharedFrame } from "../../sources/live/shared_frame.ts";
import type { SourceStreams } from "../../sources/live/source_streams.ts";
import { MAX_QUEUED_BYTES, type QueueLimits } from "../../sources/live/subscriber_queue.ts";

/** Frames that wait for a slow connection: up to the next keyframe, and little enough to be live. */
export const PUBLISH_LIMITS: QueueLimits = {
  videoFrames: 10,
  videoTime: 2000,
  videoBytes: MAX_QUEUED_BYTES,
  audioTime: 2000,
};

/** The next item to send. */
export type InputItem =
  /** Frames of these streams follow. */
  | ({ kind: "describe" } & SourceStreams)
  | {
    kind: "frame";
    /** Has to be released once it is sent. */
    frame: SharedFrame;
    /** Frames of its stream were dropped before it. */
    dropped: boolean;
    /** Its stream was not followed for a while before it. */
    discontinuity: boolean;
  }
  /** The input is over; `warning` is FFmpeg's complaint, if the media is damaged. */
  | { kind: "end"; warning?: string };

/** The frames for one connection: a description before the first, then each frame once. */
export interface InputReading extends Disposable {
  /** Frames that were dropped since it began. */
  readonly dropped: number;
  /**
   * Waits for the next item.
   *
   * @throws the signal's reason; the reading goes on afterwards
   * @throws {RequestError} if the input fails for good
   */
  take(signal: AbortSignal): Promise<InputItem>;
}

/** An input that is published. Stopped for good when it is disposed. */
export interface PublishInput extends AsyncDisposable {
  /**
   * Waits until it is known that it can be read, if that can be known before anybody asks for frames.
   *
   * @throws {RequestError} if it cannot
   */
  ready(signal: AbortSignal): Promise<void>;
  /** Begins to read for a connection; starts the input if it does not run. */
  read(): InputReading;
  /** Stops the input until it is read again. An input that cannot be started again waits instead. */
  stop(): Promise<void>;
}
