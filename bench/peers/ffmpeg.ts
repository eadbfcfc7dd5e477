import type { Clip } from "../clips.ts";
import { linesOf } from "../lines.ts";
import { parseMuxed } from "../parsers.ts";
import { freePort, untilListening } from "../ports.ts";
import { TimedProcess } from "../timed_process.ts";
import {
  expectBytes,
  expectFrames,
  type Moments,
  type Peer,
  toTransfer,
  type Transfer,
} from "../transfer.ts";

/** Message of FFmpeg, at level `verbose`, when it starts to connect. */
const CONNECTING = "Starting connection attempt";

/** Discards every packet. */
const NULL_OUTPUT = ["-c", "copy", "-f", "null", "-"];

/** Seconds between FFmpeg's reports: the first one comes with the first frame. */
const REPORT_PERIOD = 0.02;

/** An FFmpeg that sends NUT to another over `tcp://`. */
export class FfmpegPeer implements Peer {
  readonly name = "ffmpeg to ffmpeg";
  #codec: "rawvideo" | "copy";

  /** @param codec of the sent stream: decoded, or as in the file */
  constructor(codec: "rawvideo" | "copy") {
    this.#codec = codec;
  }

  /** Nothing can be measured without it. */
  missing(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  /** Sends a video. */
  async transfer(clip: Clip, signal: AbortSignal): Promise<Transfer> {
    const port = freePort();
    const address = `tcp://127.0.0.1:${port}`;
    const input = ["-nostdin", "-v", "error", "-i", clip.path, "-map", "0:v:0"];
    const output = ["-c:v", this.#codec, "-f", "nut", `${address}?listen`];
    await using sender = await TimedProcess.start("ffmpeg", [...input, ...output], { signal });
    await untilListening(port, signal);
    let connected: number | undefined;
    let muxed: ReturnType<typeof parseMuxed>;
    const onStderrLine = (line: string) => {
      if (line.includes(CONNECTING)) connected ??= performance.now();
      muxed ??= parseMuxed(line);
    };
    const began = performance.now();
    const reports = ["-nostats", "-progress", "pipe:1", "-stats_period", String(REPORT_PERIOD)];
    await using receiver = await TimedProcess.start(
      "ffmpeg",
      [...["-nostdin", "-v", "verbose"], ...reports, "-i", address, ...NULL_OUTPUT],
      { signal, onStderrLine },
    );
    const { first, ended } = await readProgress(receiver);
    let processor = await receiver.finished();
    const gone = performance.now();
    processor += await sender.finished();
    if (connected === undefined || first === undefined || ended === undefined || !muxed) {
      throw new Error("Cannot measure ffmpeg: its receiver got nothing");
    }
    const { frames, bytes } = muxed;
    expectFrames("ffmpeg", frames, clip);
    if (this.#codec === "rawvideo") expectBytes("ffmpeg", bytes, clip.frames * clip.frameSize);
    return toTransfer({ began, connected, first, ended, gone }, { frames, bytes, processor });
  }
}

/** Parses `key=value` lines: `frame` is the number of frames so far, `progress` reports the end. */
async function readProgress(
  receiver: TimedProcess,
): Promise<Partial<Pick<Moments, "first" | "ended">>> {
  let first: Moments["first"] | undefined;
  let ended: number | undefined;
  for await (const line of linesOf(receiver.stdout)) {
    const [key, value] = line.split("=");
    if (key === "frame" && Number(value) > 0) {
      first ??= { at: performance.now(), frames: Number(value) };
    }
    if (key === "progress" && value === "end") ended = performance.now();
  }
  return { first, ended };
}
