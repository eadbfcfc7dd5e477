/** Fragments for the browser: of MP4, or of WebM if pictures are transparent. */
import { ProcessError } from "../../base/errors.ts";
import type { FfmpegDialect } from "../../ffmpeg/version.ts";
import { copyFrame, type Frame, type StreamDescription, toSeconds } from "../../media/frame.ts";
import type { Cue } from "../../media/subtitles.ts";
import { FfmpegProcess, reasonOf } from "../ffmpeg_process.ts";
import type { Presentation, Sink } from "../sink.ts";
import { browserNotes, fragmentArguments, isWebm } from "./fragment_args.ts";
import { mimeTypeOf, readBoxHeader } from "./mp4_codecs.ts";

export { BROWSER_CODECS } from "./fragment_args.ts";

/** Description of fragments, before its first byte. */
export interface FragmentHeader {
  /** Media type with the exact codecs. */
  type: string;
  /** Time 0 of the fragments, in seconds of the frames' timestamps. */
  zero: number;
  /** Timestamp of the first video frame, or audio frame if there is no video, seconds. */
  first: number;
  /** Sentences about what is not as it was sent. */
  notes: string[];
  presentation: Presentation;
}

/** Destination of fragments. Methods are called one at a time. */
export interface FragmentTarget {
  /** Takes the description, once, before the first byte. */
  begin(header: FragmentHeader): void;
  /** Takes bytes; resolves when it is ready for more. */
  write(bytes: Uint8Array): Promise<void>;
  /** Takes a text of subtitles, whose times are seconds of the frames' timestamps. */
  subtitle?(cue: Cue): void;
}

/** Options of {@linkcode FragmentSink}. */
export interface FragmentSinkOptions {
  /** Codecs that the browser plays, by FFmpeg's names. */
  can: ReadonlySet<string>;
  /** Raw pictures become transparent ones. @default false */
  isTransparent?: boolean;
  /** Frames arrive in real time; by default, if the media is live. */
  live?: boolean;
  /** Argument spelling of the installed FFmpeg. */
  dialect: () => Promise<FfmpegDialect>;
  signal: AbortSignal;
}

/** Bytes of the boxes up to the end of "moov" at most. */
const MAX_HEAD = 1 << 20;

/**
 * Seconds of one stream type, and bytes, that wait for the first frame of the other, which is
 * dropped after that.
 */
const PATIENCE = {
  file: { video: 10, audio: 60 },
  // Live video starts with its next keyframe, whenever that comes.
  live: { video: 2, audio: Infinity },
  bytes: 128 << 20,
  rawBytes: 32 << 20,
};

/** Seconds for which the last picture stays if only audio follows. */
const LAST = 10;

/** Whole seconds of the fragments before the beginning, for packets that are only decoded. */
const LEAD = 1;

/**
 * Converts everything to fragments with FFmpeg: packets that the browser plays are copied, others
 * encoded as H.264 and AAC, or as transparent VP9 and Opus. A stream without frames is dropped, since
 * FFmpeg would delay all others for it until the end.
 */
export class FragmentSink implements Sink {
  #target: FragmentTarget;
  #options: FragmentSinkOptions;
  #process: FfmpegProcess | undefined;
  #presentation: Presentation | undefined;
  #lead = LEAD;
  #notes: string[] = [];
  /** Frames from before all streams had one. */
  #waiting: Frame[] = [];
  #used: readonly StreamDescription[] = [];
  /** Resolves when FFmpeg's output is written, with the error if that failed. */
  #output: Promise<unknown> = Promise.resolve();
  /** Settles when the target has taken what FFmpeg has written so far. */
  #writing: Promise<void> = Promise.resolve();
  /** Timestamps of the first video frame and of the first frame, seconds. */
  #firstPicture: number | undefined;
  #firstFrame: number | undefined;

  constructor(target: FragmentTarget, options: FragmentSinkOptions) {
    this.#target = target;
    this.#options = options;
  }

  async begin(presentation: Presentation): Promise<void> {
    this.#presentation = presentation;
    this.#lead = Math.max(LEAD, presentation.lead);
    // Raw pictures are too large to wait, but for those that are shown in a small size.
    const isLarge = presentation.encoding === "raw" && !this.#options.isTransparent;
    if (isLarge) await this.#start(presentation);
  }

  subtitle(text: string, start: number, end: number): void {
    this.#target.subtitle?.({ start, end, text });
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
    // The memory of a frame is reused for the next.
    this.#waiting.push(copyFrame(frame));
    return this.#mustWait(stream, seconds) || await this.#open();
  }

  async #write(frame: Frame): Promise<boolean> {
    // Frames that wait in FFmpeg's pipes get old.
    if (this.#isLive) await this.#writing;
    return await this.#guarded(async () => await this.#process?.write(frame) ?? false);
  }

  /** Whether to wait longer for first frames of other streams, after a frame of one stream. */
  #mustWait({ type }: StreamDescription, seconds: number): boolean {
    if (this.#missing().length === 0) return false;
    // Frames before the beginning of a file are there for decoding only.
    const begin = this.#isLive ? this.#firstPicture ?? seconds : 0;
    const patience = this.#isLive ? PATIENCE.live : PATIENCE.file;
    if (seconds - begin > patience[type]) return false;
    const most = this.#options.isTransparent ? PATIENCE.rawBytes : PATIENCE.bytes;
    return this.#waiting.reduce((sum, { data }) => sum + data.byteLength, 0) < most;
  }

  /**
   * Streams without a frame that is shown.
   *
   * @param pictures seconds from which on pictures count, since one stays until the next
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

  /** Starts FFmpeg, and writes the frames that wait. */
  async #open(missing = this.#missing()): Promise<boolean> {
    const presentation = this.#presentation;
    if (presentation === undefined) return false;
    // At least one stream is needed, even if all its frames are only decoded.
    await this.#start(presentation, missing.length < presentation.streams.length ? missing : []);
    for (const frame of this.#waiting.splice(0)) {
      const isUsed = this.#used.some(({ id }) => id === frame.streamId);
      if (isUsed && !await this.#write(frame)) return false;
    }
    return true;
  }

  /** @param dropped streams without frames */
  async #start(
    presentation: Presentation,
    dropped: readonly StreamDescription[] = [],
  ): Promise<void> {
    const { can, isTransparent, dialect, signal } = this.#options;
    const streams = presentation.streams.filter((stream) => !dropped.includes(stream));
    this.#used = streams;
    this.#notes = [
      ...browserNotes(streams, { can }),
      ...dropped.map(({ type }) =>
        type === "audio"
          ? "sound is dropped: none of it comes here"
          : "pictures are dropped: none of them come here"
      ),
    ];
    const turns = streams.some((stream) => stream.type === "video" && stream.rotation);
    const args = fragmentArguments(streams, {
      ...{ can, isTransparent, live: this.#isLive, lead: this.#lead },
      trims: presentation.lead > 0,
      toneMap: presentation.toneMap,
      rotationBy: turns ? (await dialect()).rotationBy : undefined,
    });
    const process = new FfmpegProcess("ffmpeg", args, {
      ...{ streams, stdout: "piped", lead: this.#lead, signal },
    });
    this.#process = process;
    this.#output = this.#forward(process.stdout, presentation).then(
      () => undefined,
      async (error) => {
        // Without a reader, FFmpeg would block for ever.
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

  /** Passes FFmpeg's output on, once the description of the streams is complete. */
  async #forward(
    stdout: ReadableStream<Uint8Array>,
    presentation: Presentation,
  ): Promise<void> {
    const webmType = isWebm(this.#used, this.#options) ? webmTypeOf(this.#used) : undefined;
    let head: Uint8Array<ArrayBuffer> | undefined = new Uint8Array(0);
    for await (const chunk of stdout) {
      if (head === undefined) {
        await this.#pass(chunk);
        continue;
      }
      head = joined(head, chunk);
      const type = webmType ?? mp4TypeOf(head);
      if (type === undefined) continue;
      this.#target.begin({
        ...{ type, zero: -this.#lead, notes: this.#notes, presentation },
        first: this.#firstPicture ?? this.#firstFrame ?? 0,
      });
      await this.#pass(head);
      head = undefined;
    }
  }

  async #pass(bytes: Uint8Array): Promise<void> {
    const writing = this.#target.write(bytes);
    // A failure ends FFmpeg, and is reported then.
    this.#writing = writing.catch(() => {});
    await writing;
  }

  /** Runs an action, and explains a failure of FFmpeg in one line. */
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

/** Media type of WebM with transparent VP9. */
function webmTypeOf(streams: readonly StreamDescription[]): string {
  const hasSound = streams.some(({ type }) => type === "audio");
  return `video/webm; codecs="vp9${hasSound ? ",opus" : ""}"`;
}

/** Media type of MP4, by its first bytes; `undefined` until they are complete. */
function mp4TypeOf(head: Uint8Array): string | undefined {
  const moov = findMoov(head);
  return moov && mimeTypeOf(moov);
}

/** Body of the box "moov"; `undefined` until it is complete. */
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
