import { messageOf } from "../base/errors.ts";
import type { Frame } from "../media/frame.ts";
import type { Presentation, Sink } from "./sink.ts";

/** Several sinks as one. Those that are closed or fail are removed, and the others go on. */
export class SinkGroup {
  readonly notes: string[] = [];
  readonly failures: unknown[] = [];
  /** The error of the last sink, unless it was closed. */
  failure: unknown;
  #sinks: Set<Sink>;
  #onFailure: (line: string) => void;
  #finishing = false;

  /** @param onFailure called at once if a sink fails while others go on, perhaps for hours */
  constructor(sinks: readonly Sink[], onFailure: (line: string) => void = () => {}) {
    this.#sinks = new Set(sinks);
    this.#onFailure = onFailure;
  }

  get empty(): boolean {
    return this.#sinks.size === 0;
  }

  begin(presentation: Presentation): Promise<void> {
    return this.#each((sink) => sink.begin(presentation));
  }

  /** @returns false if all sinks are closed */
  async show(frame: Frame): Promise<boolean> {
    await this.#each((sink) => sink.show(frame));
    return !this.empty;
  }

  jump(to: number): Promise<void> {
    return this.#each(async (sink) => await sink.jump?.(to));
  }

  finish(whole: boolean): Promise<void> {
    this.#finishing = true;
    return this.#each(async (sink) => {
      const note = await sink.finish(whole);
      if (note !== undefined) this.notes.push(note);
    });
  }

  /**
   * Runs an action on each sink, and removes the sinks that are closed (false) or fail.
   *
   * @throws the error of the last sink
   */
  async #each(action: (sink: Sink) => Promise<boolean | void>): Promise<void> {
    for (const sink of this.#sinks) {
      try {
        if (await action(sink) === false) this.#sinks.delete(sink);
      } catch (error) {
        this.#sinks.delete(sink);
        if (this.empty) {
          this.failure = error;
          throw error;
        }
        this.failures.push(error);
        // At the end, the caller reports the failures.
        if (!this.#finishing) this.#onFailure(`${messageOf(error)}; the rest goes on`);
      }
    }
  }
}
