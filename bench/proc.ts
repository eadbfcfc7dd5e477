/** What Linux tells of other processes, as proc(5) describes it. */

/** Ticks a second in which processor time is counted: the same on all that Deno runs on. */
const TICKS = 100;

/** Processor time that processes have taken, seconds. */
export interface ProcessorTime {
  /** The process itself. */
  own: number;
  /** Children of it that have ended. */
  children: number;
}

/** Whether there is any such thing. */
export function hasProc(): boolean {
  return Deno.build.os === "linux";
}

/** Reads how much memory of a process is resident, bytes. */
export async function readMemory(pid: number): Promise<{ now: number; peak: number }> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  const read = (key: string) =>
    Number(status.match(new RegExp(`^${key}:\\s+(\\d+) kB$`, "m"))?.[1]) * 1024;
  return { now: read("VmRSS"), peak: read("VmHWM") };
}

/** Reads how much processor time a process has taken. */
export async function readProcessorTime(pid: number): Promise<ProcessorTime> {
  const fields = await readStat(pid);
  const seconds = (index: number) => Number(fields[index]) / TICKS;
  return { own: seconds(11) + seconds(12), children: seconds(13) + seconds(14) };
}

/**
 * Finds the children of a process that have a certain name.
 *
 * @param ended also those that have ended, and of which the process has not taken note yet: what
 * they took is not among its children's time until then
 */
export async function findChildren(
  parent: number,
  name: string,
  { ended = false }: { ended?: boolean } = {},
): Promise<number[]> {
  const found: number[] = [];
  for await (const entry of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(entry.name)) continue;
    try {
      const [state, ppid] = await readStat(Number(entry.name));
      if (Number(ppid) !== parent || (state === "Z" && !ended)) continue;
      const comm = await Deno.readTextFile(`/proc/${entry.name}/comm`);
      if (comm.trimEnd() === name) found.push(Number(entry.name));
    } catch (error) {
      // It has ended in the meantime; which of the two is told depends on how far it was.
      const isGone = error instanceof Deno.errors.NotFound || messageHas(error, "os error 3");
      if (!isGone) throw error;
    }
  }
  return found;
}

function messageHas(error: unknown, text: string): boolean {
  return error instanceof Error && error.message.includes(text);
}

/** The fields behind the name, which may have spaces and brackets in it: the state first. */
async function readStat(pid: number): Promise<string[]> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}
