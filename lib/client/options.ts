/** From the command line to an action: parsing, checks, and the request. */
import { UsageError } from "../base/errors.ts";
import { completionScript } from "../cli/completions.ts";
import { parseFlags, splitArguments, toNumber, VERSION } from "../cli/flags.ts";
import { parseHttpAddress } from "../net/address.ts";
import { parseFingerprint } from "../net/certificate.ts";
import { LIMITS, MAX_DIMENSION, type MediaRequest } from "../protocol/native/request.ts";
import { checkWording, isWatched } from "../sinks/output/create.ts";
import { isPattern } from "../sinks/output/image_sequence.ts";
import { CLIENT_FLAGS, type ClientFlags, clientUsage } from "./flags.ts";
import { destinationOf } from "./playback/sinks.ts";
import {
  checkPublishing,
  DEFAULT_ENCODING,
  describesInput,
  type PublishPlan,
  toPublishPlan,
} from "./publish/plan.ts";
import { checkScript, scriptFlagOf, withImplied } from "./script/plan.ts";

/** The action of a command line. */
export type ClientAction =
  | { kind: "print"; text: string }
  | { kind: "menu"; flags: ClientFlags }
  /** Serve the page with all media. */
  | { kind: "browse"; flags: ClientFlags }
  | { kind: "list"; flags: ClientFlags }
  | { kind: "publish"; plan: PublishPlan; flags: ClientFlags }
  /** Say what a script sends. */
  | { kind: "probe"; flags: ClientFlags }
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
  ...["view", "http", "output", "data", "overwrite", "format", "codec"] as const,
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
  const flags = withImplied({ ...parseFlags(CLIENT_FLAGS, own), ffmpeg });
  if (flags.help) return { kind: "print", text: clientUsage() };
  if (flags.version) return { kind: "print", text: `stream-client ${VERSION}\n` };
  if (flags.completions !== undefined) {
    const text = completionScript(flags.completions, "stream-client", CLIENT_FLAGS);
    return { kind: "print", text };
  }
  checkPublishing(flags);
  checkScript(flags, own.flatMap((argument) => argument.match(/^--([^=]+)/)?.[1] ?? []));
  if (flags.probe !== undefined) return { kind: "probe", flags };
  checkFlags(flags);
  if (flags.list) return { kind: "list", flags };
  if (flags.publish !== undefined) return { kind: "publish", plan: toPlan(flags), flags };
  if (flags.image !== undefined) {
    return { kind: "media", request: toRequest(flags, "image"), flags };
  }
  if (flags.video !== undefined) {
    return { kind: "media", request: toRequest(flags, "video"), flags };
  }
  if (flags.output !== undefined || flags.data !== undefined || flags.json) {
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

/** @throws {UsageError} if a condition holds */
function refuseIf(condition: boolean, message: string): void {
  if (condition) throw new UsageError(message);
}

/** @throws {UsageError} for flags that contradict each other */
function checkFlags(flags: ClientFlags): void {
  checkServer(flags);
  if (flags.publish !== undefined) return checkEncoding(sentFlags(flags));
  const { image, video, list, json, output, view } = flags;
  refuseIf(
    [image !== undefined, video !== undefined, list].filter(Boolean).length > 1,
    "Cannot do several things at once: expected one of --image --video --list",
  );
  const toStdout = "both write to stdout";
  refuseIf(json && output === "-", `Cannot use --json with --output -: ${toStdout}`);
  refuseIf(
    view === "terminal" && output === "-",
    `Cannot use --view terminal with --output -: ${toStdout}`,
  );
  refuseIf(json && view === "terminal", `Cannot use --json with --view terminal: ${toStdout}`);
  checkData(flags);
  checkPage(flags);
  const unfit = list ? MEDIA_FLAGS.find((name) => isGiven(flags[name])) : undefined;
  refuseIf(
    unfit !== undefined,
    `Cannot use --${unfit} with --list: it is for --image and --video`,
  );
  checkOutput(flags);
  checkEncoding(flags);
  checkKind(flags);
  checkClassic(flags);
}

/** @throws {UsageError} for flags that contradict `--data` */
function checkData({ data, image, output, view, json }: ClientFlags): void {
  if (data === undefined) return;
  refuseIf(image !== undefined, "Cannot use --data with --image: an image has none");
  const other = output === data
    ? `--output ${output}`
    : json
    ? "--json"
    : view === "terminal"
    ? "--view terminal"
    : undefined;
  if (other === undefined || data !== "-" && output !== data) return;
  const place = data === "-" ? "stdout" : `"${data}"`;
  throw new UsageError(`Cannot use --data ${data} with ${other}: both write to ${place}`);
}

/** @throws {UsageError} for flags that the script protocol cannot express */
function checkClassic(flags: ClientFlags): void {
  const flag = scriptFlagOf(flags);
  if (flag === undefined) return;
  const used = NATIVE_FLAGS.find((name) => isGiven(flags[name]));
  refuseIf(
    used !== undefined,
    `Cannot use --${used} with --${flag}: scripts cannot be asked for it`,
  );
  const name = flags.image || flags.video || "";
  refuseIf(name !== "", `Cannot ask a script for "${name}": with --${flag} it chooses itself`);
}

/** @throws {UsageError} if the address is wrong, or two flags say which certificate to trust */
function checkServer(flags: ClientFlags): void {
  refuseIf(
    /^[^:]+:\d+$/.test(flags.host),
    `Cannot use --host "${flags.host}": expected the port in --port`,
  );
  const fingerprint = flags["tls-fingerprint"];
  if (fingerprint === undefined) return;
  parseFingerprint(fingerprint);
  refuseIf(
    flags["ca-cert"] !== undefined,
    "Cannot use --ca-cert with --tls-fingerprint: each says which certificate is right",
  );
}

/** @throws {UsageError} for flags that the page cannot be served with */
function checkPage(flags: ClientFlags): void {
  const { view, http, output, json, explain } = flags;
  parseHttpAddress(http);
  refuseIf(
    http !== undefined && view !== undefined && view !== "browser",
    `Cannot use --http with --view ${view}: it is for --view browser`,
  );
  refuseIf(
    isPageWanted(flags) && explain,
    "Cannot use --explain with --view browser: a page has several conversations at once, " +
      "expected --explain of stream-server",
  );
  refuseIf(
    isPageWanted(flags) && json && output === undefined,
    "Cannot use --json with --view browser: a page has no end to count to, expected --output " +
      "with it",
  );
}

/** @throws {UsageError} for an output that contradicts itself */
function checkOutput(flags: ClientFlags): void {
  const { image, output, data = "-", overwrite, format, codec, ffmpeg, classic } = flags;
  const { encoding = classic ? undefined : "raw" } = flags;
  if (output === undefined) {
    const [alone] = [
      format === undefined ? [] : "--format",
      codec === undefined ? [] : "--codec",
      ffmpeg.length === 0 ? [] : "-- and what follows it",
      overwrite && data === "-" ? "--overwrite" : [],
    ].flat();
    refuseIf(
      alone !== undefined,
      `Cannot use ${alone} without --output: it says how that is written`,
    );
    return;
  }
  const destination = destinationOf(flags, { still: image !== undefined });
  if (destination !== undefined) checkWording(destination);
  refuseIf(
    encoding === "raw" && (codec?.split(",").includes("copy") ?? false),
    "Cannot use --codec copy with raw frames, which are no packets: expected --encoding copy as " +
      "well",
  );
}

/** @throws {UsageError} for flags that do not fit the encoding */
function checkEncoding(flags: ClientFlags): void {
  const { encoding = "raw", bitrate, quality, "pixel-format": pixelFormat } = flags;
  refuseIf(
    bitrate !== undefined && encoding !== "h264",
    "Cannot use --bitrate alone: expected --encoding h264 with it",
  );
  refuseIf(
    quality !== undefined && encoding !== "mjpeg",
    "Cannot use --quality alone: expected --encoding mjpeg with it",
  );
  refuseIf(
    pixelFormat !== undefined && encoding !== "raw",
    `Cannot use --pixel-format with --encoding ${encoding}: it is for raw frames`,
  );
  const changing = (["size", "fps", "every"] as const).find((name) => isGiven(flags[name]));
  refuseIf(
    encoding === "copy" && changing !== undefined,
    `Cannot use --${changing} with --encoding copy: it leaves everything as it is, expected ` +
      (changing === "every" ? "raw or mjpeg" : "--encoding h264"),
  );
}

/** @throws {UsageError} for flags that do not fit an image, or a video */
function checkKind(flags: ClientFlags): void {
  const { image, every, output, late, speed, loop, encoding = "raw" } = flags;
  const moving = (["loop", "fps", "late"] as const).find((name) => isGiven(flags[name]));
  refuseIf(
    image !== undefined && moving !== undefined,
    `Cannot use --${moving} with --image: it is for --video`,
  );
  refuseIf(
    late === "drop" && speed === "max",
    "Cannot use --late drop with --speed max: nothing is late there",
  );
  const isStored = output !== undefined && output !== "-";
  refuseIf(
    loop && isStored && (encoding === "copy" || encoding === "h264"),
    `Cannot record --loop with --encoding ${encoding}: its packets cannot follow each other from ` +
      "round to round, expected raw or mjpeg",
  );
  if (every === undefined) return;
  refuseIf(
    image === undefined,
    "Cannot use --every without --image: it asks for a series of pictures",
  );
  refuseIf(
    isStored && !isPattern(output),
    `Cannot write a series of pictures to "${output}": expected a place for the number, as in ` +
      "shot%03d.png",
  );
}

/** The encoding flags of what is published; those that describe the input are absent. */
function sentFlags(flags: ClientFlags): ClientFlags {
  const describing = describesInput(flags);
  return {
    ...flags,
    encoding: flags.encoding ?? DEFAULT_ENCODING,
    size: describing.size ? undefined : flags.size,
    fps: describing.fps ? undefined : flags.fps,
    "pixel-format": describing["pixel-format"] ? undefined : flags["pixel-format"],
  };
}

/** @throws {UsageError} for values out of range, or an input that cannot be one */
function toPlan(flags: ClientFlags): PublishPlan {
  const { bitrate, quality, pixelFormat, width, height, fps, audio } = toRequest(flags, "video");
  const encoding = flags.encoding ?? DEFAULT_ENCODING;
  const wanted = { encoding, bitrate, quality, pixelFormat, width, height, fps, audio };
  return toPublishPlan(flags, wanted);
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
    data: toData(flags),
    redescribe: true,
  };
}

/** Whether messages of data streams are wanted, and whether nothing else is. */
function toData(flags: ClientFlags): MediaRequest["data"] {
  const { data, view } = flags;
  const destination = destinationOf(flags, { still: false });
  if (data === undefined) return destination?.messages ? true : undefined;
  const isSeen = view !== undefined && view !== "browser";
  return isSeen || destination !== undefined ? true : "only";
}

/** By default a view drops late frames, and a recording gets every frame. */
function toLate(flags: ClientFlags, speed: number): MediaRequest["late"] {
  const { late, view, output } = flags;
  if (late !== undefined) return late;
  if (toData(flags) === "only") return undefined;
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
