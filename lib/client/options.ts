/** From the command line to an action: parsing, checks, and the request. */
import { UsageError } from "../base/errors.ts";
import { completionScript } from "../cli/completions.ts";
import { parseArguments, splitArguments, VERSION } from "../cli/flags.ts";
import { parseHttpAddress } from "../net/address.ts";
import { parseFingerprint } from "../net/certificate.ts";
import type { MediaRequest } from "../protocol/native/request.ts";
import { checkWording } from "../sinks/output/create.ts";
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
import { checkTracks, toTracks } from "./tracks.ts";
import { checkScript, scriptFlagOf, withImplied } from "./script/plan.ts";
import { isRecorded, toBitrate, toData, toLate, toSize, toSpeed } from "./values.ts";
import { applyWords } from "./words.ts";

/** The action of a command line. */
export type ClientAction =
  | { kind: "print"; text: string }
  /** Print the versions of this program, which is named, of Deno and of FFmpeg. */
  | { kind: "version"; program: string }
  | { kind: "menu"; flags: ClientFlags }
  /** Serve the page with all media. */
  | { kind: "browse"; flags: ClientFlags }
  | { kind: "list"; flags: ClientFlags }
  | { kind: "publish"; plan: PublishPlan; flags: ClientFlags }
  /** Say what a script sends. */
  | { kind: "probe"; flags: ClientFlags }
  /** Get media whose kind the server knows: see {@linkcode toMediaAction}. */
  | { kind: "named"; name: string; flags: ClientFlags }
  | MediaAction;

/** Get an image or a video. */
export interface MediaAction {
  kind: "media";
  request: MediaRequest;
  flags: ClientFlags;
}

/** Flags that end up in the request. */
const REQUEST_FLAGS = [
  ...["encoding", "bitrate", "quality", "pixel-format", "size", "fps", "no-audio"] as const,
  ...["no-tone-map", "deinterlace"] as const,
  ...["audio-track", "subtitles"] as const,
  ...["start", "duration", "every", "loop", "speed", "late"] as const,
];

/** Flags that the script protocol cannot express. */
const NATIVE_FLAGS = ["list", "token-file", ...REQUEST_FLAGS] as const;

/** Flags that need an image or a video. */
const MEDIA_FLAGS = [
  ...["view", "http", "output", "data", "overwrite", "format", "codec"] as const,
  ...REQUEST_FLAGS,
] as const;

/**
 * Parses the command line.
 *
 * @throws {UsageError} if it is wrong, or contradicts itself
 */
export function parseClientFlags(args: readonly string[]): ClientAction {
  const [own, ffmpeg] = splitArguments(args);
  const { flags: parsed, words } = parseArguments(CLIENT_FLAGS, own);
  if (parsed.help) return { kind: "print", text: clientUsage() };
  if (parsed.version) return { kind: "version", program: `stream-client ${VERSION}` };
  if (parsed.completions !== undefined) {
    const text = completionScript(parsed.completions, "stream-client", CLIENT_FLAGS);
    return { kind: "print", text };
  }
  const given = own.flatMap((argument) => argument.match(/^--([^=]+)/)?.[1] ?? []);
  const { flags: located, name } = applyWords({ ...parsed, ffmpeg }, words, given);
  const flags = withImplied(located);
  checkPublishing(flags);
  checkScript(flags, given);
  if (flags.probe !== undefined) return { kind: "probe", flags };
  if (name !== undefined) {
    checkNamed(flags, name);
    return { kind: "named", name, flags };
  }
  checkFlags(flags);
  if (flags.list) return { kind: "list", flags };
  if (flags.publish !== undefined) return { kind: "publish", plan: toPlan(flags), flags };
  if (flags.image !== undefined) return toAction(flags, "image");
  if (flags.video !== undefined) return toAction(flags, "video");
  if (flags.output !== undefined || flags.data !== undefined || flags.json) {
    throw new UsageError("Cannot tell what to get: expected --image, --video or --list");
  }
  // Reports wrong values now, not at the first choice in the menu.
  toRequest(flags, "video");
  return { kind: isPageWanted(flags) ? "browse" : "menu", flags };
}

/**
 * The action for media, once its kind is known.
 *
 * @param name as listed
 * @throws {UsageError} for flags that do not fit the kind
 */
export function toMediaAction(
  flags: ClientFlags,
  kind: "image" | "video",
  name: string,
): MediaAction {
  const named = { ...flags, [kind]: name };
  checkFlags(named);
  return toAction(named, kind);
}

/** @throws {UsageError} for flags that fit neither an image nor a video of this name */
function checkNamed(flags: ClientFlags, name: string): void {
  try {
    toMediaAction(flags, "video", name);
  } catch (error) {
    try {
      toMediaAction(flags, "image", name);
    } catch {
      throw error;
    }
  }
}

function toAction(flags: ClientFlags, kind: "image" | "video"): MediaAction {
  return { kind: "media", request: toRequest(flags, kind), flags };
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
  checkTracks(flags);
  checkPage(flags);
  const alone = (["long", "follow"] as const).find((name) => flags[name] && !list);
  refuseIf(alone !== undefined, `Cannot use --${alone} without --list: it is for the list`);
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
  const changing = (["size", "fps", "deinterlace", "every"] as const).find((name) =>
    isGiven(flags[name])
  );
  refuseIf(
    encoding === "copy" && changing !== undefined,
    `Cannot use --${changing} with --encoding copy: it leaves everything as it is, expected ` +
      (changing === "every" ? "raw or mjpeg" : "--encoding h264"),
  );
}

/** @throws {UsageError} for flags that do not fit an image, or a video */
function checkKind(flags: ClientFlags): void {
  const { image, every, output, late, speed, loop, encoding = "raw" } = flags;
  const moving = (["loop", "fps", "late", "audio-track", "subtitles"] as const)
    .find((name) => isGiven(flags[name]));
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
  const { bitrate, quality, pixelFormat, width, height, fps, deinterlace, audio } = toRequest(
    flags,
    "video",
  );
  const encoding = flags.encoding ?? DEFAULT_ENCODING;
  const picture = { bitrate, quality, pixelFormat, width, height, fps, deinterlace };
  const wanted = { encoding, ...picture, audio };
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
    toneMap: flags["no-tone-map"] ? false : undefined,
    deinterlace: flags.deinterlace || undefined,
    audio: flags["no-audio"] ? false : undefined,
    start: flags.start,
    duration: flags.duration,
    speed: toSpeed(flags),
  };
  if (kind === "image") return { command: "get_image", ...common, every: flags.every };
  return {
    command: "get_video",
    ...common,
    ...toTracks(flags),
    fps: flags.fps,
    loop: flags.loop || undefined,
    late: toLate(flags, common.speed),
    data: toData(flags),
    metadata: isRecorded(flags) || undefined,
    redescribe: true,
  };
}
