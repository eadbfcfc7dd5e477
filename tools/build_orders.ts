/** The command line of `deno task build`. Pure. */
import { programsFor, TARGETS } from "./build_table.ts";

const NAMES = Object.keys(programsFor("linux"));

const USAGE = `Usage: deno task build [server] [client] [flags]

Makes ./stream-server and ./stream-client for this system, or the one that is named.

  --target TARGET   make dist/NAME-TARGET instead; several times for several
  --all             make it for all targets
  --help            print this and exit

Targets:
${Object.keys(TARGETS).map((target) => `  ${target}\n`).join("")}
deno compile downloads its runtime, denort, for each target. DENORT_BIN names one to
use instead. If the runtime for this system cannot be downloaded, and DENORT_BIN is not
set, the executables are self-extracting files, which need sh.
`;

/** The meaning of a command line. */
export type Orders =
  | { kind: "print"; text: string }
  | { kind: "wrong"; message: string }
  | {
    kind: "build";
    /** Flags for the module graph, such as `--import-map=…`. */
    graphFlags: readonly string[];
    /** Programs to build. */
    names: readonly string[];
    /** Systems to build for, by Deno's names; none stands for this system. */
    targets: readonly string[];
  };

/** Reads the command line of `deno task build`. */
export function readOrders(args: readonly string[]): Orders {
  const graphFlags: string[] = [];
  const names = new Set<string>();
  const targets = new Set<string>();
  for (let at = 0; at < args.length; at++) {
    const [argument, given] = splitFlag(args[at]);
    if (argument === "--help") return { kind: "print", text: USAGE };
    if (argument === "--all") Object.keys(TARGETS).forEach((target) => targets.add(target));
    else if (argument === "--target") {
      const target = given ?? args[++at] ?? "";
      if (!Object.hasOwn(TARGETS, target)) {
        return wrong(`--target "${target}"`, Object.keys(TARGETS));
      }
      targets.add(target);
    } else if (argument === "--import-map") graphFlags.push(args[at]);
    else if (NAMES.includes(argument)) names.add(argument);
    else return wrong(`"${args[at]}"`, [...NAMES, "--target", "--all", "--help"]);
  }
  return {
    kind: "build",
    graphFlags,
    names: names.size > 0 ? [...names] : NAMES,
    targets: [...targets],
  };
}

function splitFlag(argument: string): [name: string, value: string | undefined] {
  const [, name, value] = argument.match(/^(--[^=]+)=([^]*)$/) ?? [];
  return name === undefined ? [argument, undefined] : [name, value];
}

function wrong(what: string, expected: readonly string[]): Orders {
  return { kind: "wrong", message: `Cannot build ${what}: expected ${expected.join(", ")}` };
}
