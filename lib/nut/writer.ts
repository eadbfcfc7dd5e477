/** Writes NUT to a pipe. */
import { isConnectionLost } from "../base/errors.ts";
import { type FloatConversion, floatConversion, toWholeSamples } from "../media/float_pixels.ts";
import type { Frame, Rational, StreamDescription } from "../media/frame.ts";
import { NutMuxer, type NutTags } from "./muxer.ts";

/** Assigns new timestamps to frames. */
export interface Timeline {
  /** New timestamp of a frame, 0 or more microseconds; `undefined` to drop the frame. */
  timestampOf(frame: Frame): number | undefined;
}

/** Options of {@linkcode NutWriter}. */
export interface NutWriterOptions {
  /**
   * Whole seconds to add to all timestamps, since NUT has none below 0. Frames that are still below
   * 0 are dropped. @default 0
   */
  lead?: number;
  /** Replaces the timestamps. */
  timeline?: Timeline;
  /** Tags of the file, chapters in the timestamps of the frames. @default none */
  tags?: NutTags;
}

/** Ticks per second of a {@linkcode Timeline}. */
const MICROSECONDS = 1_000_000;

/**
 * Writes frames as NUT to a pipe without copying their data, except raw video of floats, which NUT
 * does not carry: it is written with 16 bits.
 */
export class NutWriter {
  #writer: WritableStreamDefaultWriter<Uint8Array>;
  #muxer: NutMuxer;
  #options: NutWriterOptions;
  #timeBases: Map<number, Rational>;
  #floats = new Map<number, FloatConversion>();
  /** Timestamp of each stream's first frame. */
  #first = new Map<number, number>();
  #started = false;

  constructor(
    output: WritableStream<Uint8Array>,
    streams: readonly StreamDescription[],
    options: NutWriterOptions = {},
  ) {
    this.#options = options;
    this.#timeBases = new Map(streams.map(({ id, timeBase }) => [id, timeBase]));
    for (const stream of streams) {
      const conversion = floatConversion(stream);
      if (conversion !== undefined) this.#floats.set(stream.id, conversion);
    }
    this.#muxer = new NutMuxer(
      streams.map((stream) => ({
        ...this.#floats.get(stream.id)?.stream ?? stream,
        timeBase: writtenTimeBase(stream.timeBase, options),
      })),
      writtenTags(options),
    );
    this.#writer = output.getWriter();
    // Failures are reported by the failing write.
    this.#writer.closed.catch(() => {});
  }

  /**
   * Writes a frame, which must not change until the result resolves. Drops empty frames, with which some encoders
   * end, since FFmpeg cannot decode them.
   *
   * @throws {RangeError} for a frame of an unknown stream
   */
  async write(frame: Frame): Promise<void> {
    await this.#start();
    if (frame.data.byteLength === 0) return;
    const timestamp = this.#written(frame);
    if (timestamp === undefined) return;
    const floats = this.#floats.get(frame.streamId);
    const data = floats === undefined ? frame.data : toWholeSamples(frame.data, floats);
    const header = this.#writer.write(this.#muxer.frameHeader({ ...frame, timestamp, data }));
    const body = this.#writer.write(data);
    await Promise.all([header, body]);
  }

  /** Finishes pending writes and ends the output. */
  async close(): Promise<void> {
    await this.#start();
    await this.#writer.close();
  }

  /**
   * Ends the output at once. Pending and later writes fail with a broken pipe. No effect after the
   * end.
   */
  async abort(): Promise<void> {
    try {
      await this.#writer.abort(new Deno.errors.BrokenPipe("The output has been ended"));
    } catch (error) {
      // A pending write failed because the reader is gone, which has ended the output.
      if (!isConnectionLost(error)) throw error;
    }
  }

  /**
   * Whether a frame lies before 0 and before its stream's first frame. It refers to frames that are
   * not in the stream, and no displayed frame refers to it.
   */
  #isOrphan({ streamId, timestamp }: Frame): boolean {
    const first = this.#first.get(streamId) ?? timestamp;
    this.#first.set(streamId, first);
    return timestamp < 0 && timestamp < first;
  }

  /** The timestamp to write, in ticks of the written time base; `undefined` to drop the frame. */
  #written(frame: Frame): number | undefined {
    const { lead = 0, timeline } = this.#options;
    if (timeline !== undefined) return timeline.timestampOf(frame);
    const { streamId, timestamp } = frame;
    const [numerator, denominator] = this.#timeBases.get(streamId) ?? [1, 1];
    const shifted = lead === 0 ? timestamp : timestamp * numerator + lead * denominator;
    if (shifted < 0 && timestamp < 0 || this.#isOrphan(frame)) return undefined;
    return shifted;
  }

  async #start(): Promise<void> {
    if (this.#started) return;
    this.#started = true;
    await this.#writer.write(this.#muxer.header());
  }
}

/** A time base in which shifted timestamps are whole numbers. */
function writtenTimeBase(
  timeBase: Rational,
  { lead = 0, timeline }: NutWriterOptions,
): Rational {
  if (timeline !== undefined) return [1, MICROSECONDS];
  return lead === 0 ? timeBase : [1, timeBase[1]];
}

/** Tags whose chapters are shifted as the frames are. */
function writtenTags({ tags = {}, lead = 0 }: NutWriterOptions): NutTags {
  const chapters = tags.chapters?.map((chapter) => ({
    ...chapter,
    start: chapter.start + lead,
    end: chapter.end + lead,
  }));
  return { ...tags, chapters };
}
