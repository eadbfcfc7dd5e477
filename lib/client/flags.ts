import { UsageError } from "../core/errors.ts";
import {
  choice,
  describeFlags,
  type FlagValues,
  number,
  optionalText,
  parseFlags,
  text,
  toggle,
  toNumber,
} from "../core/flags.ts";
import { DEFAULT_PORT } from "../wire/native.ts";
import { MAX_DIMENSION, type MediaRequest } from "../wire/request.ts";

/** Ways of looking at media. */
export const VIEWS = ["window", "terminal", "none"] as const;

/** Fastest and slowest playing, 1 being real time. */
const SPEED = { min: 0.01, max: 100 };

const SECONDS = { min: 0, max: 1e8 };

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
  classic: toggle("the server is a script that sends pickled arrays"),
  view: choice(VIEWS, "where to look at it (a window, else the terminal)", undefined),
  output: text("FILE", "write a file of any type; - for NUT to stdout", undefined),
  overwrite: toggle("replace a file that exists"),
  "pixel-format": text("F", "ask for raw frames in this format, such as bgr24", undefined),
  size: text("WxH", "ask for this size; 640x or x480 keep the aspect", undefined),
  "no-audio": toggle("leave the sound out"),
  start: number("S", "begin S seconds in", { absent: undefined, bounds: SECONDS }),
  duration: number("S", "end after S seconds", {
    absent: undefined,
    bounds: { ...SECONDS, min: 0.001 },
  }),
  speed: text("N", "playing speed, 1 is real time; max for no waiting", undefined),
  json: toggle("print one line of JSON at the end"),
  help: toggle("print this and exit"),
};

/** Values of {@linkcode CLIENT_FLAGS}. */
export type ClientFlags = FlagValues<typeof CLIENT_FLAGS>;

/** What a command line asks for. */
export type ClientAction =
  | { kind: "help" }
  | { kind: "menu"; flags: ClientFlags }
  | { kind: "list"; flags: ClientFlags }
  | { kind: "media"; request: MediaRequest; flags: ClientFlags };

/** Flags that tell the server more than a name. */
const REQUEST_DETAILS = [
  "pixel-format",
  "size",
  "no-audio",
  "start",
  "duration",
  "speed",
] as const;

/** Flags that ask the server for something the classic wire cannot say. */
const NATIVE_ONLY = ["list", ...REQUEST_DETAILS] as const;

/**
 * Reads the command line.
 *
 * @throws {UsageError} where it asks for nothing that can be done
 */
export function parseClientFlags(args: readonly string[]): ClientAction {
  const flags = parseFlags(CLIENT_FLAGS, args);
  if (flags.help) return { kind: "help" };
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
  return { kind: "menu", flags };
}

/** Flags that say what becomes of an image or a video. */
const MEDIA_ONLY = ["view", "output", "overwrite", ...REQUEST_DETAILS] as const;

function isGiven(value: string | number | boolean | undefined): boolean {
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
  if (/^[^:]+:\d+$/.test(flags.host)) {
    throw new UsageError(`Cannot use --host "${flags.host}": expected the port in --port`);
  }
  const unfit = flags.list ? MEDIA_ONLY.find((name) => isGiven(flags[name])) : undefined;
  if (unfit !== undefined) {
    throw new UsageError(`Cannot use --${unfit} with --list: it is for --image and --video`);
  }
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

/** The request that the flags describe. */
export function toRequest(flags: ClientFlags, kind: "image" | "video"): MediaRequest {
  const name = kind === "image" ? flags.image : flags.video;
  return {
    command: kind === "image" ? "get_image" : "get_video",
    name: name || undefined,
    pixelFormat: flags["pixel-format"],
    ...toSize(flags.size),
    audio: flags["no-audio"] ? false : undefined,
    start: flags.start,
    duration: flags.duration,
    speed: toSpeed(flags),
  };
}

/** A recording that nobody looks at has no reason to wait for real time. */
function toSpeed({ speed, view, output }: ClientFlags): number {
  if (speed === "max") return 0;
  if (speed !== undefined) return toNumber(speed, "speed", SPEED);
  return output !== undefined && view === undefined ? 0 : 1;
}

function toSize(size: string | undefined): Pick<MediaRequest, "width" | "height"> {
  if (size === undefined) return {};
  const [, width, height] = size.match(/^(\d*)x(\d*)$/i) ?? [];
  if (!width && !height) {
    throw new UsageError(`Cannot use --size "${size}": expected WIDTHxHEIGHT in pixels`);
  }
  const bounds = { min: 1, max: MAX_DIMENSION, integer: true };
  return {
    width: width ? toNumber(width, "size", bounds) : undefined,
    height: height ? toNumber(height, "size", bounds) : undefined,
  };
}

/** What `stream-client --help` prints. */
export function clientUsage(): string {
  const flags = describeFlags(CLIENT_FLAGS, {
    "What to get (with none of these, a menu asks)": ["image", "video", "list"],
    "From where": ["host", "port", "classic"],
    "Where to": ["view", "output", "overwrite"],
    "How": ["pixel-format", "size", "no-audio", "start", "duration", "speed"],
    "Also": ["json", "help"],
  });
  return `Usage: stream-client [flags]

Gets images and videos from stream-server, or from a script that sends pickled
numpy arrays, and shows or records them with FFmpeg.

${flags}
Examples:
  stream-client --image
  stream-client --video clip.mp4 --output copy.mkv
  stream-client --video --view none --speed max --json
  stream-client --host robot --classic --video
`;
}
