import { deadline } from "../lib/base/async.ts";
import { messageOf } from "../lib/base/errors.ts";
import type { Clip } from "./clips.ts";
import type { Peer, Transfer } from "./transfer.ts";

/** Milliseconds after which a transfer, which takes seconds, counts as stuck. */
const TIMEOUT = 60_000;

/** Options of {@linkcode PeerSide}. */
interface PeerSideOptions {
  /** Cancels the measurement. */
  signal: AbortSignal;
  /** Called once with a failure. */
  skip(what: string): void;
  /** Timeout of a transfer, milliseconds. @default 60_000 */
  longest?: number;
}

/**
 * The other program of a comparison. If it fails or gets stuck, it is reported and skipped from
 * then on, so that the remaining figures are not lost.
 */
export class PeerSide<T extends Transfer> {
  /** Results of all rounds, up to a failure. */
  readonly results: T[] = [];
  /** Whether a transfer has failed. */
  hasFailed = false;
  #peer: Peer<T>;
  #options: PeerSideOptions;

  constructor(peer: Peer<T>, options: PeerSideOptions) {
    this.#peer = peer;
    this.#options = options;
  }

  /** Name of the program. */
  get name(): string {
    return this.#peer.name;
  }

  /** Transfers a video, unless an earlier transfer failed. */
  async run(clip: Clip): Promise<void> {
    if (this.hasFailed) return;
    const { signal, skip, longest = TIMEOUT } = this.#options;
    const late = new AbortController();
    using _limit = deadline(longest, () => late.abort());
    try {
      this.results.push(await this.#peer.transfer(clip, AbortSignal.any([signal, late.signal])));
    } catch (error) {
      signal.throwIfAborted();
      this.hasFailed = true;
      const reason = late.signal.aborted
        ? `Cannot measure it: it is not done after ${longest / 1000} s`
        : messageOf(error);
      skip(`${this.name} with ${clip.name}: ${reason}`);
    }
  }
}
