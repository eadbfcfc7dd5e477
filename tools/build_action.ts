/** The command line of `deno task build`. */
import { programsFor, TARGETS } from "./build_table.ts";

const NAMES = Object.keys(programsFor("linux"));

const USAGE = `Usage: deno task build [server] [client] [flags]

Makes ./stream-server and ./stream-client for this system, or only the named one.

  --target TARGET   make dist/NAME-TARGET instead; may be repeated
  --all             make them for all targets
  --help            print this and exit

Targets:
${Object.keys(TARGETS).map((target) => `  ${target}\n`).join("")}
deno compile downloads its runtime, denort, for each target. DENORT_BIN names a
local one for a single system. If the host of the runtime cannot be reached and no target
is named, the executables are self-extracting files, which need sh.
`;

/** A parsed command line. */
export type BuildAction =
  | { kind: "print"; text: string }
  | { kind: "wrong"; message: string }
  | {
    kind: "build";
    /** Flags for the module graph, such as `--import-map=…`. */
    graphFlags: readonly string[];
    /** Programs to build. */
    names: readonly string[];
    /** Systems to build for, by Deno's names; this system if empty. */
    targets: readonly string[];
  };

/**
 * Parses the command line of `deno task build`.
 *
 * @param hasRuntime whether DENORT_BIN names a runtime, which is for a single target
 */
export function readBuildAction(
  args: readonly string[],
  { hasRuntime }: { hasRuntime: boolean },
): BuildAction {
  const graphFlags: string[] = [];
  const names = new Set<string>();
  const targets = new Set<string>();
  for (let at = 0; at < args.length; at++) {
    const [argument, given] = splitFlag(args[at]);
    if (given !== undefined && ["--help", "--all"].includes(argument)) {
      return { kind: "wrong", message: `Cannot use "${args[at]}": ${argument} takes no value` };
    }
    if (argument === "--help") return { kind: "print", text: USAGE };
    if (argument === "--all") Object.keys(TARGETS).forEach((target) => targets.add(target));
    else if (argument === "--target") {
      const target = given ?? args[++at] ?? "";
      if (!Object.hasOwn(TARGETS, target)) {
        return wrong(`--target "${target}"`, Object.keys(TARGETS));
      }
      targets.add(target);
    } else if (argument === "--import-map" && given !== undefined) graphFlags.push(args[at]);
    else if (NAMES.includes(argument)) names.add(argument);
    else return wrong(`"${args[at]}"`, [...NAMES, "--target", "--all", "--help"]);
  }
  if (hasRuntime && targets.size > 1) {
    const message = "Cannot use DENORT_BIN for several targets: expected one, or DENORT_BIN unset";
    return { kind: "wrong", message };
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

function wrong(what: string, expected: readonly string[]): BuildAction {
  return { kind: "wrong", message: `Cannot build ${what}: expected ${expected.join(", ")}` };
}
