import type { Clip } from "../clips.ts";
import { findPython } from "../installed.ts";
import { linesOf } from "../lines.ts";
import { TimedProcess } from "../timed_process.ts";
import {
  expectBytes,
  expectFrames,
  type Peer,
  type SplitTransfer,
  toTransfer,
} from "../transfer.ts";
import { scriptPath } from "./python.ts";

/** Fails with Python before 3.10, or if the size of a pipe cannot be set. */
const NEEDED = "import fcntl, os; os.splice; fcntl.F_SETPIPE_SZ";

/** Output of the sender. */
interface Sent {
  bytes: number;
  /** Seconds of processor time. */
  ffmpeg: number;
}

/** Output of the receiver; seconds from just before it connects. */
interface Received {
  bytes: number;
  first: number;
  seconds: number;
}

/**
 * Moves FFmpeg's output to a socket inside the kernel, and discards it at the other end: the
 * minimum for any program between FFmpeg and the network. It is not a server.
 */
export class RelayPeer implements Peer<SplitTransfer> {
  readonly name = "bare relay";
  #python: string | undefined;
  #frames: number | undefined;

  /** @param frames number of frames from the beginning; all by default */
  constructor(frames?: number) {
    this.#frames = frames;
  }

  /** Looks for a suitable Python. */
  async missing(): Promise<string | undefined> {
    this.#python = await findPython(NEEDED);
    return this.#python === undefined ? "Python 3.10 or later" : undefined;
  }

  /** Sends a video, or its first frames. */
  async transfer(clip: Clip, signal: AbortSignal): Promise<SplitTransfer> {
    const python = this.#python ?? "python3";
    const frames = this.#frames ?? clip.frames;
    const command = [scriptPath("relay.py"), clip.path, String(frames)];
    await using sender = await TimedProcess.start(python, command, { signal });
    const lines = linesOf(sender.stdout)[Symbol.asyncIterator]();
    const port = await next(lines, sender);
    const began = performance.now();
    await using receiver = await TimedProcess.start(
      python,
      [scriptPath("relay_sink.py"), port, String(clip.frameSize)],
      { signal },
    );
    const received: Received = JSON.parse(
      await next(linesOf(receiver.stdout)[Symbol.asyncIterator](), receiver),
    );
    let processor = await receiver.finished();
    const gone = performance.now();
    const { bytes, ffmpeg }: Sent = JSON.parse(await next(lines, sender));
    processor += await sender.finished();
    expectBytes("relay_sink.py", received.bytes, bytes);
    // The overhead of NUT is less than one frame.
    const whole = Math.floor(bytes / clip.frameSize);
    expectFrames("relay_sink.py", whole, { ...clip, frames });
    const transfer = toTransfer({
      ...{ began, gone, connected: 0, ended: received.seconds * 1000 },
      first: { at: received.first * 1000, frames: 1 },
    }, { frames, bytes: frames * clip.frameSize, processor });
    return { ...transfer, ffmpeg };
  }
}

async function next(lines: AsyncIterator<string>, process: TimedProcess): Promise<string> {
  const { value, done } = await lines.next();
  if (!done) return value;
  await process.finished();
  throw new Error("Cannot measure the bare relay: its output is incomplete");
}
