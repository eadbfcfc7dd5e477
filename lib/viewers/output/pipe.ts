import { messageOf } from "../../core/errors.ts";
import type { Frame } from "../../core/frame.ts";
import { NutWriter } from "../../media/nut_writer.ts";
import type { Presentation, Viewer } from "../viewer.ts";

/** Hands everything on as NUT, for the next program in a pipe. */
export class PipeViewer implements Viewer {
  #sink: WritableStream<Uint8Array>;
  #writer: NutWriter | undefined;

  /** @param sink standard output */
  constructor(sink: WritableStream<Uint8Array>) {
    this.#sink = sink;
  }

  begin({ streams, lead }: Presentation): Promise<void> {
    this.#writer = new NutWriter(this.#sink, streams, { lead });
    return Promise.resolve();
  }

  async show(frame: Frame): Promise<boolean> {
    return await taken(async () => await this.#writer?.write(frame));
  }

  async finish(): Promise<undefined> {
    await taken(async () => await this.#writer?.close());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}

/** @returns false where the next program has seen enough, as `head` does */
async function taken(action: () => Promise<void>): Promise<boolean> {
  try {
    await action();
    return true;
  } catch (cause) {
    if (cause instanceof Deno.errors.BrokenPipe) return false;
    throw new Error(`Cannot write to standard output: ${messageOf(cause)}`, { cause });
  }
}
