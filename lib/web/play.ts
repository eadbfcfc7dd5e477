/** One play of the page: fragments of MP4 or WebM, and the HTTP response that carries it. */
import type { InstalledFfmpeg } from "../ffmpeg/version.ts";
import type { Cue } from "../media/subtitles.ts";
import {
  type FragmentHeader,
  FragmentSink,
  type FragmentSinkOptions,
} from "../sinks/browser/fragment_sink.ts";
import { errorResponse } from "./api.ts";
import { showsTransparency, TRANSPARENT_ENCODERS } from "../sinks/browser/fragment_args.ts";
import type { PlayEnd, PlayPart, PlayStats, PlayTarget } from "./service.ts";

/** Sent before the first byte of the fragments. */
export interface PlayHeader {
  /** Media type of the fragments, with exact names of its codecs. */
  type: string;
  /** Seconds of the media at time 0 of the fragments; may be negative. */
  begin: number;
  /** Seconds of the media at which showing begins. */
  start: number;
  /** Seconds of the media at which it ends; null if unknown. */
  duration: number | null;
  /** It can be neither sought nor paused. */
  live: boolean;
  title: string;
  /** What is different for the browser, one sentence each. */
  notes: string[];
}

/** Carries the fragments of one play to the page. */
export interface PlayOutput {
  /** Sends the header, once, before the first byte. */
  begin(header: PlayHeader): void;
  /** Sends bytes of the fragments, as fast as the page takes them. */
  write(bytes: Uint8Array): Promise<void>;
  /** Sends a message for the user. */
  note(message: string): void;
  /** Sends a text of subtitles, whose times are seconds of the media. Absent if there is no place for it. */
  subtitle?(cue: Cue): void;
  /** Sets the reader of the counters that are sent meanwhile. */
  watch?(stats: () => PlayStats): void;
}

/** What video is encoded as that a browser does not play as it is. */
const ENCODED_CODEC = "h264";

/** The target that turns frames into fragments for an output. */
export function createTarget(
  output: PlayOutput,
  { ffmpeg, ...options }: Pick<FragmentSinkOptions, "can" | "signal"> & {
    ffmpeg: Pick<InstalledFfmpeg, "dialect" | "encoders">;
  },
): PlayTarget {
  const dialect = () => ffmpeg.dialect();
  return {
    open(part) {
      output.watch?.(part.stats);
      const fragments = {
        begin: (header: FragmentHeader) => output.begin(headerOf(header, part)),
        write: (bytes: Uint8Array) => output.write(bytes),
        subtitle: ({ start, end, text }: Cue) =>
          output.subtitle?.({ start: part.start + start, end: part.start + end, text }),
      };
      const can = part.isEncoded ? new Set([...options.can, ENCODED_CODEC]) : options.can;
      const { isTransparent, live } = part;
      return new FragmentSink(fragments, { ...options, dialect, can, isTransparent, live });
    },
    async showsTransparency() {
      if (!showsTransparency(options.can)) return false;
      const encoders: readonly string[] = await ffmpeg.encoders().catch(() => []);
      return TRANSPARENT_ENCODERS.every((name) => encoders.includes(name));
    },
    note: (message) => output.note(message),
  };
}

function headerOf(
  { type, zero, first, notes, presentation }: FragmentHeader,
  { start, duration = Infinity, live: alwaysLive = false }: PlayPart,
): PlayHeader {
  const live = presentation.live || alwaysLive;
  const end = Math.min(presentation.duration ?? Infinity, start + duration);
  return {
    type,
    // Browsers count microseconds, and round them down.
    begin: live ? zero : Number((start + zero).toFixed(6)),
    start: live ? first : start,
    duration: live || end === Infinity ? null : end,
    live,
    title: presentation.name,
    // The server's own are for those who record what it sends.
    notes,
  };
}

/**
 * One play as the body of a response, which is sent with the first byte of the fragments. The body
 * ends with the media, and is aborted if the media is cut.
 */
export class PlayBody implements PlayOutput {
  #stream = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>();
  #writer = this.#stream.writable.getWriter();
  #header = Promise.withResolvers<PlayHeader>();
  #left = new AbortController();
  #signal: AbortSignal;

  /** @param signal ends the play at shutdown */
  constructor(signal: AbortSignal) {
    this.#signal = AbortSignal.any([signal, this.#left.signal]);
    // Rejected also if the reader cancels.
    this.#writer.closed.catch(() => this.#left.abort());
  }

  /**
   * Plays until the end.
   *
   * @param action writes to this body until the signal fires
   */
  async run(action: (signal: AbortSignal) => Promise<PlayEnd>): Promise<void> {
    try {
      await action(this.#signal);
      await this.#writer.close();
    } catch (error) {
      this.#header.reject(error);
      await this.#writer.abort(error);
    }
  }

  /** The response, once the header or an error is known. */
  async response(): Promise<Response> {
    try {
      const header = await this.#header.promise;
      return new Response(this.#stream.readable, { headers: headersOf(header) });
    } catch (error) {
      return errorResponse(error);
    }
  }

  begin(header: PlayHeader): void {
    this.#header.resolve(header);
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#writer.ready;
    await this.#writer.write(new Uint8Array(bytes));
  }

  /** Does nothing: a body carries the fragments only. */
  note(): void {}
}

function headersOf({ type, begin, start, duration, live, title, notes }: PlayHeader): HeadersInit {
  return {
    "Content-Type": type,
    "Cache-Control": "no-store",
    "X-Begin": String(begin),
    "X-Start": String(start),
    ...(duration === null ? {} : { "X-Duration": String(duration) }),
    "X-Live": live ? "1" : "0",
    // A server may send lone surrogates, which encodeURIComponent() refuses.
    "X-Title": encodeURIComponent(title.toWellFormed()),
    "X-Notes": encodeURIComponent(JSON.stringify(notes)),
  };
}
