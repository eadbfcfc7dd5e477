/** The programs and target systems of `deno task build`. */

/** One program to build. */
export interface Program {
  /** Entry point: a path or a `file:` URL. */
  entry: string;
  /** Path of the executable. */
  output: string;
  /** Permission flags. */
  permissions: readonly string[];
  /** Flags of V8, Deno's engine. @default none */
  v8Flags?: readonly string[];
}

/** An operating system, by Deno's name. */
export type System = "linux" | "darwin" | "windows";

/** Targets of `deno compile`, by Deno's names, and the system of each. */
export const TARGETS: Readonly<Record<string, System>> = {
  "x86_64-unknown-linux-gnu": "linux",
  "aarch64-unknown-linux-gnu": "linux",
  "x86_64-apple-darwin": "darwin",
  "aarch64-apple-darwin": "darwin",
  "x86_64-pc-windows-msvc": "windows",
  "aarch64-pc-windows-msvc": "windows",
};

/**
 * Lets the heap of the server grow by 70 % from one collection of garbage to the next. V8 would let it
 * grow to several times its size, which with hundreds of viewers is half of all memory.
 */
export const SERVER_V8_FLAGS: readonly string[] = ["--heap-growing-percent=70"];

/** The program that opens a URL in a browser. Deno warns about programs that are missing. */
const OPENERS: Readonly<Record<System, string>> = {
  linux: "xdg-open",
  darwin: "open",
  windows: "cmd",
};

/**
 * Denies imports from any host. Deno allows some hosts by default, and `--deny-import` alone does
 * not remove them: the list has to be replaced, by a name that never resolves (RFC 2606).
 */
const NO_REMOTE_IMPORTS = ["--allow-import=none.invalid", "--deny-import"];

/** What Deno can tell about the system, by its names. */
const SYSTEM_FACTS = [
  ...["cpus", "getegid", "getPriority", "gid", "homedir", "hostname", "loadavg"],
  ...["networkInterfaces", "osRelease", "osUptime", "setPriority", "statfs", "systemMemoryInfo"],
  ...["uid", "userInfo", "username"],
];

/**
 * Allows reading the system's certificate authorities, and of the system the facts that are named.
 * Deno checks the authorities under a name that `--allow-sys` does not accept, so all other names are
 * denied.
 */
function systemPermissions(...allowed: string[]): string[] {
  const denied = SYSTEM_FACTS.filter((name) => !allowed.includes(name));
  return ["--allow-sys", `--deny-sys=${denied.join(",")}`];
}

/** The programs for a system, by the names that `deno task build` takes. */
export function programsFor(system: System): Readonly<Record<string, Program>> {
  const suffix = system === "windows" ? ".exe" : "";
  const shell = system === "windows" ? "" : ",sh";
  const processes = system === "windows" ? "" : ",ps,sh";
  return {
    server: {
      entry: "server.ts",
      output: `stream-server${suffix}`,
      permissions: [
        "--allow-net",
        "--allow-read",
        `--allow-run=ffmpeg,ffprobe${shell}`,
        "--allow-env=STREAM_TOKEN",
        // Authorities verify other servers; the addresses of the page are those of the interfaces.
        ...systemPermissions("networkInterfaces"),
        ...NO_REMOTE_IMPORTS,
      ],
      v8Flags: SERVER_V8_FLAGS,
    },
    client: {
      entry: "client.ts",
      output: `stream-client${suffix}`,
      permissions: [
        "--allow-net",
        "--allow-read",
        "--allow-write",
        `--allow-run=ffmpeg,ffplay,ffprobe,mpv${processes},${OPENERS[system]}`,
        "--allow-env=DISPLAY,WAYLAND_DISPLAY," +
        "TERM,COLORTERM,NO_COLOR,LC_ALL,LC_CTYPE,LANG,STREAM_TOKEN," +
        // Deno.serve reads them; the client unsets them.
        "DENO_SERVE_ADDRESS,DENO_TRUST_PROXY_HEADERS",
        ...systemPermissions(),
        ...NO_REMOTE_IMPORTS,
      ],
    },
  };
}

/** The flag of Deno for flags of V8; empty without any. */
export function v8FlagsOf({ v8Flags = [] }: Pick<Program, "v8Flags">): string[] {
  return v8Flags.length === 0 ? [] : [`--v8-flags=${v8Flags.join(",")}`];
}

/**
 * The current system.
 *
 * @throws {Error} if the programs cannot be built for it
 */
export function hostSystem(): System {
  const { os } = Deno.build;
  if (os === "linux" || os === "darwin" || os === "windows") return os;
  throw new Error(`Cannot build on ${os}: expected linux, darwin or windows`);
}
