import { assertEquals } from "@std/assert";
import { TextLineStream } from "@std/streams/text-line-stream";
import { findPython } from "../peers/python.ts";
import { unixTest } from "../support/test_if.ts";

const PROBE = new URL("./interrupt_probe.ts", import.meta.url).pathname;
const INSISTENCE_PROBE = new URL("./insistence_probe.ts", import.meta.url).pathname;
const HANGUP_PROBE = new URL("./hangup_probe.ts", import.meta.url).pathname;

/** Runs a probe, in a process of its own since the test runner takes SIGINT for itself. */
async function runProbe(
  path: string,
  signals: Partial<Record<string, readonly Deno.Signal[]>>,
): Promise<{ lines: string[]; code: number }> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-config", path],
    ...{ stdin: "null", stdout: "piped" },
  }).spawn();
  const lines: string[] = [];
  const text = child.stdout.pipeThrough(new TextDecoderStream());
  for await (const line of text.pipeThrough(new TextLineStream())) {
    lines.push(line);
    for (const signal of signals[line] ?? []) child.kill(signal);
  }
  return { lines, code: (await child.status).code };
}

for (const [signal, status] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  Deno.test(`untilInterrupted() takes ${signal} for status ${status}, and lets the program end`, async () => {
    const { lines, code } = await runProbe(PROBE, { ready: [signal] });
    assertEquals(lines, ["ready", "aborted", `status ${status}`]);
    assertEquals(code, 0);
  });
}

unixTest(
  "untilInterrupted() calls onHangup() at SIGHUP instead of ending",
  async () => {
    const ending = await runProbe(HANGUP_PROBE, { ready: ["SIGHUP"], again: ["SIGTERM"] });
    assertEquals(ending, { lines: ["ready", "again"], code: 143 });
  },
);

for (
  const [what, first, then, status] of [
    ["a second Ctrl-C", "SIGINT", ["SIGINT"], 130],
    ["SIGHUP after Ctrl-C", "SIGINT", ["SIGHUP"], 129],
    ["SIGTERM after SIGHUP, but not SIGHUP once more", "SIGHUP", ["SIGHUP", "SIGTERM"], 143],
  ] as const
) {
  unixTest(`untilInterrupted() takes ${what} for insistence`, async () => {
    const { code } = await runProbe(INSISTENCE_PROBE, { ready: [first], aborted: then });
    assertEquals(code, status);
  });
}

/** Runs a program in a terminal of its own, closes that once it is ready, and takes its status. */
const CLOSING = `
import os, pty, sys
child, terminal = pty.fork()
if child == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
said = b""
while b"ready" not in said:
    said += os.read(terminal, 1024)
os.close(terminal)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
`;

const python = await findPython(["pty"]);

Deno.test({
  name: `untilInterrupted() ends with its terminal, whatever is to be done at SIGHUP${
    python === undefined ? " (Python is missing)" : ""
  }`,
  ignore: python === undefined,
  async fn() {
    const probe = [Deno.execPath(), "run", "--no-config", "--quiet", HANGUP_PROBE];
    const command = new Deno.Command(python ?? "", { args: ["-c", CLOSING, ...probe] });
    assertEquals((await command.output()).code, 129);
  },
});
