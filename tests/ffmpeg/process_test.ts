import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { MissingProgramError, ProcessError } from "../../lib/base/errors.ts";
import { type Process, startProcess } from "../../lib/ffmpeg/process.ts";

/** Runs a shell script in place of FFmpeg. */
function sh(script: string, options?: Parameters<typeof startProcess>[2]): Process {
  return startProcess("sh", ["-c", script], options);
}

/** The failure that a process ends with. */
async function failureOf(process: Process): Promise<ProcessError> {
  return await assertRejects(() => process.finished(), ProcessError);
}

/** Reads a child's first bytes as text, and no more after them. */
async function firstWords(process: Process): Promise<string> {
  const reader = process.stdout.getReader();
  try {
    const { value } = await reader.read();
    return new TextDecoder().decode(value).trim();
  } finally {
    await reader.cancel();
  }
}

Deno.test("startProcess() passes arguments as they are", async () => {
  await using child = startProcess("printf", ["%s|", "a b", "$HOME", "*", "'\"", ""]);
  assertEquals(await new Response(child.stdout).text(), "a b|$HOME|*|'\"||");
  await child.finished();
});

Deno.test("Process.finished() returns the complaints of a child that succeeded", async () => {
  await using child = sh("echo careful >&2", { stdout: "null" });
  assertEquals(await child.finished(), "careful\n");
});

Deno.test("Process.complaints has the tail of standard error so far", async () => {
  await using child = sh("echo one >&2; read line; echo two >&2", {
    stdin: "piped",
    stdout: "null",
  });
  while (child.complaints === "") await new Promise((done) => setTimeout(done));
  assertEquals(child.complaints, "one\n");
  await child.stdin.close();
  await child.ended();
  await child.finished().catch(() => {});
  assertEquals(child.complaints, "one\ntwo\n");
});

Deno.test("Process.finished() throws the status and the last words", async () => {
  await using child = sh("echo one >&2; echo two >&2; exit 3", { stdout: "null" });
  const { failure, message } = await failureOf(child);
  assertEquals(failure, { code: 3, signal: null, stderr: "one\ntwo\n" });
  assertEquals(message, "sh failed (3): one; two");
});

Deno.test("Process.finished() names the signal that ended a child", async () => {
  await using child = sh("kill -TERM $$", { stdout: "null" });
  const { failure } = await failureOf(child);
  assertEquals([failure.code, failure.signal], [143, "SIGTERM"]);
});

Deno.test("Process keeps the last of much standard error, from a line's beginning", async () => {
  const script = "i=0; while [ $i -lt 3000 ]; do echo line $i >&2; i=$((i+1)); done; exit 1";
  await using child = sh(script, { stdout: "null" });
  const { failure } = await failureOf(child);
  const lines = failure.stderr.trim().split("\n");
  assertEquals(lines.at(-1), "line 2999");
  assert(failure.stderr.length <= 8192 && lines.length > 400, `${lines.length} lines`);
  assert(lines.every((line) => /^line \d+$/.test(line)));
});

Deno.test("Process writes to a child and reads from it", async () => {
  await using child = startProcess("cat", [], { stdin: "piped" });
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode("through"));
  await writer.close();
  assertEquals(await new Response(child.stdout).text(), "through");
  await child.finished();
});

Deno.test("Process is gone when it has been disposed, and disposing again is harmless", async () => {
  const child = sh("echo $$; exec sleep 60");
  const pid = Number(await firstWords(child));
  await child[Symbol.asyncDispose]();
  assertThrows(() => Deno.kill(pid, "SIGCONT"), Deno.errors.NotFound);
  await child[Symbol.asyncDispose]();
  await child.ended();
});

Deno.test("Process ends a child that does not listen to SIGTERM", async () => {
  const child = sh("trap '' TERM INT HUP; echo ready; while :; do :; done");
  assertEquals(await firstWords(child), "ready");
  await child[Symbol.asyncDispose]();
});

Deno.test("Process ends when the signal fires, also one that has fired before", async () => {
  const abort = new AbortController();
  await using child = sh("exec sleep 60", { stdout: "null", signal: abort.signal });
  abort.abort();
  assertEquals((await failureOf(child)).failure.signal, "SIGKILL");
  await using late = sh("exec sleep 60", { stdout: "null", signal: abort.signal });
  assertEquals((await failureOf(late)).failure.signal, "SIGKILL");
});

Deno.test("Process takes no further notice of the signal once it has ended", async () => {
  const abort = new AbortController();
  await using child = sh("true", { stdout: "null", signal: abort.signal });
  await child.finished();
  abort.abort();
  child.kill();
});

Deno.test("startProcess() says how to install a missing program", () => {
  const error = assertThrows(() => startProcess("no-such-ffmpeg", []));
  assertInstanceOf(error, MissingProgramError);
  assertStringIncludes(error.message, "Cannot run no-such-ffmpeg: it is not installed");
  assertStringIncludes(error.message, "apt install ffmpeg");
});

Deno.test("Process ends although its own children hold its pipes", async () => {
  await using child = startProcess("sh", ["-c", "sleep 60 & echo $! >&2; exit 3"]);
  const error = await assertRejects(() => child.finished(), ProcessError);
  assertEquals(error.failure.code, 3);
  assertMatch(error.failure.stderr, /^\d+\n?$/);
  // It would have failed if the other one were gone.
  Deno.kill(Number(error.failure.stderr), "SIGKILL");
  await child.stdout.cancel();
});
