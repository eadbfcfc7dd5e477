import { RequestError } from "../../base/errors.ts";
import {
  FRAME_HEADROOM,
  FRAME_TAILROOM,
  sameStreams,
  type StreamDescription,
} from "../../media/frame.ts";
import type { FrameSource, TimedFrame } from "../../media/source.ts";
import type { CachedStart, Recording, StoredStart } from "./store.ts";

/** Seconds of raw pictures that are recorded: in less, FFmpeg starts and gives as many again. */
const RAW_SPAN = 0.3;

/** The same for all else: encoders are slow to begin, and what they give is small. */
const PACKET_SPAN = 1;

/** A source whose first frames are recorded while they pass by. */
export class RecordedSource implements FrameSource {
  readonly streams: readonly StreamDescription[];
  readonly notes: readonly string[];
  #source: FrameSource;
  #recording: Recording;
  #isLasting: () => Promise<boolean>;

  /**
   * @param isLasting looks, when all is recorded, whether it may be kept
   */
  constructor(source: FrameSource, recording: Recording, isLasting: () => Promise<boolean>) {
    this.streams = source.streams;
    this.notes = source.notes;
    this.#source = source;
    this.#recording = recording;
    this.#isLasting = isLasting;
  }

  get warning(): string | undefined {
    return this.#source.warning;
  }

  async *frames(): AsyncGenerator<TimedFrame> {
    const recording = this.#recording;
    const frames = this.#source.frames();
    const span = spanOf(this.streams);
    let end = Infinity;
    try {
      for await (const frame of frames) {
        // What is for decoding only has no moment of its own.
        if (end === Infinity && frame.due >= 0) end = frame.due + span;
        if (frame.due >= end) await this.#keep(false);
        else recording.add(frame);
        yield frame;
        if (!recording.isOver) continue;
        yield* frames;
        return;
      }
      await this.#keep(true);
    } finally {
      recording.drop();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#recording.drop();
    await this.#source[Symbol.asyncDispose]();
  }

  async #keep(isWhole: boolean): Promise<void> {
    const { streams, notes } = this;
    // What is damaged may well be decoded to something else the next time.
    const isSound = this.warning === undefined;
    if (isSound && await this.#isLasting()) this.#recording.keep({ streams, notes, isWhole });
    else this.#recording.drop();
  }
}

function spanOf(streams: readonly StreamDescription[]): number {
  const isRaw = streams.some(({ type, codec }) => type === "video" && codec === "rawvideo");
  return isRaw ? RAW_SPAN : PACKET_SPAN;
}

/** What follows upon a head. */
export interface Continuation {
  /** Name of the media, for messages. */
  name: string;
  /** Opens the media from the beginning of the head; the signal says that nobody wants it. */
  open: (signal: AbortSignal) => Promise<FrameSource>;
  /** Told when what was opened does not begin with the head. */
  onOther: () => void;
  /** Told when the first frame behind the head is due, and how many seconds were waited for it. */
  onWait: (due: number, seconds: number) => void;
}

/** An answer whose beginning is known; the rest is opened once the first frame was used. */
export class ReplayedSource implements FrameSource {
  readonly streams: readonly StreamDescription[];
  readonly notes: readonly string[];
  /** Absent once it is used up, so that nothing keeps its memory. */
  #held: StoredStart | undefined;
  #rest: Rest | undefined;
  #continuation: Continuation | undefined;

  /**
   * @param held disposed of as soon as it is used up
   * @param continuation absent where the head is all there is
   */
  constructor(held: StoredStart, continuation?: Continuation) {
    this.streams = held.head.streams;
    this.notes = held.head.notes;
    this.#held = held;
    this.#continuation = continuation;
  }

  get warning(): string | undefined {
    return this.#rest?.warning;
  }

  async *frames(): AsyncGenerator<TimedFrame> {
    for (const frame of copies(this.#held?.head.frames ?? [])) {
      yield frame;
      // Not before: starting a program takes longer than sending the first frame.
      this.#begin();
    }
    this.#letGo();
    if (this.#rest === undefined || this.#continuation === undefined) return;
    const asked = performance.now();
    const { value: frame } = await this.#rest.first;
    if (frame === undefined) return;
    this.#continuation.onWait(frame.due, (performance.now() - asked) / 1000);
    yield frame;
    yield* this.#rest.further;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#letGo();
    await this.#rest?.[Symbol.asyncDispose]();
  }

  #begin(): void {
    if (this.#held === undefined || this.#continuation === undefined) return;
    this.#rest ??= new Rest(this.#held.head, this.#continuation);
  }

  #letGo(): void {
    this.#held?.[Symbol.dispose]();
    this.#held = undefined;
  }
}

/** What has to be known of a frame of the head to find it again. */
interface Known {
  timestamp: number;
  /** Bytes. */
  size: number;
}

/** A source without the frames of a head with which it begins. */
class Rest implements AsyncDisposable {
  /** What comes first; the head's frames are let go by as soon as they come. */
  readonly first: Promise<IteratorResult<TimedFrame, undefined>>;
  /** What comes behind that. */
  readonly further: AsyncGenerator<TimedFrame, undefined>;
  #continuation: Continuation;
  #streams: readonly StreamDescription[];
  /** Frames of the head that have yet to come, of each stream apart. */
  #known: Map<number, Known[]>;
  #vain = new AbortController();
  #opening: Promise<FrameSource>;
  #source: FrameSource | undefined;

  constructor({ streams, frames }: CachedStart, continuation: Continuation) {
    this.#continuation = continuation;
    this.#streams = streams;
    this.#known = Map.groupBy(
      frames.map(({ streamId, timestamp, data }) => ({ streamId, timestamp, size: data.length })),
      ({ streamId }) => streamId,
    );
    this.#opening = this.#open();
    this.further = this.#frames();
    this.first = this.further.next();
    // A failure is told where the head is used up, if ever.
    this.#opening.catch(() => {});
    this.first.catch(() => {});
  }

  get warning(): string | undefined {
    return this.#source?.warning;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#vain.abort();
    const source = await this.#opening.catch(() => undefined);
    await source?.[Symbol.asyncDispose]();
    await this.first.catch(() => {});
    await this.further.return(undefined);
  }

  async #open(): Promise<FrameSource> {
    this.#source = await this.#continuation.open(this.#vain.signal);
    return this.#source;
  }

  async *#frames(): AsyncGenerator<TimedFrame, undefined> {
    const source = await this.#opening;
    if (!sameStreams(source.streams, this.#streams)) throw this.#other();
    for await (const frame of source.frames()) {
      const known = this.#known.get(frame.streamId)?.shift();
      if (known === undefined) yield frame;
      else if (known.timestamp !== frame.timestamp || known.size !== frame.data.length) {
        throw this.#other();
      }
    }
    if (this.#known.values().some((left) => left.length > 0)) throw this.#other();
  }

  #other(): RequestError {
    const { name, onOther } = this.#continuation;
    onOther();
    return new RequestError(
      "media_error",
      `Cannot go on with "${name}": it does not begin as it did before, ask again`,
    );
  }
}

/** Gives frames in memory that is the viewer's own, with the room around them that wires need. */
function* copies(frames: readonly TimedFrame[]): Generator<TimedFrame> {
  let memory = new Uint8Array(0);
  for (const frame of frames) {
    const { byteLength } = frame.data;
    const size = FRAME_HEADROOM + byteLength + FRAME_TAILROOM;
    // A frame is good until the next is asked for, so that one piece of memory does.
    if (memory.length < size) memory = new Uint8Array(size);
    const data = memory.subarray(FRAME_HEADROOM, FRAME_HEADROOM + byteLength);
    data.set(frame.data);
    yield { ...frame, data };
  }
}
