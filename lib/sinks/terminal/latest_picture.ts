import { settlesWithin } from "../../base/async.ts";
import type { Layout } from "./render_mode.ts";

/** Draws pictures one at a time; while one is drawn, only the newest of the others waits. */
export class LatestPicture {
  #draw: (picture: Uint8Array, layout: Layout) => Promise<void>;
  #newest: { picture: Uint8Array; layout: Layout } | undefined;
  #drawing: Promise<void> | undefined;
  #skipped = 0;
  #stopped = false;
  #failed = Promise.withResolvers<unknown>();

  /** @param draw draws a picture; resolves when the next may be drawn */
  constructor(draw: (picture: Uint8Array, layout: Layout) => Promise<void>) {
    this.#draw = draw;
  }

  /** Pictures replaced by newer ones before they were drawn. */
  get skipped(): number {
    return this.#skipped;
  }

  /** Resolves with the error if drawing fails. */
  get failed(): Promise<unknown> {
    return this.#failed.promise;
  }

  /** Copies a picture to draw it next. */
  put(picture: Uint8Array, layout: Layout): void {
    if (this.#stopped) return;
    if (this.#newest !== undefined) this.#skipped++;
    this.#newest = { picture: picture.slice(), layout };
    this.#drawing ??= this.#run();
  }

  /**
   * Waits until all pictures are drawn.
   *
   * @param patience milliseconds to wait at most; without it, as long as it takes
   */
  async finish(patience?: number): Promise<void> {
    const drawing = this.#drawing ?? Promise.resolve();
    if (patience === undefined) await drawing;
    else await settlesWithin(drawing, patience);
  }

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
