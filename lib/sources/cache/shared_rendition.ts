/** One rendition of a part of a file: its decoders, and what is kept of its frames. */
import { RequestError } from "../../base/errors.ts";
import { sameStreams, type StreamDescription, toSeconds, toTicks } from "../../media/frame.ts";
import type { FrameSource, TimedFrame } from "../../media/source.ts";
import {
  type Block,
  type BlockStore,
  catchUpTime,
  type Counts,
  type FrameKey,
  reaches,
} from "./blocks.ts";
import { Producer, type ProducerOptions } from "./producer.ts";

/** Frames that a reader skips to read with a decoder that is a little behind. */
const MAX_SKIPPED = 100;

/** A position in a rendition with what is known of the frames before it. */
export interface Place {
  counts: Counts;
  /** The latest frame of each stream before it. */
  keys: ReadonlyMap<number, FrameKey>;
}

/** How a {@linkcode Producer} begins. */
export interface ProducerStart extends Pick<ProducerOptions, "isShared" | "keepsStart" | "slot"> {
  place: Place;
  /** Opens the file from the beginning of the part. */
  open: (signal: AbortSignal) => Promise<FrameSource>;
  /** Opens it behind a place, if that reads less; the frames are the same. */
  openAfter?: (
    keys: Place["keys"],
    streams: readonly StreamDescription[],
    signal: AbortSignal,
  ) => Promise<FrameSource> | undefined;
}

/** The place at which frames begin that are shown from a time on. */
export interface Entry extends Place {
  /** Timestamp of the keyframe that the first of them depends on; absent at the beginning. */
  keyframe?: number;
}

/** Seconds of media behind which an encoder is that will come to the target of a seek soon. */
const SOON = 4;

/** Seconds of a block before a keyframe, since audio may come that much before video. */
const LEAD = 0.5;

/** The beginning. */
const NOTHING: Entry = { counts: new Map(), keys: new Map() };

/** Options of {@linkcode SharedRendition}. */
export interface SharedRenditionOptions {
  /** Text that is the same for parts of a file that differ in nothing but their beginning. */
  family: string;
  /** Seconds of the media at which it begins. */
  start: number;
  /** It has one reader, for whom nothing is kept. @default false */
  isPrivate?: boolean;
  /** Name of the media, for messages. */
  name: string;
  store: BlockStore;
  /** Checks a source that goes on with what others have begun. */
  accept: (source: FrameSource) => Promise<FrameSource>;
  /** Called if frames that were made twice differ. */
  onMismatch: () => void;
  /** Called when a block was removed. */
  onRemoved: (block: Block) => void;
  /** Called when a decoder has ended. */
  onChange: () => void;
  /** Called when there is more to read. */
  onMore: () => void;
}

/** The frames of some options for a state of a file: always the same ones. */
export class SharedRendition {
  /** The description by the first decoder. */
  about: Pick<FrameSource, "streams" | "notes"> | undefined;
  /** The end, once it is known. */
  end: Counts | undefined;
  readonly key: string;
  /** Those who read it. */
  readonly readers = new Set<{ block: Block<Producer> | undefined }>();
  #options: SharedRenditionOptions;
  #blocks = new Set<Block<Producer>>();
  #producers = new Set<Producer>();

  constructor(key: string, options: SharedRenditionOptions) {
    this.key = key;
    this.#options = options;
  }

  /** Text that is the same for parts of a file that differ in nothing but their beginning. */
  get family(): string {
    return this.#options.family;
  }

  /** Seconds of the media at which it begins. */
  get start(): number {
    return this.#options.start;
  }

  /** Whether it has one reader, for whom nothing is kept. */
  get isPrivate(): boolean {
    return this.#options.isPrivate ?? false;
  }

  /** Whether nothing is kept or made of it. */
  get isEmpty(): boolean {
    return this.readers.size === 0 && this.#blocks.size === 0 && this.#producers.size === 0;
  }

  /** Its decoders that run. */
  get producers(): Producer[] {
    return [...this.#producers].filter(({ isLive }) => isLive);
  }

  /** Its blocks. */
  get blocks(): Block<Producer>[] {
    return [...this.#blocks];
  }

  /** Blocks that nobody can go on with, since their decoder has ended and another may differ. */
  get useless(): Block<Producer>[] {
    const unsound = this.blocks.filter(({ origin }) => !origin.isLive && !origin.isSound);
    const used = new Set([...this.readers].map(({ block }) => block?.origin));
    return unsound.filter(({ origin }) => !used.has(origin));
  }

  /**
   * The block that goes on at a position, of a decoder that still runs if there is one.
   *
   * @param own decoder whose frames are taken even if another one may give others
   */
  find(counts: Counts, own?: Producer): Block<Producer> | undefined {
    let found: Block<Producer> | undefined;
    for (const block of this.#blocks) {
      if (!block.continues(counts) || (block.origin !== own && !isOpenToAll(block))) continue;
      if (block.origin.isShared && block.origin.isLive) return block;
      found ??= block;
    }
    return found;
  }

  /** The shared decoder that comes to a position soon. */
  producerFor(counts: Counts): Producer | undefined {
    return [...this.#producers].find(({ isShared, isLive, head }) =>
      isShared && isLive && reaches(counts, head) && distance(head, counts) <= MAX_SKIPPED
    );
  }

  /** Whether somebody can go on at a position without a decoder of its own. */
  serves(counts: Counts): boolean {
    return this.find(counts) !== undefined || this.producerFor(counts) !== undefined;
  }

  /**
   * The place at which to begin for frames from a time on, if they are kept or about to be made.
   *
   * @param seconds on the timeline of the rendition
   */
  entryFor(seconds: number): Entry | undefined {
    const kept = this.#keptEntryFor(seconds);
    if (kept !== undefined) return kept;
    const isNear = seconds >= 0 && seconds <= SOON &&
      this.producerFor(NOTHING.counts) !== undefined;
    return isNear ? NOTHING : undefined;
  }

  /** Whether a viewer who begins at a time in a block finds more behind what is kept. */
  #goesOn(block: Block<Producer>, seconds: number): boolean {
    let last = this.lastAfter(block);
    // Decoders may end at positions of which neither is behind the other in every stream.
    for (const seen = new Set([last]); !last.origin.isLive; seen.add(last)) {
      const next = this.find(last.end);
      if (next === undefined) break;
      last = this.lastAfter(next);
      if (seen.has(last)) break;
    }
    if (last.origin.isLive) return true;
    if (this.end !== undefined && reaches(last.end, this.end)) return true;
    const due = last.due?.last ?? 0;
    return due - seconds > catchUpTime(due) || this.producerFor(last.end) !== undefined;
  }

  #keptEntryFor(seconds: number): Entry | undefined {
    const video = this.about?.streams.find(({ type }) => type === "video");
    if (video === undefined) return undefined;
    const target = toTicks(seconds, video.timeBase);
    for (const block of this.#blocks) {
      if (!isOpenToAll(block) || !covers(block, seconds) || !this.#goesOn(block, seconds)) continue;
      const entry = this.#entryBefore(block, { video, target });
      if (entry !== undefined) return entry;
    }
  }

  /** The place before the keyframe at or before a timestamp, in a block or those before it. */
  #entryBefore(
    block: Block<Producer>,
    { video, target }: { video: StreamDescription; target: number },
  ): Entry | undefined {
    let keyframe: number | undefined;
    for (let at: Block<Producer> | undefined = block; at !== undefined; at = this.#before(at)) {
      keyframe ??= at.keyframeAt(video.id, target);
      const place = { counts: at.first, keys: at.before };
      if (keyframe === undefined) continue;
      const isEarly = (at.due?.first ?? Infinity) <= toSeconds(keyframe, video.timeBase) - LEAD;
      if (at.first.size === 0 || isEarly) return { ...place, keyframe };
    }
  }

  /** The block before another one of the same decoder, if it is kept. */
  #before(block: Block<Producer>): Block<Producer> | undefined {
    return this.#blocks.values().find(({ next }) => next === block);
  }

  /** The last block that follows another one without a gap. */
  lastAfter(block: Block<Producer>): Block<Producer> {
    let last = block;
    while (last.next?.isGone === false) last = last.next;
    return last;
  }

  /** Starts a decoder, which ends when nobody holds it. */
  produce({ place, open, openAfter, ...start }: ProducerStart): Producer {
    const { store, accept, onRemoved, onChange, onMore } = this.#options;
    const producer: Producer = new Producer({
      ...start,
      base: place.counts,
      before: place.keys,
      store,
      open: async (signal) => {
        const about = this.about;
        const later = about && openAfter?.(place.keys, about.streams, signal);
        const opened = await (later ?? open(signal));
        const source = place.counts.size === 0 ? opened : await accept(opened);
        return await this.#checked(source, { place, isLater: later !== undefined });
      },
      about: () => this.#size,
      isKept: (counts) =>
        this.isPrivate ||
        this.#blocks.values().some((block) =>
          block.origin.isSound && (block.continues(counts) || isGrowing(block, counts))
        ),
      onBlock: (block) => {
        this.#blocks.add(block);
        onMore();
      },
      onRemoved: (block) => {
        this.#blocks.delete(block as Block<Producer>);
        onRemoved(block);
      },
      onOver: () => {
        this.#producers.delete(producer);
        if (producer.isSound) this.end ??= producer.end;
        onChange();
      },
    });
    this.#producers.add(producer);
    return producer;
  }

  /** Bytes of what is known besides frames. */
  get #size(): number {
    const { streams = [] } = this.about ?? {};
    const extradata = streams.reduce((sum, stream) => sum + stream.extradata.byteLength, 0);
    return 2 * this.key.length + extradata;
  }

  /** Compares a source with what is known, and skips the frames before a place. */
  async #checked(
    source: FrameSource,
    { place, isLater }: { place: Place; isLater: boolean },
  ): Promise<FrameSource> {
    this.about ??= { streams: source.streams, notes: source.notes };
    if (!sameStreams(source.streams, this.about.streams)) {
      await source[Symbol.asyncDispose]();
      throw this.mismatch();
    }
    if (isLater || place.counts.size === 0) return source;
    const start = this.find(new Map());
    return new SkippingSource(source, {
      place,
      keyAt: (streamId, index) => start?.keyAt(streamId, index),
      toError: () => this.mismatch(),
    });
  }

  /** Forgets the rendition, which is not the same each time; returns the error for that. */
  mismatch(): RequestError {
    const { name, onMismatch } = this.#options;
    onMismatch();
    return new RequestError(
      "media_error",
      `Cannot go on with "${name}": it does not begin as it did before, ask again`,
    );
  }
}

/** Whether a block has the frame for a time, or is about to get it. */
function covers({ due, origin, next, isClosed }: Block<Producer>, seconds: number): boolean {
  if (due === undefined || due.first > seconds) return false;
  const isNewest = origin.isLive && (!isClosed || next === undefined);
  return due.last >= seconds || (isNewest && due.last >= seconds - SOON);
}

/** Whether readers may begin with a block that they did not come to from the one before. */
function isOpenToAll({ isClosed, origin }: Block<Producer>): boolean {
  return origin.isSound && (isClosed || (origin.isShared && origin.isLive));
}

/** Whether the next frame of a block is the one behind a position. */
function isGrowing({ isClosed, isGone, end }: Block<Producer>, counts: Counts): boolean {
  return !isClosed && !isGone && reaches(counts, end) && reaches(end, counts);
}

/** Number of frames between two positions. */
function distance(from: Counts, to: Counts): number {
  let sum = 0;
  for (const [id, count] of to) sum += count - (from.get(id) ?? 0);
  return sum;
}

/** A source without the frames before a place, which have to be the same as before. */
class SkippingSource implements FrameSource {
  #source: FrameSource;
  #place: Place;
  #keyAt: (streamId: number, index: number) => FrameKey | undefined;
  #toError: () => RequestError;
  #frames: AsyncGenerator<TimedFrame, undefined>;
  /** The first frame; reading up to it begins at once. */
  #first: Promise<IteratorResult<TimedFrame, undefined>>;

  constructor(
    source: FrameSource,
    { place, keyAt, toError }: {
      place: Place;
      keyAt: (streamId: number, index: number) => FrameKey | undefined;
      toError: () => RequestError;
    },
  ) {
    this.#source = source;
    this.#place = place;
    this.#keyAt = keyAt;
    this.#toError = toError;
    this.#frames = this.#behind();
    this.#first = this.#frames.next();
    // Thrown when the frames are wanted.
    this.#first.catch(() => {});
  }

  get streams(): readonly StreamDescription[] {
    return this.#source.streams;
  }

  get notes(): readonly string[] {
    return this.#source.notes;
  }

  get warning(): string | undefined {
    return this.#source.warning;
  }

  async *frames(): AsyncGenerator<TimedFrame> {
    const { value: frame } = await this.#first;
    if (frame === undefined) return;
    yield frame;
    yield* this.#frames;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#source[Symbol.asyncDispose]();
    await this.#first.catch(() => {});
    await this.#frames.return(undefined);
  }

  /** The frames behind the place. */
  async *#behind(): AsyncGenerator<TimedFrame, undefined> {
    const seen = new Map<number, number>();
    for await (const frame of this.#source.frames()) {
      const { streamId } = frame;
      const index = seen.get(streamId) ?? 0;
      seen.set(streamId, index + 1);
      if (index >= (this.#place.counts.get(streamId) ?? 0)) yield frame;
      else if (!this.#isExpected(frame, index)) throw this.#toError();
    }
    if (!reaches(seen, this.#place.counts)) throw this.#toError();
  }

  #isExpected({ streamId, timestamp, data }: TimedFrame, index: number): boolean {
    const { counts, keys } = this.#place;
    const isLast = index === counts.get(streamId)! - 1;
    const expected = isLast ? keys.get(streamId) : this.#keyAt(streamId, index);
    return expected === undefined ||
      (expected.timestamp === timestamp && expected.size === data.byteLength);
  }
}
