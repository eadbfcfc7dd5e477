import { messageOf, RequestError } from "../base/errors.ts";
import type { MediaRequest } from "../protocol/native/request.ts";
import type { ListEntry } from "../protocol/native/response.ts";
import { type Fmp4Header, Fmp4Sink } from "../sinks/browser/fmp4_sink.ts";
import type { PlayQuery } from "../web/query.ts";
import { connect } from "./connection/connection.ts";
import { explained } from "./connection/errors.ts";
import { limitsOf } from "./connection/retry.ts";
import { toRequest } from "./options.ts";
import { play } from "./playback/play.ts";
import type { Statistics } from "./playback/statistics.ts";
import { BufferedResponse } from "./request/flow_control.ts";
import { requestList } from "./request/native.ts";
import { ask } from "./request/request.ts";
import type { RunContext } from "./run.ts";
import { describeNotice } from "./terminal/status.ts";

/** What the page is told before the first byte. */
export interface PlayHead {
  /** Of the MP4, with exact names of its codecs. */
  type: string;
  /** Seconds of the media at which the MP4's time 0 lies, be it below 0. */
  begin: number;
  /** Seconds of the media from which on it is meant to be shown. */
  start: number;
  /** Seconds of the media at which it ends; null where nobody knows. */
  duration: number | null;
  /** It can be neither sought nor paused. */
  live: boolean;
  title: string;
  /** What is other than was asked for, one sentence each. */
  notes: string[];
}

/** What the page is told at the end. */
export interface PlayEnd {
  /** Pictures. */
  frames: number;
  /** Pictures that the server left out. */
  dropped: number;
  warning: string | null;
}

/** Where a play goes. */
export interface PlayTarget {
  /** Takes what is known, once, before the first byte. */
  begin(head: PlayHead): void;
  /** Takes bytes of the MP4, and its time for them. */
  write(bytes: Uint8Array): Promise<void>;
  /** Takes what the server has to say meanwhile. */
  note(message: string): void;
}

/** What {@linkcode playInPage} has to know besides the query. */
export interface PlayInPageOptions {
  context: Pick<RunContext, "flags" | "ffmpeg">;
  /** What the command line asks for, if anything. */
  wanted: MediaRequest | undefined;
  /** It is known to be live. */
  live: boolean;
  statistics: Statistics;
  /** Ends it at once. */
  signal: AbortSignal;
}

/**
 * Gets what a page asks for, over a connection of its own, and hands it over as fragmented MP4.
 *
 * @throws {RequestError} what the server says against it
 * @throws {Error} where it cannot be got, or broke off
 */
export async function playInPage(
  query: PlayQuery,
  target: PlayTarget,
  options: PlayInPageOptions,
): Promise<PlayEnd> {
  const { context: { flags, ffmpeg }, statistics, signal } = options;
  const request = requestFor(query, options);
  const { encoding = "raw", start = 0, duration } = request;
  const { classic } = flags;
  const fragments = {
    begin: (head: Fmp4Header) => target.begin(headOf(head, { start, duration, classic })),
    write: (bytes: Uint8Array) => target.write(bytes),
  };
  const live = classic ? true : undefined;
  const dialect = () => ffmpeg.dialect();
  await using sink = new Fmp4Sink(fragments, { can: query.can, live, dialect, signal });
  const tell = (line: string) => target.note(line);
  // Who seeks in the page asks anew.
  using response = await ask(request, {
    ...{ target: flags, limits: limitsOf(flags), signal },
    seekable: false,
    notify: tell,
  });
  const result = await play(new BufferedResponse(response), {
    ...{ sinks: [sink], statistics, encoding, signal, speed: 0, still: false, part: request },
    onNotice: (notice) => {
      const message = describeNotice(notice, { encoding, recording: false });
      if (message !== undefined) target.note(message);
    },
  });
  signal.throwIfAborted();
  const { frames, audioFrames, dropped, name } = statistics;
  const nothing = frames + audioFrames === 0;
  if (result.outcome === "cut") {
    if (nothing) throw explained(result.reason, { flags, signal });
    if (result.reason instanceof RequestError) throw result.reason;
    const message = `Cannot finish "${name}": ${messageOf(result.reason)}`;
    throw new Error(message, { cause: result.reason });
  }
  if (nothing) {
    throw new RequestError(
      "not_found",
      `Cannot play "${name}" from there: the server has nothing of it to send`,
    );
  }
  return { frames, dropped, warning: result.notes.join("; ") || null };
}

/** What the server is asked for: what the command line says of how it travels, and the query. */
function requestFor(
  { name, start, sound }: PlayQuery,
  { context: { flags }, wanted, live }: PlayInPageOptions,
): MediaRequest {
  const { encoding, bitrate, quality, pixelFormat, width, height, fps, audio } = toRequest(
    { ...flags, image: undefined },
    "video",
  );
  const changes = width ?? height ?? fps;
  const usual = pixelFormat !== undefined ? "raw" : changes !== undefined ? "h264" : "copy";
  return {
    command: "get_video",
    ...{ name, bitrate, quality, pixelFormat, width, height, fps },
    encoding: encoding ?? usual,
    audio: sound ? audio : false,
    // A live source has no beginning, and whoever looks wants its newest picture.
    ...(live ? { late: flags.late ?? "drop" } : { start, speed: 0 }),
    duration: isWanted(name, wanted) ? restOf(wanted, start) : undefined,
  };
}

/** Whether a name is what the command line asks for. */
function isWanted(name: string | undefined, wanted: MediaRequest | undefined): boolean {
  return wanted?.command === "get_video" && wanted.name === name;
}

/** Seconds from a moment up to the end of the part that the command line asks for. */
function restOf(
  { start = 0, duration }: Partial<MediaRequest> = {},
  from: number,
): number | undefined {
  return duration === undefined ? undefined : Math.max(0.001, start + duration - from);
}

function headOf(
  { type, zero, first, notes, presentation }: Fmp4Header,
  { start, duration = Infinity, classic }: { start: number; duration?: number; classic: boolean },
): PlayHead {
  const live = presentation.live || classic;
  const end = Math.min(presentation.duration ?? Infinity, start + duration);
  return {
    type,
    // Browsers count microseconds, and round them down.
    begin: live ? zero : Number((start + zero).toFixed(6)),
    start: live ? first : start,
    duration: live || end === Infinity ? null : end,
    live,
    title: presentation.name,
    notes: [...presentation.notes ?? [], ...notes],
  };
}

/** Milliseconds for which a list is good enough to tell what kind of thing a name is. */
const FRESH = 5_000;

/** What a script has that pickles arrays: one image, one video. */
const SCRIPT: readonly ListEntry[] = (["image", "video"] as const)
  .map((kind) => ({ name: kind, kind, live: false, size: 0, codec: "" }));

/** Knows what the server has. */
export class Catalog {
  #context: Pick<RunContext, "flags">;
  #entries: readonly ListEntry[] = [];
  /** When the entries came, milliseconds since some fixed moment. */
  #came = -Infinity;
  #now: () => number;

  /** @param now milliseconds since some fixed moment; never goes back */
  constructor(context: Pick<RunContext, "flags">, now: () => number = () => performance.now()) {
    this.#context = context;
    this.#now = now;
  }

  /**
   * Asks the server for everything that it has.
   *
   * @throws {Error} where it does not answer
   */
  async list(signal: AbortSignal): Promise<readonly ListEntry[]> {
    const { flags } = this.#context;
    if (flags.classic) return SCRIPT;
    using connection = await connect(flags, signal);
    try {
      this.#entries = await requestList(connection);
    } catch (error) {
      throw explained(error, { flags, signal });
    }
    this.#came = this.#now();
    return this.#entries;
  }

  /** What the list says of a name, from a list that is nearly new. */
  async find(name: string, signal: AbortSignal): Promise<ListEntry | undefined> {
    if (this.#now() - this.#came >= FRESH) await this.list(signal);
    return this.known(name);
  }

  /** What the newest list says of a name, however old it is; `undefined` where there is none yet. */
  known(name: string | undefined): ListEntry | undefined {
    return this.#entries.find((entry) => entry.name === name);
  }
}
