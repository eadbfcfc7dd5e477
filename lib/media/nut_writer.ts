import type { Frame, Rational, StreamDescription } from "../core/frame.ts";
import { NutMuxer } from "./nut_mux.ts";

/** How the time line that is written differs from the frames' own. */
export interface NutWriterOptions {
  /**
   * Whole seconds that are added to all timestamps, since NUT has none below 0. Frames that would
   * have to be earlier still are left out.
   */
  lead?: number;
  /** Time goes by that much faster; 1 where absent. */
  speed?: number;
}

/** Ticks a second where the speed is another: all streams get the same, so that they stay together. */
const SCALED_TICKS = 1_000_000;

/** Writes frames as NUT to a pipe, each from where it lies. */
export class NutWriter {
  #writer: WritableStreamDefaultWriter<Uint8Array>;
  #muxer: NutMuxer;
  #options: NutWriterOptions;
  #timeBases: Map<number, Rational>;
  /** Timestamp of each stream's first frame. */
  #first = new Map<number, number>();
  #begun = false;

  constructor(
    sink: WritableStream<Uint8Array>,
    streams: readonly StreamDescription[],
    options: NutWriterOptions = {},
  ) {
    this.#options = options;
    this.#timeBases = new Map(streams.map(({ id, timeBase }) => [id, timeBase]));
    this.#muxer = new NutMuxer(
      streams.map((stream) => ({ ...stream, timeBase: writtenTimeBase(stream.timeBase, options) })),
    );
    this.#writer = sink.getWriter();
    // The write that fails tells of it; the stream's own notice would come on top.
    this.#writer.closed.catch(() => {});
  }

  /**
   * Writes a frame, which must stay as it is until then. Empty ones, with which some encoders end,
   * hold nothing that FFmpeg could decode, and are left out.
   *
   * @throws {RangeError} for a frame of a stream that was not announced
   */
  async write(frame: Frame): Promise<void> {
    await this.#begin();
    const timestamp = this.#written(frame);
    if (timestamp < 0 && frame.timestamp < 0 || frame.data.byteLength === 0) return;
    if (this.#leadsNowhere(frame)) return;
    const header = this.#writer.write(this.#muxer.frameHeader({ ...frame, timestamp }));
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

  /**
   * Whether a frame from before the beginning is to be shown before its stream's first one: it
   * refers to pictures that have not come, and nothing that is shown refers to it.
   */
  #leadsNowhere({ streamId, timestamp }: Frame): boolean {
    const first = this.#first.get(streamId) ?? timestamp;
    this.#first.set(streamId, first);
    return timestamp < 0 && timestamp < first;
  }

  /** The timestamp of a frame in ticks of the time base that is written. */
  #written({ streamId, timestamp }: Frame): number {
    const { lead = 0, speed = 1 } = this.#options;
    const [numerator, denominator] = this.#timeBases.get(streamId) ?? [1, 1];
    if (speed !== 1) {
      const seconds = timestamp * numerator / denominator + lead;
      return Math.round(seconds / speed * SCALED_TICKS);
    }
    return lead === 0 ? timestamp : timestamp * numerator + lead * denominator;
  }

  async #begin(): Promise<void> {
    if (this.#begun) return;
    this.#begun = true;
    await this.#writer.write(this.#muxer.header());
  }
}

/** A time base in which the shifted timestamps are whole numbers. */
function writtenTimeBase(
  timeBase: Rational,
  { lead = 0, speed = 1 }: NutWriterOptions,
): Rational {
  if (speed !== 1) return [1, SCALED_TICKS];
  return lead === 0 ? timeBase : [1, timeBase[1]];
}
