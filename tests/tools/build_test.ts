import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { Builder, type Form } from "../../tools/build.ts";
import { hostSystem, programsFor, type System, TARGETS } from "../../tools/build_table.ts";
import { readCompiled, type StoredPermissions } from "../support/compiled.ts";
import { importFlags, pathOf } from "../support/programs.ts";

const PROBE = new URL("build_probe.ts", import.meta.url).href;

/** The flags by which the programs refuse modules from any host. */
const NO_REMOTE_IMPORTS = programsFor("linux").server.permissions.filter((flag) =>
  /^--(allow|deny)-import/.test(flag)
);

/** How one run of a program ended. */
interface Outcome {
  code: number;
  signal: Deno.Signal | null;
  stdout: Uint8Array<ArrayBuffer>;
  stderr: string;
}

/** A built program and a home folder for it to run in. */
class Fixture implements AsyncDisposable {
  private constructor(readonly folder: string, readonly path: string) {}

  static async build(form: Form): Promise<Fixture> {
    const folder = await Deno.realPath(await Deno.makeTempDir());
    // A space and a quote, as paths of users have them.
    const path = `${folder}/it's a probe`;
    await Deno.mkdir(`${folder}/home`);
    try {
      await new Builder({ form }).build({
        entry: PROBE,
        output: path,
        permissions: ["--allow-read", ...NO_REMOTE_IMPORTS],
      });
    } catch (error) {
      await Deno.remove(folder, { recursive: true });
      throw error;
    }
    return new Fixture(folder, path);
  }

  spawn(args: string[], options: Deno.CommandOptions = {}): Deno.ChildProcess {
    const { path = this.path, ...rest } = options as { path?: string };
    return new Deno.Command(path, {
      args,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      clearEnv: true,
      ...rest,
      env: { PATH: "/usr/bin:/bin", HOME: `${this.folder}/home`, ...options.env },
    }).spawn();
  }

  async run(args: string[], options: RunOptions = {}): Promise<Outcome> {
    const { input = new Uint8Array(), ...rest } = options;
    const child = this.spawn(args, rest);
    const [, stdout, stderr, status] = await Promise.all([
      new Blob([input]).stream().pipeTo(child.stdin).catch(ignoreBrokenPipe),
      child.stdout.bytes(),
      child.stderr.text(),
      child.status,
    ]);
    return { code: status.code, signal: status.signal, stdout: new Uint8Array(stdout), stderr };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}

interface RunOptions extends Deno.CommandOptions {
  input?: Uint8Array<ArrayBuffer>;
  /** Started instead of the program's own path. */
  path?: string;
}

/** A program that ends without reading its input is none of the test's business. */
function ignoreBrokenPipe(error: unknown): void {
  if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
}

function text({ stdout }: Outcome): string {
  return new TextDecoder().decode(stdout);
}

/** What must hold for either form. */
const PASSES: Record<string, (fixture: Fixture) => Promise<void>> = {
  async "arguments pass as they are"(fixture) {
    const args = ["a b", "", 'it\'s "quoted"', "a\nb", "täst ✓", "--version", "-A", "$HOME", "*"];
    const outcome = await fixture.run(["args", ...args]);
    assertEquals(text(outcome), `${JSON.stringify(args)}\n`);
    assertEquals(outcome.stderr, "");
  },
  async "exit statuses pass"(fixture) {
    for (const code of [0, 1, 2, 130]) {
      assertEquals((await fixture.run(["exit", String(code)])).code, code);
    }
  },
  async "standard streams pass bytes as they are"(fixture) {
    const input = crypto.getRandomValues(new Uint8Array(50_000));
    const outcome = await fixture.run(["cat"], { input });
    assertEquals(outcome.stdout, input);
    assertEquals(outcome.stderr, new TextDecoder().decode(Uint8Array.of(255, 0, 10)));
  },
  async "signals reach the program itself"(fixture) {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      const child = fixture.spawn(["wait"]);
      const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
      assertEquals((await lines.read()).value, `waiting as ${child.pid}\n`);
      child.kill(signal);
      const status = await child.status;
      assertEquals(status.code, signal === "SIGTERM" ? 7 : 130);
      assertEquals(status.signal, signal === "SIGTERM" ? null : "SIGINT");
      await Promise.all([lines.cancel(), child.stderr.cancel(), child.stdin.close()]);
    }
  },
  async "only the permissions of the table are granted"(fixture) {
    const states = text(await fixture.run(["permissions"]));
    assertMatch(states, /read granted/);
    assertEquals(states.match(/granted/g)?.length, 1);
    assertMatch(states, /import denied/);
  },
  async "modules from hosts are refused, also from those that Deno allows"(fixture) {
    for (const host of ["jsr.io", "deno.land", "127.0.0.1:9"]) {
      const { stderr } = await fixture.run(["import", `https://${host}/module.js`]);
      assertMatch(stderr, /^Requires import access to "[^"]+"|A remote specifier was requested/);
    }
  },
  async "it starts by a link, by PATH and by a relative path"(fixture) {
    const { folder } = fixture;
    await Deno.mkdir(`${folder}/bin`);
    await Deno.symlink(fixture.path, `${folder}/bin/linked`);
    const expected = `["x"]\n`;
    const args = ["args", "x"];
    assertEquals(text(await fixture.run(args, { path: `${folder}/bin/linked` })), expected);
    assertEquals(text(await fixture.run(args, { path: "./bin/linked", cwd: folder })), expected);
    const viaPath = { path: "/bin/sh", env: { PATH: `${folder}/bin:/usr/bin:/bin` } };
    assertEquals(text(await fixture.run(["-c", "linked args x"], viaPath)), expected);
  },
  async "the folder it is started in has no say"(fixture) {
    const cwd = `${fixture.folder}/hostile`;
    await Deno.mkdir(`${cwd}/node_modules`, { recursive: true });
    for (const file of ["deno.json", "deno.lock", "package.json", ".npmrc", ".env"]) {
      await Deno.writeTextFile(`${cwd}/${file}`, "{ not good");
    }
    const outcome = await fixture.run(["folder"], { cwd });
    assertEquals([text(outcome), outcome.stderr], [`${cwd}\n`, ""]);
  },
};

Deno.test("build() makes self-extracting programs", async (t) => {
  await using fixture = await Fixture.build("self-extracting");
  await t.step("two first starts at once both work", async () => {
    const outcomes = await Promise.all([1, 2].map(() => fixture.run(["args"])));
    assertEquals(outcomes.map(text), ["[]\n", "[]\n"]);
    assertEquals(outcomes.map(({ stderr }) => stderr), ["", ""]);
    const names = Array.from(
      Deno.readDirSync(`${fixture.folder}/home/.cache/stream-tools`),
      (entry) => entry.name.replace(/[0-9a-f]{32}/, "…"),
    );
    assertEquals(names.sort(), ["deno", "deno-…", "it's a probe-….mjs"]);
  });
  for (const [name, fn] of Object.entries(PASSES)) await t.step(name, () => fn(fixture));
  await t.step("the environment of another Deno has no say", async () => {
    const env = {
      DENO_AUDIT_PERMISSIONS: `${fixture.folder}/audit.jsonl`,
      DENO_COVERAGE_DIR: `${fixture.folder}/coverage`,
      DENO_LOG: "debug",
      DENO_TRACE_PERMISSIONS: "1",
      DENO_V8_FLAGS: "--no-such-flag",
      NODE_OPTIONS: "--no-such-option",
      OTEL_DENO: "true",
    };
    const before = await namesIn(fixture.folder);
    const outcome = await fixture.run(["args", "x"], { env });
    assertEquals([text(outcome), outcome.stderr, outcome.code], [`["x"]\n`, "", 0]);
    assertEquals(await namesIn(fixture.folder), before);
  });
});

Deno.test("build() makes compiled programs", async (t) => {
  const problem = await tryBuilding(t);
  if (problem !== undefined) {
    await t.step({ name: `ignored: ${problem}`, ignore: true, fn() {} });
  }
});

/** Runs the steps on a compiled program; gives the reason where none can be made here. */
async function tryBuilding(t: Deno.TestContext): Promise<string | undefined> {
  let fixture: Fixture;
  try {
    fixture = await Fixture.build("compiled");
  } catch (error) {
    // With the runtime given by name there is no excuse.
    if (Deno.env.get("DENORT_BIN") || !(error instanceof Error)) throw error;
    assertStringIncludes(error.message, "error sending request");
    return "denort cannot be downloaded, and DENORT_BIN names none";
  }
  await using built = fixture;
  for (const [name, fn] of Object.entries(PASSES)) await t.step(name, () => fn(built));
}

/** The folder of a test, with names of what lies in it. */
class Output implements AsyncDisposable {
  private constructor(readonly folder: string) {}

  static async make(): Promise<Output> {
    return new Output(await Deno.makeTempDir());
  }

  get path(): string {
    return `${this.folder}/probe`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}

async function namesIn(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder), ({ name }) => name)).sort();
}

/** A runtime to put programs behind, which here are only read, not run. */
const ANY_RUNTIME = { DENORT_BIN: Deno.execPath() };

const PROBE_PROGRAM = { entry: PROBE, permissions: ["--allow-read"] };

/** The permissions that `deno compile` stores for flags: every kind that is not given is `null`. */
function stored(flags: readonly string[]): StoredPermissions {
  const kinds = ["env", "net", "ffi", "read", "run", "sys", "write", "import"];
  const lists = new Map(flags.map((flag) => {
    const [, key, list] = flag.match(/^--([^=]*)(?:=(.*))?$/) ?? [];
    return [key.replace("-", "_"), list?.split(",") ?? []];
  }));
  const names = kinds.flatMap((kind) => [`allow_${kind}`, `deny_${kind}`]);
  return Object.fromEntries(names.map((name) => [name, lists.get(name) ?? null]));
}

Deno.test("build() compiles each program as one module, with its permissions and no more", async () => {
  await using output = await Output.make();
  const graphFlags = ["--config", pathOf("deno.json"), ...importFlags()];
  const builder = new Builder({ form: "compiled", graphFlags, env: ANY_RUNTIME });
  for (const [name, program] of Object.entries(programsFor(hostSystem()))) {
    const path = `${output.folder}/${program.output}`;
    const entry = pathOf(program.entry);
    const built = await builder.build({ ...program, entry, output: path });
    assertEquals(built.form, "compiled");
    const { permissions, files, ...compiled } = await readCompiled(path);
    const { prompt, ignore_env, ignore_read, ...given } = permissions;
    assertEquals([prompt, ignore_env, ignore_read], [false, null, null]);
    const expected = stored(program.permissions);
    assertEquals(given, expected);
    assertEquals(files, [`${name}.mjs`]);
    assertEquals(compiled, { entry: `${name}.mjs`, preloaded: [], packages: null });
  }
  assertEquals(await namesIn(output.folder), ["stream-client", "stream-server"]);
});

Deno.test("build() compiles for another target", async () => {
  await using output = await Output.make();
  const other = Deno.build.target === "aarch64-unknown-linux-gnu"
    ? "x86_64-unknown-linux-gnu"
    : "aarch64-unknown-linux-gnu";
  const ignore = Deno.build.os !== "linux";
  if (ignore) return;
  const lines: string[] = [];
  const builder = new Builder({
    form: "compiled",
    env: ANY_RUNTIME,
    tell: (line) => lines.push(line),
  });
  await builder.build({ ...PROBE_PROGRAM, output: output.path }, other);
  const { permissions } = await readCompiled(output.path);
  assertEquals(permissions.allow_read, []);
  assert(lines.includes(`Compiling probe for ${other}`), lines.join());
});

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

/** A folder for Deno that holds what this one's does, but no runtime for `deno compile`. */
async function denoFolderWithoutRuntime(folder: string): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
  const { denoDir }: { denoDir: string } = JSON.parse(new TextDecoder().decode(stdout));
  const made = `${folder}/deno`;
  await Deno.mkdir(`${made}/dl`, { recursive: true });
  for (const name of await namesIn(denoDir)) {
    if (name !== "dl") await Deno.symlink(`${denoDir}/${name}`, `${made}/${name}`);
  }
  for (const name of await namesIn(`${denoDir}/dl`)) {
    if (/^esbuild/.test(name)) await Deno.symlink(`${denoDir}/dl/${name}`, `${made}/dl/${name}`);
  }
  return made;
}

/** Until disposed, no runtime is named in the environment of this process. */
function withoutNamedRuntime(): Disposable {
  const named = Deno.env.get("DENORT_BIN");
  Deno.env.delete("DENORT_BIN");
  return {
    [Symbol.dispose]() {
      if (named !== undefined) Deno.env.set("DENORT_BIN", named);
    },
  };
}

/** The environment of a network that nothing can be downloaded from. */
async function unreachable(folder: string): Promise<Record<string, string>> {
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const proxy = `http://127.0.0.1:${listener.addr.port}`;
  listener.close();
  const denoFolder = await denoFolderWithoutRuntime(folder);
  return { DENO_DIR: denoFolder, HTTPS_PROXY: proxy, https_proxy: proxy };
}

Deno.test("build() falls back in one line if the runtime cannot be downloaded, and for that alone", async (t) => {
  // The bundler may have to be fetched, which the steps below could not.
  {
    await using first = await Output.make();
    const builder = new Builder({ form: "self-extracting" });
    await builder.build({ ...PROBE_PROGRAM, output: first.path });
  }
  using _ = withoutNamedRuntime();
  await using place = await Output.make();
  const env = await unreachable(place.folder);
  await t.step("for this system", async () => {
    await using output = await Output.make();
    const lines: string[] = [];
    const builder = new Builder({ env, tell: (line) => lines.push(line) });
    const { form } = await builder.build({ ...PROBE_PROGRAM, output: output.path });
    assertEquals(form, "self-extracting");
    const told = lines.filter((line) => line.includes("cannot be downloaded"));
    assertEquals(told.length, 1);
    assert(!told[0].includes("\n"));
    assertEquals(await namesIn(output.folder), ["probe"]);
  });
  await t.step("not for another system", async () => {
    await using output = await Output.make();
    const target = Object.keys(TARGETS).find((name) => name !== Deno.build.target);
    const error = await assertRejects(
      () => new Builder({ env }).build({ ...PROBE_PROGRAM, output: output.path }, target),
      Error,
    );
    assertMatch(error.message, /^Cannot build probe for [^\n]* set DENORT_BIN to [^\n]*$/);
    assertEquals(await namesIn(output.folder), []);
  });
  await t.step("not if a runtime is named that is not there", async () => {
    await using output = await Output.make();
    await Deno.writeTextFile(output.path, "before");
    const missing = { ...env, DENORT_BIN: `${output.folder}/missing` };
    const error = await assertRejects(
      () => new Builder({ env: missing }).build({ ...PROBE_PROGRAM, output: output.path }),
      Error,
    );
    assertMatch(error.message, /^Cannot compile probe: Could not find denort at '[^\n]*$/);
    assertEquals(await Deno.readTextFile(output.path), "before");
    assertEquals(await namesIn(output.folder), ["probe"]);
  });
});

Deno.test("build() leaves nothing behind when it is interrupted", async () => {
  await using output = await Output.make();
  const interrupt = new AbortController();
  const tell = (line: string) => {
    if (line.startsWith("Compiling")) queueMicrotask(() => interrupt.abort());
  };
  const builder = new Builder({
    form: "compiled",
    env: ANY_RUNTIME,
    tell,
    signal: interrupt.signal,
  });
  await assertRejects(
    () => builder.build({ ...PROBE_PROGRAM, output: output.path }),
    DOMException,
  );
  assertEquals(await namesIn(output.folder), []);
});

Deno.test("build() leaves what stood there where the program has a fault", async () => {
  await using output = await Output.make();
  const entry = `${output.folder}/faulty.ts`;
  await Deno.writeTextFile(output.path, "before");
  await Deno.writeTextFile(entry, `const x: number = "text";\n`);
  const { message } = await assertRejects(
    () => new Builder().build({ entry, output: output.path, permissions: [] }),
    Error,
  );
  assertStringIncludes(message, "Cannot check");
  assertStringIncludes(message, "TS2322");
  assertEquals(await Deno.readTextFile(output.path), "before");
  assertEquals(await namesIn(output.folder), ["faulty.ts", "probe"]);
});
