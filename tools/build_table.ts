/** What `deno task build` makes. */

/** One program to build. */
export interface Program {
  /** Where it begins: a path or a `file:` address. */
  entry: string;
  /** Path of the executable. */
  output: string;
  /** The `--allow-…` flags it runs with, whoever starts it and wherever. */
  permissions: readonly string[];
}

/** The programs by the name that `deno task build` takes. */
export const PROGRAMS: Readonly<Record<string, Program>> = {
  server: {
    entry: "server.ts",
    output: "stream-server",
    permissions: ["--allow-net", "--allow-read", "--allow-run=ffmpeg,ffprobe"],
  },
  client: {
    entry: "client.ts",
    output: "stream-client",
    permissions: [
      "--allow-net",
      "--allow-read",
      "--allow-write",
      "--allow-run=ffmpeg,ffplay,ffprobe",
      "--allow-env=DISPLAY,WAYLAND_DISPLAY,TERM,COLORTERM,NO_COLOR",
    ],
  },
};
