/** `--probe`: finds out how a script sends. */
import { ByteWriter } from "../../base/byte_writer.ts";
import type { Clock } from "../../base/clock.ts";
import { DeadlineError, messageOf, RequestError } from "../../base/errors.ts";
import { printable, printableJson } from "../../base/log.ts";
import { formatAddress } from "../../net/address.ts";
import {
  CLIENT_ADVICE,
  connect,
  type ConnectionTimeouts,
  type Credentials,
  type Target,
} from "../../net/connection.ts";
import { ConnectError, CutError } from "../../net/errors.ts";
import { requestList } from "../../protocol/native/client.ts";
import { ListedMedia } from "../../protocol/native/list.ts";
import type { ScriptFormat } from "../../protocol/script/format.ts";
import { receiveScript, type ScriptConnection } from "../../protocol/script/receiver.ts";
import type { ClientContext } from "../context.ts";
import { formatCount } from "../terminal/progress.ts";
import { ScriptListener } from "./listener.ts";
import { encryptionWords, isWord, parseProbe, type ProbePeer } from "./plan.ts";
import { type Finding, findingObject, renderFinding, type ScriptFinding } from "./probe_report.ts";

/** Milliseconds to connect. */
const CONNECT_TIMEOUT = 10_000;

/** Milliseconds of silence after which nothing more is expected. */
const IDLE_TIMEOUT = 8_000;

/** How long frames are counted: so many, or so many milliseconds. */
const COUNTED = { frames: 30, milliseconds: 2_000 };

/** Milliseconds for the second frame: it is found out meanwhile whether the script waits. */
const SECOND_FRAME = 6_000;

/** Stream id of the pictures. */
const PICTURES = 0;

/** Request to a script that sends nothing by itself. */
const USUAL_REQUEST = "get_video";

/** Options of {@linkcode probePeer}. */
export interface ProbeOptions {
  /** Sent first. @default `get_video` to a script that is silent when it is connected to */
  request?: string;
  credentials?: Credentials;
  clock: Clock;
  /** Ends it. */
  signal: AbortSignal;
  /** Shows a line to the user. */
  notify: (line: string) => void;
  /** Milliseconds of silence after which nothing more is expected. @default 8_000 */
  idle?: number;
}

/**
 * Finds out how the script of `--probe` sends, and prints it.
 *
 * @throws {Error} if it is no script, in one sentence
 */
export async function probe(
  { flags, environment: { clock, print, printError }, signal, target }: ClientContext,
): Promise<void> {
  const { request, json } = flags;
  const wanted = { ...parseProbe(flags.probe ?? ""), words: encryptionWords(flags) };
  const [probed, finding] = await probePeer(wanted, {
    ...{ request, credentials: target.credentials, clock, signal },
    notify: (line) => printError(`${printable(line)}\n`),
  });
  print(
    json
      ? `${printableJson(findingObject(finding, probed))}\n`
      : renderFinding(finding, probed).split("\n").map(printable).join("\n"),
  );
}

/**
 * Finds out how a peer sends. One that listens is connected to once, and a second time as
 * stream-client does if it may be a stream-server.
 *
 * @returns the peer, with the port that was waited on, and what it is
 * @throws {Error} if it is no script, in one sentence
 */
export async function probePeer(
  wanted: ProbePeer,
  options: ProbeOptions,
): Promise<[ProbePeer, Finding]> {
  if (!wanted.listens) return [wanted, await probeServer(wanted, options)];
  const { request, clock, signal, notify, idle = IDLE_TIMEOUT } = options;
  const speaksFirst = isWord(request);
  await using listener = new ScriptListener({
    ...{ address: wanted, flag: "probe", speaksFirst, idle, notify, clock },
  });
  using connection = await listener.next(signal);
  const peer = formatAddress(connection.peer);
  try {
    const finding = await receive(connection, { ...options, peer });
    return [{ ...wanted, port: listener.address.port }, finding];
  } catch (error) {
    throw unknown(peer, error, options);
  }
}

async function probeServer(probed: ProbePeer, options: ProbeOptions): Promise<Finding> {
  const { credentials, signal, idle = IDLE_TIMEOUT } = options;
  const peer = formatAddress(probed);
  const advice = { ...CLIENT_ADVICE, address: "--probe" };
  const target: Target = { host: probed.hostname, port: probed.port, credentials, advice };
  const timeouts = { connect: CONNECT_TIMEOUT, idle };
  let finding: ScriptFinding;
  try {
    using connection = await connect({ ...target, protocol: "script" }, signal, timeouts);
    finding = await receive(connection, { ...options, peer, fallbackRequest: USUAL_REQUEST });
  } catch (error) {
    if (error instanceof ConnectError) throw error;
    const isSilent = error instanceof CutError || error instanceof DeadlineError;
    const native = isSilent ? await askNative(target, { peer, signal, timeouts }) : undefined;
    if (native !== undefined) return native;
    throw unknown(peer, error, options);
  }
  // A stream-server answers the usual request as our scripts do. Others might not take the second.
  const { length, payload } = finding.format;
  const isUsual = length === "i32le" && payload.kind === "pickle" &&
    finding.request === USUAL_REQUEST;
  return (isUsual ? await askNative(target, { peer, signal, timeouts }) : undefined) ?? finding;
}

/** Requests the list of a stream-server; `undefined` if it is none. */
async function askNative(
  target: Target,
  { peer, signal, timeouts }: { peer: string; signal: AbortSignal; timeouts: ConnectionTimeouts },
): Promise<Finding | undefined> {
  try {
    using connection = await connect(target, signal, timeouts);
    const list = new ListedMedia();
    for await (const piece of requestList(connection)) list.add(piece);
    return { kind: "native", peer, media: `${formatCount(list.size, "name")} in its list` };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof RequestError) return { kind: "native", peer, media: error.message };
    return undefined;
  }
}

/** Receives frames until enough are counted, and notes what was sent for them. */
async function receive(
  connection: ScriptConnection,
  { peer, request, fallbackRequest, clock }: ProbeOptions & {
    peer: string;
    fallbackRequest?: string;
  },
): Promise<ScriptFinding> {
  let format: ScriptFormat | undefined;
  let picture: Pick<ScriptFinding, "width" | "height" | "pixelFormat" | "hasData"> | undefined;
  const replies = new NotedReplies();
  const counter = new FrameCount();
  using limit = new TimeLimit(connection, clock);
  const noted = {
    reader: connection.reader,
    writer: replies.over(connection),
    [Symbol.dispose]: () => connection[Symbol.dispose](),
  };
  const response = receiveScript(noted, {
    name: peer,
    ...{ request, fallbackRequest, clock },
    onFormat: (found) => format = found,
  });
  try {
    for await (const part of response) {
      if (part.kind === "describe") {
        const { streams: [stream], data = [] } = part.description;
        if (stream.type !== "video") continue;
        const { width, height, pixelFormat } = stream;
        picture = { width, height, pixelFormat, hasData: data.length > 0 };
      } else if (part.kind === "frame" && part.frame.streamId === PICTURES) {
        // The time in which it was found out that it waits for a reply does not count.
        if (replies.frames === 1 && replies.toFrames.length > 0) counter.restart();
        counter.add(part.frame.timestamp);
        replies.frames++;
        if (counter.frames === 1) limit.start(replies.frames === 1 ? SECOND_FRAME : undefined);
        if (counter.frames === 2) limit.start();
        if (counter.frames === COUNTED.frames) break;
      }
    }
  } catch (error) {
    if (!limit.isOver || picture === undefined) throw error;
  }
  if (format === undefined || picture === undefined) throw new CutError("no frame came");
  const { frames, seconds } = counter;
  return {
    ...{ kind: "script", peer, format, frames, seconds, ...picture },
    request: replies.first,
    ack: replies.ack,
  };
}

/** Notes what is sent to a script. */
class NotedReplies {
  /** Pictures that have come. */
  frames = 0;
  /** The word before the first picture. */
  first: string | undefined;
  /** Words behind pictures, and how many pictures had come. */
  readonly toFrames: { word: string; frames: number }[] = [];

  /** A writer that notes what is written to another one. */
  over(connection: ScriptConnection): ByteWriter {
    return new ByteWriter({
      write: async (bytes) => {
        const word = new TextDecoder().decode(bytes);
        if (this.frames === 0) this.first = word;
        else this.toFrames.push({ word, frames: this.frames });
        await connection.writer.write(bytes);
        return bytes.byteLength;
      },
    }, { stallTimeout: IDLE_TIMEOUT, onStall: () => connection[Symbol.dispose]() });
  }

  /** The word that a picture follows each time; `undefined` if they come without. */
  get ack(): string | undefined {
    const [reply] = this.toFrames;
    const isKept = reply !== undefined && this.frames > reply.frames &&
      (this.toFrames.length > 1 || this.frames === reply.frames + 1);
    return isKept ? reply.word : undefined;
  }
}

/** Counts frames, and the time that they take. */
class FrameCount {
  frames = 0;
  #first = 0;
  #last = 0;

  /** @param timestamp microseconds */
  add(timestamp: number): void {
    if (this.frames === 0) this.#first = timestamp;
    this.#last = timestamp;
    this.frames++;
  }

  restart(): void {
    this.frames = 0;
  }

  /** Seconds from the first frame to the last. */
  get seconds(): number {
    return (this.#last - this.#first) / 1e6;
  }
}

/** Closes a connection when frames were counted for long enough. */
class TimeLimit implements Disposable {
  #connection: Disposable;
  #clock: Clock;
  #counted: AbortController | undefined;
  #isOver = false;

  constructor(connection: Disposable, clock: Clock) {
    this.#connection = connection;
    this.#clock = clock;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Starts the time, or starts it again. */
  start(milliseconds = COUNTED.milliseconds): void {
    this.#counted?.abort();
    const { signal } = this.#counted = new AbortController();
    this.#clock.sleep(milliseconds, signal).then(() => {
      this.#isOver = true;
      this.#connection[Symbol.dispose]();
    }, () => {});
  }

  [Symbol.dispose](): void {
    this.#counted?.abort();
  }
}

/** The sentence about a peer that is no script. */
function unknown(
  peer: string,
  error: unknown,
  { signal, idle = IDLE_TIMEOUT }: ProbeOptions,
): unknown {
  if (signal.aborted) return signal.reason;
  const reason = error instanceof DeadlineError
    ? `it sent nothing for ${idle / 1000} s, expected a script or stream-server`
    : messageOf(error);
  return new Error(`Cannot probe ${peer}: ${reason}`, { cause: error });
}
