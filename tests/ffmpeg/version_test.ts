import { assertEquals, assertFalse, assertRejects } from "@std/assert";
import { MissingProgramError } from "../../lib/base/errors.ts";
import {
  dialectOf,
  type FfmpegVersion,
  InstalledFfmpeg,
  isSupported,
  parseFfmpegVersion,
} from "../../lib/ffmpeg/version.ts";
import { pureTest } from "../support/pure_test.ts";

/** First lines of `-version`, as distributions and builders print them. */
const STATED: readonly [string, FfmpegVersion][] = [
  ["ffmpeg version 4.4.2-0ubuntu0.22.04.1 Copyright (c)", { name: "4.4.2", release: [4, 4] }],
  ["ffmpeg version 5.1.9-0+deb12u1 Copyright (c)", { name: "5.1.9", release: [5, 1] }],
  ["ffprobe version 6.1.1-3ubuntu5 Copyright (c)", { name: "6.1.1", release: [6, 1] }],
  ["ffplay version n7.1 Copyright (c)", { name: "7.1", release: [7, 1] }],
  ["ffmpeg version n7.1-123-gabcdef0 Copyright (c)", { name: "7.1", release: [7, 1] }],
  ["ffmpeg version 8.0-full_build-www.gyan.dev", { name: "8.0", release: [8, 0] }],
  ["ffmpeg version 9.0.2-4 Copyright (c)\nbuilt with", { name: "9.0.2", release: [9, 0] }],
  ["ffmpeg version 10.0 Copyright (c)", { name: "10.0", release: [10, 0] }],
  ["ffmpeg version N-12345-gabcdef Copyright (c)", { name: "N-12345-gabcdef" }],
  ["ffmpeg version git-2024-05-01-abcdef", { name: "git-2024-05-01-abcdef" }],
  ["ffmpeg version 2026-01-01-git-abcdef-full_build", { name: "2026-01-01-git-abcdef-full_build" }],
  ["", { name: "of an unknown version" }],
  ["no such thing", { name: "of an unknown version" }],
];

pureTest("parseFfmpegVersion() reads releases and development builds", () => {
  for (const [text, version] of STATED) assertEquals(parseFfmpegVersion(text), version, text);
});

pureTest("isSupported() takes 5.1 and later, and builds that state no release", () => {
  const supported = (text: string) => isSupported(parseFfmpegVersion(`ffmpeg version ${text}`));
  for (const text of ["5.1", "5.1.9-0+deb12u1", "6.0", "10.0", "N-1-gabc", "2024-01-01-git-a"]) {
    assertEquals(supported(text), true, text);
  }
  for (const text of ["5.0.3", "4.4.2-0ubuntu0.22.04.1", "n4.3", "0.8.17"]) {
    assertEquals(supported(text), false, text);
  }
});

pureTest("dialectOf() knows from which release on arguments are spelled in another way", () => {
  const old = { inputTimeBase: "-1", rotationBy: "tag", soundStart: "packet" } as const;
  const between = { inputTimeBase: "-1", rotationBy: "option", soundStart: "packet" } as const;
  const recent = { inputTimeBase: "demux", rotationBy: "option", soundStart: "packet" } as const;
  const latest = { inputTimeBase: "demux", rotationBy: "option", soundStart: "sample" } as const;
  const of = (text: string) => dialectOf(parseFfmpegVersion(`ffmpeg version ${text}`));
  assertEquals(["5.1", "6.0", "7.0.2"].map(of), [old, between, between]);
  assertEquals(["7.1.5", "8.0.1"].map(of), [recent, recent]);
  assertEquals(["8.1", "9.0.2", "N-1-gabc"].map(of), [latest, latest, latest]);
});

/** Puts scripts for FFmpeg's programs in front of all others in PATH. */
async function standIns(scripts: Record<string, string>): Promise<Disposable> {
  const folder = await Deno.makeTempDir();
  for (const [name, script] of Object.entries(scripts)) {
    await Deno.writeTextFile(`${folder}/${name}`, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }
  const before = Deno.env.get("PATH") ?? "";
  Deno.env.set("PATH", `${folder}:${before}`);
  return {
    [Symbol.dispose]: () => {
      Deno.env.set("PATH", before);
      Deno.removeSync(folder, { recursive: true });
    },
  };
}

Deno.test("InstalledFfmpeg finds the programs of this machine", async () => {
  await using installed = new InstalledFfmpeg();
  assertEquals(isSupported(await installed.version("ffmpeg")), true);
  assertEquals(isSupported(await installed.version("ffprobe")), true);
});

Deno.test("InstalledFfmpeg asks each program once, and names those that differ", async () => {
  using _path = await standIns({
    ffmpeg: `echo asked >>"$0.calls"; echo "ffmpeg version 7.1.5-0+deb13u1 Copyright"`,
    ffprobe: `echo "ffprobe version 7.1.5-0+deb13u1 Copyright"`,
    ffplay: `echo "ffplay version 6.1 Copyright"; echo "ffmpeg version 4.4"`,
  });
  await using installed = new InstalledFfmpeg();
  assertEquals(await installed.describe("ffmpeg", "ffprobe"), "FFmpeg 7.1.5");
  assertEquals(
    await installed.describe("ffmpeg", "ffprobe", "ffplay"),
    "FFmpeg 7.1.5, ffplay 6.1",
  );
  const dialect = { inputTimeBase: "demux", rotationBy: "option", soundStart: "packet" } as const;
  assertEquals(await installed.dialect(), dialect);
  const [folder] = (Deno.env.get("PATH") ?? "").split(":");
  assertEquals(await Deno.readTextFile(`${folder}/ffmpeg.calls`), "asked\n");
});

Deno.test("InstalledFfmpeg refuses old versions in one line", async () => {
  using _path = await standIns({
    ffmpeg: `echo "ffmpeg version 4.4.2-0ubuntu0.22.04.1 Copyright"`,
    ffplay: `echo "ffplay version 5.0 Copyright"`,
  });
  await using installed = new InstalledFfmpeg();
  const { message } = await assertRejects(() => installed.dialect(), Error);
  assertEquals(
    message,
    "Cannot use FFmpeg 4.4.2: expected 5.1 or later; install a newer FFmpeg " +
      "(https://ffmpeg.org/download.html) and put it first in PATH",
  );
  await assertRejects(() => installed.version("ffplay"), Error, "Cannot use ffplay 5.0: expected");
});

Deno.test("InstalledFfmpeg tries whether other programs take arguments", async () => {
  using _path = await standIns({ ffplay: `[ "$*" = "--new --version" ]` });
  await using installed = new InstalledFfmpeg();
  assertEquals(await installed.accepts("ffplay", ["--new", "--version"]), true);
  assertEquals(await installed.accepts("ffplay", ["--old", "--version"]), false);
  assertEquals(await installed.accepts("stream-none", ["--version"]), false);
});

Deno.test("InstalledFfmpeg reports missing programs, and ends those that run", async () => {
  using _path = await standIns({
    ffplay: `exec sleep 60`,
    ffmpeg: `echo "cannot open shared object file" >&2; exit 1`,
  });
  const path = Deno.env.get("PATH") ?? "";
  await using installed = new InstalledFfmpeg();
  await assertRejects(() => installed.version("ffmpeg"), Error, "cannot open shared object file");
  const hanging = installed.version("ffplay");
  await installed[Symbol.asyncDispose]();
  await assertRejects(() => hanging, Error);
  Deno.env.set("PATH", path.split(":")[0]);
  await using none = new InstalledFfmpeg();
  const error = await assertRejects(() => none.version("ffprobe"), MissingProgramError);
  Deno.env.set("PATH", path);
  assertFalse(error.message.includes("\n"));
});
