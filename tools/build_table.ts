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

/** What opens an address in a browser, on this kind of system; one that is missing would be told. */
const OPENERS: Partial<Record<string, string>> = { darwin: "open", windows: "cmd" };
const OPENER = OPENERS[Deno.build.os] ?? "xdg-open";

/** The programs by the name that `deno task build` takes. */
export const PROGRAMS: Readonly<Record<string, Program>> = {
  server: {
    entry: "server.ts",
    output: "stream-server",
    permissions: [
      "--allow-net",
      "--allow-read",
      "--allow-run=ffmpeg,ffprobe,sh",
      "--allow-env=STREAM_TOKEN",
    ],
  },
  client: {
    entry: "client.ts",
    output: "stream-client",
    permissions: [
      "--allow-net",
      "--allow-read",
      "--allow-write",
      `--allow-run=ffmpeg,ffplay,ffprobe,ps,sh,${OPENER}`,
      // X11 finds its password file by the last two of the first line.
      "--allow-env=DISPLAY,WAYLAND_DISPLAY,XAUTHORITY,HOME," +
      "TERM,COLORTERM,NO_COLOR,LC_ALL,LC_CTYPE,LANG,STREAM_TOKEN",
      // For the authorities that this machine trusts, which have no name of their own there.
      "--allow-sys",
    ],
  },
};
