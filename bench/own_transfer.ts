import { MONOTONIC_CLOCK } from "../lib/base/clock.ts";
import type { Bench } from "./measurement.ts";
import { findChildren, readProcessorTime } from "./proc.ts";
import type { ServerProcess } from "./programs.ts";
import type { Clip } from "./clips.ts";
import { expectBytes, expectFrames, type SplitTransfer, toTransfer } from "./transfer.ts";

/** Milliseconds between looks at whether the server's FFmpeg is gone. */
const LOOKS = 10;

/** What is asked for. */
export interface Order {
  clip: Clip;
  /** Frames that are asked for, from the beginning; all where absent. */
  frames?: number;
  /** The client's flags, besides. */
  flags?: readonly string[];
  /** Bytes that are to come; unknown where packets are copied. */
  bytes?: number;
}

/**
 * Takes a video from a running server by a `stream-client` that throws it away. What the server
 * took for its own start counts, as it does with the others, whose senders are started anew.
 */
export async function transferOurs(
  server: ServerProcess,
  { clip, frames, flags = [], bytes }: Order,
  { programs, signal }: Bench,
): Promise<SplitTransfer> {
  const before = await readProcessorTime(server.pid);
  const expected = frames ?? clip.frames;
  // To the middle of the last frame.
  const end = (expected - 0.5) * clip.seconds / clip.frames;
  const part = frames === undefined ? [] : ["--duration", String(end)];
  const began = performance.now();
  const where = ["--port", String(server.port), "--view", "none", "--speed", "max"];
  const report = await programs.runClient(
    ["--video", clip.name, ...where, ...part, ...flags],
    signal,
  );
  const gone = performance.now();
  expectFrames("stream-client", report.frames, { ...clip, frames: expected });
  if (bytes !== undefined) expectBytes("stream-client", report.bytes, bytes);
  // What its FFmpeg took is counted when that is gone, and the server has taken note of it.
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
