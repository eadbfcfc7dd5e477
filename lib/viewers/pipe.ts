import type { Frame } from "../core/frame.ts";
import { NutWriter } from "../media/nut_writer.ts";
import type { Presentation, Viewer } from "./viewer.ts";

/** Hands everything on as NUT, for the next program in a pipe. */
export class PipeViewer implements Viewer {
  #sink: WritableStream<Uint8Array>;
  #writer: NutWriter | undefined;

  /** @param sink standard output */
  constructor(sink: WritableStream<Uint8Array>) {
    this.#sink = sink;
  }

  begin({ streams }: Presentation): Promise<void> {
    this.#writer = new NutWriter(this.#sink, streams);
    return Promise.resolve();
  }

  async show(frame: Frame): Promise<boolean> {
    try {
      await this.#writer?.write(frame);
      return true;
    } catch (error) {
      // The next program has seen enough, as `head` does.
      if (error instanceof Deno.errors.BrokenPipe) return false;
      throw error;
    }
  }

  async finish(): Promise<undefined> {
    try {
      await this.#writer?.close();
    } catch (error) {
      if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}
