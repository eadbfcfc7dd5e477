import { MissingProgramError, ProcessError } from "../base/errors.ts";
import { type Process, startProcess } from "./process.ts";

/** Which file a child may read, and how much it may take for it. */
export interface Confinement {
  /** The file, by its real path. */
  path: string;
  /** Real path of the folder in which the file has to lie; anywhere where absent. */
  folder?: string;
  /** Bytes of memory that FFmpeg may take; as many as there are where absent. */
  maxMemory?: number;
  signal?: AbortSignal;
}

/** Path of the file that the sandbox opens for FFmpeg as descriptor 3. */
export const OPENED_PATH = "/proc/self/fd/3";

/** FFmpeg's URL of a file, whatever characters its path has. */
export function fileUrl(path: string): string {
  return `file:${path}`;
}

/** Replaces the URL of a file by that of the descriptor that it is opened as. */
export function openedUrl(url: string, path: string): string {
  return url === fileUrl(path) ? fileUrl(OPENED_PATH) : url;
}

/** Bytes of memory for FFmpeg itself, and for what it knows of a file. */
const BASE_MEMORY = 2 * 2 ** 30;

/**
 * Bytes of memory for each pixel of a picture: 16 threads with a picture of 10 bits each, and the
 * pictures that others refer to. Of 8K, FFmpeg 5.1 was seen to take 3.4 GB.
 */
const MEMORY_PER_PIXEL = 48;

/** How much FFmpeg steps back behind everything else, the server before all. */
const NICENESS = 5;

/**
 * Sets the limits, leaves the process group, where there is a program for that, so that Ctrl-C in a
 * terminal reaches the server alone, opens the file as descriptor 3, has a look at where what it
 * opened really lies, and becomes the program: no process more, and nothing that could be exchanged
 * in between.
 *
 * By what the kernel says of the descriptor, not by names: one of the folders above the file has to
 * be the one that is served. `readlink` cuts no newline off that stands before the dot.
 */
const SCRIPT = `
refuse() { printf '%s\\n' "$1" >&2; exit 1; }
memory=$1 niceness=$2 opens=$3 folder=$4 path=$5
shift 5
command -v "$1" >/dev/null || exit 127
if [ "$memory" -gt 0 ]; then
  while read -r key value _; do
    [ "$key" != MemTotal: ] || break
  done 2>/dev/null </proc/meminfo
  [ "\${value:-0}" -eq 0 ] || [ "$memory" -le $((value / 2)) ] || memory=$((value / 2))
  ulimit -d "$memory" 2>/dev/null
fi
command -v nice >/dev/null && set -- nice -n "$niceness" "$@"
command -v setsid >/dev/null && set -- setsid "$@"
[ "$opens" = true ] || exec "$@"
[ -d /proc/self/fd ] || refuse 'the system has no /proc/self/fd, expected /proc to be mounted'
[ -e "$path" ] || refuse 'No such file or directory'
[ -r "$path" ] || refuse 'Permission denied'
[ -f "$path" ] || refuse 'it is no regular file any more'
exec 3<"$path" || exit 1
[ -f /proc/self/fd/3 ] || refuse 'it is no regular file any more'
[ -n "$folder" ] || exec "$@"
command -v readlink >/dev/null || refuse 'readlink is not installed'
opened=$(readlink /proc/self/fd/3; echo .)
while case $opened in */*) ;; *) false ;; esac; do
  opened=\${opened%/*}
  [ "\${opened:-/}" -ef "$folder" ] && exec "$@"
done
refuse 'it has left the folder'
`;

/** Whether the kernel tells what a descriptor has open, and FFmpeg can read from that. */
const KNOWS_DESCRIPTORS = Deno.build.os === "linux";

/** Whether systems of this kind have `setsid`. */
const HAS_SETSID = Deno.build.os === "linux";

/** Names what {@linkcode SCRIPT} would not find. */
const SEARCH = `
command -v nice >/dev/null || echo nice
(ulimit -d "$(ulimit -d)") 2>/dev/null || echo ulimit
[ "$1" = true ] || exit 0
[ -d /proc/self/fd ] || echo proc
command -v readlink >/dev/null || echo readlink
`;

/** What it means that one of them is missing. */
const LACKING: Readonly<Record<string, string>> = {
  sh: "Cannot confine FFmpeg: sh is not there, or may not be run, so that FFmpeg has no limit to " +
    "its memory, no lower priority, and follows links that take a file's place while it is opened",
  nice: "Cannot give FFmpeg a lower priority: nice is not installed; it comes with coreutils",
  ulimit: "Cannot limit the memory of FFmpeg: ulimit -d of sh fails",
  proc: "Cannot serve any file: the system has no /proc/self/fd, expected /proc to be mounted",
  readlink: "Cannot serve any file: readlink is not installed; it comes with coreutils",
};

/**
 * Looks whether all is there that {@linkcode startConfined} needs.
 *
 * @returns a sentence for each thing that is missing
 */
export async function findLacks(): Promise<string[]> {
  try {
    await using child = startProcess("sh", ["-c", SEARCH, "sh", String(KNOWS_DESCRIPTORS)]);
    const missing = await new Response(child.stdout).text();
    await child.finished();
    return missing.split("\n").filter((name) => name !== "").map((name) => LACKING[name]);
  } catch (error) {
    if (error instanceof MissingProgramError || error instanceof ProcessError) return [LACKING.sh];
    throw error;
  }
}

/**
 * Bytes of memory that FFmpeg may take for files with pictures of so many pixels at the most; half
 * of the machine's where that is less.
 */
export function memoryLimit(maxPixels: number): number {
  return BASE_MEMORY + MEMORY_PER_PIXEL * maxPixels;
}

/** What FFmpeg, and the libraries it uses, say where the limit is reached. */
const NO_MEMORY = /Cannot allocate memory|Failed to allocate|[Oo]ut of memory|bad_alloc/;

/**
 * The reason why FFmpeg gave up where it came to the end of the memory it may have.
 *
 * @param stderr what it wrote to its standard error
 * @returns `undefined` where that was not it
 */
export function outOfMemory(stderr: string, maxMemory?: number): string | undefined {
  // Where a picture is too large, FFmpeg has no memory for it, either.
  if (maxMemory === undefined || /max pixel count/.test(stderr)) return undefined;
  if (!NO_MEMORY.test(stderr)) return undefined;
  const gigabytes = (maxMemory / 1e9).toFixed(1);
  return `FFmpeg needs more memory for it than it may take, ${gigabytes} GB at the most; ` +
    "a higher --max-pixels on the server allows more";
}

/**
 * Starts one of FFmpeg's programs that reads a file: with a lower priority and a limit to its
 * memory, and, on Linux, with that file, opened and looked at, in the place of the one that is
 * called `file:<path>` in the arguments. Elsewhere FFmpeg opens it by its name, and where there is
 * no shell, as on Windows, there are no limits either.
 *
 * The child's standard output is piped.
 *
 * @throws {MissingProgramError} where the program is not installed
 */
export function startConfined(
  program: "ffmpeg" | "ffprobe",
  args: readonly string[],
  { path, folder = "", maxMemory = 0, signal }: Confinement,
): Process {
  const given = KNOWS_DESCRIPTORS
    ? args.map((arg, at) => args[at - 1] === "-i" ? openedUrl(arg, path) : arg)
    : args;
  const memory = Math.ceil(maxMemory / 1024);
  const settings = [memory, NICENESS, KNOWS_DESCRIPTORS, folder, path].map(String);
  try {
    const script = ["-c", SCRIPT, "sh", ...settings, program, ...given];
    return startProcess("sh", script, { signal, becomes: program, leavesGroup: HAS_SETSID });
  } catch (error) {
    if (!(error instanceof MissingProgramError)) throw error;
    return startProcess(program, args, { signal });
  }
}
