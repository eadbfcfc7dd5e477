import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Builder, type Form } from "../../tools/build.ts";
import { programsFor } from "../../tools/build_table.ts";
import { namesIn } from "../support/media/media_folder.ts";
import { unixTest } from "../support/test_if.ts";

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

unixTest("build() makes self-extracting programs", async (t) => {
  await using fixture = await Fixture.build("self-extracting");
  await t.step("two first starts at once both work", async () => {
    const outcomes = await Promise.all([1, 2].map(() => fixture.run(["args"])));
    assertEquals(outcomes.map(text), ["[]\n", "[]\n"]);
    assertEquals(outcomes.map(({ stderr }) => stderr), ["", ""]);
    const names = namesIn(`${fixture.folder}/home/.cache/stream-tools`);
    assertEquals(names.map((name) => name.replace(/[0-9a-f]{32}/, "…")), [
      "deno",
      "deno-…",
      "it's a probe-….mjs",
    ]);
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
    const before = namesIn(fixture.folder);
    const outcome = await fixture.run(["args", "x"], { env });
    assertEquals([text(outcome), outcome.stderr, outcome.code], [`["x"]\n`, "", 0]);
    assertEquals(namesIn(fixture.folder), before);
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
