import type { Clip } from "../clips.ts";
import { findPython } from "../installed.ts";
import { firstLine, TimedProcess } from "../timed_process.ts";
import { expectBytes, expectFrames, type Peer, toTransfer, type Transfer } from "../transfer.ts";

/** Bytes per pixel of OpenCV's frames, BGR. */
const BYTES_PER_PIXEL = 3;

/** Output of the receiving scripts; seconds from just before they connect. */
interface Report {
  frames: number;
  bytes: number;
  first: number;
  seconds: number;
}

/** Two scripts with OpenCV: a sender and a receiver. */
export interface Scripts {
  sender: string;
  receiver: string;
  /** Required modules. */
  modules: readonly string[];
}

/** A plain server and client with pickles over a socket. */
export const PICKLE: Scripts = {
  sender: "pickle_server.py",
  receiver: "pickle_client.py",
  modules: ["numpy", "cv2"],
};

/** Arrays over ZeroMQ, as imagezmq sends them. */
export const ZMQ: Scripts = {
  sender: "zmq_sender.py",
  receiver: "zmq_receiver.py",
  modules: ["numpy", "cv2", "zmq"],
};

/** Python scripts that send OpenCV's frames. */
export class PythonPeer implements Peer {
  readonly name: string;
  #scripts: Scripts;
  #python: string | undefined;

  constructor(name: string, scripts: Scripts) {
    this.name = name;
    this.#scripts = scripts;
  }

  /** Looks for a Python that has the modules. */
  async missing(): Promise<string | undefined> {
    const { modules } = this.#scripts;
    this.#python = await findPython(`import ${modules.join(", ")}`);
    return this.#python === undefined ? `Python with ${modules.join(", ")}` : undefined;
  }

  /** Sends a video. */
  async transfer(clip: Clip, signal: AbortSignal): Promise<Transfer> {
    await using sender = await this.#start("sender", clip.path, signal);
    const port = await firstLine(sender);
    const began = performance.now();
    await using receiver = await this.#start("receiver", port, signal);
    const printed = await firstLine(receiver);
    let processor = await receiver.finished();
    const gone = performance.now();
    processor += await sender.finished();
    const { frames, bytes, first, seconds }: Report = JSON.parse(printed);
    const { receiver: program } = this.#scripts;
    expectFrames(program, frames, clip);
    expectBytes(program, bytes, clip.frames * clip.width * clip.height * BYTES_PER_PIXEL);
    return toTransfer({
      ...{ began, gone, connected: 0, ended: seconds * 1000 },
      first: { at: first * 1000, frames: 1 },
    }, { frames, bytes, processor });
  }

  #start(end: "sender" | "receiver", argument: string, signal: AbortSignal): Promise<TimedProcess> {
    const command = [scriptPath(this.#scripts[end]), argument];
    return TimedProcess.start(this.#python ?? "python3", command, { signal });
  }
}

/** Path of a script in this folder. */
export function scriptPath(name: string): string {
  return decodeURIComponent(new URL(name, import.meta.url).pathname);
}
