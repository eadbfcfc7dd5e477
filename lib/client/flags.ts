import { UsageError } from "../base/errors.ts";
import { completionScript, SHELLS } from "../cli/completions.ts";
import {
  choice,
  describeFlags,
  type FlagValues,
  number,
  optionalText,
  parseFlags,
  splitArguments,
  text,
  toggle,
  VERSION,
} from "../cli/flags.ts";
import { ENCODINGS } from "../media/frame.ts";
import { parseHttpAddress } from "../net/address.ts";
import { parseFingerprint } from "../net/certificate.ts";
import { DEFAULT_PORT } from "../protocol/native/framing.ts";
import { LATE_POLICIES, LIMITS, type MediaRequest } from "../protocol/native/request.ts";
import { isPattern } from "../sinks/output/image_sequence.ts";
import type { Credentials } from "./connection/credentials.ts";
import { checkOutput, toRequest } from "./options.ts";

/** Ways of looking at media. */
export const VIEWS = ["window", "terminal", "browser", "none"] as const;

/** The command line of `stream-client`. */
export const CLIENT_FLAGS = {
  image: optionalText("NAME", "get an image; without NAME the server's own choice"),
  video: optionalText("NAME", "get a video, with its sound"),
  list: toggle("list what the server has"),
  host: text("ADDRESS", "the server (localhost)", "localhost"),
  port: number("PORT", `its TCP port (${DEFAULT_PORT})`, {
    absent: DEFAULT_PORT,
    bounds: { min: 1, max: 65535, integer: true },
  }),
  "token-file": text("FILE", "the token that the server wants: its first line", undefined),
  tls: toggle("encrypt; this machine trusts the certificate"),
  "ca-cert": text("FILE", "encrypt; whom to trust instead, or the very one (PEM)", undefined),
  "tls-fingerprint": text("sha256:HEX", "encrypt; exactly that certificate", undefined),
  retries: number("N", "tries in a row to connect again (5; at first none)", {
    absent: undefined,
    bounds: { min: 0, max: 1e6, integer: true },
  }),
  classic: toggle("the server is a script that sends pickled arrays"),
  view: choice(VIEWS, "where to look at it (a window, else the terminal)", undefined),
  http: text("[ADDR:]PORT", "of --view browser: where its page is (a free port)", undefined),
  output: text("FILE|URL|-", "record, or pass on; - for stdout", undefined),
  overwrite: toggle("replace a file that exists"),
  format: text("NAME", "of the output, by FFmpeg's name (by its extension)", undefined),
  codec: text("V[,A]", "FFmpeg's encoder of pictures, and sound", undefined),
  encoding: choice(ENCODINGS, "how it travels (raw); copy is the file's own packets", undefined),
  bitrate: text("N", "of h264, bits a second, such as 800k or 2M", undefined),
  quality: number("N", "of mjpeg, 1 to 100", { absent: undefined, bounds: LIMITS.quality }),
  "pixel-format": text("F", "ask for raw frames in this format, such as bgr24", undefined),
  size: text("WxH", "ask for this size; 640x or x480 keep the aspect", undefined),
  fps: number("N", "ask for so many frames a second", { absent: undefined, bounds: LIMITS.fps }),
  "no-audio": toggle("leave the sound out"),
  start: number("S", "begin S seconds in", { absent: undefined, bounds: LIMITS.start }),
  duration: number("S", "end after S seconds", { absent: undefined, bounds: LIMITS.duration }),
  every: number("S", "with --image: a series, one picture every S seconds", {
    absent: undefined,
    bounds: LIMITS.every,
  }),
  loop: toggle("begin again at the end, until stopped"),
  speed: text("N", "playing speed, 0.25 to 8 (1); max for no waiting", undefined),
  late: choice(LATE_POLICIES, "what becomes of late frames (drop in a view)", undefined),
  json: toggle("print one line of JSON at the end"),
  completions: choice(SHELLS, "print what the shell completes flags by", undefined),
  version: toggle("print the version and exit"),
  help: toggle("print this and exit"),
};

/** Values of {@linkcode CLIENT_FLAGS}. */
export type ClientFlags = FlagValues<typeof CLIENT_FLAGS> & {
  /** What stands behind `--`: arguments of the FFmpeg that writes the output. */
  ffmpeg: readonly string[];
  /** What the files that flags name, and the environment, have for the server. */
  credentials?: Credentials;
};

/** What a command line asks for. */
export type ClientAction =
  /** A text is to be printed. */
  | { kind: "print"; text: string }
  | { kind: "menu"; flags: ClientFlags }
  /** A page with everything that the server has. */
  | { kind: "browse"; flags: ClientFlags }
  | { kind: "list"; flags: ClientFlags }
  | { kind: "media"; request: MediaRequest; flags: ClientFlags };

/** Flags that tell the server more than a name. */
const REQUEST_DETAILS = [
  ...["encoding", "bitrate", "quality", "pixel-format", "size", "fps", "no-audio"],
  ...["start", "duration", "every", "loop", "speed", "late"],
] as (keyof ClientFlags)[];

/** Flags that ask the server for something the classic wire cannot say. */
const NATIVE_ONLY = ["list", "token-file", ...REQUEST_DETAILS] as const;

/**
 * Reads the command line.
 *
 * @throws {UsageError} where it asks for nothing that can be done
 */
export function parseClientFlags(args: readonly string[]): ClientAction {
  const [own, ffmpeg] = splitArguments(args);
  const flags = { ...parseFlags(CLIENT_FLAGS, own), ffmpeg };
  if (flags.help) return { kind: "print", text: clientUsage() };
  if (flags.version) return { kind: "print", text: `stream-client ${VERSION}\n` };
  if (flags.completions !== undefined) {
    const text = completionScript(flags.completions, "stream-client", CLIENT_FLAGS);
    return { kind: "print", text };
  }
  checkTogether(flags);
  if (flags.list) return { kind: "list", flags };
  if (flags.image !== undefined) {
    return { kind: "media", request: toRequest(flags, "image"), flags };
  }
  if (flags.video !== undefined) {
    return { kind: "media", request: toRequest(flags, "video"), flags };
  }
  if (flags.output !== undefined || flags.json) {
    throw new UsageError("Cannot tell what to get: expected --image, --video or --list");
  }
  // Wrong values are told now, not at the first choice.
  toRequest(flags, "video");
  if (flags.view === "browser" || flags.http !== undefined) return { kind: "browse", flags };
  return { kind: "menu", flags };
}

/** Flags that say what becomes of an image or a video. */
const MEDIA_ONLY = [
  ...["view", "http", "output", "overwrite", "format", "codec"] as const,
  ...REQUEST_DETAILS,
] as const;

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== false;
}

/** @throws {UsageError} for flags that contradict each other */
function checkTogether(flags: ClientFlags): void {
  const asked = [flags.image !== undefined, flags.video !== undefined, flags.list];
  if (asked.filter(Boolean).length > 1) {
    throw new UsageError(
      "Cannot do several things at once: expected one of --image --video --list",
    );
  }
  if (flags.json && flags.output === "-") {
    throw new UsageError("Cannot use --json with --output -: both write to stdout");
  }
  if (flags.view === "terminal" && flags.output === "-") {
    throw new UsageError("Cannot use --view terminal with --output -: both write to stdout");
  }
  if (flags.json && flags.view === "terminal") {
    throw new UsageError("Cannot use --json with --view terminal: both write to stdout");
  }
  checkPage(flags);
  checkTrust(flags);
  if (/^[^:]+:\d+$/.test(flags.host)) {
    throw new UsageError(`Cannot use --host "${flags.host}": expected the port in --port`);
  }
  const unfit = flags.list ? MEDIA_ONLY.find((name) => isGiven(flags[name])) : undefined;
  if (unfit !== undefined) {
    throw new UsageError(`Cannot use --${unfit} with --list: it is for --image and --video`);
  }
  checkOutput(flags);
  checkEncoding(flags);
  checkKind(flags);
  if (!flags.classic) return;
  const used = NATIVE_ONLY.find((name) => isGiven(flags[name]));
  if (used !== undefined) {
    throw new UsageError(`Cannot use --${used} with --classic: scripts cannot be asked for it`);
  }
  const name = flags.image || flags.video;
  if (name) {
    throw new UsageError(`Cannot ask a script for "${name}": with --classic it chooses itself`);
  }
}

/** @throws {UsageError} where two flags say who the server is */
function checkTrust(flags: ClientFlags): void {
  const fingerprint = flags["tls-fingerprint"];
  if (fingerprint === undefined) return;
  parseFingerprint(fingerprint);
  if (flags["ca-cert"] === undefined) return;
  throw new UsageError(
    "Cannot use --ca-cert with --tls-fingerprint: each says which certificate is right",
  );
}

/** @throws {UsageError} for a page that cannot be served as it is asked for */
function checkPage({ view, http, output, json }: ClientFlags): void {
  parseHttpAddress(http);
  if (http !== undefined && view !== undefined && view !== "browser") {
    throw new UsageError(`Cannot use --http with --view ${view}: it is for --view browser`);
  }
  const served = view === "browser" || http !== undefined;
  if (served && json && output === undefined) {
    throw new UsageError(
      "Cannot use --json with --view browser: a page has no end to count to, expected --output " +
        "with it",
    );
  }
}

/** @throws {UsageError} for flags that an encoding has no use for */
function checkEncoding(flags: ClientFlags): void {
  const { encoding = "raw" } = flags;
  if (flags.bitrate !== undefined && encoding !== "h264") {
    throw new UsageError("Cannot use --bitrate alone: expected --encoding h264 with it");
  }
  if (flags.quality !== undefined && encoding !== "mjpeg") {
    throw new UsageError("Cannot use --quality alone: expected --encoding mjpeg with it");
  }
  if (flags["pixel-format"] !== undefined && encoding !== "raw") {
    throw new UsageError(
      `Cannot use --pixel-format with --encoding ${encoding}: it is for raw frames`,
    );
  }
  if (encoding !== "copy") return;
  const changing = (["size", "fps", "every"] as const).find((name) => isGiven(flags[name]));
  if (changing === undefined) return;
  throw new UsageError(
    `Cannot use --${changing} with --encoding copy: it leaves everything as it is, expected ` +
      (changing === "every" ? "raw or mjpeg" : "--encoding h264"),
  );
}

/** @throws {UsageError} for flags that are for the other kind of media */
function checkKind(flags: ClientFlags): void {
  const { image, every, output, late, speed, loop, encoding = "raw" } = flags;
  const moving = image === undefined
    ? undefined
    : (["loop", "fps", "late"] as const).find((name) => isGiven(flags[name]));
  if (moving !== undefined) {
    throw new UsageError(`Cannot use --${moving} with --image: it is for --video`);
  }
  if (late === "drop" && speed === "max") {
    throw new UsageError("Cannot use --late drop with --speed max: nothing is late there");
  }
  const stored = output !== undefined && output !== "-";
  if (loop && stored && (encoding === "copy" || encoding === "h264")) {
    throw new UsageError(
      `Cannot record --loop with --encoding ${encoding}: its packets cannot follow each other from ` +
        "round to round, expected raw or mjpeg",
    );
  }
  if (every === undefined) return;
  if (image === undefined) {
    throw new UsageError("Cannot use --every without --image: it asks for a series of pictures");
  }
  if (output === undefined || output === "-" || isPattern(output)) return;
  throw new UsageError(
    `Cannot write a series of pictures to "${output}": expected a place for the number, as in ` +
      "shot%03d.png",
  );
}

/** What `stream-client --help` prints. */
export function clientUsage(): string {
  const flags = describeFlags(CLIENT_FLAGS, {
    "What to get (with none of these, a menu asks)": ["image", "video", "list"],
    "From where": [
      ...["host", "port", "token-file", "tls", "ca-cert", "tls-fingerprint"] as const,
      ...["retries", "classic"] as const,
    ],
    "Where to": ["view", "http", "output", "overwrite", "format", "codec"],
    "How it travels": [
      ...["encoding", "bitrate", "quality", "pixel-format", "size", "fps", "no-audio"] as const,
    ],
    "Which part, and when": ["start", "duration", "every", "loop", "speed", "late"],
    "Also": ["json", "completions", "version", "help"],
  });
  return `Usage: stream-client [flags] [-- FFmpeg's arguments for the output]

Gets images and videos from stream-server, or from a script that sends pickled
numpy arrays, and shows or records them with FFmpeg.

${flags}
In a window and in the terminal: space pauses, left and right go 10 s, up and
down a minute, q quits.
The environment may hold the token, too, in STREAM_TOKEN.

Examples:
  stream-client --image
  stream-client --view browser
  stream-client --video clip.mp4 --output copy.mkv
  stream-client --video clip.mp4 --encoding copy --output clip.mp4
  stream-client --image clip.mp4 --every 10 --output shot%03d.png
  stream-client --video cam --output rtmp://host/live/key
  stream-client --video --output - | ffplay -
  stream-client --video --view none --speed max --json
  stream-client --host lab --token-file t --tls-fingerprint sha256:6f… --list
  stream-client --host robot --classic --video
`;
}
