import { choice, describeFlags, number, text, toggle } from "../core/flags.ts";
import { LOG_LEVELS } from "../core/log.ts";
import { DEFAULT_PORT } from "../wire/native.ts";

/** The command line of `stream-server`. */
export const SERVER_FLAGS = {
  media: text("FOLDER", "folder to serve, sub-folders included (./media)", "./media"),
  image: text("NAME", "what those get who ask for any image", undefined),
  video: text("NAME", "what those get who ask for any video", undefined),
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
  help: toggle("print this and exit"),
};

/** What `stream-server --help` prints. */
export function serverUsage(): string {
  const flags = describeFlags(SERVER_FLAGS, {
    "What is served": ["media", "image", "video"],
    "To whom": ["host", "port", "max-clients"],
    "Also": ["log-level", "help"],
  });
  return `Usage: stream-server [flags]

Serves a folder of images and videos over TCP, decoded by FFmpeg frame by frame,
to stream-client and to scripts that send "get_image" or "get_video".

${flags}
Examples:
  stream-server
  stream-server --media ~/Videos --host 0.0.0.0 --port 9000
`;
}
