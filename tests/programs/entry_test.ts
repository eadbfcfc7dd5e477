import { assertEquals } from "@std/assert";
import { importFlags, pathOf } from "../support/programs/running_program.ts";

for (const program of ["server", "client"]) {
  Deno.test(`stream-${program} that waits for nothing more fails, and does not end as if done`, async () => {
    const file = await Deno.makeTempFile({ suffix: ".ts" });
    try {
      const entry = JSON.stringify(import.meta.resolve(`../../${program}.ts`));
      // Stands for a mistake: the end of the program never settles, and no timer or socket is left.
      const code = `Promise.race = () => new Promise(() => {});\nawait import(${entry});\n`;
      await Deno.writeTextFile(file, code);
      const config = ["--config", pathOf("deno.json"), ...importFlags()];
      const { code: status, stdout } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--quiet", "--no-check", ...config, file, "--version"],
      }).output();
      const [name] = new TextDecoder().decode(stdout).split(" ");
      assertEquals([name, status], [`stream-${program}`, 1]);
    } finally {
      await Deno.remove(file);
    }
  });
}
