import { isConnectionLost } from "../base/errors.ts";
import type { Frame, Rational, StreamDescription } from "../media/frame.ts";
import { NutMuxer } from "./muxer.ts";

/** A time line of its own that frames are written on. */
export interface Timeline {
  /** Microseconds at which a frame lies, 0 or more; `undefined` for those to leave out. */
  place(frame: Frame): number | undefined;
}

/** How the time line that is written differs from the frames' own. */
export interface NutWriterOptions {
  /**
   * Whole seconds that are added to all timestamps, since NUT has none below 0. Frames that would
   * have to be earlier still are left out.
   */
  lead?: number;
  /** Says where frames lie instead. */
  timeline?: Timeline;
}

/** Ticks a second of a {@linkcode Timeline}. */
const MICROSECONDS = 1_000_000;

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
    if (frame.data.byteLength === 0) return;
    const timestamp = this.#written(frame);
    if (timestamp === undefined) return;
    const header = this.#writer.write(this.#muxer.frameHeader({ ...frame, timestamp }));
    const body = this.#writer.write(frame.data);
    await Promise.all([header, body]);
  }

  /** Writes what is outstanding and ends the output. */
  async close(): Promise<void> {
    await this.#begin();
    await this.#writer.close();
  }

  /**
   * Ends the output at once; what is outstanding may be lost, and what is still written fails, as
   * where nobody reads it. Harmless when it has ended.
   */
  async abort(): Promise<void> {
    try {
      await this.#writer.abort(new Deno.errors.BrokenPipe("The output has been ended"));
    } catch (error) {
      // A write that was under way has found out that nobody reads any more: it has ended by that.
      if (!isConnectionLost(error)) throw error;
    }
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

  /** The timestamp of a frame in ticks of the time base that is written, where it is written. */
  #written(frame: Frame): number | undefined {
    const { lead = 0, timeline } = this.#options;
    if (timeline !== undefined) return timeline.place(frame);
    const { streamId, timestamp } = frame;
    const [numerator, denominator] = this.#timeBases.get(streamId) ?? [1, 1];
    const shifted = lead === 0 ? timestamp : timestamp * numerator + lead * denominator;
    if (shifted < 0 && timestamp < 0 || this.#leadsNowhere(frame)) return undefined;
    return shifted;
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
  { lead = 0, timeline }: NutWriterOptions,
): Rational {
  if (timeline !== undefined) return [1, MICROSECONDS];
  return lead === 0 ? timeBase : [1, timeBase[1]];
}
