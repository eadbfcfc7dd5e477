/** The Python receiver that is sent frames unasked, as a process. */
import { assertEquals } from "@std/assert";
import { HelperProgram, type Output, pathOf } from "../programs/running_program.ts";
import { PYTHON } from "./script_server.ts";

/** A frame that a receiver decoded. */
export interface ReceivedPicture {
  /** Height, width, and channels if there are several. */
  shape: number[];
  /** Of the pixels. */
  md5: string;
  /** MD5 of the JPEG that it came as, if it did. */
  jpeg?: string;
}

/** All that a receiver was sent. */
export interface ReceivedStream {
  frames: ReceivedPicture[];
  /** How the connection ended; absent if the receiver left. */
  end?: "closed" | "cut";
}

/** A receiver that runs until it is disposed. */
export class ScriptReceiver implements AsyncDisposable {
  #program: HelperProgram;

  private constructor(args: readonly string[]) {
    const script = pathOf("tests/peers/script_receiver.py");
    this.#program = new HelperProgram(PYTHON ?? "python3", [script, ...args], { stdin: "piped" });
  }

  /** One that connects to a port of this machine. */
  static connect(port: number, framing: string, ...args: string[]): ScriptReceiver {
    return new ScriptReceiver([framing, "--connect", String(port), ...args]);
  }

  /** One that listens, by default on a free port, for one connection. */
  static async listen(
    framing: string,
    { port = 0, args = [] }: { port?: number; args?: readonly string[] } = {},
  ): Promise<{ receiver: ScriptReceiver; port: number }> {
    const receiver = new ScriptReceiver([framing, "--listen", String(port), ...args]);
    const [, found] = await receiver.stdout.until(/^\{"port": (\d+)\}\n/);
    return { receiver, port: Number(found) };
  }

  /** What it prints. */
  get stdout(): Output {
    return this.#program.stdout;
  }

  /** Waits until it has decoded so many frames. */
  async received(count: number): Promise<void> {
    await this.stdout.until(new RegExp(`(?:"md5"[^]*?){${count}}\\n`));
  }

  /** Lets one that waits go on. */
  async go(): Promise<void> {
    await this.#program.type("\n");
  }

  /** Waits until it ends; gives what it was sent. */
  async result(): Promise<ReceivedStream> {
    const { code } = await this.#program.ended;
    assertEquals([code, this.#program.stderr.text], [0, ""]);
    const lines = this.stdout.lines.map((line) => JSON.parse(line));
    const frames = lines.filter((line) => line.md5 !== undefined);
    return { frames, end: lines.find((line) => line.end !== undefined)?.end };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program[Symbol.asyncDispose]();
  }
}
