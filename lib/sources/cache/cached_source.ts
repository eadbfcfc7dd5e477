/** Records how a response starts, and replays such a start in front of its continuation. */
import { RequestError } from "../../base/errors.ts";
import {
  FRAME_HEADROOM,
  FRAME_TAILROOM,
  sameStreams,
  type StreamDescription,
} from "../../media/frame.ts";
import type { FrameSource, FrameTap, TimedFrame } from "../../media/source.ts";
import type { CachedStart, Recording, StoredStart } from "./store.ts";

/** Seconds of raw video to record: FFmpeg takes less to start and decode as much again. */
const RAW_TIME = 0.3;

/** Seconds of compressed streams to record: encoders start slowly, and packets are small. */
const PACKET_TIME = 1;

/** Records the first frames of a source, as its tap. */
export class StartRecorder implements FrameTap {
  #source: FrameSource;
  #recording: Recording;
  #isUnchanged: () => Promise<boolean>;
  /** Seconds at which the recording ends. */
  #end = Infinity;

  /**
   * @param isUnchanged called at the end: whether the file still is what it was
   */
  constructor(source: FrameSource, recording: Recording, isUnchanged: () => Promise<boolean>) {
    this.#source = source;
    this.#recording = recording;
    this.#isUnchanged = isUnchanged;
  }

  get isDone(): boolean {
    return this.#recording.isOver;
  }

  async onFrame(frame: TimedFrame): Promise<void> {
    // Frames before 0 are for decoding only.
    if (this.#end === Infinity && frame.due >= 0) {
      this.#end = frame.due + recordedTime(this.#source.streams);
    }
    if (frame.due >= this.#end) await this.#keep(false);
    else this.#recording.add(frame);
  }

  async onEnd(): Promise<void> {
    if (!this.isDone) await this.#keep(true);
  }

  [Symbol.dispose](): void {
    this.#recording.drop();
  }

  async #keep(isWhole: boolean): Promise<void> {
    const { streams, notes, warning } = this.#source;
    // Damaged media may be decoded differently the next time.
    if (warning === undefined && await this.#isUnchanged()) {
      this.#recording.keep({ streams, notes, isWhole });
    } else {
      this.#recording.drop();
    }
  }
}

function recordedTime(streams: readonly StreamDescription[]): number {
  const isRaw = streams.some(({ type, codec }) => type === "video" && codec === "rawvideo");
  return isRaw ? RAW_TIME : PACKET_TIME;
}

/** How a response goes on after its cached start. */
export interface Continuation {
  /** Name of the media, for messages. */
  name: string;
  /** Opens the media from where the cached start begins; the signal cancels that. */
  open: (signal: AbortSignal) => Promise<FrameSource>;
  /** Called if the opened source does not begin with the cached start. */
  onMismatch: () => void;
  /** Called with the due time of the first frame after the start, and the seconds waited for it. */
  onWait: (due: number, seconds: number) => void;
}

/** A response whose start is cached. The rest is opened once the first frame has been used. */
export class ReplayedSource implements FrameSource {
  readonly streams: readonly StreamDescription[];
  readonly notes: readonly string[];
  /** Released, and absent, once it has been replayed. */
  #stored: StoredStart | undefined;
  #rest: ContinuedFrames | undefined;
  #continuation: Continuation | undefined;

  /**
   * @param stored disposed of as soon as it has been replayed
   * @param continuation absent if nothing follows the start
   */
  constructor(stored: StoredStart, continuation?: Continuation) {
    this.streams = stored.start.streams;
    this.notes = stored.start.notes;
    this.#stored = stored;
    this.#continuation = continuation;
  }

  get warning(): string | undefined {
    return this.#rest?.warning;
  }

  async *frames(): AsyncGenerator<TimedFrame> {
    for (const frame of copies(this.#stored?.start.frames ?? [])) {
      yield frame;
      // Only now: starting FFmpeg takes longer than sending the first frame.
      this.#openRest();
    }
    this.#release();
    if (this.#rest === undefined || this.#continuation === undefined) return;
    const startedAt = performance.now();
    const { value: frame } = await this.#rest.first;
    if (frame === undefined) return;
    this.#continuation.onWait(frame.due, (performance.now() - startedAt) / 1000);
    yield frame;
    yield* this.#rest.further;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#release();
    await this.#rest?.[Symbol.asyncDispose]();
  }

  #openRest(): void {
    if (this.#stored === undefined || this.#continuation === undefined) return;
    this.#rest ??= new ContinuedFrames(this.#stored.start, this.#continuation);
  }

  #release(): void {
    this.#stored?.[Symbol.dispose]();
    this.#stored = undefined;
  }
}

/** Identifies a frame of a cached start within its stream. */
interface FrameKey {
  timestamp: number;
  /** Bytes. */
  size: number;
}

/** The frames of a source behind its cached start. */
class ContinuedFrames implements AsyncDisposable {
  /** The first frame; reading up to it begins at once. */
  readonly first: Promise<IteratorResult<TimedFrame, undefined>>;
  /** The frames after that. */
  readonly further: AsyncGenerator<TimedFrame, undefined>;
  #continuation: Continuation;
  #streams: readonly StreamDescription[];
  /** Frames of the start that have yet to come, by stream. */
  #expected: Map<number, FrameKey[]>;
  #unwanted = new AbortController();
  #opening: Promise<FrameSource>;
  #source: FrameSource | undefined;

  constructor({ streams, frames }: CachedStart, continuation: Continuation) {
    this.#continuation = continuation;
    this.#streams = streams;
    this.#expected = Map.groupBy(
      frames.map(({ streamId, timestamp, data }) => ({ streamId, timestamp, size: data.length })),
      ({ streamId }) => streamId,
    );
    this.#opening = this.#open();
    this.further = this.#frames();
    this.first = this.further.next();
    // A failure is thrown once the start has been replayed, if ever.
    this.#opening.catch(() => {});
    this.first.catch(() => {});
  }

  get warning(): string | undefined {
    return this.#source?.warning;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unwanted.abort();
    const source = await this.#opening.catch(() => undefined);
    await source?.[Symbol.asyncDispose]();
    await this.first.catch(() => {});
    await this.further.return(undefined);
  }

  async #open(): Promise<FrameSource> {
    this.#source = await this.#continuation.open(this.#unwanted.signal);
    return this.#source;
  }

  async *#frames(): AsyncGenerator<TimedFrame, undefined> {
    const source = await this.#opening;
    if (!sameStreams(source.streams, this.#streams)) throw this.#mismatch();
    for await (const frame of source.frames()) {
      const expected = this.#expected.get(frame.streamId)?.shift();
      if (expected === undefined) yield frame;
      else if (expected.timestamp !== frame.timestamp || expected.size !== frame.data.length) {
        throw this.#mismatch();
      }
    }
    if (this.#expected.values().some((keys) => keys.length > 0)) throw this.#mismatch();
  }

  #mismatch(): RequestError {
    const { name, onMismatch } = this.#continuation;
    onMismatch();
    return new RequestError(
      "media_error",
      `Cannot go on with "${name}": it does not begin as it did before, ask again`,
    );
  }
}

/** Copies frames into memory that is the reader's own, with headroom and tailroom. */
function* copies(frames: readonly TimedFrame[]): Generator<TimedFrame> {
  let memory = new Uint8Array(0);
  for (const frame of frames) {
    const { byteLength } = frame.data;
    const size = FRAME_HEADROOM + byteLength + FRAME_TAILROOM;
    // A frame is valid until the next one is asked for, so that all can use one buffer.
    if (memory.length < size) memory = new Uint8Array(size);
    const data = memory.subarray(FRAME_HEADROOM, FRAME_HEADROOM + byteLength);
    data.set(frame.data);
    yield { ...frame, data };
  }
}
