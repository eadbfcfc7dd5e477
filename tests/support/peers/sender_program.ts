/** Python programs that send frames in the ways in which scripts do, as processes. */
import { createHash } from "node:crypto";
import { findPythons } from "../../peers/python.ts";
import { run } from "../media/media_folder.ts";
import { printedBy } from "../programs/machine.ts";
import { HelperProgram, type Output, pathOf } from "../programs/running_program.ts";
import { PYTHON } from "./script_server.ts";

/** A Python with numpy 2 or later, which pickles arrays under other names. */
export const PYTHON_WITH_NUMPY_2 = await findNumpy2();

/** Size of the frames unless a script is told another one, pixels. */
export const SCRIPT_SIZE = { width: 48, height: 32 };

/** Frames that a script sends unless it is told otherwise. */
export const SCRIPT_FRAMES = 6;

/** How an array comes out of the client. */
interface ArrayFormat {
  channels: number;
  /** Bits of a sample. */
  depth: 8 | 16;
  /** The script sends floats. @default false */
  isFloat?: boolean;
  /** Places of blue, green, red and alpha. @default as in the array */
  order?: readonly number[];
  /** Each channel is a plane. @default false */
  isPlanar?: boolean;
}

/** Arrays that the script sends. */
export const SCRIPT_ARRAYS = {
  uint8: { channels: 3, depth: 8 },
  fortran: { channels: 3, depth: 8 },
  gray: { channels: 1, depth: 8 },
  bgra: { channels: 4, depth: 8 },
  uint16: { channels: 1, depth: 16 },
  uint16x3: { channels: 3, depth: 16 },
  // As rgba64le.
  uint16x4: { channels: 4, depth: 16, order: [2, 1, 0, 3] },
  float32: { channels: 1, depth: 16, isFloat: true },
  // As gbrp16le.
  float32x3: { channels: 3, depth: 16, isFloat: true, order: [1, 0, 2], isPlanar: true },
} satisfies Record<string, ArrayFormat>;

/** One of {@linkcode SCRIPT_ARRAYS}. */
export type ScriptArray = keyof typeof SCRIPT_ARRAYS;

/** Options of a script. */
export interface SenderOptions {
  /** @default PYTHON */
  python?: string;
  /** Standard input is a pipe, for `--enter` and `--ready`. @default false */
  typed?: boolean;
  /** The program. @default "script_sender.py" */
  script?: string;
}

/** A Python script that sends frames. */
export class SenderProgram implements AsyncDisposable {
  private constructor(private readonly program: HelperProgram, readonly port: string) {}

  /** Starts a script that listens on a free port, and waits until it does. */
  static async listen(args: readonly string[], options: SenderOptions = {}) {
    const program = start(["--listen", "0", ...args], options);
    const [, port] = await program.stdout.until(/^Listening on [\d.]+:(\d+)\n/);
    return new SenderProgram(program, port);
  }

  /** Starts a script that connects to a port of this machine and pushes. */
  static push(port: string, args: readonly string[], options: SenderOptions = {}): SenderProgram {
    return new SenderProgram(start(["--connect", port, ...args], options), port);
  }

  /** Starts a script that pushes when Enter is pressed, and waits until it has loaded all. */
  static async prepare(port: string, args: readonly string[]): Promise<SenderProgram> {
    const sender = SenderProgram.push(port, ["--ready", ...args], { typed: true });
    await sender.stdout.until(/^Ready\n/);
    return sender;
  }

  /** Starts a script that sends datagrams to a port of this machine. */
  static datagrams(
    port: string,
    args: readonly string[] = [],
    options: SenderOptions = {},
  ): SenderProgram {
    return new SenderProgram(start([port, ...args], { ...options, script: "udp_sender.py" }), port);
  }

  /** Starts one that sends datagrams when Enter is pressed, and waits until it has loaded all. */
  static async prepareDatagrams(port: string, args: readonly string[]): Promise<SenderProgram> {
    const sender = SenderProgram.datagrams(port, ["--ready", ...args], { typed: true });
    await sender.stdout.until(/^Ready\n/);
    return sender;
  }

  /** What it prints: a line for each frame, and one for each request or acknowledgement. */
  get stdout(): Output {
    return this.program.stdout;
  }

  /** When it sent each frame, seconds from the first. */
  get moments(): number[] {
    const times = [...this.stdout.text.matchAll(/^frame \d+ ([\d.]+)$/gm)];
    return times.map(([, time]) => Number(time) - Number(times[0][1]));
  }

  /** What it was sent: requests and acknowledgements. */
  get asked(): string[] {
    return [...this.stdout.text.matchAll(/^asked (.*)$/gm)].map(([, text]) => text);
  }

  /** Presses Enter. */
  async enter(): Promise<void> {
    await this.program.type("\n");
  }

  /** Waits for its end. Gives its exit status, and the traceback of Python if there is one. */
  async ending(): Promise<{ code: number; stderr: string }> {
    const { code } = await this.program.ended;
    return { code, stderr: this.program.stderr.text };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.program[Symbol.asyncDispose]();
  }
}

/**
 * The pixels of a frame of `script_sender.py`, as the client writes them for FFmpeg: in the pixel
 * format of the array, but floats as whole numbers of 16 bits.
 *
 * @param number of the frame, from 0
 */
export function framePixels(
  array: ScriptArray,
  number: number,
  { width, height } = SCRIPT_SIZE,
): Uint8Array {
  const { channels, depth, isFloat = false, order, isPlanar = false } = formatOf(array);
  const bytes = new Uint8Array(width * height * channels * depth / 8);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < width * height; at++) {
    const [x, y] = [at % width, Math.floor(at / width)];
    for (let channel = 0; channel < channels; channel++) {
      const value = 3 * x + 5 * y + 40 * channel + 7 * number;
      const place = order?.[channel] ?? channel;
      const to = isPlanar ? place * width * height + at : at * channels + place;
      if (isFloat) view.setUint16(2 * to, Math.round(value / 1024 * 0xffff), true);
      else if (depth === 16) view.setUint16(2 * to, value * 101 % 0x10000, true);
      else view.setUint8(to, value % 256);
    }
  }
  return bytes;
}

function formatOf(array: ScriptArray): ArrayFormat {
  return SCRIPT_ARRAYS[array];
}

/** Checksums of the first frames of a script that sends arrays, in their own pixel format. */
export function sumsOfArrays(
  array: ScriptArray,
  { frames = SCRIPT_FRAMES, size = SCRIPT_SIZE } = {},
): string[] {
  return Array.from(
    { length: frames },
    (_, number) => createHash("md5").update(framePixels(array, number, size)).digest("hex"),
  );
}

/** Checksums of the JPEGs that a script wrote with `--save`, as FFmpeg decodes them. */
export function sumsOfJpegs(folder: string): Promise<string[]> {
  return sumsIn(`${folder}/%d.jpg`);
}

/**
 * Checksums of the frames that FFmpeg decodes from a file.
 *
 * @param format arguments for another pixel format than the file's own
 */
export async function sumsIn(path: string, format: readonly string[] = []): Promise<string[]> {
  const output = [...format, "-fps_mode", "passthrough", "-f", "framemd5", "pipe:1"];
  const list = new TextDecoder().decode(await run("ffmpeg", ["-i", `file:${path}`, ...output]));
  return [...list.matchAll(/^0,.* (\w+)$/gm)].map(([, md5]) => md5);
}

function start(
  args: readonly string[],
  { python = PYTHON ?? "python3", typed = false, script = "script_sender.py" }: SenderOptions,
): HelperProgram {
  const stdin = typed ? "piped" : "null";
  return new HelperProgram(python, [pathOf(`tests/peers/${script}`), ...args], { stdin });
}

async function findNumpy2(): Promise<string | undefined> {
  for (const python of await findPythons(["numpy"])) {
    const version = await printedBy(python, ["-c", "import numpy; print(numpy.__version__)"]);
    if (parseInt(version) >= 2) return python;
  }
  return undefined;
}
