/** Renditions of files, each made once for all who read it at about the same time. */
import { type Clock, MONOTONIC_CLOCK } from "../../base/clock.ts";
import { RequestError } from "../../base/errors.ts";
import type { StreamDescription } from "../../media/frame.ts";
import type { FrameSource, TimedFrame } from "../../media/source.ts";
import { changeOf, isSettled } from "../file/file_state.ts";
import type { MediaFile } from "../file/library.ts";
import type { MediaOptions } from "../file/plan.ts";
import type { DecoderSemaphore, MemoryBudget, Slot } from "../limits.ts";
import { type BlockOrigin, BlockStore } from "./blocks.ts";
import { EncoderGate } from "./encoder_gate.ts";
import type { Producer } from "./producer.ts";
import { type Opening, Reader } from "./reader.ts";
import { type Entry, type Place, SharedRendition } from "./shared_rendition.ts";
import { gridStart, isSeekShared, partFrom, type Sought, SoughtSource } from "./sought.ts";

/** Renditions that turned out not to be the same each time, to remember. */
const MAX_REFUSED = 100;

/** Encoders for seeks in one rendition of a file. */
const MAX_ENCODERS = 4;

/** The file and the options that identify a rendition. */
export interface RenditionParts {
  file: MediaFile;
  options: MediaOptions;
}

/** Options of {@linkcode SharedRenditions}. */
export interface SharedRenditionsOptions {
  /** Bytes that their frames may take; 0 to keep and share nothing. */
  size: number;
  slots: Pick<DecoderSemaphore, "review">;
  /** Lends memory for frames that viewers have yet to read. */
  budget?: Pick<MemoryBudget, "take">;
  /** Called whenever a response starts from memory. */
  onHit?: () => void;
  /** Tells how long viewers have been paused or stuck. @default MONOTONIC_CLOCK */
  clock?: Pick<Clock, "now">;
}

/** The renditions that a server makes, and what it keeps of them. */
export class SharedRenditions {
  #size: number;
  #slots: Pick<DecoderSemaphore, "review">;
  #onHit: () => void;
  #clock: Pick<Clock, "now">;
  #store: BlockStore;
  #gate: EncoderGate;
  #renditions = new Map<string, SharedRendition>();
  #readers = new Set<Reader>();
  /** The oldest first. */
  #refused = new Set<string>();

  constructor(
    { size, slots, budget, onHit = () => {}, clock = MONOTONIC_CLOCK }: SharedRenditionsOptions,
  ) {
    this.#size = size;
    this.#slots = slots;
    this.#onHit = onHit;
    this.#clock = clock;
    this.#store = new BlockStore({ limit: size, budget, unread: () => this.#unread() });
    this.#gate = new EncoderGate({
      max: MAX_ENCODERS,
      // No seek can wait for the others to make room.
      running: (family) => this.#producersOf(family).filter(({ mayIdle }) => mayIdle).length,
      stopIdle: (family) => {
        const idle = this.#producersOf(family).find((producer) =>
          producer.isIdle && !producer.isFirst
        );
        idle?.stop().catch(() => {});
      },
    });
  }

  /** Bytes in use. */
  get taken(): number {
    return this.#store.taken;
  }

  /**
   * Opens a rendition at its beginning.
   *
   * @throws {RequestError} if the file cannot be sent with these options
   */
  async open(parts: RenditionParts, opening: Opening): Promise<FrameSource> {
    const key = await this.#sharedKey(parts);
    // Nothing is waited for from here on until it has a reader, so that it is not forgotten before.
    return await (key === undefined
      ? this.openAlone(parts, opening)
      : this.#read(this.#renditionOf(key, parts), opening));
  }

  /**
   * Opens a rendition for one reader, for whom nothing is kept. Its decoder can be given up like a
   * shared one, if the frames are the same whenever they are made.
   *
   * @throws {RequestError} if the file cannot be sent with these options
   */
  async openAlone({ file, options }: RenditionParts, opening: Opening): Promise<FrameSource> {
    const key = keyOf(file, options);
    if (key === undefined || this.#refused.has(key)) return await openUnrepeatable(opening);
    const rendition = this.#make(key, { file, options }, { isPrivate: true });
    return await this.#read(rendition, opening);
  }

  /**
   * Opens a rendition for a seek: if it does not matter which encoder the frames are from, at the
   * keyframe before, if others have made it or will soon.
   *
   * @param to seconds of the media
   * @param toOpening says how a part is opened
   * @throws {RequestError} if the file cannot be sent with these options
   */
  async seek(
    { file, options }: RenditionParts,
    to: number,
    toOpening: (part: MediaOptions) => Opening,
  ): Promise<Sought> {
    const exact = partFrom(options, to);
    const isShared = toOpening(exact).pacer.speed > 0 && isSeekShared(file, options);
    if (!isShared || await this.#sharedKey({ file, options }) === undefined) {
      return { source: await this.open({ file, options: exact }, toOpening(exact)), from: to };
    }
    const family = familyOf(file, options);
    while (true) {
      const found = this.#memberFor(family, to);
      if (found !== undefined) {
        const { member, entry } = found;
        const opening = toOpening(partFrom(options, member.start));
        const source = await this.#read(member, opening, entry);
        const sought = new SoughtSource(source, { entry, to: to - member.start });
        return { source: sought, from: member.start };
      }
      const source = await this.#startFor(to, { file, options }, { family, toOpening });
      if (source === undefined) continue;
      const from = gridStart(to, options);
      return { source: new SoughtSource(source, { to: to - from }), from };
    }
  }

  /** Starts an encoder for a seek; `undefined` if others have made what it needs meanwhile. */
  async #startFor(
    to: number,
    { file, options }: RenditionParts,
    { family, toOpening }: { family: string; toOpening: (part: MediaOptions) => Opening },
  ): Promise<FrameSource | undefined> {
    const part = partFrom(options, gridStart(to, options));
    const opening = toOpening(part);
    const own = this.#renditions.get(keyOf(file, part) ?? "");
    if (own?.serves(new Map())) return await this.open({ file, options: part }, opening);
    let isFound = false;
    const isNeedless = () => isFound = this.#memberFor(family, to) !== undefined;
    using pass = await this.#gate.enter(family, { isNeedless, signal: opening.signal });
    if (pass === undefined) return undefined;
    const slot = await opening.takeSlot({ isNeedless });
    if (!isFound) return await this.open({ file, options: part }, { ...opening, slot });
    slot[Symbol.dispose]();
    return undefined;
  }

  /** The member of a family that has made what a seek needs, or will soon. */
  #memberFor(family: string, to: number): { member: SharedRendition; entry: Entry } | undefined {
    for (const member of this.#membersOf(family)) {
      const entry = member.entryFor(to - member.start);
      if (entry !== undefined) return { member, entry };
    }
  }

  #membersOf(family: string): SharedRendition[] {
    return [...this.#renditions.values()].filter((other) => other.family === family);
  }

  #producersOf(family: string): Producer[] {
    return this.#membersOf(family).flatMap(({ producers }) => producers);
  }

  /** The key of a rendition, if it can be shared. */
  async #sharedKey({ file, options }: RenditionParts): Promise<string | undefined> {
    const { path, state } = file;
    const key = keyOf(file, options);
    if (this.#size === 0 || key === undefined || state === undefined) return undefined;
    // A file that was just changed may change again without a trace.
    return await isSettled(path, state) && !this.#refused.has(key) ? key : undefined;
  }

  async #read(rendition: SharedRendition, opening: Opening, place?: Place): Promise<FrameSource> {
    const reader: Reader = new Reader(rendition, {
      ...{ opening, place, store: this.#store, clock: this.#clock },
      onStarted: () => this.#review(),
      onEnded: () => {
        this.#readers.delete(reader);
        rendition.readers.delete(reader);
        this.#tidy(rendition);
        this.#store.trim();
      },
    });
    this.#readers.add(reader);
    rendition.readers.add(reader);
    try {
      if (await reader.open()) this.#onHit();
      return reader;
    } catch (error) {
      await reader[Symbol.asyncDispose]();
      throw error;
    }
  }

  #renditionOf(key: string, { file, options }: RenditionParts): SharedRendition {
    const known = this.#renditions.get(key);
    if (known !== undefined) return known;
    const rendition = this.#make(key, { file, options });
    this.#renditions.set(key, rendition);
    return rendition;
  }

  #make(
    key: string,
    { file, options }: RenditionParts,
    { isPrivate }: { isPrivate?: boolean } = {},
  ): SharedRendition {
    const { start = 0 } = options;
    const rendition: SharedRendition = new SharedRendition(key, {
      ...{ name: file.name, start, isPrivate },
      family: familyOf(file, options),
      store: this.#store,
      accept: (source) => refuseChanged(file, source),
      onMismatch: () => this.#refuse(rendition),
      onRemoved: (block) => {
        for (const reader of this.#readers) reader.onRemoved(block);
        this.#forgetEmpty(rendition);
      },
      onChange: () => this.#tidy(rendition),
      onMore: () => this.#review(),
    });
    return rendition;
  }

  /** Lets those go on who waited for what there is now. */
  #review(): void {
    this.#slots.review();
    this.#gate.review();
  }

  /** Removes what nobody can use any more. */
  #tidy(rendition: SharedRendition): void {
    this.#gate.review();
    for (const block of rendition.useless) this.#store.remove(block);
    this.#forgetEmpty(rendition);
  }

  #forgetEmpty(rendition: SharedRendition): void {
    if (!rendition.isEmpty || this.#renditions.get(rendition.key) !== rendition) return;
    this.#renditions.delete(rendition.key);
  }

  /** Keeps and shares nothing of a rendition from now on. */
  #refuse(rendition: SharedRendition): void {
    const { key } = rendition;
    this.#refused.add(key);
    const [oldest] = this.#refused;
    if (this.#refused.size > MAX_REFUSED) this.#refused.delete(oldest);
    if (this.#renditions.get(key) === rendition) this.#renditions.delete(key);
    for (const block of rendition.blocks) this.#store.remove(block);
  }

  /** The first block that a reader is in, or has yet to read, of each decoder. */
  #unread(): Map<BlockOrigin, number> {
    const unread = new Map<BlockOrigin, number>();
    for (const { block } of this.#readers) {
      if (block === undefined) continue;
      unread.set(block.origin, Math.min(block.number, unread.get(block.origin) ?? Infinity));
    }
    return unread;
  }
}

/** A source with the slot of its decoder. */
class LoneSource implements FrameSource {
  #source: FrameSource;
  #slot: Slot;

  constructor(source: FrameSource, slot: Slot) {
    this.#source = source;
    this.#slot = slot;
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

  frames(): AsyncGenerator<TimedFrame> {
    return this.#source.frames();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#source[Symbol.asyncDispose]();
    this.#slot[Symbol.dispose]();
  }
}

/**
 * Opens a source whose frames cannot be made twice, with a decoder slot that it keeps to its end.
 *
 * @throws the error of the opening
 */
export async function openUnrepeatable(
  { takeSlot, open, signal, slot: own }: Pick<Opening, "takeSlot" | "open" | "signal" | "slot">,
): Promise<FrameSource> {
  const slot = own ?? await takeSlot({});
  try {
    return new LoneSource(await open(signal), slot);
  } catch (error) {
    slot[Symbol.dispose]();
    throw error;
  }
}

/** Returns a source that goes on with a file, unless the file has changed. */
async function refuseChanged(
  { name, path, state }: MediaFile,
  source: FrameSource,
): Promise<FrameSource> {
  const change = state && await changeOf(path, state);
  if (change === undefined) return source;
  await source[Symbol.asyncDispose]();
  throw new RequestError(
    "media_error",
    `Cannot go on with "${name}": the file ${change.what} while it was sent, ask again`,
  );
}

/** Text that is the same for parts that differ in nothing but their beginning. */
function familyOf(file: MediaFile, options: MediaOptions): string {
  const { start = 0, duration } = options;
  const end = duration === undefined ? undefined : start + duration;
  return keyOf(file, { ...options, start: undefined, duration: end }) ?? file.path;
}

/** Key of a rendition: the file's state, its chosen audio, and all options. */
function keyOf({ path, state, info }: MediaFile, options: MediaOptions): string | undefined {
  if (state === undefined) return undefined;
  const { start, ...others } = options;
  const given = Object.entries({ ...others, start: start || undefined })
    .filter(([, value]) => value !== undefined);
  const sorted = given.sort(([a], [b]) => a < b ? -1 : 1);
  return JSON.stringify([path, state.identity, state.stamp, info.audio?.number, sorted]);
}
