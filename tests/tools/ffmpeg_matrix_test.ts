import { assertEquals, assertMatch } from "@std/assert";
import { linuxTest } from "../support/test_if.ts";
import { textOf } from "../support/programs/machine.ts";

const SCRIPT = new URL("../../tools/ffmpeg_matrix.sh", import.meta.url).pathname;

function run(args: string[]) {
  return textOf("bash", [SCRIPT, ...args]);
}

linuxTest("ffmpeg_matrix.sh --help prints the usage", async () => {
  const { code, stdout, stderr } = await run(["--help"]);
  assertEquals([code, stderr], [0, ""]);
  assertMatch(stdout, /^Usage: tools\/ffmpeg_matrix\.sh [^\n]*\n/);
});

linuxTest("ffmpeg_matrix.sh refuses other words in one line", async () => {
  for (const args of [["buster"], ["--fast"], ["--cache"]]) {
    const { code, stdout, stderr } = await run(args);
    assertEquals([code, stdout], [2, ""]);
    assertMatch(
      stderr,
      /^Cannot use [^\n]*, expected [^\n]*\n$|^Cannot use [^\n]*: expected [^\n]*\n$/,
    );
  }
});

linuxTest("ffmpeg_matrix.sh --part runs tests that are there", async () => {
  const text = await Deno.readTextFile(SCRIPT);
  const [, list] = text.match(/^PART=\(([^)]*)\)$/m) ?? [];
  const paths = list.trim().split(/\s+/);
  for (const path of paths) {
    const { isFile } = await Deno.stat(new URL(`../../${path}`, import.meta.url));
    assertEquals(isFile, true, path);
  }
});
