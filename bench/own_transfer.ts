import { MONOTONIC_CLOCK } from "../lib/base/clock.ts";
import type { Bench } from "./measurement.ts";
import { findChildren, readProcessorTime } from "./proc.ts";
import type { ServerProcess } from "./programs.ts";
import type { Clip } from "./clips.ts";
import { expectBytes, expectFrames, type SplitTransfer, toTransfer } from "./transfer.ts";

/** Milliseconds between checks whether the server's FFmpeg has exited. */
const LOOKS = 10;

/** A transfer to measure. */
export interface TransferOptions {
  clip: Clip;
  /** Number of frames from the beginning. @default all */
  frames?: number;
  /** Further flags of the client. */
  flags?: readonly string[];
  /** Expected bytes; unknown for stream copy. */
  bytes?: number;
}

/**
 * Transfers a video from a running server to a `stream-client` that discards it. The processor time
 * of the server's start is included, as for other programs, whose senders are started each time.
 */
export async function transferOurs(
  server: ServerProcess,
  { clip, frames, flags = [], bytes }: TransferOptions,
  { programs, signal }: Bench,
): Promise<SplitTransfer> {
  const before = await readProcessorTime(server.pid);
  const expected = frames ?? clip.frames;
  // Ends in the middle of the last frame.
  const end = (expected - 0.5) * clip.seconds / clip.frames;
  const part = frames === undefined ? [] : ["--duration", String(end)];
  const began = performance.now();
  const fixed = ["--port", String(server.port), "--view", "none", "--speed", "max"];
  const report = await programs.runClient(
    ["--video", clip.name, ...fixed, ...part, ...flags],
    signal,
  );
  const gone = performance.now();
  expectFrames("stream-client", report.frames, { ...clip, frames: expected });
  if (bytes !== undefined) expectBytes("stream-client", report.bytes, bytes);
  // The time of its FFmpeg is counted after the server has waited for its exit.
  while ((await findChildren(server.pid, "ffmpeg", { ended: true })).length > 0) {
    await MONOTONIC_CLOCK.sleep(LOOKS, signal);
  }
  const after = await readProcessorTime(server.pid);
  const ffmpeg = after.children - before.children;
  const transfer = toTransfer({
    ...{ began, gone, connected: 0, ended: report.seconds * 1000 },
    first: { at: report.firstFrameMs, frames: 1 },
  }, {
    frames: expected,
    bytes: report.bytes,
    processor: server.starting + report.processor + after.own - before.own + ffmpeg,
  });
  return { ...transfer, ffmpeg };
}
