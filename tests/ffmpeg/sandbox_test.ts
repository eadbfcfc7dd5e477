import { assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { MissingProgramError, ProcessError } from "../../lib/base/errors.ts";
import {
  type Confinement,
  findLacks,
  memoryLimit,
  openedUrl,
  outOfMemory,
  startConfined,
} from "../../lib/ffmpeg/sandbox.ts";
import { mediaFolder } from "../support/media/media_folder.ts";

const media = mediaFolder();
const ON_LINUX = { ignore: Deno.build.os !== "linux" };

/** Bytes, more than any of the programs here takes. */
const ENOUGH = 2 ** 30;

/** A folder with a program in the place of `ffprobe`, and those that every system has. */
async function programs(name: string, script?: string): Promise<string> {
  const folder = await media.folder(name);
  for (const program of ["sh", "readlink", "nice", "setsid", "cat", "sleep"]) {
    const found = await new Deno.Command("sh", { args: ["-c", `command -v ${program}`] }).output();
    await Deno.symlink(new TextDecoder().decode(found.stdout).trim(), `${folder}/${program}`);
  }
  if (script !== undefined) {
    await Deno.writeTextFile(`${folder}/ffprobe`, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }
  return folder;
}

/** What stands in for `ffprobe` writes; where it fails, what it fails with is thrown. */
async function outputOf(
  path: string,
  args: readonly string[],
  confinement: Confinement,
): Promise<string> {
  const before = Deno.env.get("PATH") ?? "";
  Deno.env.set("PATH", path);
  try {
    await using child = startConfined("ffprobe", args, confinement);
    const output = await new Response(child.stdout).text();
    await child.finished();
    return output;
  } finally {
    Deno.env.set("PATH", before);
  }
}

/** The last words of the refusal. */
async function refusalOf(bin: string, confinement: Confinement): Promise<string> {
  const error = await assertRejects(() => outputOf(bin, [], confinement), ProcessError);
  assertEquals([error.program, error.failure.code], ["ffprobe", 1]);
  return error.failure.stderr.trim();
}

Deno.test("startConfined() sets limits and becomes the program", ON_LINUX, async () => {
  const bin = await programs("limits", 'ulimit -d; nice; cat /proc/$$/comm; printf "%s\\n" "$@"');
  const path = await media.write("limits.txt", "");
  const args = ["-a b", "$(c)", "file:x"];
  const output = await outputOf(bin, args, { path, maxMemory: ENOUGH });
  assertEquals(output.trim().split("\n"), ["1048576", "5", "ffprobe", ...args]);
});

Deno.test("startConfined() has programs in the background give way", ON_LINUX, async () => {
  const bin = await programs("background", 'nice; cat /proc/self/autogroup 2>&1; echo "$@"');
  const path = await media.write("background.txt", "");
  const outputs = async (background: boolean) =>
    (await outputOf(bin, ["-a", "b c"], { path, background })).trim().split("\n");
  const [niceness, group, args] = await outputs(true);
  const [usual, usualGroup] = await outputs(false);
  assertEquals([niceness, usual, args], ["15", "5", "-a b c"]);
  // Systems that divide the processor in other ways have no such file.
  if (usualGroup.includes("nice")) {
    assertEquals([group, usualGroup].map((line) => line.split(" ").at(-1)), ["15", "0"]);
  }
});

Deno.test("startConfined() keeps Ctrl-C in a terminal from the program", ON_LINUX, async () => {
  const bin = await programs("group", 'read -r _ _ _ _ group _ </proc/$$/stat; echo "$$ $group"');
  const path = await media.write("group.txt", "");
  const [id, group] = (await outputOf(bin, [], { path })).trim().split(" ");
  assertMatch(id, /^\d+$/);
  assertEquals(group, id);
});

Deno.test("startConfined() gives at most half of the machine's memory", ON_LINUX, async () => {
  const bin = await programs("half", "ulimit -d");
  const path = await media.write("half.txt", "");
  const [total] = (await Deno.readTextFile("/proc/meminfo")).match(/\d+/) ?? [];
  const output = await outputOf(bin, [], { path, maxMemory: 2 ** 50 });
  assertEquals(Number(output), Math.floor(Number(total) / 2));
});

Deno.test("startConfined() lets the program read the file that it opened", ON_LINUX, async () => {
  const bin = await programs("opened", 'cat "${2#file:}"; cat "${3#file:}"');
  const folder = await media.folder("served");
  const names = ["plain", "line\nfeed", "feed at the end\n", "dollar $HOME `id` '\"", "-n"];
  for (const name of names) {
    const path = await media.write(`served/sub/${name}`, name);
    // Other arguments that look the same are what they are.
    const args = ["-i", `file:${path}`, `file:${path}`];
    assertEquals(await outputOf(bin, args, { path, folder }), name + name);
    await using child = startConfined("ffprobe", ["-version"], { path, folder: "/" });
    await child.stdout.cancel();
  }
});

Deno.test("startConfined() refuses a file that has left the folder", ON_LINUX, async () => {
  const bin = await programs("leaving", 'cat "${2#file:}"');
  const folder = await media.folder("kept");
  await media.write("kept aside/secret", "secret");
  await media.write("kept/sub/file", "own");
  const at = (path: string) => ({ path: media.pathOf(path), folder });
  assertEquals(await outputOf(bin, ["-i", `file:${folder}/sub/file`], at("kept/sub/file")), "own");
  await Deno.symlink("../kept aside/secret", `${folder}/link`);
  await Deno.symlink("../kept aside", `${folder}/folder`);
  await Deno.symlink("link", `${folder}/chain`);
  for (const name of ["link", "folder/secret", "chain", "../kept aside/secret"]) {
    assertEquals(await refusalOf(bin, at(`kept/${name}`)), "it has left the folder");
  }
  // A link that stays within it.
  await Deno.symlink("sub/file", `${folder}/inner`);
  assertEquals(await outputOf(bin, ["-i", `file:${folder}/inner`], at("kept/inner")), "own");
});

Deno.test("startConfined() says why there is nothing to open", ON_LINUX, async () => {
  const bin = await programs("nothing", "echo started");
  const folder = await media.folder("special");
  await new Deno.Command("mkfifo", { args: [`${folder}/pipe`] }).output();
  const at = (name: string) => ({ path: `${folder}/${name}`, folder });
  assertEquals(await refusalOf(bin, at("pipe")), "it is no regular file any more");
  assertEquals(await refusalOf(bin, at(".")), "it is no regular file any more");
  assertEquals(await refusalOf(bin, at("gone")), "No such file or directory");
});

Deno.test("startConfined() names a missing program", ON_LINUX, async () => {
  const path = await media.write("any.txt", "");
  const bin = await programs("without");
  const attempt = () => outputOf(bin, [], { path });
  assertStringIncludes((await assertRejects(attempt, MissingProgramError)).message, "ffprobe");
});

/** What is found missing where the programs are in one folder. */
async function lacksIn(folder: string): Promise<string[]> {
  const before = Deno.env.get("PATH") ?? "";
  Deno.env.set("PATH", folder);
  try {
    return await findLacks();
  } finally {
    Deno.env.set("PATH", before);
  }
}

Deno.test("findLacks() names missing programs and their consequences", ON_LINUX, async () => {
  const bin = await programs("whole");
  assertEquals(await lacksIn(bin), []);
  await Deno.remove(`${bin}/nice`);
  await Deno.remove(`${bin}/readlink`);
  const [nice, readlink, ...more] = await lacksIn(bin);
  assertMatch(nice, /^Cannot give FFmpeg a lower priority: nice is not installed; /);
  assertMatch(readlink, /^Cannot serve any file: readlink is not installed; /);
  assertEquals(more, []);
  await Deno.remove(`${bin}/sh`);
  const [shell] = await lacksIn(bin);
  assertMatch(shell, /^Cannot confine FFmpeg: sh is not there, or may not be run, so that /);
  await Deno.writeTextFile(`${bin}/sh`, "", { mode: 0o644 });
  assertEquals(await lacksIn(bin), [shell]);
});

Deno.test("startConfined() makes do without a shell", async () => {
  const path = await media.write("without a shell.txt", "own");
  const bin = await media.folder("no shell");
  await Deno.copyFile("/bin/echo", `${bin}/ffprobe`);
  assertEquals(await outputOf(bin, ["-i", `file:${path}`], { path }), `-i file:${path}\n`);
});

Deno.test("startConfined() names the signal that ended the program", ON_LINUX, async () => {
  const bin = await programs("killed", "kill -SEGV $$");
  const path = await media.write("killed.txt", "");
  const error = await assertRejects(() => outputOf(bin, [], { path }), ProcessError);
  assertEquals(error.failure.signal, "SIGSEGV");
});

Deno.test("outOfMemory() names the limit and the flag that raises it", () => {
  const said = "Error while filtering: Cannot allocate memory\n";
  assertMatch(outOfMemory(said, memoryLimit(2 ** 27)) ?? "", /memory .* 8\.6 GB .* --max-pixels/);
  assertEquals(outOfMemory(said), undefined);
  assertEquals(outOfMemory("moov atom not found", ENOUGH), undefined);
});

Deno.test("openedUrl() replaces the URL of that file only", { permissions: "none" }, () => {
  assertEquals(openedUrl("file:/a/b", "/a/b"), "file:/proc/self/fd/3");
  assertEquals(openedUrl("file:/a/bc", "/a/b"), "file:/a/bc");
});
