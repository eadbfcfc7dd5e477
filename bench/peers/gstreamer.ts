import type { Clip } from "../clips.ts";
import { succeeds } from "../installed.ts";
import { parseChainLine } from "../parsers.ts";
import { freePort, untilConnected, untilListening } from "../ports.ts";
import { linesOf } from "../lines.ts";
import { TimedProcess } from "../timed_process.ts";
import { expectBytes, expectFrames, type Peer, toTransfer, type Transfer } from "../transfer.ts";

const PROGRAM = "gst-launch-1.0";

/** Elements of the pipelines that are not part of GStreamer's core. */
const ELEMENTS = ["qtdemux", "avdec_h264", "tcpserversink", "tcpclientsrc", "rawvideoparse"];

/** GStreamer's `tcpserversink` to its `tcpclientsrc`. */
export class GstreamerPeer implements Peer {
  readonly name = "GStreamer";

  /** Looks for the program, and for the elements in its plugins. */
  async missing(): Promise<string | undefined> {
    if (!await succeeds("gst-inspect-1.0", ["--version"])) return "gstreamer1.0-tools";
    const found = await Promise.all(
      ELEMENTS.map((element) => succeeds("gst-inspect-1.0", ["--exists", element])),
    );
    const missing = ELEMENTS.filter((_, index) => !found[index]);
    return missing.length === 0 ? undefined : `GStreamer's ${missing.join(", ")}`;
  }

  /**
   * Sends a video. `tcpserversink` discards data while no client is connected, and unsent data at
   * its end. So it is fed the file after the receiver has connected, and a second, empty source
   * keeps it running until all frames have arrived.
   */
  async transfer(clip: Clip, signal: AbortSignal): Promise<Transfer> {
    const port = freePort();
    using holder = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    await using sender = await TimedProcess.start(PROGRAM, sends(port, holder.addr.port), {
      signal,
      stdin: "piped",
    });
    const drained = sender.stdout.pipeTo(new WritableStream());
    using hold = await accept(holder, signal);
    await untilListening(port, signal);
    const began = performance.now();
    await using receiver = await TimedProcess.start(PROGRAM, receives(port, clip), { signal });
    await untilConnected(port, signal);
    const connected = performance.now();
    const fed = feed(sender, clip.path);
    // The process at the other end reports a failure.
    fed.catch(() => {});
    const [frames, bytes] = [[] as number[], [] as number[]];
    for await (const line of linesOf(receiver.stdout)) {
      const size = parseChainLine(line);
      if (size === undefined) continue;
      frames.push(performance.now());
      bytes.push(size);
      if (frames.length === clip.frames) await hold.closeWrite();
    }
    let processor = await receiver.finished();
    const gone = performance.now();
    processor += await sender.finished();
    await Promise.all([fed, drained]);
    expectFrames(PROGRAM, frames.length, clip);
    const total = bytes.reduce((sum, size) => sum + size, 0);
    expectBytes(PROGRAM, total, clip.frames * clip.frameSize);
    const moments = { began, connected, first: { at: frames[0], frames: 1 }, gone };
    const ended = frames[frames.length - 1];
    return toTransfer({ ...moments, ended }, { frames: frames.length, bytes: total, processor });
  }
}

function sends(port: number, holder: number): string[] {
  return [
    ...["fdsrc", "fd=0", "!", "qtdemux", "!", "avdec_h264", "!", "video/x-raw,format=I420"],
    ...["!", "tcpserversink", "host=127.0.0.1", `port=${port}`, "sync=false"],
    ...["tcpclientsrc", "host=127.0.0.1", `port=${holder}`, "!", "fakesink", "async=false"],
  ];
}

/** Each buffer of the parser is a frame, and is reported by the sink. */
function receives(port: number, { width, height }: Clip): string[] {
  return [
    ...["-v", "tcpclientsrc", "host=127.0.0.1", `port=${port}`],
    ...["!", "rawvideoparse", "format=i420", `width=${width}`, `height=${height}`],
    ...["!", "fakesink", "sync=false", "silent=false"],
  ];
}

/** Waits for a connection, or for the signal. */
async function accept(listener: Deno.TcpListener, signal: AbortSignal): Promise<Deno.TcpConn> {
  const stop = () => listener.close();
  signal.addEventListener("abort", stop);
  try {
    return await listener.accept();
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

async function feed(sender: TimedProcess, path: string): Promise<void> {
  using file = await Deno.open(path);
  await file.readable.pipeTo(sender.stdin);
}
