/** One decoder of a rendition, whose frames all readers share. */
import { copyFrame, keepFrame, type StreamDescription } from "../../media/frame.ts";
import type { FrameSource, TimedFrame } from "../../media/source.ts";
import type { Slot, SlotHolder } from "../limits.ts";
import {
  Block,
  type BlockStore,
  catchUpTime,
  type Counts,
  type FrameKey,
  noteKey,
  storedSize,
} from "./blocks.ts";

/** Seconds of raw video that begin a response: FFmpeg takes less to start and decode as much again. */
const RAW_START = 0.3;

/** Seconds of compressed streams that begin one: encoders start slowly, and packets are small. */
const PACKET_START = 1;

/** Seconds of a block that follows the start. */
const BLOCK_TIME = 1;

/** Bytes of a block that follows the start; it has at least one frame. */
const BLOCK_SIZE = 8e6;

/** Seconds of packets that are made before they are wanted, so that seeks find them. */
const AHEAD = 30;

/** Seconds by which a decoder is so far ahead of its readers that they can do without it. */
const IDLE = 10;

/** A frame, and the place at which others find it. */
export interface Produced {
  frame: TimedFrame;
  /** The number of frames of its stream before it. */
  index: number;
  /** Absent if it is not kept. */
  block: Block<Producer> | undefined;
  /** Place in the block. */
  place: number;
}

/** Options of {@linkcode Producer}. */
export interface ProducerOptions {
  /** The position of its first frame. */
  base: Counts;
  /** The latest frame of each stream before that. */
  before: ReadonlyMap<number, FrameKey>;
  /** Several read it; otherwise, frames that are not kept are in the decoder's own memory. */
  isShared: boolean;
  /** Keeps what begins the response longest. */
  keepsStart: boolean;
  /** Opens the decoder, which begins with the first frame. */
  open: (signal: AbortSignal) => Promise<FrameSource>;
  /** Disposed of when the decoder has ended. */
  slot: Slot;
  store: BlockStore;
  /** Bytes of what describes the rendition. */
  about: () => number;
  /** Whether the frame that follows a position is kept, or being kept, by others. */
  isKept: (counts: Counts) => boolean;
  onBlock: (block: Block<Producer>) => void;
  /** Called when a block was removed from memory. */
  onRemoved: (block: Block) => void;
  /** Called when the decoder has ended, or has failed. */
  onOver: (producer: Producer) => void;
}

/**
 * One decoder of a rendition. It reads on only if somebody asks for more, and ends when it has no
 * holders, or gives its slot up.
 */
export class Producer implements SlotHolder {
  /** Several read it. */
  readonly isShared: boolean;
  /** Settles when the decoder is open. */
  readonly opened: Promise<FrameSource>;
  /** A frame has come. */
  hasBegun = false;
  /** Seconds at which the latest frame is due that somebody has read; absent before the first. */
  #reached: number | undefined;
  /** Seconds at which the latest frame is due. */
  #latest = 0;
  /** Seconds at which the first frame is due. */
  #earliest: number | undefined;
  /** Bytes so far. */
  #bytes = 0;
  #isRunningAhead = false;
  /** The end of the media, once it is known. */
  end: Counts | undefined;
  #options: ProducerOptions;
  #head: Map<number, number>;
  #keys: Map<number, FrameKey>;
  #holders = new Set<Pick<SlotHolder, "idleIn">>();
  #unwanted = new AbortController();
  #source: FrameSource | undefined;
  #frames: AsyncGenerator<TimedFrame> | undefined;
  #reading: Promise<Produced | undefined> | undefined;
  #failure: { error: unknown } | undefined;
  #closing: Promise<void> | undefined;
  #warning: string | undefined;
  #tail: Block<Producer> | undefined;
  #blocks = 0;
  #isRaw = false;
  /** Seconds at which the start of the response ends. */
  #startEnd: number | undefined;

  constructor(options: ProducerOptions) {
    this.#options = options;
    this.isShared = options.isShared;
    this.#head = new Map(options.base);
    this.#keys = new Map(options.before);
    if (options.keepsStart) this.#startEnd = Infinity;
    options.slot.holder = this;
    this.opened = this.#open();
    // Reported to those who read.
    this.opened.catch(() => {});
  }

  /** Whether it may give further frames. */
  get isLive(): boolean {
    return this.#closing === undefined && this.#failure === undefined;
  }

  /** The position behind the latest frame. */
  get head(): Counts {
    return this.#head;
  }

  /** The newest block, if it is kept. */
  get tail(): Block<Producer> | undefined {
    return this.#tail;
  }

  /** FFmpeg's complaint, if the media is damaged: another decoder may give other frames. */
  get warning(): string | undefined {
    return this.#warning ?? this.#source?.warning;
  }

  /** Whether it began a response, which goes on with no other frames than its own. */
  get isFirst(): boolean {
    return this.#options.keepsStart;
  }

  /** Whether it was ended before the end of the media. */
  get isStopped(): boolean {
    return this.#closing !== undefined && this.end === undefined && this.#failure === undefined;
  }

  /** Whether it has made so much that its readers can do without it until another one gets there. */
  get isIdle(): boolean {
    const ahead = this.#latest - (this.#reached ?? this.#latest);
    return this.isLive && ahead >= Math.max(IDLE, catchUpTime(this.#latest));
  }

  /** Whether it may come so far ahead of its readers that they can do without it. */
  get mayIdle(): boolean {
    return this.isLive && catchUpTime(this.#latest) <= AHEAD;
  }

  /** Ends the decoder even if readers hold it, who then need another one. */
  async stop(): Promise<void> {
    await this.#close();
  }

  /** Milliseconds until none of its readers has wanted a frame for a while. */
  get idleIn(): number {
    return this.isMovable ? Math.max(...[...this.#holders].map(({ idleIn }) => idleIn)) : Infinity;
  }

  /** Whether its readers can go on with another decoder, which gives the same frames. */
  get isMovable(): boolean {
    return this.isLive && this.isSound && this.isHeld;
  }

  giveUp(): void {
    this.stop().catch(() => {});
  }

  /** Whether others may go on with its frames after it has ended. */
  get isSound(): boolean {
    return this.#failure === undefined && this.warning === undefined;
  }

  /** Whether anybody holds it. */
  get isHeld(): boolean {
    return this.#holders.size > 0;
  }

  /** Passes on that a block was removed from memory. */
  onRemoved(block: Block): void {
    this.#options.onRemoved(block);
  }

  /** Keeps the decoder open for a reader. */
  hold(holder: Pick<SlotHolder, "idleIn">): void {
    this.#holders.add(holder);
  }

  /** Ends the decoder if nobody else holds it, and waits for that. */
  async release(holder: Pick<SlotHolder, "idleIn">): Promise<void> {
    if (this.#holders.delete(holder) && !this.isHeld) await this.#close();
  }

  /**
   * Reads the next frame, for all who wait for it.
   *
   * @returns `undefined` at the end
   * @throws the failure of the decoder
   */
  advance(): Promise<Produced | undefined> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure.error);
    if (this.end !== undefined) return Promise.resolve(undefined);
    this.#reading ??= this.#read().finally(() => this.#reading = undefined);
    return this.#reading;
  }

  /** Notes how far somebody has read. Compressed frames are made ahead of that. */
  reached(due: number): void {
    this.#reached = Math.max(this.#reached ?? due, due);
    if (this.isShared && !this.#isRaw) this.#runAhead();
  }

  async #runAhead(): Promise<void> {
    if (this.#isRunningAhead) return;
    this.#isRunningAhead = true;
    try {
      while (this.isLive && this.isHeld && this.#isWantedAhead) await this.advance();
    } catch {
      // Reported to the readers that come there.
    } finally {
      this.#isRunningAhead = false;
    }
  }

  /** Whether the next frame is near enough, and what is ahead so far takes little memory. */
  get #isWantedAhead(): boolean {
    const ahead = this.#latest - (this.#reached ?? this.#latest);
    if (ahead <= 0) return true;
    const size = this.#bytes * ahead / (this.#latest - (this.#earliest ?? 0));
    return ahead < AHEAD && size < this.#options.store.aheadLimit;
  }

  async #open(): Promise<FrameSource> {
    try {
      const source = await this.#options.open(this.#unwanted.signal);
      this.#source = source;
      this.#isRaw = isRaw(source.streams);
      return source;
    } catch (error) {
      this.#fail(error);
      throw error;
    }
  }

  async #read(): Promise<Produced | undefined> {
    try {
      const source = await this.opened;
      this.#frames ??= source.frames();
      const { value: frame } = await this.#frames.next();
      // The last frames of an FFmpeg that is stopped may have other due times, or pass for the end.
      if (this.#closing !== undefined) return undefined;
      if (frame === undefined) {
        this.#closeTail();
        this.end = new Map(this.#head);
        await this.#closeUnlessClosing();
        return undefined;
      }
      this.hasBegun = true;
      return this.#take(frame);
    } catch (error) {
      this.#fail(error);
      await this.#closeUnlessClosing();
      throw error;
    }
  }

  #take(read: TimedFrame): Produced {
    const { streamId } = read;
    const index = this.#head.get(streamId) ?? 0;
    this.#latest = Math.max(this.#latest, read.due);
    this.#earliest ??= read.due;
    this.#bytes += read.data.byteLength;
    const block = this.#blockFor(read);
    const frame = block === undefined ? read : this.#keep(read);
    if (block !== undefined) {
      block.add(frame, index);
      this.#grow(block, frame);
    }
    this.#head.set(streamId, index + 1);
    noteKey(this.#keys, frame);
    const place = (block?.length ?? 0) - 1;
    return { frame, index, block, place };
  }

  /** Raw frames keep their memory; that of packets grows as they arrive, and so is used again. */
  #keep(frame: TimedFrame): TimedFrame {
    return this.#isRaw ? keepFrame(frame) : { ...copyFrame(frame), borrowed: true };
  }

  /** The block that keeps a frame; `undefined` if it is not kept. */
  #blockFor(frame: TimedFrame): Block<Producer> | undefined {
    // Frames before 0 are for decoding only.
    if (this.#startEnd === Infinity && frame.due >= 0) {
      this.#startEnd = frame.due + (this.#isRaw ? RAW_START : PACKET_START);
    }
    const isStart = this.#startEnd !== undefined && frame.due < this.#startEnd;
    const tail = this.#tail;
    if (tail?.isClosed === false && !tail.isGone) {
      if (tail.kind !== "start" || isStart) return tail;
      this.#closeTail();
    }
    if (!this.#isWanted(isStart)) return undefined;
    return this.#begin(isStart ? "start" : this.#isRaw ? "raw" : "packets");
  }

  /** Whether a block is wanted that begins here. */
  #isWanted(isStart: boolean): boolean {
    if (this.isShared) return true;
    if (this.#isRaw && !isStart) return false;
    return !this.#options.isKept(this.#head);
  }

  #begin(kind: Block["kind"]): Block<Producer> {
    const { about, store, onBlock } = this.#options;
    const before = this.#tail;
    const block = new Block<Producer>(this, {
      ...{ number: this.#blocks++, kind, first: this.#head, before: this.#keys },
      about: this.#blocks === 1 ? about() : 0,
    });
    const isNext = before !== undefined &&
      [...this.#head].every(([id, count]) => before.end.get(id) === count);
    if (isNext) before.next = block;
    this.#tail = block;
    onBlock(block);
    store.add(block);
    return block;
  }

  #grow(block: Block<Producer>, frame: TimedFrame): void {
    const { store } = this.#options;
    store.grown(block, storedSize(frame));
    const { due } = block;
    if (block.kind === "start") {
      if (block.size <= store.startLimit) return;
      store.demote(block, this.#isRaw ? "raw" : "packets");
      this.#startEnd = undefined;
      this.#closeTail();
    } else if (
      block.size >= BLOCK_SIZE || due === undefined || due.last - due.first >= BLOCK_TIME
    ) {
      this.#closeTail();
    }
  }

  #closeTail(): void {
    if (this.#tail !== undefined) this.#tail.isClosed = true;
  }

  #fail(error: unknown): void {
    if (this.#closing === undefined) this.#failure ??= { error };
  }

  /** Ends the decoder, but does not wait for an end that waits for the frame being read. */
  async #closeUnlessClosing(): Promise<void> {
    if (this.#closing === undefined) await this.#close();
  }

  #close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #end(): Promise<void> {
    this.#closeTail();
    if (this.end === undefined) this.#unwanted.abort();
    const source = await this.opened.catch(() => undefined);
    this.#warning = source?.warning;
    // Before anything is waited for: from here on it gives no frame.
    this.#options.onOver(this);
    await source?.[Symbol.asyncDispose]();
    this.#options.slot[Symbol.dispose]();
    if (this.end !== undefined || this.#failure !== undefined) return;
    await this.#reading?.catch(() => {});
    await this.#frames?.return(undefined);
  }
}

function isRaw(streams: readonly StreamDescription[]): boolean {
  return streams.some(({ type, codec }) => type === "video" && codec === "rawvideo");
}
