/** The flag table of `stream-client`, and its help. */
import { SHELLS } from "../cli/completions.ts";
import {
  choice,
  describeFlags,
  type FlagValues,
  number,
  optionalText,
  text,
  time,
  toggle,
} from "../cli/flags.ts";
import { ENCODER_CHOICES } from "../ffmpeg/encoders.ts";
import { ENCODINGS } from "../media/frame.ts";
import { DEFAULT_PORT } from "../protocol/native/framing.ts";
import { LATE_POLICIES, LIMITS } from "../protocol/native/request.ts";

/** Views of media. */
export const VIEWS = ["window", "terminal", "browser", "none"] as const;

/** The command line of `stream-client`. */
export const CLIENT_FLAGS = {
  image: optionalText("NAME", "get an image; without NAME the server's default"),
  video: optionalText("NAME", "get a video, with its audio"),
  list: toggle("list the server's media"),
  long: toggle("with --list: details and tracks of each"),
  follow: toggle("with --list: go on with what comes, changes and goes"),
  publish: text("NAME", "send --input to the server, as live source NAME", undefined),
  input: text("[FORMAT:]INPUT", "camera, URL, file or stdin (-) to publish", undefined),
  "on-demand": toggle("open the input only while somebody watches"),
  replace: toggle("take NAME from another publisher"),
  encoder: {
    ...choice(ENCODER_CHOICES, "encode h264 by h264_vaapi, …, or auto (libx264)", undefined),
    placeholder: "NAME",
  },
  hwaccel: text("NAME", "decode by vaapi, cuda, …, or auto (none)", undefined),
  host: text("HOST[:PORT]", "address of the server (localhost)", "localhost"),
  port: number("PORT", `TCP port of the server (${DEFAULT_PORT})`, {
    absent: DEFAULT_PORT,
    bounds: { min: 1, max: 65535, integer: true },
  }),
  "token-file": text("FILE", "file with the server's token in its first line", undefined),
  tls: toggle("encrypt; trust the authorities of this machine"),
  "ca-cert": text("FILE", "encrypt; trust this authority or certificate (PEM)", undefined),
  "tls-fingerprint": text("sha256:HEX", "encrypt; trust only this certificate", undefined),
  retries: number("N", "reconnections (5; first, scripts: 0; publish: no end)", {
    absent: undefined,
    bounds: { min: 0, max: 1e6, integer: true },
  }),
  classic: toggle("the server is a script; its framing is recognised"),
  framing: text("LEN+PAYLOAD", "insist on a framing, such as u64le+jpeg", undefined),
  request: text("WORD", "send WORD first, as some scripts expect; or none", undefined),
  ack: optionalText("WORD", "send WORD after each frame (found out); or none"),
  listen: text("[ADDR:]PORT", "wait here for a script that connects and sends", undefined),
  probe: text("[HOST]:PORT", "say what a script there sends; :PORT waits for one", undefined),
  view: choice(VIEWS, "where to show it (a window, else the terminal)", undefined),
  http: text("[ADDR:]PORT", "with --view browser: serve the page here (free port)", undefined),
  output: text("FILE|URL|-", "write it to a file, a URL or stdout (-)", undefined),
  overwrite: toggle("replace an existing file"),
  data: text("FILE|-", "write the messages of a source, one JSON line each", undefined),
  format: text("NAME", "FFmpeg's name of the output format (by extension)", undefined),
  codec: text("V[,A]", "FFmpeg's names of the video and audio encoders", undefined),
  encoding: choice(ENCODINGS, "how frames are sent (raw); copy sends stored packets", undefined),
  bitrate: text("N", "with h264: bits per second, such as 800k or 2M", undefined),
  quality: number("N", "with mjpeg: 1 to 100", { absent: undefined, bounds: LIMITS.quality }),
  "pixel-format": text("F", "with raw: the pixel format, such as bgr24", undefined),
  size: text("WxH", "scale to this size; 640x or x480 keep the aspect", undefined),
  fps: number("N", "convert to this frame rate", { absent: undefined, bounds: LIMITS.fps }),
  "no-tone-map": toggle("keep HDR; views and h264 else show the usual range"),
  deinterlace: toggle("make interlaced video progressive, raw, too"),
  "no-audio": toggle("leave out the audio"),
  "audio-track": text("N|LANG", "audio track by number or language, such as deu", undefined),
  subtitles: optionalText("N|LANG", "show or record subtitles (the recommended ones)"),
  start: time("TIME", "start at 90 (s), 1:30 or 1:02:03.5", {
    absent: undefined,
    bounds: LIMITS.start,
  }),
  duration: time("TIME", "stop after this time", {
    absent: undefined,
    bounds: LIMITS.duration,
  }),
  every: time("TIME", "with --image: get one image each time", {
    absent: undefined,
    bounds: LIMITS.every,
  }),
  loop: toggle("repeat until stopped"),
  speed: text("N", "playback speed, 0.25 to 8 (1); max does not wait", undefined),
  late: choice(LATE_POLICIES, "drop late frames, or wait (drop in a view)", undefined),
  json: toggle("print one line of JSON at the end"),
  explain: toggle("explain each message of the protocol on stderr"),
  completions: choice(SHELLS, "print a completion script for this shell", undefined),
  version: toggle("print the versions and exit", { short: "V" }),
  help: toggle("print this help and exit", { short: "h" }),
};

/** Values of {@linkcode CLIENT_FLAGS}. */
export type ClientFlags = FlagValues<typeof CLIENT_FLAGS> & {
  /** Arguments after `--`, for the FFmpeg that writes the output. */
  ffmpeg: readonly string[];
};

/** The text of `stream-client --help`. */
export function clientUsage(): string {
  const flags = describeFlags(CLIENT_FLAGS, {
    "Media (with none of these, a menu asks)": ["image", "video", "list", "long", "follow"],
    "Publishing": ["publish", "input", "on-demand", "replace", "encoder", "hwaccel"],
    "Server": [
      ...["host", "port", "token-file", "tls", "ca-cert", "tls-fingerprint"] as const,
      "retries",
    ],
    "Scripts": ["classic", "framing", "request", "ack", "listen", "probe"],
    "Destination": ["view", "http", "output", "data", "overwrite", "format", "codec"],
    "Encoding": [
      ...["encoding", "bitrate", "quality", "pixel-format", "size", "fps", "no-tone-map"] as const,
      "deinterlace",
    ],
    "Tracks": ["no-audio", "audio-track", "subtitles"],
    "Time": ["start", "duration", "every", "loop", "speed", "late"],
    "Other": ["json", "explain", "completions", "version", "help"],
  });
  return `Usage: stream-client [flags] [ADDRESS[/NAME] | NAME]
                     [-- FFmpeg's arguments for the output]

Gets images and videos from stream-server, or from a script that sends arrays or
JPEGs, and shows or records them with FFmpeg. It also publishes a camera, a file
or the output of a program, which others then get from the server.

NAME is an image or a video of the server; it tells which. ADDRESS is
stream://HOST[:PORT], or streams:// for TLS. stream:// may be left out if there
is a port, as in lab:7777/clip.mp4, or if HOST is localhost or an IP address, or
has a dot in front of a /, as in lab.lan/clip.mp4. All else is a name: in
trips/sea.mkv, trips is a folder of the library.

${flags}
--publish sends h264, or what --encoding says, in real time, and connects again
by itself. Standard input is NUT, or what --format says: of rawvideo,
--pixel-format, --size and --fps describe the input.
Keys in a window and in the terminal: space pauses, left and right seek by 10 s,
up and down by a minute, q quits.
The token may also be in the environment variable STREAM_TOKEN.

Examples:
  stream-client clip.mp4
  stream-client lab:7777/trips/sea.mkv
  stream-client --image
  stream-client --view browser
  stream-client --video clip.mp4 --output copy.mkv
  stream-client --video clip.mp4 --encoding copy --output clip.mp4
  stream-client --video film.mkv --audio-track deu --subtitles eng
  stream-client --video film.mkv --subtitles --output film.srt
  stream-client --image clip.mp4 --every 10 --output shot%03d.png
  stream-client --video cam --output rtmp://host/live/key
  stream-client --video --output - | ffplay -
  stream-client --video cam --data - | jq .value
  stream-client --video --view none --speed max --json
  stream-client --host lab --token-file t --tls-fingerprint sha256:6f… --list
  stream-client --list --follow --json
  stream-client --host robot --classic --video
  stream-client --listen 8485
  stream-client --probe robot:8485
  stream-client --publish cam --input v4l2:/dev/video0
  ffmpeg -i in.mp4 -f nut - | stream-client --publish show --input -
`;
}
