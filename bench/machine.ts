import { findPython, firstLineOf } from "./installed.ts";

/** Machine and versions of a run. */
export interface Machine {
  processor: string;
  cores: number;
  /** Bytes. */
  memory: number;
  system: string;
  /** Load average of the minute before. */
  load: number;
  versions: Record<string, string>;
}

/** Programs with a version, and the arguments that print it. */
const PROGRAMS: Record<string, readonly [program: string, ...args: string[]]> = {
  ffmpeg: ["ffmpeg", "-version"],
  gstreamer: ["gst-launch-1.0", "--version"],
};

/** Python modules with a version. */
const MODULES: Record<string, string> = { opencv: "cv2", pyzmq: "zmq" };

/** Reads the properties of this machine, before the benchmarks load it. */
export async function readMachine(): Promise<Machine> {
  const [load] = Deno.loadavg();
  const processors = await Deno.readTextFile("/proc/cpuinfo");
  const versions: Record<string, string> = { deno: Deno.version.deno };
  for (const [name, [program, ...args]] of Object.entries(PROGRAMS)) {
    const line = await firstLineOf(program, args);
    if (line !== undefined) versions[name] = line.replace(/ Copyright.*/, "");
  }
  for (const [name, module] of Object.entries(MODULES)) {
    const python = await findPython(`import ${module}`);
    if (python === undefined) continue;
    const code = `import ${module}; print(${module}.__version__)`;
    versions[name] = await firstLineOf(python, ["-c", code]) ?? "unknown";
  }
  return {
    processor: processors.match(/^model name\s*: (.*)$/m)?.[1] ?? Deno.build.arch,
    cores: navigator.hardwareConcurrency,
    memory: Deno.systemMemoryInfo().total,
    system: `${Deno.build.os} ${Deno.osRelease()}`,
    load,
    versions,
  };
}
