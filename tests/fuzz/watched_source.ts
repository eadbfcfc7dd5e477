/** Input in pieces that watches its reader. */
import type { ByteSource } from "../../lib/base/byte_reader.ts";
import type { Socket } from "../../lib/net/socket.ts";
import type { Random } from "./random.ts";
import { checkAtMost } from "./properties.ts";

/** Gives the number of bytes of the next piece. */
export type Split = () => number;

/** How every input is split: whole, byte by byte, and anywhere. */
export function splitsOf(random: Random): Split[] {
  return [() => Infinity, () => 1, () => 1 + random.size(64)];
}

/** Bytes that a reader may allocate before the input has come. */
const TRUSTED = 2 << 20;

/** Bytes that a reader may allocate for each byte of the input. */
const MEMORY_A_BYTE = 4;

/** Largest number of reads at the end of the input. */
const MOST_READS_AT_END = 8;

/**
 * Gives bytes as a socket does, and checks that the reader allocates no more than the input allows,
 * and stops at the end.
 */
export class WatchedSource implements ByteSource {
  #bytes: Uint8Array;
  #split: Split;
  #at = 0;
  #readsAtEnd = 0;

  constructor(bytes: Uint8Array, split: Split) {
    this.#bytes = bytes;
    this.#split = split;
  }

  read(target: Uint8Array<ArrayBuffer>, min: number): Promise<Uint8Array<ArrayBuffer>> {
    checkAtMost(
      "memory taken for input",
      target.buffer.byteLength,
      TRUSTED + MEMORY_A_BYTE * this.#bytes.byteLength,
    );
    checkAtMost("bytes asked for", min, target.byteLength);
    if (min < 1) throw new Error("a read of no bytes, expected none");
    let have = 0;
    while (have < min && this.#at < this.#bytes.byteLength) {
      const part = this.#bytes.subarray(
        this.#at,
        this.#at + Math.min(this.#split(), target.byteLength - have),
      );
      target.set(part, have);
      have += part.byteLength;
      this.#at += part.byteLength;
    }
    if (have < min) checkAtMost("reads behind the end", ++this.#readsAtEnd, MOST_READS_AT_END);
    return Promise.resolve(target.subarray(0, have));
  }

  cancel(): Promise<void> {
    return Promise.resolve();
  }
}

/** A connection over a source, whose peer takes all bytes. */
export function watchedSocket(source: WatchedSource): Socket {
  return {
    remoteAddr: { transport: "tcp", hostname: "192.0.2.1", port: 7777 },
    async read(target) {
      const memory = new Uint8Array(target.byteLength);
      const { byteLength } = await source.read(memory, 1);
      target.set(memory.subarray(0, byteLength));
      return byteLength === 0 ? null : byteLength;
    },
    write: ({ byteLength }) => Promise.resolve(byteLength),
    closeWrite: () => Promise.resolve(),
    setNoDelay: () => {},
    close: () => {},
  };
}
