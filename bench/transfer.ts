import type { Clip } from "./clips.ts";

/** A video that went from one process to another as fast as it could. */
export interface Transfer {
  /** Frames a second at the receiver, from the beginning of its connection to its end. */
  connected: number;
  /** From its first frame to its end. */
  flowing: number;
  /** From its start as a process to its end as one. */
  process: number;
  /** Processor time of both ends with all their children, seconds. */
  processor: number;
  /** Bytes of all frames. */
  bytes: number;
}

/** A transfer in which an FFmpeg decodes that is part of neither program. */
export interface SplitTransfer extends Transfer {
  /** Its processor time, which is part of the whole, seconds. */
  ffmpeg: number;
}

/** Another program, or a pair of them, that takes a file from one process to another. */
export interface Peer<T extends Transfer = Transfer> {
  name: string;
  /** What is not installed of it; `undefined` where it can be measured. */
  missing(): Promise<string | undefined>;
  /**
   * Sends all frames of a video, raw, and throws them away at the other end.
   *
   * @throws {Error} where not all came, or not whole
   */
  transfer(clip: Clip, signal: AbortSignal): Promise<T>;
}

/** Moments of a transfer, by `performance.now()`. */
export interface Moments {
  /** The receiver was started as a process. */
  began: number;
  /** It connected. */
  connected: number;
  /** It had its first frame, or the first so many. */
  first: { at: number; frames: number };
  /** It had its last frame, and knew it. */
  ended: number;
  /** It was gone. */
  gone: number;
}

/** Reckons what a transfer of a whole video comes to. */
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

/** @throws {Error} where not all frames of a video came */
export function expectFrames(program: string, frames: number, { frames: expected }: Clip): void {
  if (frames === expected) return;
  throw new Error(`Cannot measure ${program}: it took ${frames} frames, expected ${expected}`);
}

/** @throws {Error} where the frames of a video were not as large as they are raw */
export function expectBytes(program: string, bytes: number, expected: number): void {
  if (bytes === expected) return;
  throw new Error(`Cannot measure ${program}: it took ${bytes} bytes, expected ${expected}`);
}
