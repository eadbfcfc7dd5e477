import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { Builder } from "../../tools/build.ts";
import { hostSystem, programsFor, TARGETS } from "../../tools/build_table.ts";
import { namesIn } from "../support/media/media_folder.ts";
import { readCompiled, type StoredPermissions } from "../support/programs/compiled.ts";
import { importFlags, pathOf } from "../support/programs/running_program.ts";
import { freePort, textOf } from "../support/programs/machine.ts";
import { linuxTest } from "../support/test_if.ts";

// What `deno compile` gets and makes. The runtime is a plain Deno here, so that the files are read.

const PROBE = new URL("build_probe.ts", import.meta.url).href;

/** A runtime to put programs behind, which here are only read, not run. */
const ANY_RUNTIME = { DENORT_BIN: Deno.execPath() };

const PROBE_PROGRAM = { entry: PROBE, permissions: ["--allow-read"] };

/** An empty folder for what a test builds. */
class OutputFolder implements AsyncDisposable {
  private constructor(readonly folder: string) {}

  static async make(): Promise<OutputFolder> {
    return new OutputFolder(await Deno.makeTempDir());
  }

  /** Path of the one file that a test makes. */
  get path(): string {
    return `${this.folder}/probe`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}

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
  // Deno would store that it reports.
  Deno.env.set("OTEL_DENO", "true");
  using _ = { [Symbol.dispose]: () => Deno.env.delete("OTEL_DENO") };
  await using output = await OutputFolder.make();
  const graphFlags = ["--config", pathOf("deno.json"), ...importFlags()];
  const builder = new Builder({ form: "compiled", graphFlags, env: ANY_RUNTIME });
  for (const [name, program] of Object.entries(programsFor(hostSystem()))) {
    const path = `${output.folder}/${program.output}`;
    const entry = pathOf(program.entry);
    const built = await builder.build({ ...program, entry, output: path });
    assertEquals(built.form, "compiled");
    const { permissions, files, v8Flags, ...compiled } = await readCompiled(path);
    const { prompt, ignore_env, ignore_read, ...given } = permissions;
    assertEquals([prompt, ignore_env, ignore_read], [false, null, null]);
    const expected = stored(program.permissions);
    assertEquals(given, expected);
    assertEquals(files, [`${name}.mjs`]);
    // Deno has flags of its own.
    const own = v8Flags.filter((flag) => programsFor(hostSystem()).server.v8Flags?.includes(flag));
    assertEquals(own, program.v8Flags ?? []);
    assertEquals(compiled, {
      entry: `${name}.mjs`,
      preloaded: [],
      packages: null,
      codeCache: null,
      reports: false,
    });
  }
  assertEquals(namesIn(output.folder), ["stream-client", "stream-server"]);
});

linuxTest("build() compiles for another target", async () => {
  await using output = await OutputFolder.make();
  const other = Deno.build.target === "aarch64-unknown-linux-gnu"
    ? "x86_64-unknown-linux-gnu"
    : "aarch64-unknown-linux-gnu";
  const lines: string[] = [];
  const builder = new Builder({
    form: "compiled",
    env: ANY_RUNTIME,
    log: (line) => lines.push(line),
  });
  await builder.build({ ...PROBE_PROGRAM, output: output.path }, other);
  const { permissions } = await readCompiled(output.path);
  assertEquals(permissions.allow_read, []);
  assert(lines.includes(`Compiling probe for ${other}`), lines.join());
});

/** A folder for Deno that holds what this one's does, but no runtime for `deno compile`. */
async function denoFolderWithoutRuntime(folder: string): Promise<string> {
  const { stdout } = await textOf(Deno.execPath(), ["info", "--json"]);
  const { denoDir }: { denoDir: string } = JSON.parse(stdout);
  const made = `${folder}/deno`;
  await Deno.mkdir(`${made}/dl`, { recursive: true });
  for (const name of namesIn(denoDir)) {
    if (name !== "dl") await Deno.symlink(`${denoDir}/${name}`, `${made}/${name}`);
  }
  for (const name of namesIn(`${denoDir}/dl`)) {
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
  const proxy = `http://127.0.0.1:${freePort()}`;
  const denoFolder = await denoFolderWithoutRuntime(folder);
  return { DENO_DIR: denoFolder, HTTPS_PROXY: proxy, https_proxy: proxy };
}

Deno.test("build() falls back in one line if the runtime cannot be downloaded, and for that alone", async (t) => {
  // The bundler may have to be fetched, which the steps below could not.
  {
    await using first = await OutputFolder.make();
    const builder = new Builder({ form: "self-extracting" });
    await builder.build({ ...PROBE_PROGRAM, output: first.path });
  }
  using _ = withoutNamedRuntime();
  await using place = await OutputFolder.make();
  const env = await unreachable(place.folder);
  await t.step("for this system", async () => {
    await using output = await OutputFolder.make();
    const lines: string[] = [];
    const builder = new Builder({ env, log: (line) => lines.push(line) });
    const { form } = await builder.build({ ...PROBE_PROGRAM, output: output.path });
    assertEquals(form, "self-extracting");
    const told = lines.filter((line) => line.includes("cannot be downloaded"));
    assertEquals(told.length, 1);
    assert(!told[0].includes("\n"));
    assertEquals(namesIn(output.folder), ["probe"]);
  });
  await t.step("not for a target, this system's neither, whatever was built before", async () => {
    await using output = await OutputFolder.make();
    const builder = new Builder({ env });
    await builder.build({ ...PROBE_PROGRAM, output: output.path });
    for (const target of Object.keys(TARGETS)) {
      const { message } = await assertRejects(
        () => builder.build({ ...PROBE_PROGRAM, output: `${output.path}-${target}` }, target),
        Error,
      );
      assertMatch(message, /^Cannot build [^\n]*, expected a network or DENORT_BIN with [^\n]*$/);
    }
    assertEquals(namesIn(output.folder), ["probe"]);
  });
  await t.step("not if an archive of the runtime is there and cannot be read", async () => {
    await using output = await OutputFolder.make();
    const release = `${env.DENO_DIR}/dl/release/v${Deno.version.deno}`;
    await Deno.mkdir(`${release}/denort-${Deno.build.target}.zip`, { recursive: true });
    const { message } = await assertRejects(
      () => new Builder({ env }).build({ ...PROBE_PROGRAM, output: output.path }),
      Error,
    );
    assertMatch(message, /^Cannot compile probe: [^\n]*$/);
    assertEquals(namesIn(output.folder), []);
  });
  await t.step("not if a runtime is named that is not there", async () => {
    await using output = await OutputFolder.make();
    await Deno.writeTextFile(output.path, "before");
    const missing = { ...env, DENORT_BIN: `${output.folder}/missing` };
    const error = await assertRejects(
      () => new Builder({ env: missing }).build({ ...PROBE_PROGRAM, output: output.path }),
      Error,
    );
    assertMatch(error.message, /^Cannot compile probe: Could not find denort at '[^\n]*$/);
    assertEquals(await Deno.readTextFile(output.path), "before");
    assertEquals(namesIn(output.folder), ["probe"]);
  });
});

for (
  const [step, form] of [
    ["Checking", "compiled"],
    ["Compiling", "compiled"],
    ["Packing", "self-extracting"],
  ] as const
) {
  Deno.test(`build() leaves nothing behind when it is interrupted: ${step}`, async () => {
    await using output = await OutputFolder.make();
    const interrupt = new AbortController();
    const log = (line: string) => {
      if (line.startsWith(step)) queueMicrotask(() => interrupt.abort());
    };
    const builder = new Builder({ form, env: ANY_RUNTIME, log, signal: interrupt.signal });
    await assertRejects(
      () => builder.build({ ...PROBE_PROGRAM, output: output.path }),
      DOMException,
    );
    assertEquals(namesIn(output.folder), []);
  });
}

Deno.test("build() says in one line what cannot be written", async () => {
  await using output = await OutputFolder.make();
  await Deno.mkdir(`${output.path}/inside`, { recursive: true });
  const builder = new Builder({ form: "compiled", env: ANY_RUNTIME });
  for (const path of [output.path, `${output.folder}/missing/probe`]) {
    const { message } = await assertRejects(
      () => builder.build({ ...PROBE_PROGRAM, output: path }),
      Error,
    );
    assertMatch(message, /^Cannot write "[^\n]*": [^\n]*, expected a folder [^\n]*$/);
  }
  assertEquals(namesIn(output.folder), ["probe"]);
});

Deno.test("build() leaves what stood there where the program has a fault", async () => {
  await using output = await OutputFolder.make();
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
  assertEquals(namesIn(output.folder), ["faulty.ts", "probe"]);
});
