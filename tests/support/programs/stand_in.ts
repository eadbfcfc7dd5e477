/** Scripts in the place of other programs, for failures that the real ones do not show. */

import { whereIs } from "./machine.ts";

/**
 * Puts a script in a program's place, for this process and its children, until it is disposed.
 *
 * @param script of a shell; `"$REAL" "$@"` runs the real program, which also states the version
 */
export async function standIn(
  program: "ffmpeg" | "ffprobe" | "ffplay" | "mpv" | "sh" | "tmux",
  script: string,
): Promise<Disposable> {
  const folder = await Deno.makeTempDir({ prefix: "stream_stand_in_" });
  const path = `${folder}/${program}`;
  const version = `[ "$1" != -version ] || exec "$REAL" "$@"`;
  const lines = ["#!/bin/sh", `REAL=${whereIs(program) ?? "/nowhere"}`, version, script, ""];
  await Deno.writeTextFile(path, lines.join("\n"));
  await Deno.chmod(path, 0o755);
  const before = Deno.env.get("PATH") ?? "";
  Deno.env.set("PATH", `${folder}:${before}`);
  return {
    [Symbol.dispose]() {
      Deno.env.set("PATH", before);
      Deno.removeSync(folder, { recursive: true });
    },
  };
}
