import type { Frame, StreamDescription } from "../core/frame.ts";
import { NutMuxer } from "./nut_mux.ts";

/** Writes frames as NUT to a pipe, each from where it lies. */
export class NutWriter {
  #writer: WritableStreamDefaultWriter<Uint8Array>;
  #muxer: NutMuxer;
  #begun = false;

  constructor(sink: WritableStream<Uint8Array>, streams: readonly StreamDescription[]) {
    this.#writer = sink.getWriter();
    this.#muxer = new NutMuxer(streams);
    // The write that fails tells of it; the stream's own notice would come on top.
    this.#writer.closed.catch(() => {});
  }

  /**
   * Writes a frame, which must stay as it is until then.
   *
   * @throws {RangeError} for a frame of a stream that was not announced
   */
  async write(frame: Frame): Promise<void> {
    await this.#begin();
    const header = this.#writer.write(this.#muxer.frameHeader(frame));
    const body = this.#writer.write(frame.data);
    await Promise.all([header, body]);
  }

  /** Writes what is outstanding and ends the output. */
  async close(): Promise<void> {
    await this.#begin();
    await this.#writer.close();
  }

  /** Ends the output at once; what is outstanding may be lost. Harmless when it has ended. */
  async abort(): Promise<void> {
    await this.#writer.abort();
  }

  async #begin(): Promise<void> {
    if (this.#begun) return;
    this.#begun = true;
    await this.#writer.write(this.#muxer.header());
  }
}
