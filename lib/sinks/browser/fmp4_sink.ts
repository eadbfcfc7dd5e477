import { ProcessError } from "../../base/errors.ts";
import type { FfmpegDialect } from "../../ffmpeg/version.ts";
import { type Frame, type StreamDescription, toSeconds } from "../../media/frame.ts";
import { FfmpegProcess, reasonOf } from "../ffmpeg_process.ts";
import type { Presentation, Sink } from "../sink.ts";
import { browserNotes, fragmentArguments } from "./fmp4_args.ts";
import { mimeTypeOf, readBoxHeader } from "./mp4_codecs.ts";

export { BROWSER_CODECS } from "./fmp4_args.ts";

/** What is known of fragmented MP4 before its first byte. */
export interface Fmp4Header {
  /** The type with exact names of the codecs. */
  type: string;
  /** Seconds on the time line of the frames' timestamps at which the time 0 of the MP4 lies. */
  zero: number;
  /** Seconds on that time line at which the first picture lies, or sound where there is none. */
  first: number;
  /** What is other than it was sent, one sentence each. */
  notes: string[];
  /** What is shown. */
  presentation: Presentation;
}

/** Where fragmented MP4 goes. Each method is called in turn, never two at once. */
export interface FragmentTarget {
  /** Takes what is known, once, before the first byte. */
  begin(head: Fmp4Header): void;
  /** Takes bytes, and its time for them: the next come when these are done with. */
  write(bytes: Uint8Array): Promise<void>;
}

/** Options of {@linkcode Fmp4Sink}. */
export interface Fmp4SinkOptions {
  /** FFmpeg's names of the codecs that the browser plays. */
  can: ReadonlySet<string>;
  /** Frames come as they come into being, whatever is said of the media. */
  live?: boolean;
  /** The spelling of arguments that the installed FFmpeg needs. */
  dialect: () => Promise<FfmpegDialect>;
  /** Ends it at once. */
  signal: AbortSignal;
}

/** Bytes that the description of all streams may take. */
const MAX_HEAD = 1 << 20;

/** Seconds of one kind that wait for the first of the other, which is left out then; and bytes. */
const PATIENCE = {
  file: { video: 10, audio: 60 },
  // Pictures of what is live come with its next keyframe, whenever that is.
  live: { video: 2, audio: Infinity },
  bytes: 128 << 20,
};

/** Seconds for which the last picture stays, where nothing but sound comes behind it. */
const LAST = 10;

/** Whole seconds of the MP4 before the beginning: encoded packets may be decoded before it. */
const LEAD = 1;

/**
 * Has FFmpeg turn everything into fragmented MP4, as browsers play it: packets that the browser
 * knows as they are, the rest as H.264 and AAC. Sound, or pictures, of which nothing comes is
 * left out: FFmpeg would hold all the rest back for it, up to the end.
 */
export class Fmp4Sink implements Sink {
  #target: FragmentTarget;
  #options: Fmp4SinkOptions;
  #process: FfmpegProcess | undefined;
  #presentation: Presentation | undefined;
  #lead = LEAD;
  #notes: string[] = [];
  /** What came before all streams had something. */
  #waiting: Frame[] = [];
  /** Streams that are passed on. */
  #used: readonly StreamDescription[] = [];
  /** Settled when all that FFmpeg wrote is handed over; gives what went wrong with that. */
  #output: Promise<unknown> = Promise.resolve();
  /** Seconds at which the first picture, and the first frame, lie. */
  #firstPicture: number | undefined;
  #firstFrame: number | undefined;

  constructor(target: FragmentTarget, options: Fmp4SinkOptions) {
    this.#target = target;
    this.#options = options;
  }

  async begin(presentation: Presentation): Promise<void> {
    this.#presentation = presentation;
    this.#lead = Math.max(LEAD, presentation.lead);
    // Raw pictures are too large to wait here.
    if (presentation.encoding === "raw") await this.#start(presentation);
  }

  async show(frame: Frame): Promise<boolean> {
    const stream = this.#presentation?.streams.find(({ id }) => id === frame.streamId);
    if (stream === undefined) return true;
    const seconds = toSeconds(frame.timestamp, stream.timeBase);
    this.#firstFrame ??= seconds;
    if (stream.type === "video") this.#firstPicture ??= seconds;
    if (this.#process !== undefined) {
      return !this.#used.includes(stream) || await this.#write(frame);
    }
    // The next frame comes where this one lies.
    this.#waiting.push({ ...frame, data: frame.data.slice() });
    return this.#mustWait(stream, seconds) || await this.#open();
  }

  async #write(frame: Frame): Promise<boolean> {
    return await this.#guarded(async () => await this.#process?.write(frame) ?? false);
  }

  /** Whether the first frames of other streams may still come, after one of a stream. */
  #mustWait({ type }: StreamDescription, seconds: number): boolean {
    if (this.#missing().length === 0) return false;
    // Nothing else comes before the beginning of a file than what is decoded for it.
    const begin = this.#isLive ? this.#firstPicture ?? seconds : 0;
    const patience = this.#isLive ? PATIENCE.live : PATIENCE.file;
    if (seconds - begin > patience[type]) return false;
    return this.#waiting.reduce((sum, { data }) => sum + data.byteLength, 0) < PATIENCE.bytes;
  }

  /**
   * Streams of which nothing has come that is to be shown.
   *
   * @param pictures seconds from which on pictures are: one stays until the next
   */
  #missing({ pictures = 0 } = {}): StreamDescription[] {
    return (this.#presentation?.streams ?? []).filter(({ id, type, timeBase }) => {
      const from = this.#isLive ? -Infinity : type === "video" ? pictures : 0;
      return !this.#waiting.some(({ streamId, timestamp }) =>
        streamId === id && toSeconds(timestamp, timeBase) >= from
      );
    });
  }

  get #isLive(): boolean {
    return this.#options.live ?? this.#presentation?.live ?? false;
  }

  /** Starts FFmpeg for what has come, and hands that over. */
  async #open(missing = this.#missing()): Promise<boolean> {
    const presentation = this.#presentation;
    if (presentation === undefined) return false;
    // Something has to be there, be it from before the beginning.
    await this.#start(presentation, missing.length < presentation.streams.length ? missing : []);
    for (const frame of this.#waiting.splice(0)) {
      const isUsed = this.#used.some(({ id }) => id === frame.streamId);
      if (isUsed && !await this.#write(frame)) return false;
    }
    return true;
  }

  /** @param dropped streams that are left out */
  async #start(
    presentation: Presentation,
    dropped: readonly StreamDescription[] = [],
  ): Promise<void> {
    const { can, dialect, signal } = this.#options;
    const streams = presentation.streams.filter((stream) => !dropped.includes(stream));
    this.#used = streams;
    this.#notes = [
      ...browserNotes(streams, { can }),
      ...dropped.map(({ type }) =>
        type === "audio"
          ? "sound is left out: none of it comes here"
          : "pictures are left out: none of them come here"
      ),
    ];
    const turns = streams.some((stream) => stream.type === "video" && stream.rotation);
    const args = fragmentArguments(streams, {
      ...{ can, live: this.#isLive, lead: this.#lead, trims: presentation.lead > 0 },
      rotationBy: turns ? (await dialect()).rotationBy : undefined,
    });
    const process = new FfmpegProcess("ffmpeg", args, {
      ...{ streams, stdout: "piped", lead: this.#lead, signal },
    });
    this.#process = process;
    this.#output = this.#forward(process.stdout, presentation).then(
      () => undefined,
      async (error) => {
        // Nobody takes it any more; FFmpeg would wait for ever.
        await process[Symbol.asyncDispose]();
        return error ?? new Error("nobody takes it any more");
      },
    );
  }

  async finish(): Promise<undefined> {
    if (this.#waiting.length > 0) await this.#open(this.#missing({ pictures: -LAST }));
    await this.#guarded(async () => {
      await this.#process?.finish();
      return true;
    });
    const failure = await this.#output;
    if (failure !== undefined) throw failure;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process?.[Symbol.asyncDispose]();
    await this.#output;
  }

  /** Hands over what FFmpeg writes, from the description of the streams on. */
  async #forward(
    stdout: ReadableStream<Uint8Array>,
    presentation: Presentation,
  ): Promise<void> {
    let head: Uint8Array<ArrayBuffer> | undefined = new Uint8Array(0);
    for await (const chunk of stdout) {
      if (head === undefined) {
        await this.#target.write(chunk);
        continue;
      }
      head = joined(head, chunk);
      const moov = findMoov(head);
      if (moov === undefined) continue;
      this.#target.begin({
        type: mimeTypeOf(moov),
        zero: -this.#lead,
        first: this.#firstPicture ?? this.#firstFrame ?? 0,
        notes: this.#notes,
        presentation,
      });
      await this.#target.write(head);
      head = undefined;
    }
  }

  /** Turns FFmpeg's failure into one line. */
  async #guarded(action: () => Promise<boolean>): Promise<boolean> {
    try {
      return await action();
    } catch (error) {
      if (!(error instanceof ProcessError)) throw error;
      if (this.#options.signal.aborted) return false;
      const failure = await this.#output;
      if (failure !== undefined) throw failure;
      throw new Error(`Cannot make it playable for the browser: ${reasonOf(error)}`, {
        cause: error,
      });
    }
  }
}

/** The body of the box that describes the streams; `undefined` while it is not whole. */
function findMoov(bytes: Uint8Array): Uint8Array | undefined {
  for (let at = 0; at < bytes.byteLength;) {
    const box = readBoxHeader(bytes.subarray(at));
    if (box === undefined) break;
    const end = at + box.size;
    if (end > MAX_HEAD) {
      throw new Error(`Cannot use MP4 whose head takes ${end} bytes, expected ${MAX_HEAD} at most`);
    }
    if (box.type === "moov" && end <= bytes.byteLength) return bytes.subarray(at + box.header, end);
    at = end;
  }
  return undefined;
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(a.byteLength + b.byteLength);
  both.set(a);
  both.set(b, a.byteLength);
  return both;
}
