/**
 * Prints the flag that makes Deno take the standard library from `tools/offline/`, or nothing where
 * JSR has it (or a copy from JSR is at hand). For use in tasks: `deno test $(deno run -A tools/std.ts)`.
 *
 * The environment variable `STREAM_STD` decides without looking: `offline` or `jsr`.
 */
import config from "../deno.json" with { type: "json" };

/** A network that swallows packets counts as one without JSR after this time, in milliseconds. */
const DEADLINE = 10_000;

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

/** @throws {TypeError} where `STREAM_STD` is neither `offline` nor `jsr` */
async function isOffline(): Promise<boolean> {
  const choice = Deno.env.get("STREAM_STD") ?? "";
  if (choice === "offline" || choice === "jsr") return choice === "offline";
  if (choice !== "") {
    throw new TypeError(`Cannot use STREAM_STD "${choice}": expected offline or jsr`);
  }
  const packages = Object.values(config.imports).filter((target) => target.startsWith("jsr:"));
  const available = await Promise.all(packages.map(isAvailable));
  return available.includes(false);
}

if (import.meta.main && await isOffline()) {
  await Deno.stdout.write(
    new TextEncoder().encode("--import-map=tools/offline/import_map.json\n"),
  );
}
