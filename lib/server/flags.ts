import { completionScript, SHELLS } from "../core/completions.ts";
import {
  choice,
  describeFlags,
  type FlagValues,
  list,
  number,
  parseFlags,
  text,
  toggle,
} from "../core/flags.ts";
import { LOG_LEVELS } from "../core/log.ts";
import { parseLiveSource } from "../media/live_input.ts";
import { DEFAULT_PORT } from "../wire/native.ts";
import { DEFAULT_LINGER } from "./live_sources.ts";

/** The command line of `stream-server`. */
export const SERVER_FLAGS = {
  media: text("FOLDER", "folder to serve, sub-folders included (./media)", "./media"),
  image: text("NAME", "what those get who ask for any image", undefined),
  video: text("NAME", "what those get who ask for any video", undefined),
  live: list(
    "NAME=[FORMAT:]INPUT",
    "something live beside the files; several times",
    parseLiveSource,
  ),
  "loop-live": toggle("begin live files again at their end"),
  "live-linger": number("S", "seconds that it runs on without viewers (10)", {
    absent: DEFAULT_LINGER,
    bounds: { min: 0, max: 86_400 },
  }),
  host: text("ADDRESS", "address to listen on (127.0.0.1); 0.0.0.0 for all", "127.0.0.1"),
  port: number("PORT", `TCP port (${DEFAULT_PORT}); 0 for any free one`, {
    absent: DEFAULT_PORT,
    bounds: { min: 0, max: 65535, integer: true },
  }),
  "max-clients": number("N", "viewers at once (64); one more is told so", {
    absent: 64,
    bounds: { min: 1, max: 100_000, integer: true },
  }),
  "log-level": choice(LOG_LEVELS, "how much is told on stderr (info)", "info"),
  completions: choice(SHELLS, "print what the shell completes flags by", undefined),
  help: toggle("print this and exit"),
};

/** What a command line asks for. */
export type ServerAction =
  /** A text is to be printed. */
  | { kind: "print"; text: string }
  | { kind: "serve"; flags: FlagValues<typeof SERVER_FLAGS> };

/**
 * Reads the command line.
 *
 * @throws {UsageError} where it asks for nothing that can be done
 */
export function parseServerFlags(args: readonly string[]): ServerAction {
  const flags = parseFlags(SERVER_FLAGS, args);
  if (flags.help) return { kind: "print", text: serverUsage() };
  if (flags.completions === undefined) return { kind: "serve", flags };
  const text = completionScript(flags.completions, "stream-server", SERVER_FLAGS);
  return { kind: "print", text };
}

/** What `stream-server --help` prints. */
export function serverUsage(): string {
  const flags = describeFlags(SERVER_FLAGS, {
    "What is served": ["media", "image", "video"],
    "What is shown live": ["live", "loop-live", "live-linger"],
    "To whom": ["host", "port", "max-clients"],
    "Also": ["log-level", "completions", "help"],
  });
  return `Usage: stream-server [flags]

Serves a folder of images and videos, and live sources, over TCP, read by
FFmpeg frame by frame, to stream-client and to scripts that send "get_image" or
"get_video".

${flags}
Examples:
  stream-server
  stream-server --media ~/Videos --host 0.0.0.0 --port 9000
  stream-server --live cam=v4l2:/dev/video0 --live screen=x11grab::0
  stream-server --live door=rtsp://user:word@192.168.1.9/stream1
  stream-server --live test=lavfi:testsrc2=size=640x360:rate=30
`;
}
