/** Renders the result of `--probe`, as lines for people and as an object. */
import { formatAddress } from "../../net/address.ts";
import { describeFormat, formatName, type ScriptFormat } from "../../protocol/script/format.ts";
import { formatCount } from "../terminal/progress.ts";
import type { ProbePeer } from "./plan.ts";

/** How a script sends. */
export interface ScriptFinding {
  kind: "script";
  /** Address of the script. */
  peer: string;
  format: ScriptFormat;
  /** The word that it waited for. */
  request?: string;
  /** The word that it waits for after each frame. */
  ack?: string;
  /** Size of the pictures, pixels. */
  width: number;
  height: number;
  /** Absent for JPEGs. */
  pixelFormat?: string;
  /** Values come beside the pictures. */
  hasData: boolean;
  /** Frames that were counted. */
  frames: number;
  /** Seconds from the first to the last of them. */
  seconds: number;
}

/** A stream-server. */
export interface NativeFinding {
  kind: "native";
  /** Its address. */
  peer: string;
  /** Its answer about its media. */
  media: string;
}

/** Result of a probe. */
export type Finding = ScriptFinding | NativeFinding;

/** Three lines about a peer, and the command line that shows what it sends. */
export function renderFinding(finding: Finding, probed: ProbePeer): string {
  return [...linesOf(finding, probed), `Show it: ${commandFor(finding, probed)}`, ""].join("\n");
}

/** The same for programs. */
export function findingObject(finding: Finding, probed: ProbePeer): Record<string, unknown> {
  const command = commandFor(finding, probed);
  if (finding.kind === "native") {
    const { peer, media } = finding;
    return { peer, protocol: "native", media, command };
  }
  const { peer, format, request, ack, width, height, pixelFormat, hasData, frames } = finding;
  const rate = rateOf(finding);
  return {
    ...{ peer, protocol: "script", connects: probed.listens },
    ...{ request: request ?? null, ack: ack ?? null },
    ...{ framing: formatName(format), width, height, pixelFormat: pixelFormat ?? null },
    ...{ data: hasData, frames, fps: rate === undefined ? null : Number(rate.toFixed(2)), command },
  };
}

function linesOf(finding: Finding, { listens }: ProbePeer): string[] {
  const { peer } = finding;
  if (finding.kind === "native") {
    return [`${peer} is a stream-server`, "The native protocol, with timestamps", finding.media];
  }
  const { format, request, ack, width, height, pixelFormat, hasData, frames, seconds } = finding;
  const starts = [
    ...(listens ? ["connects"] : []),
    request === undefined
      ? listens ? "sends" : "sends as soon as one connects"
      : `waits for a request (${request})`,
    ...(ack === undefined ? [] : [`waits for a reply to each frame (${ack})`]),
  ];
  const picture = [`${width}x${height}`, ...(pixelFormat === undefined ? [] : [pixelFormat])];
  const rate = rateOf(finding);
  const measured = rate === undefined
    ? formatCount(frames, "frame")
    : `${rate.toFixed(1)} frames a second (${frames} in ${seconds.toFixed(1)} s)`;
  const framing = describeFormat(format);
  return [
    `${peer} ${starts.join(", and ")}`,
    `${framing[0].toUpperCase()}${framing.slice(1)}${hasData ? ", with values beside it" : ""}`,
    `${picture.join(" ")}, ${measured}`,
  ];
}

/** Frames a second; `undefined` if there are too few to tell. */
function rateOf({ frames, seconds }: ScriptFinding): number | undefined {
  return frames > 1 && seconds > 0 ? (frames - 1) / seconds : undefined;
}

/** The command line that shows what a peer sends. */
function commandFor(
  finding: Finding,
  { hostname, port, listens, words: more = [] }: ProbePeer,
): string {
  const where = listens
    ? ["--listen", hostname === "127.0.0.1" ? `${port}` : formatAddress({ hostname, port })]
    : ["--host", hostname, "--port", `${port}`];
  const words = finding.kind === "native" ? ["--list"] : [
    ...["--framing", formatName(finding.format)],
    ...(finding.request === undefined ? [] : ["--request", finding.request]),
    ...(finding.ack === undefined ? [] : ["--ack", finding.ack]),
  ];
  return ["stream-client", ...where, ...more, ...words].map(quoted).join(" ");
}

/** A word as a shell reads it. */
function quoted(word: string): string {
  return /^[\w.:/+\-[\]]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
