/** HLS of what is shown now: its newest segments, in memory. */
import { type CutOptions, cutResponse } from "./cut_response.ts";
import { type Hls, type HlsOptions, nothing, waitWhile } from "./hls.ts";
import { Idleness } from "./idleness.ts";
import { encodePlaylist } from "./playlist.ts";
import { SegmentWindow } from "./window.ts";

/**
 * First segments that are short, so that a playlist can begin with as many: some players, such as that
 * of Chromium, give up if there is only one.
 */
const SHORT = 3;

/**
 * Cuts one response into segments as it comes, of which the newest stay in memory, as long as somebody
 * asks for them.
 */
export class HlsRendition implements Hls {
  readonly ended: Promise<void>;
  #idleness: Idleness;
  #closing = new AbortController();
  #window = new SegmentWindow();
  #change = Promise.withResolvers<void>();

  constructor({ open, dialect, clock, signal }: HlsOptions & Pick<CutOptions, "open">) {
    this.#idleness = new Idleness(clock);
    const either = AbortSignal.any([signal, this.#closing.signal]);
    const recorded = this.#record({ open, dialect, signal: either });
    this.ended = Promise.all([recorded, this.#closeIfIdle(either)]).then(() => {});
  }

  get isEnding(): boolean {
    return this.#closing.signal.aborted;
  }

  async playlist(query: string, signal: AbortSignal): Promise<string> {
    using _serving = this.#idleness.serve();
    await waitWhile(
      () => this.#window.isReady ? undefined : this.#change.promise,
      AbortSignal.any([signal, this.#closing.signal]),
    );
    return encodePlaylist({ ...this.#window.list(), query });
  }

  file(name: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    using _serving = this.#idleness.serve();
    return Promise.resolve(this.#window.file(name));
  }

  /** Never rejects. */
  async #record(options: Pick<CutOptions, "open" | "dialect" | "signal">): Promise<void> {
    try {
      const failure = await cutResponse({
        ...options,
        short: SHORT,
        onPart: (part) => {
          this.#window.add(part);
          this.#notify();
        },
      });
      if (this.#window.isEmpty) throw failure ?? nothing();
      this.#window.end();
    } catch (error) {
      // The next request begins it again.
      this.#closing.abort(error);
    }
    this.#notify();
  }

  async #closeIfIdle(signal: AbortSignal): Promise<void> {
    try {
      await this.#idleness.begins(signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    this.#closing.abort();
  }

  #notify(): void {
    this.#change.resolve();
    this.#change = Promise.withResolvers();
  }
}
