/** Which FFmpeg is installed, and what that changes in its arguments. */
import { deadline } from "../base/async.ts";
import { ProcessError } from "../base/errors.ts";
import { startProcess } from "./process.ts";

/** The programs that FFmpeg consists of. Distributions may package each by itself. */
export type FfmpegProgram = "ffmpeg" | "ffprobe" | "ffplay";

/** The version that a program states. */
export interface FfmpegVersion {
  /** As a message names it: `7.1.5`, or `N-12345-gabcdef` for a build between two releases. */
  name: string;
  /** Major and minor number of the release; absent if the build states none. */
  release?: readonly [major: number, minor: number];
}

/** Arguments that are not spelled the same for all versions. */
export interface FfmpegDialect {
  /** Value of `-enc_time_base` for "the time base of the input". */
  inputTimeBase: "-1" | "demux";
  /**
   * How the rotation of packets that are stored as they are is stated: by an option of the input, or
   * by a tag of the output.
   */
  rotationBy: "option" | "tag";
}

/** The oldest release that works. */
const OLDEST = [5, 1] as const;

/** `-display_rotation` came with 6.0 (FFmpeg's Changelog); the tag `rotate` went with it. */
const DISPLAY_ROTATION = [6, 0] as const;

/** `-enc_time_base demux` works in 7.1 and later, `-1` up to 7.1; 9.0 refuses `-1`. */
const TIME_BASE_BY_NAME = [7, 1] as const;

/** Milliseconds that a program may take to state its version. */
const PATIENCE = 10_000;

/**
 * Reads what a program prints for `-version`. Development builds name a commit instead of a release
 * (`N-…`, `git-…`), release builds append what their packager likes (`7.1.5-0+deb13u1`, `n7.1`).
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseFfmpegVersion } from "./ffmpeg_version.ts";
 *
 * const version = parseFfmpegVersion("ffmpeg version 7.1.5-0+deb13u1 Copyright (c) 2000-2026");
 * assertEquals(version, { name: "7.1.5", release: [7, 1] });
 * ```
 */
export function parseFfmpegVersion(text: string): FfmpegVersion {
  const [, word] = text.match(/^\w+ version (\S+)/) ?? [];
  if (word === undefined) return { name: "of an unknown version" };
  // Three digits at the most, since some builds begin with the year: 2026-01-01-git-abc.
  const [, name, major, minor] = word.match(/^n?((\d{1,3})\.(\d+)(?:\.\d+)*)/) ?? [];
  if (name === undefined) return { name: word };
  return { name, release: [Number(major), Number(minor)] };
}

/** Whether the programs work with this version. Builds that state no release count as recent. */
export function isSupported(version: FfmpegVersion): boolean {
  return isAtLeast(version, OLDEST);
}

/** The spelling of arguments that a version of `ffmpeg` needs. */
export function dialectOf(version: FfmpegVersion): FfmpegDialect {
  return {
    inputTimeBase: isAtLeast(version, TIME_BASE_BY_NAME) ? "demux" : "-1",
    rotationBy: isAtLeast(version, DISPLAY_ROTATION) ? "option" : "tag",
  };
}

/**
 * The installed programs. Each is asked for its version once, when that is first needed. Dispose
 * ends those that still run.
 */
export class InstalledFfmpeg implements AsyncDisposable {
  #versions = new Map<FfmpegProgram, Promise<FfmpegVersion>>();
  #stop = new AbortController();

  /**
   * The version of a program.
   *
   * @throws {MissingProgramError} if it is not installed
   * @throws {Error} if it is too old, or does not state its version
   */
  version(program: FfmpegProgram): Promise<FfmpegVersion> {
    const known = this.#versions.get(program);
    if (known !== undefined) return known;
    const asked = askVersion(program, this.#stop.signal);
    // Whoever awaits it gets the failure; it may be asked for in advance.
    asked.catch(() => {});
    this.#versions.set(program, asked);
    return asked;
  }

  /**
   * The versions of several programs, for people: `FFmpeg 7.1.5`, and what differs from the first,
   * as in `FFmpeg 7.1.5, ffprobe 6.1`.
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
   * The spelling of arguments that `ffmpeg` needs.
   *
   * @throws {Error} as {@linkcode InstalledFfmpeg.version} does
   */
  async dialect(): Promise<FfmpegDialect> {
    return dialectOf(await this.version("ffmpeg"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await Promise.allSettled(this.#versions.values());
  }
}

async function askVersion(program: FfmpegProgram, signal: AbortSignal): Promise<FfmpegVersion> {
  await using child = startProcess(program, ["-version"], { signal });
  let isLate = false;
  using _limit = deadline(PATIENCE, () => {
    isLate = true;
    child.kill();
  });
  const text = await new Response(child.stdout).text();
  try {
    await child.finished();
  } catch (cause) {
    if (!isLate || !(cause instanceof ProcessError)) throw cause;
    const reason = `it does not state its version within ${PATIENCE / 1000} s`;
    throw new Error(`Cannot use ${program}: ${reason}`, { cause });
  }
  const version = parseFfmpegVersion(text);
  if (!isSupported(version)) throw new Error(refusalOf(program, version));
  return version;
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
