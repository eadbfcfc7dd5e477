/** Finds the hardware that decodes and encodes, by trying it. */
import { deadline } from "../base/async.ts";
import { ProcessError } from "../base/errors.ts";
import {
  deviceArguments,
  encoderArguments,
  type EncoderChoice,
  encoderFilters,
  encodersOf,
  type Hardware,
  type HardwareEncoder,
} from "./encoders.ts";
import { reasonBefore } from "./hardware.ts";
import { type Process, startProcess } from "./process.ts";
import { startConfined } from "./sandbox.ts";

/** Milliseconds in which an encoder has to encode a frame, or a device to open. */
const TRIAL_TIMEOUT = 20_000;

/** Bits per second of the frame that is encoded with a bitrate. */
const TRIAL_BITRATE = 1_000_000;

/**
 * Methods that `auto` tries, the first one that works is used. Those that FFmpeg's decoders take by
 * themselves: Quick Sync needs others, and OpenCL does not decode.
 */
const HWACCELS = ["cuda", "vaapi", "videotoolbox", "d3d11va", "dxva2", "vdpau"];

/** The hardware that is asked for. */
export interface WantedHardware {
  /** The encoder of H.264; `auto` for the first one in hardware that works. @default "libx264" */
  encoder?: EncoderChoice;
  /** FFmpeg's name of the method that decodes, `auto` for the first one, or `none`. @default "none" */
  hwaccel?: string;
}

/** The result of a search for {@linkcode WantedHardware}. */
export interface FoundHardware {
  hardware: Hardware;
  /** The encoder was asked for by name, and not by `auto`. */
  isNamed: boolean;
  /** Log lines, one for each choice that was made, or that could not be. */
  notes: readonly { level: "info" | "warn"; message: string }[];
}

/** Options of {@linkcode HardwareSearch}. */
export interface SearchOptions {
  /** Bytes of memory that FFmpeg may allocate, as when it is used. @default unlimited */
  maxMemory?: number;
  /** Operating system, by Deno's name. @default this one */
  system?: string;
}

/** A search for hardware, which begins at once. Disposing it ends the FFmpegs that it runs. */
export class HardwareSearch implements AsyncDisposable {
  /** The result; rejects if the search is disposed before, but not for hardware that fails. */
  readonly found: Promise<FoundHardware>;
  #options: SearchOptions;
  #stop = new AbortController();

  constructor(wanted: WantedHardware, options: SearchOptions = {}) {
    this.#options = options;
    this.found = this.#search(wanted);
    // The caller gets it, unless it fails before for another reason.
    this.found.catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await Promise.allSettled([this.found]);
  }

  async #search({ encoder = "libx264", hwaccel = "none" }: WantedHardware): Promise<FoundHardware> {
    const [encoding, decoding] = await Promise.all([
      this.#findEncoder(encoder),
      this.#findDecoding(hwaccel),
    ]);
    this.#stop.signal.throwIfAborted();
    const notes = [encoding, decoding].flatMap(({ note }) => note === undefined ? [] : [note]);
    return {
      hardware: { encoder: encoding.name ?? "libx264", hwaccel: decoding.name },
      isNamed: encoder !== "auto",
      notes,
    };
  }

  async #findEncoder(choice: EncoderChoice): Promise<Choice<HardwareEncoder>> {
    if (choice === "libx264") return {};
    if (choice !== "auto") {
      const { failures: [failure] } = await this.#firstEncoder([choice]);
      if (failure === undefined) return { name: choice };
      const message = `Cannot encode with ${choice}: ${failure.reason}; libx264 is used instead`;
      return { note: { level: "warn", message } };
    }
    const { system = Deno.build.os } = this.#options;
    const { name, failures } = await this.#firstEncoder(encodersOf(system));
    const message = name === undefined
      ? `h264 is encoded by libx264: no hardware encodes it here (${inWords(failures)})`
      : `h264 is encoded by ${name}`;
    return { name, note: { level: "info", message } };
  }

  /** Finds the first encoder that the installed FFmpeg was built with and that works. */
  async #firstEncoder(names: readonly HardwareEncoder[]): Promise<Found<HardwareEncoder>> {
    const { stdout } = await this.#run(["-hide_banner", "-encoders"]);
    const isBuilt = (name: string) => new RegExp(`^ \\S+ ${name} `, "m").test(stdout);
    const { name, failures } = await this.#firstOf(names.filter(isBuilt), encoderTrial);
    const reason = "the installed FFmpeg has no such encoder";
    const unbuilt = names.filter((name) => !isBuilt(name)).map((name) => ({ name, reason }));
    return { name, failures: [...failures, ...unbuilt] };
  }

  async #findDecoding(choice: string): Promise<Choice<string>> {
    if (choice === "none") return {};
    const methods = await this.#methods();
    if (choice === "auto") {
      const usual = HWACCELS.filter((method) => methods.includes(method));
      const { name, failures } = await this.#firstOf(usual, deviceTrial);
      if (usual.length === 0) failures.push({ name: "FFmpeg", reason: "it was built without" });
      const message = name === undefined
        ? `Video is decoded by the processor: no hardware decodes it here (${inWords(failures)})`
        : `Video is decoded by ${name}, as far as it can`;
      return { name, note: { level: "info", message } };
    }
    const failure = methods.includes(choice)
      ? (await this.#firstOf([choice], deviceTrial)).failures.at(0)?.reason
      : `the installed FFmpeg has no such method, expected ${expectedOf(methods)}`;
    if (failure === undefined) return { name: choice };
    const message = `Cannot decode with ${choice}: ${failure}; the processor decodes instead`;
    return { note: { level: "warn", message } };
  }

  /** The methods of decoding that the installed FFmpeg was built with. */
  async #methods(): Promise<string[]> {
    const { stdout } = await this.#run(["-hide_banner", "-hwaccels"]);
    // A heading comes first.
    return stdout.split("\n").slice(1).map((line) => line.trim()).filter((line) => line !== "");
  }

  /** Tries all at once; gives the first in their order that works, and why those before do not. */
  async #firstOf<Name extends string>(
    names: readonly Name[],
    argumentsOf: (name: Name) => string[],
  ): Promise<Found<Name>> {
    await using trials = new AsyncDisposableStack();
    const running = names.map((name) => trials.use(this.#try(argumentsOf(name))));
    const failures: Failure[] = [];
    for (const [at, name] of names.entries()) {
      const reason = await running[at].reason;
      if (reason === undefined) return { name, failures };
      failures.push({ name, reason });
    }
    return { failures };
  }

  #try(args: readonly string[]): Trial {
    const stop = new AbortController();
    const reason = this.#run(args, stop.signal).then(({ reason }) => reason);
    return {
      reason,
      async [Symbol.asyncDispose]() {
        stop.abort();
        await Promise.allSettled([reason]);
      },
    };
  }

  /** Runs FFmpeg to its end, with the limits that it will have. */
  async #run(args: readonly string[], stop?: AbortSignal): Promise<Ending> {
    const { maxMemory } = this.#options;
    const signal = stop === undefined
      ? this.#stop.signal
      : AbortSignal.any([this.#stop.signal, stop]);
    await using child: Process = maxMemory === undefined
      ? startProcess("ffmpeg", args, { signal })
      : startConfined("ffmpeg", args, { maxMemory, signal });
    if (maxMemory !== undefined) await child.stdin.close();
    let isLate = false;
    using _limit = deadline(TRIAL_TIMEOUT, () => {
      isLate = true;
      child.kill();
    });
    const stdout = await new Response(child.stdout).text();
    try {
      await child.finished();
      return { stdout };
    } catch (error) {
      if (!(error instanceof ProcessError)) throw error;
      if (isLate) return { stdout, reason: `nothing came within ${TRIAL_TIMEOUT / 1000} s` };
      const { code, stderr } = error.failure;
      return { stdout, reason: reasonBefore(stderr) ?? `FFmpeg failed (${code})` };
    }
  }
}

/** A choice that was made; without a name, the processor does the work. */
interface Choice<Name extends string> {
  name?: Name;
  note?: FoundHardware["notes"][number];
}

/** The first hardware that works, and what does not. */
interface Found<Name extends string> {
  name?: Name;
  failures: Failure[];
}

/** Hardware that does not work, and why. */
interface Failure {
  name: string;
  reason: string;
}

/** An FFmpeg that tries something, and why it fails; `undefined` once it has succeeded. */
interface Trial extends AsyncDisposable {
  reason: Promise<string | undefined>;
}

interface Ending {
  stdout: string;
  /** Why it failed. */
  reason?: string;
}

function expectedOf(methods: readonly string[]): string {
  return methods.length === 0 ? "none, since it was built without" : `one of ${methods.join(" ")}`;
}

function inWords(failures: readonly Failure[]): string {
  return failures.map(({ name, reason }) => `${name}: ${reason}`).join("; ");
}

const TRIAL = ["-hide_banner", "-nostdin"];

/** Devices state the reason of a failure in lines of this level. */
const DEVICE_LEVEL = ["-v", "verbose"];

/** Encodes a frame with constant quality, and one with a bitrate, which hardware may lack. */
function encoderTrial(encoder: HardwareEncoder): string[] {
  const output = (bitrate?: number) => [
    ...["-map", "0:v", "-vf", encoderFilters(encoder).join(",")],
    ...encoderArguments(encoder, { bitrate, keyframeDistance: 1 }),
    ...["-frames:v", "1", "-f", "null", "-"],
  ];
  return [
    ...TRIAL,
    ...(deviceArguments(encoder).length > 0 ? DEVICE_LEVEL : ["-v", "error"]),
    ...deviceArguments(encoder),
    ...["-f", "lavfi", "-i", "color=size=640x360:rate=25"],
    ...output(),
    ...output(TRIAL_BITRATE),
  ];
}

/** Opens the device of a method that decodes. */
function deviceTrial(method: string): string[] {
  return [
    ...[...TRIAL, ...DEVICE_LEVEL, "-init_hw_device", method],
    ...["-f", "lavfi", "-i", "color=size=64x64:rate=25", "-frames:v", "1", "-f", "null", "-"],
  ];
}
