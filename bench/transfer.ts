import type { Clip } from "./clips.ts";

/** Figures of a video sent from one process to another as fast as possible. */
export interface Transfer {
  /** Frames per second at the receiver, from connecting to the end. */
  connected: number;
  /** From its first frame to the end. */
  flowing: number;
  /** From the start to the exit of its process. */
  process: number;
  /** Processor time of both ends including children, seconds. */
  processor: number;
  /** Bytes of all frames. */
  bytes: number;
}

/** A transfer with an FFmpeg that belongs to neither program. */
export interface SplitTransfer extends Transfer {
  /** Processor time of that FFmpeg, part of the total, seconds. */
  ffmpeg: number;
}

/** Another program, or a pair of them, that sends a file from one process to another. */
export interface Peer<T extends Transfer = Transfer> {
  name: string;
  /** Missing packages; `undefined` if it can be measured. */
  missing(): Promise<string | undefined>;
  /**
   * Sends all raw frames of a video, and discards them at the other end.
   *
   * @throws {Error} if frames are missing or incomplete
   */
  transfer(clip: Clip, signal: AbortSignal): Promise<T>;
}

/** Times of a transfer, by `performance.now()`. */
export interface Moments {
  /** Start of the receiving process. */
  began: number;
  /** It connects. */
  connected: number;
  /** It has its first frame, or the first few. */
  first: { at: number; frames: number };
  /** It has its last frame and the end. */
  ended: number;
  /** It has exited. */
  gone: number;
}

/** Computes the figures of a transfer of a whole video. */
export function toTransfer(
  { began, connected, first, ended, gone }: Moments,
  { frames, ...counted }: { frames: number; bytes: number; processor: number },
): Transfer {
  return {
    connected: frames * 1000 / (ended - connected),
    flowing: (frames - first.frames) * 1000 / (ended - first.at),
    process: frames * 1000 / (gone - began),
    ...counted,
  };
}

/** @throws {Error} if frames of a video are missing */
export function expectFrames(program: string, frames: number, { frames: expected }: Clip): void {
  if (frames === expected) return;
  throw new Error(`Cannot measure ${program}: it received ${frames} frames, expected ${expected}`);
}

/** @throws {Error} if the frames of a video do not have the size of raw frames */
export function expectBytes(program: string, bytes: number, expected: number): void {
  if (bytes === expected) return;
  throw new Error(`Cannot measure ${program}: it received ${bytes} bytes, expected ${expected}`);
}
