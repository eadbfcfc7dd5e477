/** Confines FFmpeg while it reads a file, or what a peer sends. */
import { MissingProgramError, ProcessError } from "../base/errors.ts";
import { type Process, startProcess } from "./process.ts";

/** Limits of a child that reads a file, or its standard input. */
export interface Confinement {
  /** Real path of the file. @default none, it reads its piped standard input */
  path?: string;
  /** Real path of the folder that the file has to be in. @default anywhere */
  folder?: string;
  /** Bytes of memory that FFmpeg may allocate. @default unlimited */
  maxMemory?: number;
  /** It gives way to those FFmpegs that are not in the background. @default false */
  background?: boolean;
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

/** Bytes of memory for FFmpeg itself and the index of a file. */
const BASE_MEMORY = 2 * 2 ** 30;

/**
 * Bytes of memory per pixel: 16 threads with a frame of 10 bits each, and the reference frames.
 * FFmpeg 5.1 was seen to take 3.4 GB for 8K.
 */
const MEMORY_PER_PIXEL = 48;

/** Niceness of FFmpeg, so that the server and other programs go first. */
const NICENESS = 5;

/** Niceness in the background: a ninth of the processor's time beside one that is not. */
const BACKGROUND_NICENESS = 15;

/**
 * Sets the niceness of the session's scheduling group, too: Linux compares niceness inside a session
 * only, unless control groups divide the processor. The kernel takes ten such writes a second.
 */
const GROUP_SCRIPT = `
for try in 1 2 3 4 5; do
  echo "$1" 2>/dev/null >/proc/self/autogroup && break
  [ -w /proc/self/autogroup ] && command -v sleep >/dev/null || break
  sleep 0.1
done
shift
exec "$@"
`;

/**
 * Sets the limits, leaves the process group if `setsid` is installed, so that Ctrl-C in a terminal
 * reaches the server alone, opens the file as descriptor 3, checks the real path of the open file,
 * and becomes the program by `exec`. Nothing can replace the file between the check and its use.
 *
 * The check uses the kernel's path of the descriptor: one of the folders above the file has to be
 * the served one. The dot keeps the shell from removing newlines at the end of that path.
 */
const SCRIPT = `
refuse() { printf '%s\\n' "$1" >&2; exit 1; }
memory=$1 niceness=$2 group=$3 opens=$4 folder=$5 path=$6
shift 6
command -v "$1" >/dev/null || exit 127
if [ "$memory" -gt 0 ]; then
  while read -r key value _; do
    [ "$key" != MemTotal: ] || break
  done 2>/dev/null </proc/meminfo
  [ "\${value:-0}" -eq 0 ] || [ "$memory" -le $((value / 2)) ] || memory=$((value / 2))
  ulimit -d "$memory" 2>/dev/null
fi
command -v nice >/dev/null && set -- nice -n "$niceness" "$@"
if command -v setsid >/dev/null; then
  [ -z "$group" ] || set -- sh -c "$group" sh "$niceness" "$@"
  set -- setsid "$@"
fi
[ "$opens" = true ] || exec "$@"
[ -d /proc/self/fd ] || refuse 'the system has no /proc/self/fd, expected /proc to be mounted'
[ -e "$path" ] || refuse 'No such file or directory'
[ -r "$path" ] || refuse 'the server may not read it: permission denied'
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

/** Whether the system has `/proc/self/fd`. */
const KNOWS_DESCRIPTORS = Deno.build.os === "linux";

/** Whether the system has `setsid`. */
const HAS_SETSID = Deno.build.os === "linux";

/** Lists the programs that {@linkcode SCRIPT} needs and that are missing. */
const SEARCH = `
command -v nice >/dev/null || echo nice
(ulimit -d "$(ulimit -d)") 2>/dev/null || echo ulimit
[ "$1" = true ] || exit 0
[ -d /proc/self/fd ] || echo proc
command -v readlink >/dev/null || echo readlink
`;

/** Sentences about missing programs. */
const LACKING: Readonly<Record<string, string>> = {
  sh: "Cannot confine FFmpeg: sh is not there, or may not be run, so that FFmpeg has no limit to " +
    "its memory, no lower priority, and follows links that take a file's place while it is opened",
  nice: "Cannot give FFmpeg a lower priority: nice is not installed; it comes with coreutils",
  ulimit: "Cannot limit the memory of FFmpeg: ulimit -d of sh fails",
  proc: "Cannot serve any file: the system has no /proc/self/fd, expected /proc to be mounted",
  readlink: "Cannot serve any file: readlink is not installed; it comes with coreutils",
};

/**
 * Checks the requirements of {@linkcode startConfined}.
 *
 * @returns a sentence for each missing program
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

/** Bytes of memory that FFmpeg may allocate for a file with frames of up to `maxPixels` pixels. */
export function memoryLimit(maxPixels: number): number {
  return BASE_MEMORY + MEMORY_PER_PIXEL * maxPixels;
}

/** Messages of FFmpeg and its libraries at the memory limit. */
const NO_MEMORY = /Cannot allocate memory|Failed to allocate|[Oo]ut of memory|bad_alloc/;

/**
 * A sentence about the memory limit, if that made FFmpeg fail.
 *
 * @param stderr FFmpeg's standard error
 */
export function outOfMemory(stderr: string, maxMemory?: number): string | undefined {
  // Frames above the pixel limit also fail with "Cannot allocate memory".
  if (maxMemory === undefined || /max pixel count/.test(stderr)) return undefined;
  if (!NO_MEMORY.test(stderr)) return undefined;
  const gigabytes = (maxMemory / 1e9).toFixed(1);
  return `FFmpeg needs more memory for it than it may take, ${gigabytes} GB at the most; ` +
    "a higher --max-pixels on the server allows more";
}

/**
 * Starts one of FFmpeg's programs with lower priority and a memory limit. On Linux, the file of
 * `-i file:<path>` in the arguments is opened and checked before, and passed as a descriptor;
 * elsewhere FFmpeg opens it by name. Without a shell, as on Windows, there are no limits.
 *
 * The child's standard output is piped.
 *
 * @throws {MissingProgramError} if the program is not installed
 */
export function startConfined(
  program: "ffmpeg" | "ffprobe",
  args: readonly string[],
  { path, folder = "", maxMemory = 0, background = false, signal }: Confinement,
): Process {
  const opens = KNOWS_DESCRIPTORS && path !== undefined;
  const stdin = path === undefined ? "piped" : "null";
  const ownArgs = opens
    ? args.map((arg, at) => args[at - 1] === "-i" ? openedUrl(arg, path) : arg)
    : args;
  const memory = Math.ceil(maxMemory / 1024);
  const priority = background ? [BACKGROUND_NICENESS, GROUP_SCRIPT] : [NICENESS, ""];
  const settings = [memory, ...priority, opens, folder, path ?? ""].map(String);
  try {
    const script = ["-c", SCRIPT, "sh", ...settings, program, ...ownArgs];
    const options = { stdin, signal, becomes: program, leavesGroup: HAS_SETSID } as const;
    return startProcess("sh", script, options);
  } catch (error) {
    if (!(error instanceof MissingProgramError)) throw error;
    return startProcess(program, args, { stdin, signal });
  }
}
