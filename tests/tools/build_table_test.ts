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

/** Facts about the system, by Deno's names. */
const FACTS = [
  ...["cpus", "getegid", "getPriority", "gid", "homedir", "hostname", "loadavg"],
  ...["networkInterfaces", "osRelease", "osUptime", "setPriority", "statfs", "systemMemoryInfo"],
  ...["uid", "userInfo", "username"],
];

for (const [name, expected] of [["server", ["networkInterfaces"]], ["client", []]] as const) {
  const facts = expected.length === 0 ? "nothing" : "the addresses of its network, and nothing";
  Deno.test(`the ${name} may ask the system for its certificates, and for ${facts} else`, async () => {
    const flags = programsFor(hostSystem())[name].permissions.filter((flag) => /sys/.test(flag));
    const script = `
      import { getCACertificates } from "node:tls";
      getCACertificates("system");
      const states = ${JSON.stringify(FACTS)}
        .map((kind) => [kind, Deno.permissions.querySync({ name: "sys", kind }).state]);
      console.log(JSON.stringify(states.filter(([, state]) => state !== "denied")));`;
    const module = `data:text/javascript,${encodeURIComponent(script)}`;
    const args = ["run", "--quiet", "--no-prompt", "--no-config", ...flags, module];
    const { stdout, stderr } = await textOf(Deno.execPath(), args);
    const granted = expected.map((kind) => [kind, "granted"]);
    assertEquals(stdout, `${JSON.stringify(granted)}\n`, stderr);
  });
}
