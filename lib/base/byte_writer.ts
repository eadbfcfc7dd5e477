import { DeadlineError } from "./errors.ts";

/** Output of a {@linkcode ByteWriter}: a socket. */
export interface ByteOutput {
  /** Writes some of the bytes and returns how many, at least one. */
  write(bytes: Uint8Array): Promise<number>;
}

/** Bytes up to which the parts of a message are joined, since that costs less than further writes. */
const JOINED_SIZE = 64 * 1024;

/** Bytes of messages that are kept to be written together; a larger one is not kept. */
const KEPT_SIZE = 64 * 1024;

/** Memory for kept messages, for all writers: each takes it until the system has copied them. */
const freeMemory: Uint8Array<ArrayBuffer>[] = [];

/** Pieces of free memory to hold, for as many peers that are slow to take what they get. */
const MAX_FREE = 64;

/** Options of {@linkcode ByteWriter}. */
export interface ByteWriterOptions {
  /** Milliseconds without progress after which a write fails. */
  stallTimeout: number;
  /** Called on a stall; must make the pending write fail, as closing the socket does. */
  onStall: () => void;
  /** Groups of writers get equal shares if all together write too much at once. @default "" */
  group?: string;
}

/** Writes whole messages to a socket with a stall timeout. Overlapping calls do not interleave. */
export class ByteWriter {
  #output: ByteOutput;
  #options: ByteWriterOptions;
  /** Writes that have not ended. */
  #writing = 0;
  /** Settles when the latest of them has ended. */
  #turn: Promise<void> = Promise.resolve();
  #stalled = false;
  /** Small messages that are not written yet. */
  #kept: { memory: Uint8Array<ArrayBuffer>; size: number } | undefined;
  /** Why a write failed: the peer may have got a part of it, so that nothing may follow. */
  #failure: { error: unknown } | undefined;

  constructor(output: ByteOutput, options: ByteWriterOptions) {
    this.#output = output;
    this.#options = options;
  }

  /**
   * Writes all of `parts` in order. They must not change until the result resolves. After a failure,
   * all further calls throw it.
   *
   * @throws {DeadlineError} if the peer takes nothing for `stallTimeout`
   */
  async write(...parts: readonly Uint8Array[]): Promise<void> {
    this.#writeKept();
    await this.#write(joined(parts));
  }

  /**
   * Writes all of `parts` in order; small ones are copied and written with those that follow, at the
   * next {@linkcode ByteWriter.flush} or the end of this turn of the event loop: most of what a small
   * write costs is the call. Otherwise they must not change until the result resolves.
   *
   * @returns `undefined` if there is nothing to wait for; a failure is then that of a later call
   * @throws {DeadlineError} if the peer takes nothing for `stallTimeout`
   */
  writeSoon(...parts: readonly Uint8Array[]): Promise<void> | undefined {
    const size = sizeOf(parts);
    const kept = this.#kept?.size ?? 0;
    if (this.#failure !== undefined || kept + size > KEPT_SIZE) return this.write(...parts);
    if (this.#kept === undefined) {
      this.#kept = { memory: freeMemory.pop() ?? new Uint8Array(KEPT_SIZE), size: 0 };
      // While the peer takes no more, messages go on gathering.
      atEndOfTurn(() => this.#turn.then(() => this.#writeKept()));
    }
    for (const part of parts) {
      this.#kept.memory.set(part, this.#kept.size);
      this.#kept.size += part.byteLength;
    }
    return undefined;
  }

  /** Writes what {@linkcode ByteWriter.writeSoon} has kept, since nothing follows for a while. */
  flush(): void {
    if (this.#writing === 0) this.#writeKept();
  }

  #writeKept(): void {
    if (this.#kept === undefined) return;
    const { memory, size } = this.#kept;
    this.#kept = undefined;
    this.#write([memory.subarray(0, size)]).then(
      () => freeMemory.length < MAX_FREE && freeMemory.push(memory),
      // The next call throws it. The memory is given up, since the system may still read it.
      () => {},
    );
  }

  async #write(parts: readonly Uint8Array[]): Promise<void> {
    const before = this.#turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#turn = promise;
    if (this.#writing++ > 0) await before;
    try {
      if (this.#failure !== undefined) throw this.#failure.error;
      for (const bytes of parts) await this.#writeAll(bytes);
    } catch (error) {
      this.#failure ??= { error: this.#stalled ? this.#stallError(error) : error };
      throw this.#failure.error;
    } finally {
      this.#writing--;
      resolve();
    }
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    let written = 0;
    while (written < bytes.byteLength) {
      const isFirst = turnLeft === TURN_SIZE;
      const turn = takeTurn(bytes.byteLength - written, this.#options.group ?? "");
      if (turn !== undefined) await turn;
      let timer: ReturnType<typeof setTimeout> | undefined;
      let isTaken = false;
      // Most bytes are taken at once, and a timer costs as much as that.
      atEndOfTurn(() => {
        if (!isTaken) timer = setTimeout(() => this.#stall(), this.#options.stallTimeout);
      });
      try {
        // Fewer writes cost less, if nobody else has something to write.
        const end = isFirst ? bytes.byteLength : Math.min(bytes.byteLength, written + WRITE_SIZE);
        const isWhole = written === 0 && end === bytes.byteLength;
        written += await this.#output.write(isWhole ? bytes : bytes.subarray(written, end));
      } finally {
        isTaken = true;
        if (timer !== undefined) clearTimeout(timer);
      }
    }
  }

  #stallError(cause: unknown): DeadlineError {
    const seconds = this.#options.stallTimeout / 1000;
    return new DeadlineError(`The peer took nothing for ${seconds} s`, { cause });
  }

  #stall(): void {
    this.#stalled = true;
    this.#options.onStall();
  }
}

/** Joins small parts to one. */
function joined(parts: readonly Uint8Array[]): readonly Uint8Array[] {
  if (parts.length === 1) return parts;
  const size = sizeOf(parts);
  if (size > JOINED_SIZE) return parts;
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.byteLength;
  }
  return [whole];
}

function sizeOf(parts: readonly Uint8Array[]): number {
  let size = 0;
  for (const { byteLength } of parts) size += byteLength;
  return size;
}

/**
 * Bytes that all writers write in one turn of the event loop. More would take so long that the frames
 * of others, whose timers wait for the next turn, would be late.
 */
const TURN_SIZE = 4 * 2 ** 20;

/** Bytes of one write: the system takes milliseconds to copy as many into new memory. */
const WRITE_SIZE = 2 ** 20;

/** Bytes that may still be written in this turn. */
let turnLeft = TURN_SIZE;

interface WaitingWrite {
  size: number;
  begin: () => void;
}

/** Writes that wait for a turn, in their order, by group; the group that is next comes first. */
const waiting = new Map<string, WaitingWrite[]>();

/** Takes the part of a turn for a write; `undefined` if it need not wait for the next turn. */
function takeTurn(bytes: number, group: string): Promise<void> | undefined {
  const size = Math.min(bytes, WRITE_SIZE);
  if (turnLeft > 0 && waiting.size === 0) {
    turnLeft -= size;
    return undefined;
  }
  const { promise, resolve: begin } = Promise.withResolvers<void>();
  const writes = waiting.get(group);
  if (writes === undefined) waiting.set(group, [{ size, begin }]);
  else writes.push({ size, begin });
  return promise;
}

/** Begins a turn with the writes that wait, one of each group after the other. */
function beginTurn(): void {
  turnLeft = TURN_SIZE;
  for (const [group, writes] of waiting) {
    if (turnLeft <= 0) break;
    const { size, begin } = writes.shift()!;
    waiting.delete(group);
    // At the end of the map, which this loop reaches later.
    if (writes.length > 0) waiting.set(group, writes);
    turnLeft -= size;
    begin();
  }
  // If none of them writes any more, the others go on all the same.
  if (waiting.size > 0) atEndOfTurn(() => {});
}

/** Actions for the end of this turn of the event loop. */
let delayed: (() => void)[] = [];

function atEndOfTurn(action: () => void): void {
  if (delayed.push(action) > 1) return;
  setImmediate(() => {
    const actions = delayed;
    delayed = [];
    for (const act of actions) act();
    beginTurn();
  });
}
