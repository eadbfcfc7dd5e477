/** The installed FFmpeg: its versions, the arguments that depend on them, formats and encoders. */
import { deadline } from "../base/async.ts";
import { messageOf, MissingProgramError, ProcessError } from "../base/errors.ts";
import { startProcess } from "./process.ts";

/** Programs of FFmpeg, which distributions may package separately. */
export type FfmpegProgram = "ffmpeg" | "ffprobe" | "ffplay";

/** Version of a program. */
export interface FfmpegVersion {
  /** Name for messages: `7.1.5`, or `N-12345-gabcdef` for a build between two releases. */
  name: string;
  /** Release number; absent for builds between releases. */
  release?: readonly [major: number, minor: number];
}

/** Arguments that differ between versions. */
export interface FfmpegDialect {
  /** Value of `-enc_time_base` for the time base of the input. */
  inputTimeBase: "-1" | "demux";
  /** How to set the rotation of copied packets: by an input option, or by an output tag. */
  rotationBy: "option" | "tag";
  /**
   * Where Matroska's sound begins if decoders drop its first samples: with the first packet, or with
   * the first sample that is left.
   */
  soundStart: "packet" | "sample";
}

/** The oldest supported release. */
const OLDEST = [5, 1] as const;

/** `-display_rotation` came with 6.0 (FFmpeg's Changelog); the tag `rotate` went with it. */
const DISPLAY_ROTATION = [6, 0] as const;

/** `-enc_time_base demux` works in 7.1 and later, `-1` up to 7.1; 9.0 refuses `-1`. */
const TIME_BASE_BY_NAME = [7, 1] as const;

/** Sound of Matroska begins with a packet up to 8.0, with a sample since 8.1 (RFC 9559, CodecDelay). */
const SOUND_BY_SAMPLE = [8, 1] as const;

/** The first release that decodes animated WebP, for messages. */
export const ANIMATED_WEBP_RELEASE = "9.0";

/** Milliseconds for an answer. */
const ANSWER_TIMEOUT = 20_000;

/**
 * Parses the output of `-version`. Development builds have a commit instead of a release (`N-…`,
 * `git-…`), packagers extend the release (`7.1.5-0+deb13u1`, `n7.1`).
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseFfmpegVersion } from "./version.ts";
 *
 * const version = parseFfmpegVersion("ffmpeg version 7.1.5-0+deb13u1 Copyright (c) 2000-2026");
 * assertEquals(version, { name: "7.1.5", release: [7, 1] });
 * ```
 */
export function parseFfmpegVersion(text: string): FfmpegVersion {
  const [, word] = text.match(/^\w+ version (\S+)/) ?? [];
  if (word === undefined) return { name: "of an unknown version" };
  // At most three digits: some builds begin with the year, as in 2026-01-01-git-abc.
  const [, name, major, minor] = word.match(/^n?((\d{1,3})\.(\d+)(?:\.\d+)*)/) ?? [];
  if (name === undefined) return { name: word };
  return { name, release: [Number(major), Number(minor)] };
}

/** Whether a version is supported. Builds between releases count as recent. */
export function isSupported(version: FfmpegVersion): boolean {
  return isAtLeast(version, OLDEST);
}

/** The arguments that a version of `ffmpeg` needs. */
export function dialectOf(version: FfmpegVersion): FfmpegDialect {
  return {
    inputTimeBase: isAtLeast(version, TIME_BASE_BY_NAME) ? "demux" : "-1",
    rotationBy: isAtLeast(version, DISPLAY_ROTATION) ? "option" : "tag",
    soundStart: isAtLeast(version, SOUND_BY_SAMPLE) ? "sample" : "packet",
  };
}

/** The installed programs. What they say is read once, when it is first needed. */
export class InstalledFfmpeg implements AsyncDisposable {
  #versions = new Map<FfmpegProgram, Promise<FfmpegVersion>>();
  #demuxers: Promise<readonly string[]> | undefined;
  #encoders: Promise<readonly string[]> | undefined;
  #trials = new Set<Promise<string>>();
  #stop = new AbortController();

  /**
   * Reads the version of a program.
   *
   * @throws {MissingProgramError} if it is not installed
   * @throws {Error} if it is too old, or does not print its version in time
   */
  version(program: FfmpegProgram): Promise<FfmpegVersion> {
    const known = this.#versions.get(program);
    if (known !== undefined) return known;
    const version = readVersion(program, this.#stop.signal);
    // Callers that await it get the failure; others read it in advance.
    version.catch(() => {});
    this.#versions.set(program, version);
    return version;
  }

  /**
   * Describes the versions of several programs: `FFmpeg 7.1.5`, followed by those that differ from
   * the first, as in `FFmpeg 7.1.5, ffprobe 6.1`.
   *
   * @throws {Error} as {@linkcode InstalledFfmpeg.version} does
   */
  async describe(...programs: FfmpegProgram[]): Promise<string> {
    const found = await Promise.all(programs.map((program) => this.version(program)));
    return programs
      .map((program, at) => ({ line: describeProgram(program, found[at]), name: found[at].name }))
      .filter(({ name }, at) => at === 0 || name !== found[0].name)
      .map(({ line }) => line)
      .join(", ");
  }

  /**
   * The arguments that the installed `ffmpeg` needs.
   *
   * @throws {Error} as {@linkcode InstalledFfmpeg.version} does
   */
  async dialect(): Promise<FfmpegDialect> {
    return dialectOf(await this.version("ffmpeg"));
  }

  /**
   * Names of the formats and devices that `ffmpeg` reads.
   *
   * @throws {MissingProgramError} if it is not installed
   * @throws {ProcessError} if it fails
   */
  demuxers(): Promise<readonly string[]> {
    this.#demuxers ??= readDemuxers(this.#stop.signal);
    // The next caller tries again.
    this.#demuxers.catch(() => this.#demuxers = undefined);
    return this.#demuxers;
  }

  /**
   * Names of the encoders that `ffmpeg` has.
   *
   * @throws as {@linkcode InstalledFfmpeg.demuxers} does
   */
  encoders(): Promise<readonly string[]> {
    this.#encoders ??= readEncoders(this.#stop.signal);
    // The next caller tries again.
    this.#encoders.catch(() => this.#encoders = undefined);
    return this.#encoders;
  }

  /** Whether another program is installed, and states its version with the given arguments. */
  async accepts(program: string, args: readonly string[]): Promise<boolean> {
    const trial = outputOf(program, args, this.#stop.signal);
    this.#trials.add(trial);
    try {
      await trial;
      return true;
    } catch (error) {
      if (error instanceof MissingProgramError || error instanceof ProcessError) return false;
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    const lists = [this.#demuxers, this.#encoders];
    await Promise.allSettled([...this.#versions.values(), ...lists, ...this.#trials]);
  }
}

/**
 * The text of `--version`: that of the program, of Deno and of FFmpeg. Without an FFmpeg that can be
 * used, the reason follows on a line of its own.
 *
 * @param program its name and version, as in `stream-server 1.0.0`
 */
export async function versionText(program: string): Promise<string> {
  await using installed = new InstalledFfmpeg();
  const deno = `Deno ${Deno.version.deno}`;
  try {
    return `${program} (${deno}, ${await installed.describe("ffmpeg")})\n`;
  } catch (error) {
    return `${program} (${deno}, no usable FFmpeg)\n${messageOf(error)}\n`;
  }
}

async function readVersion(program: FfmpegProgram, signal: AbortSignal): Promise<FfmpegVersion> {
  const version = parseFfmpegVersion(await outputOf(program, ["-version"], signal));
  if (!isSupported(version)) throw new Error(refusalOf(program, version));
  return version;
}

/** Names from lines such as ` D d video4linux2,v4l2 Video4Linux2 device grab`. */
async function readDemuxers(signal: AbortSignal): Promise<readonly string[]> {
  const output = await outputOf("ffmpeg", ["-hide_banner", "-demuxers"], signal);
  const lines = output.split("\n").map((line) => line.match(/^ D[E ]?[d ]* +(\S+)/)?.[1]);
  return lines.filter((names) => names !== undefined).flatMap((names) => names.split(","));
}

/** Names from lines such as ` V....D libvpx-vp9           libvpx VP9 (codec vp9)`. */
async function readEncoders(signal: AbortSignal): Promise<readonly string[]> {
  const output = await outputOf("ffmpeg", ["-hide_banner", "-encoders"], signal);
  const names = output.split("\n").map((line) => line.match(/^ [VAS][F.]\S* +(\w\S*)/)?.[1]);
  return names.filter((name) => name !== undefined);
}

/** Standard output of a program that says what it is. */
async function outputOf(
  program: string,
  args: readonly string[],
  signal: AbortSignal,
): Promise<string> {
  await using child = startProcess(program, args, { signal });
  let isLate = false;
  using _limit = deadline(ANSWER_TIMEOUT, () => {
    isLate = true;
    child.kill();
  });
  const text = await new Response(child.stdout).text();
  try {
    await child.finished();
  } catch (cause) {
    if (!isLate || !(cause instanceof ProcessError)) throw cause;
    const reason = `it does not answer ${args.join(" ")} within ${ANSWER_TIMEOUT / 1000} s`;
    throw new Error(`Cannot use ${program}: ${reason}`, { cause });
  }
  return text;
}

function describeProgram(program: FfmpegProgram, { name }: FfmpegVersion): string {
  return `${program === "ffmpeg" ? "FFmpeg" : program} ${name}`;
}

function refusalOf(program: FfmpegProgram, version: FfmpegVersion): string {
  return `Cannot use ${describeProgram(program, version)}: expected ${
    OLDEST.join(".")
  } or later; ` +
    "install a newer FFmpeg (https://ffmpeg.org/download.html) and put it first in PATH";
}

function isAtLeast({ release }: FfmpegVersion, [major, minor]: readonly [number, number]): boolean {
  if (release === undefined) return true;
  return release[0] > major || (release[0] === major && release[1] >= minor);
}
