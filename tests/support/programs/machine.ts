/** What tests ask about this machine: what is installed on it, and what runs on it. */
import { type FfmpegDialect, InstalledFfmpeg } from "../../../lib/ffmpeg/version.ts";

/** By the search path, in which stand-ins come first. */
const installed = new Map<string, InstalledFfmpeg>();

/** The installed FFmpeg, which all tests of a process ask once what it is. */
export function installedFfmpeg(): InstalledFfmpeg {
  const path = Deno.env.get("PATH") ?? "";
  const known = installed.get(path) ?? new InstalledFfmpeg();
  installed.set(path, known);
  return known;
}

/** The spelling of arguments that the installed FFmpeg needs. */
export function installedDialect(): Promise<FfmpegDialect> {
  return installedFfmpeg().dialect();
}

/** Path of a program in PATH; `undefined` if it is not installed. */
export function whereIs(program: string): string | undefined {
  const folders = (Deno.env.get("PATH") ?? "").split(":");
  return folders.map((folder) => `${folder}/${program}`).find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      return false;
    }
  });
}

/** Whether a program is installed. */
export function isInstalled(program: string): boolean {
  return whereIs(program) !== undefined;
}

/** Programs that are not installed. */
export function lacking(...programs: string[]): string[] {
  return programs.filter((program) => !isInstalled(program));
}

/** Runs a program to its end and gives what it printed, as text. */
export async function textOf(
  program: string,
  args: readonly string[],
  options: Omit<Deno.CommandOptions, "args"> = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  const { code, stdout, stderr } = await new Deno.Command(program, {
    ...{ stdin: "null", stdout: "piped", stderr: "piped", ...options },
    args: [...args],
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/**
 * Runs a program to its end and gives its standard output.
 *
 * @throws {Error} if it fails
 */
export async function printedBy(
  program: string,
  args: readonly string[],
  options?: Omit<Deno.CommandOptions, "args">,
): Promise<string> {
  const { code, stdout, stderr } = await textOf(program, args, options);
  if (code === 0) return stdout;
  throw new Error(`${program} ${args.join(" ")} failed (${code}): ${stderr}`);
}

/** Whether this machine has IPv6's loopback, which containers may lack. */
export function hasIPv6(): boolean {
  try {
    using _listener = Deno.listen({ hostname: "::1", port: 0 });
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AddrNotAvailable) return false;
    throw error;
  }
}

/**
 * A port on which nobody listens just now, and that the system gives to nobody who leaves the
 * choice to it: it begins those at 32768 (Linux) or higher.
 */
export function freePort(): number {
  while (true) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    try {
      using _listener = Deno.listen({ hostname: "127.0.0.1", port });
      return port;
    } catch (error) {
      // Windows keeps some ports for itself.
      const isTaken = error instanceof Deno.errors.AddrInUse ||
        error instanceof Deno.errors.PermissionDenied;
      if (!isTaken) throw error;
    }
  }
}

/** Process ids of the children of a process that run FFmpeg's programs or mpv (Linux). */
export async function mediaChildren(parent: number = Deno.pid): Promise<number[]> {
  const found: number[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await readStat(name);
    // proc(5): id, name in parentheses, state, parent's id.
    const [, program, , parentId] = stat.match(/\((.*)\) (\S) (\d+) /s) ?? [];
    if (Number(parentId) === parent && /^(ff(mpeg|probe|play)|mpv)$/.test(program)) {
      found.push(Number(name));
    }
  }
  return found;
}

/** Descriptors of this process that lead to a file. */
export function countDescriptors(path: string): number {
  let count = 0;
  for (const { name } of Deno.readDirSync("/proc/self/fd")) {
    try {
      if (Deno.readLinkSync(`/proc/self/fd/${name}`) === path) count++;
    } catch (error) {
      // The descriptor of the folder itself is gone by now.
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return count;
}

async function readStat(name: string): Promise<string> {
  try {
    return await Deno.readTextFile(`/proc/${name}/stat`);
  } catch (error) {
    // Processes come and go while they are being looked at.
    const isGone = error instanceof Deno.errors.NotFound ||
      (error instanceof Error && "code" in error && error.code === "ESRCH");
    if (isGone) return "";
    throw error;
  }
}
