import type { StreamDescription } from "../core/frame.ts";
import type { StreamReceipt } from "../wire/answer.ts";

/** Counts what is sent of each stream. */
export class Receipts {
  /** One for each stream, in the order of the description; they grow. */
  readonly all: StreamReceipt[];

  constructor(streams: readonly StreamDescription[]) {
    this.all = streams.map(({ id }) => ({ id, frames: 0, bytes: 0 }));
  }

  /**
   * Takes note of a frame that was sent.
   *
   * @param bytes of its data
   */
  add(streamId: number, bytes: number): void {
    const receipt = this.all.find(({ id }) => id === streamId);
    if (receipt === undefined) return;
    receipt.frames++;
    receipt.bytes += bytes;
  }
}
