import type { Clip } from "../clips.ts";
import { freePort, untilListening } from "../ports.ts";
import { linesOf } from "../lines.ts";
import { TimedProcess } from "../timed_process.ts";
import { expectFrames, type Moments, type Peer, toTransfer, type Transfer } from "../transfer.ts";

/** What FFmpeg says, on the level `verbose`, at the moment when it begins to connect. */
const CONNECTING = "Starting connection attempt";

/** Takes every packet as it is. */
const NOWHERE = ["-c", "copy", "-f", "null", "-"];

/** Seconds between FFmpeg's reports: the first one comes with the first frame. */
const REPORT_PERIOD = 0.02;

/** An FFmpeg that sends NUT to another over `tcp://`. */
export class FfmpegPeer implements Peer {
  readonly name = "ffmpeg to ffmpeg";
  #codec: "rawvideo" | "copy";

  /** @param codec in which it sends: decoded, or as the file has it */
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
    const onComplaint = (line: string) => {
      if (line.includes(CONNECTING)) connected ??= performance.now();
    };
    const began = performance.now();
    const reports = ["-nostats", "-progress", "pipe:1", "-stats_period", String(REPORT_PERIOD)];
    await using receiver = await TimedProcess.start(
      "ffmpeg",
      [...["-nostdin", "-v", "verbose"], ...reports, "-i", address, ...NOWHERE],
      { signal, onComplaint },
    );
    const { frames, first } = await readProgress(receiver);
    let processor = await receiver.finished();
    const ended = performance.now();
    processor += await sender.finished();
    if (connected === undefined || first === undefined) {
      throw new Error("Cannot measure FFmpeg: its receiver took nothing");
    }
    expectFrames("ffmpeg", frames, clip);
    return toTransfer({ began, connected, first, ended, gone: ended }, { frames, processor });
  }
}

/** Reads `key=value` lines; each `frame` counts the frames so far. */
async function readProgress(
  receiver: TimedProcess,
): Promise<{ frames: number } & Partial<Pick<Moments, "first">>> {
  let frames = 0;
  let first: Moments["first"] | undefined;
  for await (const line of linesOf(receiver.stdout)) {
    const [key, value] = line.split("=");
    if (key !== "frame") continue;
    frames = Number(value);
    if (frames > 0) first ??= { at: performance.now(), frames };
  }
  return { frames, first };
}
