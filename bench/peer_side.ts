import { deadline } from "../lib/base/async.ts";
import { messageOf } from "../lib/base/errors.ts";
import type { Clip } from "./clips.ts";
import type { Peer, Transfer } from "./transfer.ts";

/** Milliseconds after which a transfer, of some seconds, is taken for one that never ends. */
const LONGEST = 60_000;

/** Options of {@linkcode PeerSide}. */
interface PeerSideOptions {
  /** Ends everything. */
  signal: AbortSignal;
  /** Is told of a failure, once. */
  skip(what: string): void;
  /** Milliseconds that one transfer may take. */
  longest?: number;
}

/**
 * A peer's side of a comparison. What other programs fail at must not cost the figures of all the
 * rest: a peer that fails, or hangs, is named and takes no further part.
 */
export class PeerSide<T extends Transfer> {
  /** One a round, as long as none failed. */
  readonly results: T[] = [];
  /** Whether there is nothing to be compared with. */
  hasFailed = false;
  #peer: Peer<T>;
  #options: PeerSideOptions;

  constructor(peer: Peer<T>, options: PeerSideOptions) {
    this.#peer = peer;
    this.#options = options;
  }

  /** What the peer is called. */
  get name(): string {
    return this.#peer.name;
  }

  /** Sends a video, unless an earlier attempt failed. */
  async run(clip: Clip): Promise<void> {
    if (this.hasFailed) return;
    const { signal, skip, longest = LONGEST } = this.#options;
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
