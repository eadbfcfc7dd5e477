/** The meaning of the command line: its action, what contradicts itself, the request. */
import { UsageError } from "../base/errors.ts";
import { VERSION } from "../base/version.ts";
import { completionScript } from "../cli/completions.ts";
import { parseFlags, splitArguments, toNumber } from "../cli/flags.ts";
import { parseHttpAddress } from "../net/address.ts";
import { parseFingerprint } from "../net/certificate.ts";
import { LIMITS, MAX_DIMENSION, type MediaRequest } from "../protocol/native/request.ts";
import { checkWording, isWatched } from "../sinks/output/create.ts";
import { isPattern } from "../sinks/output/image_sequence.ts";
import { CLIENT_FLAGS, type ClientFlags, clientUsage } from "./flags.ts";
import { destinationOf } from "./playback/sinks.ts";

/** What a command line asks for. */
export type ClientAction =
  | { kind: "print"; text: string }
  | { kind: "menu"; flags: ClientFlags }
  /** Serve the page with all media. */
  | { kind: "browse"; flags: ClientFlags }
  | { kind: "list"; flags: ClientFlags }
  | { kind: "media"; request: MediaRequest; flags: ClientFlags };

/** Flags that end up in the request. */
const REQUEST_FLAGS = [
  ...["encoding", "bitrate", "quality", "pixel-format", "size", "fps", "no-audio"] as const,
  ...["start", "duration", "every", "loop", "speed", "late"] as const,
];

/** Flags that the script protocol cannot express. */
const NATIVE_FLAGS = ["list", "token-file", ...REQUEST_FLAGS] as const;

/** Flags that need an image or a video. */
const MEDIA_FLAGS = [
  ...["view", "http", "output", "overwrite", "format", "codec"] as const,
  ...REQUEST_FLAGS,
] as const;

/** Slowest and fastest playback speed; 1 is real time. */
const SPEED = { min: 0.25, max: 8 };

/**
 * Parses the command line.
 *
 * @throws {UsageError} if it is wrong, or contradicts itself
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
  checkFlags(flags);
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
  // Reports wrong values now, not at the first choice in the menu.
  toRequest(flags, "video");
  return { kind: isPageWanted(flags) ? "browse" : "menu", flags };
}

/** Whether the flags ask for the page. */
export function isPageWanted({ view, http }: Pick<ClientFlags, "view" | "http">): boolean {
  return view === "browser" || http !== undefined;
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== false;
}

/** @throws {UsageError} for flags that contradict each other */
function checkFlags(flags: ClientFlags): void {
  const wanted = [flags.image !== undefined, flags.video !== undefined, flags.list];
  if (wanted.filter(Boolean).length > 1) {
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
  const unfit = flags.list ? MEDIA_FLAGS.find((name) => isGiven(flags[name])) : undefined;
  if (unfit !== undefined) {
    throw new UsageError(`Cannot use --${unfit} with --list: it is for --image and --video`);
  }
  checkOutput(flags);
  checkEncoding(flags);
  checkKind(flags);
  if (flags.classic) checkClassic(flags);
}

/** @throws {UsageError} for flags that the script protocol cannot express */
function checkClassic(flags: ClientFlags): void {
  const used = NATIVE_FLAGS.find((name) => isGiven(flags[name]));
  if (used !== undefined) {
    throw new UsageError(`Cannot use --${used} with --classic: scripts cannot be asked for it`);
  }
  const name = flags.image || flags.video;
  if (name) {
    throw new UsageError(`Cannot ask a script for "${name}": with --classic it chooses itself`);
  }
}

/** @throws {UsageError} if two flags say which certificate to trust */
function checkTrust(flags: ClientFlags): void {
  const fingerprint = flags["tls-fingerprint"];
  if (fingerprint === undefined) return;
  parseFingerprint(fingerprint);
  if (flags["ca-cert"] === undefined) return;
  throw new UsageError(
    "Cannot use --ca-cert with --tls-fingerprint: each says which certificate is right",
  );
}

/** @throws {UsageError} for flags that the page cannot be served with */
function checkPage({ view, http, output, json }: ClientFlags): void {
  parseHttpAddress(http);
  if (http !== undefined && view !== undefined && view !== "browser") {
    throw new UsageError(`Cannot use --http with --view ${view}: it is for --view browser`);
  }
  if (isPageWanted({ view, http }) && json && output === undefined) {
    throw new UsageError(
      "Cannot use --json with --view browser: a page has no end to count to, expected --output " +
        "with it",
    );
  }
}

/** @throws {UsageError} for an output that contradicts itself */
function checkOutput(flags: ClientFlags): void {
  const { image, output, overwrite, format, codec, ffmpeg, encoding = "raw" } = flags;
  if (output === undefined) {
    const alone = format !== undefined
      ? "--format"
      : codec !== undefined
      ? "--codec"
      : ffmpeg.length > 0
      ? "-- and what follows it"
      : overwrite
      ? "--overwrite"
      : undefined;
    if (alone === undefined) return;
    throw new UsageError(`Cannot use ${alone} without --output: it says how that is written`);
  }
  const destination = destinationOf(flags, { still: image !== undefined });
  if (destination !== undefined) checkWording(destination);
  if (encoding !== "raw" || codec === undefined || !codec.split(",").includes("copy")) return;
  throw new UsageError(
    "Cannot use --codec copy with raw frames, which are no packets: expected --encoding copy as " +
      "well",
  );
}

/** @throws {UsageError} for flags that do not fit the encoding */
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

/** @throws {UsageError} for flags that do not fit an image, or a video */
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
  const isStored = output !== undefined && output !== "-";
  if (loop && isStored && (encoding === "copy" || encoding === "h264")) {
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

/**
 * Maps the flags to a request.
 *
 * @throws {UsageError} for values out of range
 */
export function toRequest(flags: ClientFlags, kind: "image" | "video"): MediaRequest {
  const name = kind === "image" ? flags.image : flags.video;
  const common = {
    name: name || undefined,
    encoding: flags.encoding,
    bitrate: toBitrate(flags.bitrate),
    quality: flags.quality,
    pixelFormat: flags["pixel-format"],
    ...toSize(flags.size),
    audio: flags["no-audio"] ? false : undefined,
    start: flags.start,
    duration: flags.duration,
    speed: toSpeed(flags),
  };
  if (kind === "image") return { command: "get_image", ...common, every: flags.every };
  return {
    command: "get_video",
    ...common,
    fps: flags.fps,
    loop: flags.loop || undefined,
    late: toLate(flags, common.speed),
  };
}

/** By default a view drops late frames, and a recording gets every frame. */
function toLate({ late, view, output }: ClientFlags, speed: number): MediaRequest["late"] {
  if (late !== undefined) return late;
  if (output !== undefined && isWatched({ output }) && speed !== 0) return "drop";
  return output === undefined && view !== "none" && speed !== 0 ? "drop" : undefined;
}

/** By default a recording without a view is as fast as possible, unless it never ends. */
function toSpeed({ speed, view, output, loop }: ClientFlags): number {
  if (speed === "max") return 0;
  if (speed !== undefined) return toNumber(speed, "speed", SPEED);
  if (output !== undefined && isWatched({ output })) return 1;
  // The page has requests of its own, and does not show the recording.
  const isUnseen = view === undefined || view === "browser";
  return output !== undefined && isUnseen && !loop ? 0 : 1;
}

/** Parses bits per second; k is a thousand, M a million. */
function toBitrate(bitrate: string | undefined): number | undefined {
  if (bitrate === undefined) return undefined;
  const [, digits, unit] = bitrate.match(/^(\d+(?:\.\d+)?)([kKmM]?)$/) ?? [];
  const factor = unit === "" ? 1 : unit?.toLowerCase() === "k" ? 1e3 : 1e6;
  const found = Math.round(Number(digits) * factor);
  const { min, max } = LIMITS.bitrate;
  if (found >= min && found <= max) return found;
  throw new UsageError(
    `Cannot use --bitrate "${bitrate}": expected bits a second from ${min / 1e3}k to ` +
      `${max / 1e6}M, such as 800k or 2M`,
  );
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
