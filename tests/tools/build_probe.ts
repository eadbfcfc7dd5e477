/** A program that shows what reaches it; built and run by `build_test.ts`. */
const [command, ...rest] = Deno.args;
const commands: Record<string, () => Promise<void>> = {
  async args() {
    await print(JSON.stringify(rest));
  },
  exit() {
    Deno.exit(Number(rest[0]));
  },
  async cat() {
    await Deno.stderr.write(Uint8Array.of(255, 0, 10));
    await Deno.stdin.readable.pipeTo(Deno.stdout.writable);
  },
  async wait() {
    const terminated = Promise.withResolvers<void>();
    Deno.addSignalListener("SIGTERM", terminated.resolve);
    // Keeps the program alive: a signal listener alone does not.
    const alive = setInterval(() => {}, 60_000);
    await print(`waiting as ${Deno.pid}`);
    await terminated.promise;
    clearInterval(alive);
    Deno.exit(7);
  },
  async permissions() {
    const names = ["read", "write", "net", "env", "run", "sys", "ffi", "import"] as const;
    const states = names.map((name) => `${name} ${Deno.permissions.querySync({ name }).state}`);
    await print(states.join(", "));
  },
  async import() {
    try {
      await import(rest[0]);
    } catch (error) {
      await Deno.stderr.write(new TextEncoder().encode(String((error as Error).message)));
    }
  },
  async folder() {
    await print(Deno.cwd());
  },
};

async function print(text: string): Promise<void> {
  await Deno.stdout.write(new TextEncoder().encode(`${text}\n`));
}

await commands[command]();
