import { deadline } from "../../base/async.ts";
import type { Layout } from "./render_mode.ts";

/** Draws one picture after the other; of those that come meanwhile the newest alone waits. */
export class LatestPicture {
  #draw: (picture: Uint8Array, layout: Layout) => Promise<void>;
  #newest: { picture: Uint8Array; layout: Layout } | undefined;
  #drawing: Promise<void> | undefined;
  #skipped = 0;
  #stopped = false;
  #failed = Promise.withResolvers<unknown>();

  /** @param draw resolved when the next picture may be drawn */
  constructor(draw: (picture: Uint8Array, layout: Layout) => Promise<void>) {
    this.#draw = draw;
  }

  /** Pictures that newer ones have taken the place of. */
  get skipped(): number {
    return this.#skipped;
  }

  /** Settled with what drawing failed with, once it has. */
  get failed(): Promise<unknown> {
    return this.#failed.promise;
  }

  /** Takes a picture, in memory that may be used for another afterwards. */
  put(picture: Uint8Array, layout: Layout): void {
    if (this.#stopped) return;
    if (this.#newest !== undefined) this.#skipped++;
    this.#newest = { picture: picture.slice(), layout };
    this.#drawing ??= this.#run();
  }

  /**
   * Waits until nothing is left to be drawn.
   *
   * @param patience milliseconds after which what is left stays undrawn; as long as it takes where
   * absent
   */
  async finish(patience?: number): Promise<void> {
    if (patience === undefined) return await this.#drawing;
    const { promise: late, resolve } = Promise.withResolvers<void>();
    using _limit = deadline(patience, resolve);
    await Promise.race([this.#drawing, late]);
  }

  /** Draws nothing more. */
  stop(): void {
    this.#stopped = true;
    this.#newest = undefined;
  }

  async #run(): Promise<void> {
    try {
      while (this.#newest !== undefined) {
        const { picture, layout } = this.#newest;
        this.#newest = undefined;
        await this.#draw(picture, layout);
      }
    } catch (error) {
      this.stop();
      this.#failed.resolve(error);
    }
    this.#drawing = undefined;
  }
}
