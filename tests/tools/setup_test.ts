import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { textOf, whereIs } from "../support/programs/machine.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** What setup.sh needs of any machine. */
const BASICS = ["cat", "chmod", "dirname", "env", "mkdir", "mktemp", "rm", "sed", "sh"];

/** Installs a program where it is asked to: a script that states a version. */
const INSTALLERS: Record<string, string> = {
  "apt-get": `case $1 in install) shift 2; for name; do
      case $name in -*) ;; *) give "$FAKE/bin" "$name" 5.1.6 ;; esac
    done ;; esac`,
  npm: `case $1 in
    prefix) echo "$FAKE" ;;
    install) give "$4/bin" deno 2.9.6 ;;
  esac`,
  curl: `while [ "$1" != -o ]; do shift; done
    printf 'give "$DENO_INSTALL/bin" deno 2.9.6\\n' >"$2"`,
};

/** The last step, which says what it does. */
const FETCHING = "Fetching the packages that the code imports …\n";

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
  /** The commands that were called, one a line. */
  calls: string;
}

/** A machine on which everything that setup.sh calls is a script of ours. */
class FakeMachine implements AsyncDisposable {
  private constructor(readonly folder: string) {}

  static async make(programs: string[], { uid = 0 } = {}): Promise<FakeMachine> {
    const machine = new FakeMachine(await Deno.realPath(await Deno.makeTempDir()));
    await Deno.mkdir(`${machine.folder}/bin`);
    for (const name of BASICS) {
      await Deno.symlink(whereIs(name) ?? "", `${machine.folder}/bin/${name}`);
    }
    // give FOLDER NAME VERSION: puts a program there; ffmpeg brings ffprobe along.
    await machine.add(
      "give",
      `mkdir -p "$1"
      printf '#!/bin/sh\\necho "$0 $*" >>"$FAKE/calls"\\necho "%s %s"\\n' \\
        "$(case $2 in deno) echo deno ;; *) echo "$2 version" ;; esac)" "$3" >"$1/$2"
      chmod +x "$1/$2"
      [ "$2" != ffmpeg ] || give "$1" ffprobe "$3"`,
    );
    await machine.add("true", "exit 0");
    await machine.add("id", `echo ${uid}`);
    for (const program of programs) {
      const [name, version] = program.split(" ");
      if (version !== undefined) await machine.sh(`give "$FAKE/bin" ${name} ${version}`);
      else await machine.add(name, `echo "${name} $*" >>"$FAKE/calls"\n${INSTALLERS[name] ?? ""}`);
    }
    return machine;
  }

  /** Adds a program, by the shell script it is. */
  async add(name: string, script: string): Promise<void> {
    const path = `${this.folder}/bin/${name}`;
    await Deno.writeTextFile(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }

  async sh(line: string): Promise<Outcome> {
    const outcome = await textOf(`${this.folder}/bin/sh`, ["-c", line], {
      cwd: ROOT,
      clearEnv: true,
      env: {
        FAKE: this.folder,
        HOME: `${this.folder}/home`,
        PATH: `${this.folder}/home/.local/bin:${this.folder}/bin`,
      },
    });
    return { ...outcome, calls: await this.#calls() };
  }

  async #calls(): Promise<string> {
    try {
      return await Deno.readTextFile(`${this.folder}/calls`);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return "";
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}

Deno.test("setup.sh names what it finds, and installs nothing if nothing is missing", async () => {
  await using machine = await FakeMachine.make(["ffmpeg 5.1.6-0+deb12u1", "deno 2.9.6", "npm"]);
  const { code, stdout, stderr, calls } = await machine.sh("sh setup.sh");
  assertEquals([code, stdout, stderr], [0, "Found FFmpeg 5.1.6, Deno 2.9.6\n", FETCHING]);
  assertEquals(calls.includes("npm"), false);
});

Deno.test("setup.sh takes the ways in which ffmpeg states its version", async () => {
  for (
    const [version, name] of [
      ...[["n7.1", "7.1"], ["7.1.5-0+deb13u1", "7.1.5"], ["8.0", "8.0"], ["10.0.1", "10.0.1"]],
      ...["N-109000-gabcdef", "2026-01-01-git-abc"].map((build) => [build, build]),
    ]
  ) {
    await using machine = await FakeMachine.make([`ffmpeg ${version}`, "deno 2.9.6"]);
    const { code, stdout } = await machine.sh("sh setup.sh");
    assertEquals([code, stdout], [0, `Found FFmpeg ${name}, Deno 2.9.6\n`], version);
  }
});

Deno.test("setup.sh installs what is missing, and tells each step", async () => {
  await using machine = await FakeMachine.make(["apt-get", "npm"]);
  const { code, stdout, stderr, calls } = await machine.sh("sh setup.sh && command -v deno");
  assertEquals(
    [stdout, stderr],
    [
      `Found FFmpeg 5.1.6 (apt-get), Deno 2.9.6 (npm)\n${machine.folder}/bin/deno\n`,
      `Installing ffmpeg with apt-get …\nInstalling Deno with npm …\n${FETCHING}`,
    ],
  );
  assertEquals(code, 0);
  assertMatch(calls, /^apt-get update\napt-get install -y ffmpeg\n/);
  const again = await machine.sh("sh setup.sh");
  assertEquals([again.code, again.stdout], [0, "Found FFmpeg 5.1.6, Deno 2.9.6\n"]);
});

Deno.test("setup.sh installs mpv if there is a screen, and goes on without", async () => {
  const found = [0, "Found FFmpeg 5.1.6, Deno 2.9.6\n"];
  const installed = ["ffmpeg 5.1.6", "deno 2.9.6", "apt-get"];
  await using machine = await FakeMachine.make(installed);
  const { code, stdout, stderr, calls } = await machine.sh("DISPLAY=:0 sh setup.sh");
  assertEquals([code, stdout, stderr], [
    ...found,
    `Installing mpv with apt-get …\n${FETCHING}`,
  ]);
  assertMatch(calls, /apt-get install -y --no-install-recommends mpv\n/);
  await using headless = await FakeMachine.make(installed);
  assertEquals((await headless.sh("sh setup.sh")).calls.includes("mpv"), false);
  await using refusing = await FakeMachine.make(installed, { uid: 1000 });
  const refused = await refusing.sh("DISPLAY=:0 sh setup.sh");
  assertEquals([refused.code, refused.stdout, refused.stderr], [...found, FETCHING]);
});

Deno.test("setup.sh takes Deno's installer where there is no npm", async () => {
  await using machine = await FakeMachine.make(["ffmpeg 5.1", "curl", "unzip"], { uid: 1000 });
  const { code, stdout, stderr, calls } = await machine.sh("sh setup.sh && command -v deno");
  assertEquals(stderr, `Installing Deno with its installer …\n${FETCHING}`);
  assertEquals(code, 0);
  assertStringIncludes(stdout, "Found FFmpeg 5.1, Deno 2.9.6 (installer)\n");
  assertStringIncludes(calls, "https://deno.land/install.sh");
});

Deno.test("setup.sh replaces a Deno that is too old", async () => {
  await using machine = await FakeMachine.make(["ffmpeg 5.1", "deno 1.46.3", "npm"]);
  const { code, stdout } = await machine.sh("sh setup.sh");
  assertEquals([code, stdout], [0, "Found FFmpeg 5.1, Deno 2.9.6 (npm)\n"]);
});

Deno.test("setup.sh refuses an ffmpeg that stays too old", async () => {
  await using machine = await FakeMachine.make(["ffmpeg 4.4.2", "deno 2.9.6", "apt-get"]);
  await machine.add("apt-get", "exit 0");
  const { code, stderr } = await machine.sh("sh setup.sh");
  assertEquals(code, 1);
  assertMatch(
    stderr,
    /^Installing [^\n]+\nCannot use FFmpeg 4\.4\.2: expected 5\.1 or later[^\n]*\n$/,
  );
});

Deno.test("setup.sh gives the command to run where it has no right to install", async () => {
  await using machine = await FakeMachine.make(["deno 2.9.6", "apt-get"], { uid: 1000 });
  await machine.add("sudo", "exit 1");
  const { code, stdout, stderr, calls } = await machine.sh("sh setup.sh");
  assertEquals([code, stdout], [1, ""]);
  const command = "sudo apt-get update && sudo apt-get install -y ffmpeg";
  assertEquals(stderr, `Cannot install ffmpeg: permission denied. Run: ${command}\n`);
  assertEquals(calls.includes("apt-get"), false);
});

Deno.test("setup.sh uses a sudo that does not ask", async () => {
  await using machine = await FakeMachine.make(["deno 2.9.6", "apt-get"], { uid: 1000 });
  await machine.add("sudo", `[ "$1" = -n ] && shift && exec "$@"`);
  const { code, stdout, stderr } = await machine.sh("sh setup.sh");
  assertEquals([code, stdout], [0, "Found FFmpeg 5.1.6 (apt-get), Deno 2.9.6\n"]);
  assertEquals(stderr, `Installing ffmpeg with apt-get …\n${FETCHING}`);
});

Deno.test("setup.sh shows why an installation failed", async () => {
  await using machine = await FakeMachine.make(["deno 2.9.6", "apt-get"]);
  await machine.add("apt-get", `[ "$1" = update ] || { echo "no such package"; exit 100; }`);
  const { code, stderr } = await machine.sh("sh setup.sh");
  assertEquals(code, 1);
  assertEquals(
    stderr,
    "Installing ffmpeg with apt-get …\nno such package\n" +
      "Cannot install ffmpeg: apt-get install -y failed\n",
  );
});

Deno.test("setup.sh tells what to do where Deno's folder is not on PATH", async () => {
  await using machine = await FakeMachine.make(["ffmpeg 5.1", "npm"], { uid: 1000 });
  await machine.add("npm", `[ "$1" = prefix ] || give "$4/bin" deno 2.9.6`);
  const path = `PATH=${machine.folder}/bin`;
  const { code, stderr } = await machine.sh(`${path} sh setup.sh`);
  assertEquals(code, 1);
  const folder = `${machine.folder}/home/.local/bin`;
  assertEquals(
    stderr,
    "Installing Deno with npm …\n" +
      `Deno is now in ${folder}, but that folder is not on PATH. ` +
      `Run: export PATH="${folder}:$PATH"\n`,
  );
});

Deno.test("setup.sh names the package of each system", async () => {
  const installs = {
    dnf: "dnf install -y ffmpeg-free",
    apk: "apk add ffmpeg",
    pacman: "pacman -S --noconfirm --needed ffmpeg",
  };
  for (const [manager, command] of Object.entries(installs)) {
    await using machine = await FakeMachine.make(["deno 2.9.6", manager], { uid: 1000 });
    const { stderr } = await machine.sh("sh setup.sh");
    assertStringIncludes(stderr, `Run: sudo ${command}\n`);
  }
});
