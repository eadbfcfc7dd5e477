/** Exact reads from sockets and child processes, directly into the final memory. */
import { deadline } from "./async.ts";
import { TruncatedError } from "./errors.ts";

/** Bytes of the look-ahead buffer at most. The data of frames bypasses it. */
const LOOK_AHEAD = 16 * 1024;

/** Bytes of it at first: most viewers send a request, and then nothing but pongs. */
const FIRST_LOOK_AHEAD = 2 * 1024;

/** Bytes allocated before any input for them has arrived. */
const TRUSTED_SIZE = 1 << 20;

/** Input of a {@linkcode ByteReader}. */
export interface ByteSource {
  /**
   * Reads at least `min` bytes into `target`, fewer only at the end of input.
   *
   * @returns the bytes read, in memory that replaces `target`'s
   */
  read(target: Uint8Array<ArrayBuffer>, min: number): Promise<Uint8Array<ArrayBuffer>>;
  /** Ends reading. */
  cancel(): Promise<void>;
}

/**
 * Reads from a byte stream (`type: "bytes"`), such as a child's standard output. Each read transfers
 * the memory to the stream and back.
 */
export function fromStream(stream: ReadableStream<Uint8Array>): ByteSource {
  const reader = stream.getReader({ mode: "byob" });
  return {
    async read(target, min) {
      const { value } = await reader.read(target, { min });
      // After a cancel there is no value, and the stream keeps the memory.
      return value ?? new Uint8Array(0);
    },
    cancel: () => reader.cancel(),
  };
}

/**
 * Reads from a socket. Unlike the socket's own stream, this keeps it open for writing after the peer
 * has finished sending.
 */
export function fromSocket(socket: Pick<Deno.Conn, "read">): ByteSource {
  return {
    async read(target, min) {
      let have = 0;
      while (have < min) {
        const count = await socket.read(target.subarray(have));
        if (count === null) break;
        have += count;
      }
      return target.subarray(0, have);
    },
    // Closing the socket, which its owner does, ends a pending read.
    cancel: () => Promise.resolve(),
  };
}

/** Options of {@linkcode ByteReader}. */
export interface ByteReaderOptions {
  /** Milliseconds that one read of the source may take. @default Infinity */
  readTimeout?: number;
  /** Milliseconds that a read which takes longer may still take, since it waits for others too. */
  more?: () => number;
  /** Called when a read takes longer, before the source is cancelled. Ends the source's writer. */
  onTimeout?: () => void;
}

/**
 * Exact reads from a socket or a child's standard output.
 *
 * Use {@linkcode ByteReader.peek} and {@linkcode ByteReader.skip} for headers, and
 * {@linkcode ByteReader.readInto} to read data straight into its final memory. The end of input has
 * three outcomes: whole (the bytes), a clean end between two units (`undefined`), or an end inside
 * one ({@linkcode TruncatedError}).
 *
 * Calls must not overlap.
 */
export class ByteReader {
  #source: ByteSource;
  #options: ByteReaderOptions;
  #memory: Uint8Array<ArrayBuffer> = new Uint8Array(FIRST_LOOK_AHEAD);
  /** The latest read has filled it. */
  #isFull = false;
  #start = 0;
  #end = 0;

  constructor(source: ByteSource, options: ByteReaderOptions = {}) {
    this.#source = source;
    this.#options = options;
  }

  /** Bytes in the look-ahead buffer. */
  get buffered(): number {
    return this.#end - this.#start;
  }

  /**
   * Waits until at least `count` bytes are buffered and returns all buffered bytes without consuming
   * them. The view is valid until the next call.
   *
   * @returns `undefined` if the input ends before the first byte
   * @throws {TruncatedError} if it ends after some but fewer than `count`
   */
  async peek(count: number): Promise<Uint8Array | undefined> {
    if (this.buffered < count) {
      this.#makeRoom(count);
      const filled = this.#end;
      using _limit = this.#limitRead();
      const memory = await this.#source.read(this.#memory.subarray(filled), count - this.buffered);
      this.#memory = new Uint8Array(memory.buffer);
      this.#end = filled + memory.byteLength;
      this.#isFull = this.#end === this.#memory.byteLength;
      if (this.buffered === 0) return undefined;
      if (this.buffered < count) throw new TruncatedError(count, this.buffered);
    }
    return this.#memory.subarray(this.#start, this.#end);
  }

  /** Consumes buffered bytes. */
  consume(count: number): void {
    if (count > this.buffered) {
      throw new RangeError(`Cannot consume ${count} bytes: ${this.buffered} are at hand`);
    }
    this.#start += count;
  }

  /**
   * Fills `target`. Its buffer may be detached; the returned view has the memory.
   *
   * @throws {TruncatedError} if the input ends first
   */
  async readInto(target: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
    const { byteOffset, byteLength } = target;
    const ready = Math.min(this.buffered, byteLength);
    target.set(this.#memory.subarray(this.#start, this.#start + ready));
    this.#start += ready;
    if (ready === byteLength) return target;
    using _limit = this.#limitRead();
    const rest = await this.#source.read(target.subarray(ready), byteLength - ready);
    if (ready + rest.byteLength < byteLength) {
      throw new TruncatedError(byteLength, ready + rest.byteLength);
    }
    return new Uint8Array(rest.buffer, byteOffset, byteLength);
  }

  /**
   * Reads `count` bytes into `memory`, or into new memory if that is too small. New memory grows as
   * the bytes arrive, so that a false `count` does not allocate much.
   *
   * @param memory reused if it is large enough; may be detached
   * @param room bytes to keep free before (`offset`) and after (`tail`) the data, bytes to allocate
   * at once (`trusted`, 1 MiB by default), and what is called with the bytes of each larger
   * allocation (`onGrow`), which it may refuse
   * @throws {TruncatedError} if the input ends first
   */
  async readGrowing(
    memory: ArrayBuffer | undefined,
    count: number,
    room: { offset: number; tail: number; trusted?: number; onGrow?: (bytes: number) => void },
  ): Promise<Uint8Array<ArrayBuffer>> {
    const { trusted = TRUSTED_SIZE } = room;
    const needed = room.offset + count + room.tail;
    if (memory !== undefined && memory.byteLength >= needed) {
      return await this.readInto(new Uint8Array(memory, room.offset, count));
    }
    let have = 0;
    let buffer = new Uint8Array(Math.min(needed, room.offset + room.tail + trusted));
    while (true) {
      const end = Math.min(count, buffer.byteLength - room.offset - room.tail);
      try {
        const part = await this.readInto(buffer.subarray(room.offset + have, room.offset + end));
        buffer = new Uint8Array(part.buffer);
      } catch (error) {
        if (!(error instanceof TruncatedError)) throw error;
        throw new TruncatedError(count, have + error.received);
      }
      have = end;
      if (have === count) return buffer.subarray(room.offset, room.offset + count);
      const size = Math.min(needed, buffer.byteLength * 2);
      room.onGrow?.(size);
      const larger = new Uint8Array(size);
      larger.set(buffer.subarray(0, room.offset + have));
      buffer = larger;
    }
  }

  /**
   * Drops `count` bytes of the input.
   *
   * @throws {TruncatedError} if the input ends first
   */
  async skip(count: number): Promise<void> {
    let left = count;
    while (left > 0) {
      const step = Math.min(left, LOOK_AHEAD);
      if (await this.peek(step) === undefined) throw new TruncatedError(count, count - left);
      this.consume(step);
      left -= step;
    }
  }

  /** Cancels the source. Do not read afterwards. */
  async cancel(): Promise<void> {
    await this.#source.cancel();
  }

  /**
   * Limits the time of a read. What has not come by then is not waited for: another process may hold
   * the other end of the pipe open.
   */
  #limitRead(): Disposable | undefined {
    const { readTimeout, more, onTimeout } = this.#options;
    if (readTimeout === undefined) return undefined;
    const limit = (milliseconds: number) =>
      deadline(milliseconds, () => {
        const left = more?.() ?? 0;
        if (left > 0) {
          current = limit(left);
          return;
        }
        onTimeout?.();
        // If it fails, so does the read.
        this.#source.cancel().catch(() => {});
      });
    let current = limit(readTimeout);
    return { [Symbol.dispose]: () => current[Symbol.dispose]() };
  }

  /**
   * Moves the buffered bytes to the front, of larger memory if `count` bytes do not fit, or if there
   * was more to read than fitted.
   */
  #makeRoom(count: number): void {
    const held = this.#memory.subarray(this.#start, this.#end);
    const isSmall = this.#isFull && this.#memory.byteLength < LOOK_AHEAD;
    if (count > this.#memory.byteLength || isSmall) {
      const larger = new Uint8Array(Math.max(count, this.#memory.byteLength * 2));
      larger.set(held);
      this.#memory = larger;
    } else {
      this.#memory.copyWithin(0, this.#start, this.#end);
    }
    this.#end = held.byteLength;
    this.#start = 0;
  }
}
