/** Information about other processes on Linux, see proc(5). */

/** Ticks per second of processor time: the same on all systems that Deno supports. */
const TICKS = 100;

/** Processor time, seconds. */
export interface ProcessorTime {
  /** The process itself. */
  own: number;
  /** Its children that have ended. */
  children: number;
}

/** Whether the system has it. */
export function hasProc(): boolean {
  return Deno.build.os === "linux";
}

/** Reads the resident memory of a process, bytes. */
export async function readMemory(pid: number): Promise<{ now: number; peak: number }> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  const read = (key: string) =>
    Number(status.match(new RegExp(`^${key}:\\s+(\\d+) kB$`, "m"))?.[1]) * 1024;
  return { now: read("VmRSS"), peak: read("VmHWM") };
}

/** Reads the processor time of a process. */
export async function readProcessorTime(pid: number): Promise<ProcessorTime> {
  const fields = await readStat(pid);
  const seconds = (index: number) => Number(fields[index]) / TICKS;
  return { own: seconds(11) + seconds(12), children: seconds(13) + seconds(14) };
}

/**
 * Finds the children of a process with a certain name.
 *
 * @param ended includes zombies, whose time is not yet part of the children's time of the process
 * @param argument that they were started with
 */
export async function findChildren(
  parent: number,
  name: string,
  { ended = false, argument }: { ended?: boolean; argument?: string } = {},
): Promise<number[]> {
  const found: number[] = [];
  for await (const entry of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(entry.name)) continue;
    try {
      const [state, ppid] = await readStat(Number(entry.name));
      if (Number(ppid) !== parent || (state === "Z" && !ended)) continue;
      const comm = await Deno.readTextFile(`/proc/${entry.name}/comm`);
      if (comm.trimEnd() !== name) continue;
      const line = argument === undefined
        ? ""
        : await Deno.readTextFile(`/proc/${entry.name}/cmdline`);
      if (argument === undefined || line.split("\0").includes(argument)) {
        found.push(Number(entry.name));
      }
    } catch (error) {
      // It has ended; which error occurs depends on how far.
      const isGone = error instanceof Deno.errors.NotFound || messageHas(error, "os error 3");
      if (!isGone) throw error;
    }
  }
  return found;
}

function messageHas(error: unknown, text: string): boolean {
  return error instanceof Error && error.message.includes(text);
}

/** The fields from the state on, after the name, which may contain spaces and brackets. */
async function readStat(pid: number): Promise<string[]> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}
