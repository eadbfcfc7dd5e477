import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { writeSelfExtracting } from "../../tools/self_extracting.ts";
import { textOf } from "../support/programs/machine.ts";
import { testIf } from "../support/test_if.ts";

// The shell stub and its cache folder. A small script stands for the Deno that is carried.

/** As many random bytes follow the script, so that packing does not make it small. */
const RUNTIME_SIZE = 100_000;

/** Nobody's identity, for what root may do and others may not. */
const NOBODY = 65534;

const IS_ROOT = Deno.uid() === 0;

const test = testIf(Deno.build.os !== "windows", "Windows has no sh");
const rootTest = testIf(IS_ROOT, "only root can make one");

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** A self-extracting file in a folder of its own. */
class Fixture implements AsyncDisposable {
  private constructor(readonly folder: string) {}

  static async make(): Promise<Fixture> {
    const folder = await Deno.realPath(await Deno.makeTempDir());
    await Deno.chmod(folder, 0o755);
    const script = new TextEncoder().encode("#!/bin/sh\necho it ran\nexit 0\n");
    const bytes = new Uint8Array(RUNTIME_SIZE);
    crypto.getRandomValues(bytes.subarray(0, 65536));
    bytes.set(script);
    const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
    const packed = await new Response(stream).bytes();
    const program = { name: "probe", entry: "", output: `${folder}/probe`, permissions: [] };
    const runtime = { hash: "0123", size: bytes.byteLength, packed };
    await writeSelfExtracting(program, new TextEncoder().encode("no code"), { runtime });
    return new Fixture(folder);
  }

  /** Where the files go by default. */
  get cache(): string {
    return `${this.folder}/cache/stream-tools`;
  }

  async run(options: Deno.CommandOptions = {}): Promise<Outcome> {
    return await this.command("exec ./probe", options);
  }

  /** Runs a line of shell in the folder. */
  async command(line: string, options: Deno.CommandOptions = {}): Promise<Outcome> {
    return await textOf("/bin/sh", ["-c", line], {
      cwd: this.folder,
      clearEnv: true,
      ...options,
      env: options.env ?? { PATH: "/usr/bin:/bin", XDG_CACHE_HOME: `${this.folder}/cache` },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}

function assertRan(outcome: Outcome): void {
  assertEquals(outcome, { code: 0, stdout: "it ran\n", stderr: "" });
}

/** One line that says what to do, and failure. */
function assertRefused({ code, stdout, stderr }: Outcome, reason: RegExp): void {
  assertMatch(
    stderr,
    /^Cannot unpack "[^"\n]*": [^\n]*(set XDG_CACHE_HOME|run: rm -r|run: chmod \+r)[^\n]*\n$/,
  );
  assertMatch(stderr, reason);
  assertEquals([code, stdout], [1, ""]);
}

test("the stub unpacks once, for its user only", async () => {
  await using fixture = await Fixture.make();
  assertRan(await fixture.run());
  const names = Array.from(Deno.readDirSync(fixture.cache), ({ name }) => name).sort();
  assertEquals(names.length, 2);
  assertEquals(names[0], "deno-0123");
  const { mode } = await Deno.stat(fixture.cache);
  assertEquals((mode ?? 0) & 0o777, 0o700);
  const before = await Deno.stat(`${fixture.cache}/deno-0123`);
  assertRan(await fixture.run());
  assertEquals((await Deno.stat(`${fixture.cache}/deno-0123`)).ino, before.ino);
});

test("the stub uses .cache in HOME by default", async () => {
  await using fixture = await Fixture.make();
  const home = { PATH: "/usr/bin:/bin", HOME: fixture.folder };
  for (const unusable of ["", "relative"]) {
    const env = { ...home, XDG_CACHE_HOME: unusable };
    assertRan(await fixture.run({ env }));
  }
  assertRan(await fixture.run({ env: home }));
  assert((await Deno.stat(`${fixture.folder}/.cache/stream-tools/deno-0123`)).isFile);
});

test("the stub unpacks again what is not whole", async () => {
  await using fixture = await Fixture.make();
  assertRan(await fixture.run());
  for (const size of [0, 1000]) {
    await Deno.truncate(`${fixture.cache}/deno-0123`, size);
    assertRan(await fixture.run());
  }
  const draft = `${fixture.cache}/unpack.a1B2c3`;
  await Deno.mkdir(`${fixture.cache}/sub`);
  const others = [`${fixture.cache}/unpack.old`, `${fixture.cache}/sub/unpack.a1B2c3`];
  for (const path of [draft, ...others]) {
    await Deno.writeTextFile(path, "left by a start that was killed, or the user's");
    await Deno.utime(path, 1_000_000_000, 1_000_000_000);
  }
  await Deno.truncate(`${fixture.cache}/deno-0123`, 0);
  assertRan(await fixture.run());
  await assertRejects(() => Deno.stat(draft), Deno.errors.NotFound);
  for (const path of others) assert((await Deno.stat(path)).isFile, path);
});

test("the stub runs from a cache that became read-only", async () => {
  await using fixture = await Fixture.make();
  assertRan(await fixture.run());
  await Deno.chmod(fixture.cache, 0o500);
  assertRan(await fixture.run());
});

test("the stub refuses where there is no HOME", async () => {
  await using fixture = await Fixture.make();
  assertRefused(await fixture.run({ env: { PATH: "/usr/bin:/bin" } }), /HOME is not set/);
});

test("the stub refuses where the cache folder cannot be made", async () => {
  await using fixture = await Fixture.make();
  await Deno.writeTextFile(`${fixture.folder}/cache`, "a file stands there");
  assertRefused(await fixture.run(), /cannot be made/);
});

test("the stub refuses a cache folder that cannot be written to", async () => {
  await using fixture = await Fixture.make();
  await Deno.mkdir(fixture.cache, { recursive: true });
  await Deno.chmod(fixture.cache, 0o500);
  if (IS_ROOT) await Deno.chown(fixture.cache, NOBODY, NOBODY);
  const user = IS_ROOT ? { uid: NOBODY, gid: NOBODY } : {};
  assertRefused(await fixture.run(user), /cannot be written to/);
});

rootTest("the stub refuses a cache folder of another user", async () => {
  await using fixture = await Fixture.make();
  assertRan(await fixture.run());
  await Deno.chown(fixture.cache, NOBODY, NOBODY);
  assertRefused(await fixture.run(), /belongs to another user/);
});

test("the stub refuses a cache folder that others can write to, and says to delete it", async () => {
  await using fixture = await Fixture.make();
  await Deno.mkdir(fixture.cache, { recursive: true });
  for (const mode of [0o777, 0o770, 0o702, 0o1777]) {
    await Deno.chmod(fixture.cache, mode);
    assertRefused(await fixture.run(), /other users can write .* run: rm -r '/);
  }
});

rootTest("the stub refuses a cache folder below a folder of another user", async () => {
  await using fixture = await Fixture.make();
  assertRan(await fixture.run());
  // Its owner could put another folder in the place of the one that was checked.
  const parent = `${fixture.folder}/cache`;
  await Deno.chown(parent, NOBODY, NOBODY);
  const outcome = await fixture.run();
  assertRefused(outcome, /belongs to another user; set XDG_CACHE_HOME/);
  assertStringIncludes(outcome.stderr, `"${parent}"`);
});

test("the stub refuses folders above the cache that others can write to", async () => {
  await using fixture = await Fixture.make();
  assertRan(await fixture.run());
  for (const above of ["cache", "."]) {
    const folder = `${fixture.folder}/${above}`;
    for (const mode of [0o777, 0o757, 0o775]) {
      await Deno.chmod(folder, mode);
      assertRefused(await fixture.run(), /other users can write to .* set XDG_CACHE_HOME/);
    }
    // As in /tmp: others may add, but not move what is there.
    await Deno.chmod(folder, 0o1777);
    assertRan(await fixture.run());
    await Deno.chmod(folder, 0o755);
  }
});

test("the stub follows a link of the user's own", async () => {
  await using fixture = await Fixture.make();
  await Deno.mkdir(`${fixture.folder}/elsewhere`);
  await Deno.symlink("elsewhere", `${fixture.folder}/cache`);
  assertRan(await fixture.run());
  assert((await Deno.stat(`${fixture.folder}/elsewhere/stream-tools/deno-0123`)).isFile);
  // The folder is checked that the link leads to.
  await Deno.chmod(`${fixture.folder}/elsewhere`, 0o777);
  assertRefused(await fixture.run(), /elsewhere" *; set XDG_CACHE_HOME/);
  await Deno.chmod(`${fixture.folder}/elsewhere`, 0o755);
  // It may hold more than files of the program: the advice is not to delete it.
  await Deno.rename(`${fixture.folder}/elsewhere/stream-tools`, `${fixture.folder}/data`);
  await Deno.symlink("../data", `${fixture.folder}/elsewhere/stream-tools`);
  assertRan(await fixture.run());
  await Deno.chmod(`${fixture.folder}/data`, 0o775);
  assertRefused(await fixture.run(), /other users can write to the folder; set XDG_CACHE_HOME/);
});

test("the stub runs whatever bytes the environment holds", async () => {
  await using fixture = await Fixture.make();
  for (const value of ["a\\377b PATH", "*", "a\\nDENO_X=b"]) {
    const line = `LC_ALL=C.UTF-8 DENO_LOG="$(printf '${value}')" TIME_STYLE=bogus exec ./probe`;
    assertRan(await fixture.command(line));
  }
});

test("the stub quotes a folder with an apostrophe", async () => {
  await using fixture = await Fixture.make();
  const parent = `${fixture.folder}/it's`;
  await Deno.mkdir(`${parent}/stream-tools`, { recursive: true });
  await Deno.chmod(`${parent}/stream-tools`, 0o777);
  const env = { PATH: "/usr/bin:/bin", XDG_CACHE_HOME: parent };
  const outcome = await fixture.run({ env });
  assertRefused(outcome, /run: rm -r/);
  const [, advice] = outcome.stderr.match(/run: (rm .*)\n$/) ?? [];
  await fixture.command(advice);
  assertRan(await fixture.run({ env }));
});

test("the stub refuses where the space ends, and leaves nothing behind", async () => {
  await using fixture = await Fixture.make();
  // A limit on the size of files stands for a full disk: 50 blocks of 512 or 1024 bytes.
  assertRefused(await fixture.command("ulimit -f 50; exec ./probe"), /free some space/);
  const names = Array.from(Deno.readDirSync(fixture.cache), ({ name }) => name);
  assert(names.every((name) => !name.startsWith("deno") && !name.startsWith("unpack")));
  assertRan(await fixture.run());
});

test("the stub refuses when its own file is cut short or damaged", async () => {
  await using fixture = await Fixture.make();
  const whole = await Deno.readFile(`${fixture.folder}/probe`);
  await Deno.truncate(`${fixture.folder}/probe`, whole.byteLength - 10);
  assertRefused(await fixture.run(), /gzip/);
  whole[whole.byteLength - 1000] ^= 255;
  await Deno.writeFile(`${fixture.folder}/probe`, whole);
  assertRefused(await fixture.run(), /gzip/);
});

/** Mounts a file system of its own over the cache folder, seen by the program alone. */
function mounted(options: string): string {
  return `mkdir -p cache && unshare -m sh -c 'mount -t tmpfs -o ${options} none cache || exit 99
    exec ./probe'`;
}

test("the stub refuses what a file system of the cache does not allow", async (t) => {
  await using fixture = await Fixture.make();
  const ignore = (await fixture.command(mounted("size=1m"))).code !== 0;
  const suffix = ignore ? " (ignored: no right to mount one)" : "";
  const refusals = [
    { name: "no execution", options: "noexec", reason: /noexec/ },
    { name: "no writing", options: "ro", reason: /cannot be made/ },
    { name: "no space", options: "size=64k", reason: /No space left/ },
  ];
  for (const { name, options, reason } of refusals) {
    await t.step({
      name: `${name}${suffix}`,
      ignore,
      async fn() {
        assertRefused(await fixture.command(mounted(options)), reason);
      },
    });
  }
});
