/** Reads a rendition: what is kept of it, then what its decoders give. */
import { abortable } from "../../base/async.ts";
import type { Clock } from "../../base/clock.ts";
import type { StreamDescription } from "../../media/frame.ts";
import type { Pacer } from "../../media/pacer.ts";
import type { FrameSource, TimedFrame } from "../../media/source.ts";
import type { Slot, SlotHolder, SlotOptions } from "../limits.ts";
import {
  type Block,
  type BlockStore,
  catchUpTime,
  type Counts,
  type FrameKey,
  noteKey,
  reaches,
} from "./blocks.ts";
import { IdleMeter } from "./idle_meter.ts";
import type { Produced, Producer } from "./producer.ts";
import type { Place, ProducerStart, SharedRendition } from "./shared_rendition.ts";

/** How a response is opened, and what it shares with others. */
export interface Opening extends Pick<ProducerStart, "open" | "openAfter"> {
  /** Waits for a decoder slot; a rendition without a decoder needs none. */
  takeSlot: (options: Partial<SlotOptions>) => Promise<Slot>;
  /** Paces the frames of the response. */
  pacer: Pick<Pacer, "speed" | "lateness" | "postpone" | "pausedFor">;
  /** Ends all waiting. */
  signal: AbortSignal;
  /** It begins a response, and so may be asked for again; otherwise it goes on with one. */
  isStart: boolean;
  /** A slot that it has already. */
  slot?: Slot;
}

/** Options of {@linkcode Reader}. */
export interface ReaderOptions {
  opening: Opening;
  store: BlockStore;
  clock: Pick<Clock, "now">;
  /** Called when it has started a decoder. */
  onStarted: () => void;
  /** Called when it has ended. */
  onEnded: () => void;
  /** The position at which to begin. @default the beginning */
  place?: Place;
}

/** The frames of one response, of which others may read the same. Idle, it needs no decoder. */
export class Reader implements FrameSource, SlotHolder {
  readonly isMovable = true;
  #rendition: SharedRendition;
  #options: ReaderOptions;
  #counts: Map<number, number>;
  #keys: Map<number, FrameKey>;
  /** The block it is in. */
  #block: Block<Producer> | undefined;
  /** Frames of the block that it has taken. */
  #taken = 0;
  /** The decoder that it holds. */
  #producer: Producer | undefined;
  /** A slot for the decoder that is started next. */
  #slot: Slot | undefined;
  #starting: Promise<void> | undefined;
  /** A frame has been given. */
  #hasBegun = false;
  #idle: IdleMeter;
  /** The block for whose end a decoder was looked for. */
  #lookedAheadIn: Block | undefined;
  #isDisposed = false;
  /** Ends the wait for a slot. */
  #unwanted = new AbortController();
  /** Settles when the decoders that it held, and nobody else, have ended. */
  #released: Promise<void> | undefined;

  constructor(rendition: SharedRendition, options: ReaderOptions) {
    this.#rendition = rendition;
    this.#options = options;
    this.#slot = options.opening.slot;
    this.#idle = new IdleMeter(options.opening.pacer, options);
    this.#counts = new Map(options.place?.counts);
    this.#keys = new Map(options.place?.keys);
  }

  get streams(): readonly StreamDescription[] {
    return this.#rendition.about?.streams ?? [];
  }

  get notes(): readonly string[] {
    return this.#rendition.about?.notes ?? [];
  }

  get warning(): string | undefined {
    return this.#producer?.warning ?? this.#block?.origin.warning;
  }

  /** The block that it is in, or will be in next. */
  get block(): Block<Producer> | undefined {
    return this.#block;
  }

  /**
   * Finds, or starts, what gives the first frame.
   *
   * @returns whether it is in memory
   */
  async open(): Promise<boolean> {
    return await this.#begin().finally(() => this.#idle.rest());
  }

  async #begin(): Promise<boolean> {
    const { signal, isStart } = this.#options.opening;
    while (true) {
      const block = this.#rendition.find(this.#counts);
      if (block !== undefined) {
        this.#enter(block);
        const due = block.due?.first ?? 0;
        // Before a first frame is sent, a viewer may have to wait for a slot.
        if (!isStart) this.#lookAhead(due);
        else if (this.#needsDecoder(due)) {
          await this.#takeSlot(this.#rendition.lastAfter(block).end);
        }
        return true;
      }
      const isShared = this.#joins();
      if (isShared) this.#releaseSlot();
      if (!isShared) await this.#start({ counts: this.#counts, keys: this.#keys });
      const producer = this.#producer;
      if (producer === undefined) continue;
      try {
        await abortable(producer.opened, signal);
        return isShared && producer.hasBegun;
      } catch (error) {
        if (signal.aborted || !producer.isStopped) throw error;
      }
    }
  }

  async *frames(): AsyncGenerator<TimedFrame> {
    this.#idle.wake();
    for (let frame; (frame = await this.#next()) !== undefined;) {
      this.#hasBegun = true;
      this.#idle.rest(frame.due);
      yield frame;
      this.#idle.wake();
      // Only now: starting FFmpeg takes longer than sending the first frame.
      this.#lookAhead(frame.due);
    }
  }

  /** Releases its decoder, and waits for its end if nobody else needs it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true;
    this.#unwanted.abort();
    this.#block = undefined;
    this.#releaseSlot();
    await this.#starting?.catch(() => {});
    await this.#hold(undefined);
    await this.#released;
    this.#options.onEnded();
  }

  get idleIn(): number {
    return this.#idle.idleIn;
  }

  /** Gives up a slot for which it has not started a decoder yet. */
  giveUp(): void {
    this.#releaseSlot();
    this.#lookedAheadIn = undefined;
  }

  /** Notes that a block was removed: a decoder that is past it is of no use. */
  onRemoved(block: Block): void {
    const isNext = this.#block === block || this.#block?.next === block;
    const producer = this.#producer;
    if (!isNext || producer === undefined || reaches(this.#counts, producer.head)) return;
    if (this.#block === block) this.#block = undefined;
    // A decoder that nobody holds ends by itself.
    this.#hold(undefined).catch(() => {});
  }

  async #next(): Promise<TimedFrame | undefined> {
    while (true) {
      const kept = this.#takeKept();
      if (kept !== undefined) return kept;
      if (this.#isAtEnd) return undefined;
      const producer = this.#producer;
      if (producer?.isStopped === false && reaches(this.#counts, producer.head)) {
        if (this.#hopsFrom(producer)) continue;
        const produced = await this.#produced(producer);
        if (produced !== undefined && this.#isNew(produced.frame, produced.index)) {
          return this.#give(produced.frame, produced.index);
        }
        continue;
      }
      await this.#goOn();
    }
  }

  /** Takes the next frame out of the block, or of those that follow. */
  #takeKept(): TimedFrame | undefined {
    while (this.#block !== undefined) {
      const block = this.#block;
      if (block.isGone) {
        this.#block = undefined;
        return undefined;
      }
      while (this.#taken < block.length) {
        const { frame, index } = block.at(this.#taken++);
        if (this.#isNew(frame, index)) return this.#give(frame, index);
      }
      if (block.next === undefined || block.next.isGone) return undefined;
      this.#enter(block.next);
    }
  }

  #isNew({ streamId }: TimedFrame, index: number): boolean {
    return index >= (this.#counts.get(streamId) ?? 0);
  }

  #give(frame: TimedFrame, index: number): TimedFrame {
    this.#producer?.reached(frame.due);
    this.#counts.set(frame.streamId, index + 1);
    noteKey(this.#keys, frame);
    return frame;
  }

  /** Whether all frames have been taken. */
  get #isAtEnd(): boolean {
    const ends = [this.#rendition.end, this.#producer?.end, this.#block?.origin.end];
    return ends.some((end) => end !== undefined && reaches(this.#counts, end));
  }

  /** Goes on with what others have made, if the decoder would begin a new block. */
  #hopsFrom(producer: Producer): boolean {
    if (!producer.isShared || producer.tail?.isClosed === false) return false;
    const block = this.#rendition.find(this.#counts);
    if (block === undefined || block.origin === producer) return false;
    this.#enter(block);
    return true;
  }

  async #produced(producer: Producer): Promise<Produced | undefined> {
    const { pacer, signal } = this.#options.opening;
    const isStarting = !producer.hasBegun;
    const startedAt = performance.now();
    const produced = await abortable(producer.advance(), signal).catch((error) => {
      if (!producer.isStopped) throw error;
    });
    if (produced === undefined) return undefined;
    this.#block = produced.block;
    this.#taken = produced.place + 1;
    // If FFmpeg starts slowly, the frames that follow do not count as late.
    if (isStarting) {
      const seconds = (performance.now() - startedAt) / 1000;
      pacer.postpone(Math.min(seconds, Math.max(0, pacer.lateness(produced.frame.due))));
    }
    return produced;
  }

  /** Finds what goes on at its position. */
  async #goOn(): Promise<void> {
    const { pacer, signal } = this.#options.opening;
    const before = pacer.lateness(0);
    if (this.#starting !== undefined) {
      await abortable(this.#starting, signal);
    } else {
      const block = this.#rendition.find(this.#counts, this.#producer);
      if (block !== undefined) return this.#enter(block);
      if (this.#joins()) return;
      await this.#start({ counts: this.#counts, keys: this.#keys });
    }
    // The wait for a slot, but for a pause meanwhile.
    if (this.#hasBegun) pacer.postpone(pacer.lateness(0) - before);
  }

  #enter(block: Block<Producer>): void {
    this.#block = block;
    this.#taken = 0;
    this.#options.store.touch(block);
    const { origin } = block;
    if (origin === this.#producer || !origin.isShared || !origin.isLive || this.#isAlone) return;
    this.#hold(origin).catch(() => {});
  }

  /** Joins a decoder of others that is at its position or a little before; returns whether it did. */
  #joins(): boolean {
    if (this.#isAlone) return false;
    const producer = this.#rendition.producerFor(this.#counts);
    if (producer === undefined) return false;
    this.#hold(producer).catch(() => {});
    return true;
  }

  /** Starts a decoder before what is kept ends. */
  #lookAhead(due: number): void {
    const block = this.#block;
    if (block === undefined || block === this.#lookedAheadIn || this.#starting !== undefined) {
      return;
    }
    this.#lookedAheadIn = block;
    if (!this.#needsDecoder(due)) return this.#releaseSlot();
    const last = this.#rendition.lastAfter(block);
    const counts = new Map(last.end);
    const starting = this.#start({ counts, keys: last.keys }).then(() => {
      // Reads up to there. The frame of a decoder that nobody else reads would be lost.
      if (!this.#isAlone) this.#producer?.advance().catch(() => {});
    });
    // Thrown when the frames are wanted.
    starting.catch(() => {});
    this.#starting = starting.finally(() => this.#starting = undefined);
    this.#starting.catch(() => {});
  }

  /** Whether what is kept ends so soon that a decoder has to be started. */
  #needsDecoder(due: number): boolean {
    if (this.#block === undefined) return false;
    const last = this.#rendition.lastAfter(this.#block);
    const { origin, end, isClosed } = last;
    if (origin === this.#producer && !origin.isStopped) return false;
    if (origin.isLive && !isClosed && !this.#isAlone) return false;
    const { end: mediaEnd } = this.#rendition;
    if (mediaEnd !== undefined && reaches(end, mediaEnd)) return false;
    if (this.#isServed(end) || this.#reaches(end)) return false;
    const lastDue = last.due?.last ?? due;
    return this.#isAlone || lastDue - due <= catchUpTime(lastDue);
  }

  /** Starts a decoder for a place, unless others make that needless. */
  async #start(place: Place): Promise<void> {
    const { open, openAfter, isStart } = this.#options.opening;
    const held = { counts: new Map(place.counts), keys: new Map(place.keys) };
    // A decoder that is past the place may have the slot that is waited for.
    if (!this.#reaches(held.counts)) this.#hold(undefined).catch(() => {});
    if (!await this.#takeSlot(held.counts)) return;
    if (this.#isServed(held.counts)) return this.#releaseSlot();
    const slot = this.#slot;
    // It was given up at the same time.
    if (slot === undefined) return;
    this.#slot = undefined;
    const producer = this.#rendition.produce({
      ...{ place: held, open, openAfter, slot, isShared: !this.#isAlone },
      keepsStart: isStart && !this.#rendition.isPrivate && held.counts.size === 0,
    });
    await this.#hold(producer);
    this.#options.onStarted();
  }

  /** Waits for a slot; false if nobody needs one for that position any more. */
  async #takeSlot(counts: Counts): Promise<boolean> {
    const { takeSlot } = this.#options.opening;
    if (this.#slot !== undefined) return true;
    let isNeedless = false;
    const slot = await takeSlot({
      // One that is idle waits when it wants a frame.
      isNeedless: () => isNeedless = this.#isServed(counts) || this.idleIn <= 0,
      signal: this.#unwanted.signal,
    });
    if (isNeedless || this.#isDisposed) {
      slot[Symbol.dispose]();
      return false;
    }
    slot.holder = this;
    this.#slot = slot;
    return true;
  }

  #releaseSlot(): void {
    this.#slot?.[Symbol.dispose]();
    this.#slot = undefined;
  }

  /** Whether it has a decoder of its own, as one that is faster than others. */
  get #isAlone(): boolean {
    return this.#rendition.isPrivate || this.#options.opening.pacer.speed === 0;
  }

  /** Whether the decoder that it holds comes to a position. */
  #reaches(counts: Counts): boolean {
    return this.#producer?.isLive === true && reaches(counts, this.#producer.head);
  }

  /** Whether it can go on at a position with what others make. */
  #isServed(counts: Counts): boolean {
    return !this.#isAlone && this.#rendition.serves(counts);
  }

  /** Holds a decoder instead of the one before. */
  async #hold(producer: Producer | undefined): Promise<void> {
    const before = this.#producer;
    if (before === producer) return;
    this.#producer = producer;
    producer?.hold(this);
    const earlier = this.#released;
    this.#released = before?.release(this).then(() => earlier) ?? earlier;
    await this.#released;
    if (producer !== undefined && this.#isDisposed) await this.#hold(undefined);
  }
}
