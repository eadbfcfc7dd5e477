import { assert, assertEquals, assertRejects } from "@std/assert";
import { linesOf } from "../../bench/lines.ts";
import { firstLine, TimedProcess } from "../../bench/timed_process.ts";
import { importFlags, pathOf } from "../support/programs/running_program.ts";

/** Never fires. */
const { signal } = new AbortController();

Deno.test("TimedProcess.finished() tells what a program and its children took", async () => {
  // A child of a child counts, too; the loop takes some hundredths of a second.
  const loop = "i=0; while [ $i -lt 30000 ]; do i=$((i + 1)); done";
  await using busy = await TimedProcess.start("sh", ["-c", `sh -c '${loop}'; echo done`], {
    signal,
  });
  assertEquals(await firstLine(busy), "done");
  const processor = await busy.finished();
  assert(processor > 0 && processor < 60, `${processor}`);
});

Deno.test("TimedProcess.finished() tells of what a program complained", async () => {
  const complaints: string[] = [];
  const onStderrLine = (line: string) => complaints.push(line);
  await using broken = await TimedProcess.start("sh", ["-c", "echo it broke >&2; exit 3"], {
    signal,
    onStderrLine,
  });
  await assertRejects(() => broken.finished(), Error, "Cannot measure sh: it failed (3): it broke");
  assertEquals(complaints, ["it broke"]);
});

Deno.test("TimedProcess takes a program and its children along when it is disposed", async () => {
  let lines: AsyncIterator<string>;
  {
    await using waiting = await TimedProcess.start("sh", ["-c", "sleep 60 & echo here; wait"], {
      signal,
    });
    lines = linesOf(waiting.stdout)[Symbol.asyncIterator]();
    assertEquals((await lines.next()).value, "here");
  }
  // Their standard output ends with the last of them.
  assertEquals((await lines.next()).done, true);
});

Deno.test("TimedProcess.start() says that bash is missing, and leaves no file behind", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const module = import.meta.resolve("../../bench/timed_process.ts");
    const code = `import { TimedProcess } from "${module}";
      const { signal } = new AbortController();
      await TimedProcess.start("sh", [], { signal }).catch((error) => console.log(error.message));`;
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", "--quiet", "--config", pathOf("deno.json"), ...importFlags(), code],
      env: { PATH: folder, TMPDIR: folder },
      stderr: "inherit",
    }).output();
    assertEquals(
      new TextDecoder().decode(stdout),
      "Cannot measure: bash, which counts processor time, is not installed\n",
    );
    assertEquals([...Deno.readDirSync(folder)], []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
