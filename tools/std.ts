/**
 * Runs Deno with the standard library from JSR, or with the stand-ins in `tools/offline/` if JSR is
 * unreachable: `deno run -A tools/std.ts SUBCOMMAND ARGUMENT…` runs `deno SUBCOMMAND`, with the flag
 * for the stand-ins after the subcommand and in place of each argument `STD`. Without arguments, it
 * prints the flag, or nothing.
 *
 * The environment variable `STREAM_STD` skips the check: `offline` or `jsr`.
 */
import config from "../deno.json" with { type: "json" };

/** Milliseconds after which JSR counts as unreachable. */
const DEADLINE = 10_000;

/** Milliseconds after which the check is announced. */
const PATIENCE = 1000;

/** Whether Deno can load a `jsr:` package. */
async function isAvailable(specifier: string): Promise<boolean> {
  const signal = AbortSignal.timeout(DEADLINE);
  const command = new Deno.Command(Deno.execPath(), {
    args: ["info", "--no-config", "--json", specifier],
    stdin: "null",
    stderr: "null",
    signal,
  });
  const { success, stdout } = await command.output();
  if (!success) return false;
  const { modules = [] }: { modules?: { error?: string }[] } = JSON.parse(
    new TextDecoder().decode(stdout),
  );
  return modules.length > 0 && modules.every((module) => module.error === undefined);
}

/** @throws {TypeError} if `STREAM_STD` is neither `offline` nor `jsr` */
async function isOffline(): Promise<boolean> {
  const choice = Deno.env.get("STREAM_STD") ?? "";
  if (choice === "offline" || choice === "jsr") return choice === "offline";
  if (choice !== "") {
    throw new TypeError(`Cannot use STREAM_STD "${choice}": expected offline or jsr`);
  }
  const packages = Object.values(config.imports).filter((target) => target.startsWith("jsr:"));
  const announcement = new TextEncoder().encode("Looking for Deno's standard library …\n");
  const timer = setTimeout(() => Deno.stderr.writeSync(announcement), PATIENCE);
  const available = await Promise.all(packages.map(isAvailable));
  clearTimeout(timer);
  return available.includes(false);
}

/** Flags of Deno for the standard library. */
async function standardFlags(): Promise<string[]> {
  return await isOffline() ? ["--import-map=tools/offline/import_map.json"] : [];
}

/**
 * Runs Deno until it exits.
 *
 * @returns its exit status
 */
async function runDeno([subcommand, ...args]: readonly string[]): Promise<number> {
  const flags = await standardFlags();
  const replaced = args.flatMap((arg) => arg === "STD" ? flags : [arg]);
  const command = new Deno.Command(Deno.execPath(), { args: [subcommand, ...flags, ...replaced] });
  const child = command.spawn();
  // A terminal also sends Ctrl-C to the child, whose exit status counts.
  Deno.addSignalListener("SIGINT", () => {});
  if (Deno.build.os !== "windows") Deno.addSignalListener("SIGTERM", () => child.kill());
  return (await child.status).code;
}

if (import.meta.main) {
  if (Deno.args.length > 0) Deno.exit(await runDeno(Deno.args));
  const [flag] = await standardFlags();
  if (flag !== undefined) await Deno.stdout.write(new TextEncoder().encode(`${flag}\n`));
}
