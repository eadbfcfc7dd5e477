import { assert, assertEquals } from "@std/assert";
import { hostSystem, programsFor, type System, TARGETS } from "../../tools/build_table.ts";
import { textOf } from "../support/programs/machine.ts";

Deno.test("programsFor() gives each system its own names", () => {
  const opener = (system: System) =>
    programsFor(system).client.permissions.find((flag) => flag.startsWith("--allow-run"))
      ?.split(",").at(-1);
  assertEquals(Object.values(TARGETS).map(opener), [
    ...["xdg-open", "xdg-open", "open", "open", "cmd", "cmd"],
  ]);
  for (const system of ["linux", "darwin"] as const) {
    for (const { permissions, output } of Object.values(programsFor(system))) {
      assert(permissions.some((flag) => /^--allow-run=.*\bsh\b/.test(flag)));
      assert(!output.endsWith(".exe"));
    }
  }
  for (const { permissions, output } of Object.values(programsFor("windows"))) {
    assert(!permissions.some((flag) => /^--allow-run=.*\b(sh|ps)\b/.test(flag)));
    assert(output.endsWith(".exe"));
  }
});

Deno.test("programs may ask the system for its certificates, and for nothing else", async () => {
  const flagsOf = (name: string) =>
    programsFor(hostSystem())[name].permissions.filter((flag) => /sys/.test(flag));
  const flags = flagsOf("server");
  assertEquals(flagsOf("client"), flags);
  const script = `
    import { getCACertificates } from "node:tls";
    const kinds = ["cpus", "getegid", "getPriority", "gid", "homedir", "hostname", "loadavg",
      "networkInterfaces", "osRelease", "osUptime", "setPriority", "statfs", "systemMemoryInfo",
      "uid", "userInfo", "username"];
    const states = kinds.map((kind) => Deno.permissions.querySync({ name: "sys", kind }).state);
    getCACertificates("system");
    console.log(JSON.stringify(states));`;
  const module = `data:text/javascript,${encodeURIComponent(script)}`;
  const args = ["run", "--quiet", "--no-prompt", "--no-config", ...flags, module];
  const { stdout, stderr } = await textOf(Deno.execPath(), args);
  assertEquals(stdout, `${JSON.stringify(Array(16).fill("denied"))}\n`, stderr);
});
