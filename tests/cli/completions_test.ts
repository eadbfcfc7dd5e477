import { assertEquals, assertStringIncludes } from "@std/assert";
import { completionScript } from "../../lib/cli/completions.ts";
import { choice, list, optionalText, text, toggle } from "../../lib/cli/flags.ts";
import { CLIENT_FLAGS } from "../../lib/client/flags.ts";
import { SERVER_FLAGS } from "../../lib/server/flags.ts";
import { isInstalled } from "../support/programs/machine.ts";
import { pureTest } from "../support/pure_test.ts";
import { PATIENCE } from "../support/time/patience.ts";
import { testWith } from "../support/test_if.ts";

const TABLE = {
  view: choice(["window", "none"], "where it's shown", undefined),
  "token-file": text("FILE", "a [secret]: one line", undefined),
  host: text("ADDRESS", "the server", undefined),
  image: optionalText("NAME", "a picture"),
  live: list("NAME=INPUT", "a source", (value) => value),
  json: toggle("in JSON"),
  help: toggle("this text", { short: "h" }),
};

pureTest("completionScript() names every flag in every shell", () => {
  for (const shell of ["bash", "zsh", "fish"] as const) {
    for (const table of [CLIENT_FLAGS, SERVER_FLAGS]) {
      const script = completionScript(shell, "program", table);
      const mark = shell === "fish" ? "-l " : "--";
      for (const flag of Object.keys(table)) assertStringIncludes(script, mark + flag);
    }
  }
});

pureTest("completionScript() knows the short form of a flag", () => {
  assertStringIncludes(completionScript("bash", "program", TABLE), " --help -h");
  assertStringIncludes(completionScript("zsh", "program", TABLE), "'-h[this text]'");
  assertStringIncludes(completionScript("fish", "program", TABLE), "-l help -s h -d");
});

/** What real shells complete: the words after the program's name, the last one unfinished. */
const CASES: readonly (readonly [typed: string, completed: readonly string[]])[] = [
  ["--j", ["--json"]],
  ["--view ", ["none", "window"]],
  ["--view w", ["window"]],
  ["--host ", []],
  ["--token-file s", ["secret.txt"]],
  ["--token-file t", ["two words.txt"]],
  ["--view none --t", ["--token-file"]],
];

/** Runs a shell in a folder with files that are there to be completed. */
async function shellSays(
  shell: keyof typeof COMMANDS,
  script: string,
  typed: string,
): Promise<string[]> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/secret.txt`, "");
    await Deno.writeTextFile(`${folder}/two words.txt`, "");
    await Deno.writeTextFile(`${folder}/completions`, script);
    const { stdout, stderr } = await new Deno.Command(shell, {
      args: [...COMMANDS[shell].args, COMMANDS[shell].script, "_", typed],
      cwd: folder,
      stdin: "null",
      env: { HOME: folder, TERM: "dumb" },
    }).output();
    const decoder = new TextDecoder();
    assertEquals(decoder.decode(stderr), "");
    const words = decoder.decode(stdout).split("\n").map((line) => line.split("\t")[0]);
    // Some versions of fish also tell what merely contains the letters, for when nothing fits.
    const begun = typed.slice(typed.lastIndexOf(" ") + 1);
    const isDash = begun.startsWith("--");
    return words.filter((word) => word !== "" && (!isDash || word.startsWith(begun))).sort();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** How to ask a shell, without anybody who presses a key. */
const COMMANDS = {
  bash: {
    args: ["--noprofile", "--norc", "-c"],
    // `compopt` is for the time of a real completion only.
    script: `compopt() { :; }
source ./completions
read -ra COMP_WORDS <<< "program $1"
[[ $1 == *" " ]] && COMP_WORDS+=("")
COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
_program
printf '%s\\n' "\${COMPREPLY[@]}"`,
  },
  fish: {
    args: ["--no-config", "-c"],
    script: `source ./completions
complete -C"program $argv[2]"`,
  },
};

for (const shell of ["bash", "fish"] as const) {
  const there = isInstalled(shell);
  Deno.test({
    name: `completionScript() completes in ${shell}${there ? "" : ` (ignored: no ${shell})`}`,
    ignore: !there,
    async fn() {
      const script = completionScript(shell, "program", TABLE);
      for (const [typed, completed] of CASES) {
        assertEquals(await shellSays(shell, script, typed), completed, typed);
      }
    },
  });
}

const test = testWith("zsh", "tmux");
test("completionScript() completes in zsh", async () => {
  const folder = await Deno.makeTempDir();
  const tmux = async (...args: string[]) => {
    const { stdout } = await new Deno.Command("tmux", {
      args: ["-L", folder.replaceAll("/", "-"), ...args],
      cwd: folder,
      env: { TMUX: "", TERM: "xterm", LC_ALL: "C.UTF-8", HOME: folder },
      stdin: "null",
    }).output();
    return new TextDecoder().decode(stdout);
  };
  const until = async (line: string) => {
    const limit = AbortSignal.timeout(PATIENCE);
    while (!(await tmux("capture-pane", "-p")).split("\n").includes(line)) {
      if (limit.aborted) {
        throw new Error(`Cannot find "${line}": ${await tmux("capture-pane", "-p")}`);
      }
    }
  };
  try {
    await Deno.writeTextFile(`${folder}/secret.txt`, "");
    await Deno.writeTextFile(`${folder}/completions`, completionScript("zsh", "program", TABLE));
    await tmux("-f", "/dev/null", "new-session", "-d", "zsh", "-f", "-i");
    const load = "PROMPT='> '; autoload -Uz compinit; compinit -u -D; source ./completions";
    await tmux("send-keys", `${load}; clear; print ready`, "Enter");
    await until("ready");
    await tmux("send-keys", "-l", "program --view w\t--tok\tsec\t--j\t");
    await until("> program --view window --token-file secret.txt --json");
  } finally {
    await tmux("kill-server");
    await Deno.remove(folder, { recursive: true });
  }
});
