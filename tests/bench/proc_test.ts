import { assertEquals } from "@std/assert";
import { findChildren, hasProc } from "../../bench/proc.ts";
import { linesOf } from "../../bench/lines.ts";
import { testIf } from "../support/test_if.ts";

const test = testIf(hasProc(), "no /proc");

test("findChildren() leaves out who has ended, unless asked for those not taken note of, too", async () => {
  // The shell becomes a program that never waits for the children that it inherits.
  const script = "sleep 60 & echo $!; sleep 0.05 & exec tail -f /dev/null";
  const child = new Deno.Command("sh", {
    args: ["-c", script],
    stdout: "piped",
    detached: true,
  }).spawn();
  const lines = linesOf(child.stdout)[Symbol.asyncIterator]();
  try {
    const running = Number((await lines.next()).value);
    while (await stateOf(child.pid) !== "tail") await new Promise((go) => setTimeout(go, 5));
    let all: number[] = [];
    while (all.length < 2) all = await findChildren(child.pid, "sleep", { ended: true });
    while ((await findChildren(child.pid, "sleep")).length > 1);
    assertEquals(await findChildren(child.pid, "sleep"), [running]);
    assertEquals(await findChildren(child.pid, "sleep", { argument: "60" }), [running]);
    assertEquals(await findChildren(child.pid, "sleep", { argument: "6" }), []);
    assertEquals((await findChildren(child.pid, "sleep", { ended: true })).length, 2);
  } finally {
    Deno.kill(-child.pid, "SIGKILL");
    await child.status;
    // Until then it is still being read.
    while (!(await lines.next()).done);
  }
});

async function stateOf(pid: number): Promise<string> {
  return (await Deno.readTextFile(`/proc/${pid}/comm`)).trimEnd();
}
