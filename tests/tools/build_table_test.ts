import { assert, assertEquals } from "@std/assert";
import { hostSystem, programsFor, type System, TARGETS } from "../../tools/build_table.ts";

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

Deno.test("the client may ask the system for its certificates, and for nothing else", async () => {
  const flags = programsFor(hostSystem()).client.permissions.filter((flag) => /sys/.test(flag));
  const script = `
    import { getCACertificates } from "node:tls";
    const asked = ["hostname", "osRelease", "osUptime", "loadavg", "networkInterfaces",
      "systemMemoryInfo", "uid", "gid"];
    const states = asked.map((name) => {
      try { Deno[name](); } catch (error) { return error.name; }
    });
    getCACertificates("system");
    console.log(JSON.stringify(states));`;
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-prompt",
      "--no-config",
      ...flags,
      "data:text/javascript," + encodeURIComponent(script),
    ],
  }).output();
  const expected = JSON.stringify(Array(8).fill("NotCapable"));
  assertEquals(new TextDecoder().decode(stdout), `${expected}\n`, new TextDecoder().decode(stderr));
});
