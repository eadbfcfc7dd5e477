import type { Frame } from "../core/frame.ts";
import type { EndReport, StreamReceipt } from "../wire/answer.ts";
import { formatCount } from "./progress.ts";

/** What came over one connection, to be compared with what the server says that it sent. */
export class Receipt {
  #streams = new Map<number, StreamReceipt>();

  /** Counts a frame, whatever becomes of it. */
  count({ streamId, data }: Frame): void {
    const stream = this.#of(streamId);
    stream.frames++;
    stream.bytes += data.byteLength;
    this.#streams.set(streamId, stream);
  }

  /**
   * Compares with the end of the answer, where that says what was sent.
   *
   * @throws {Error} where anything else came
   */
  check(end: Pick<EndReport, "streams" | "frames" | "audioFrames" | "bytes">): void {
    if (end.streams === undefined) return;
    const sent = new Map(end.streams.map((stream) => [stream.id, stream]));
    for (const id of new Set([...sent.keys(), ...this.#streams.keys()])) {
      const { frames, bytes } = sent.get(id) ?? { frames: 0, bytes: 0 };
      const came = this.#of(id);
      if (came.frames !== frames) {
        throw new Error(
          `the server sent ${
            formatCount(frames, "frame")
          } of stream ${id} and ${came.frames} came, ` +
            "get it again",
        );
      }
      if (came.bytes !== bytes) {
        throw new Error(
          `the server sent ${formatCount(bytes, "byte")} of stream ${id} and ${came.bytes} came, ` +
            "get it again",
        );
      }
    }
    const all = [...this.#streams.values()];
    const frames = all.reduce((sum, stream) => sum + stream.frames, 0);
    const bytes = all.reduce((sum, stream) => sum + stream.bytes, 0);
    const sentFrames = end.frames + end.audioFrames;
    if (frames === sentFrames && bytes === end.bytes) return;
    throw new Error(
      `the server sent ${formatCount(sentFrames, "frame")} of ${end.bytes} bytes in all and ` +
        `${frames} of ${bytes} came, get it again`,
    );
  }

  #of(id: number): StreamReceipt {
    return this.#streams.get(id) ?? { id, frames: 0, bytes: 0 };
  }
}
