/** Where a part of some media ends. Pure. */
import { type Frame, type StreamDescription, toSeconds } from "../core/frame.ts";
import { sampleSize } from "../core/pcm.ts";

/** Seconds; what users write down of a moment is rounded to this. */
const PRECISION = 1e-6;

/**
 * Takes off a frame what begins at the end of a part or behind it: PCM to the sample, of all else
 * the whole frame.
 *
 * @param end seconds, on the time line of the timestamps
 * @returns what is left, in the same memory; `undefined` for nothing
 */
export function cutAt(end: number, frame: Frame, stream: StreamDescription): Frame | undefined {
  const left = end - toSeconds(frame.timestamp, stream.timeBase);
  if (left < PRECISION) return undefined;
  if (stream.type === "video") return frame;
  const size = sampleSize(stream.codec);
  if (size === undefined) return frame;
  const bytes = Math.ceil((left - PRECISION) * stream.sampleRate) * size * stream.channels;
  if (bytes >= frame.data.byteLength) return frame;
  return { ...frame, data: frame.data.subarray(0, bytes) };
}
